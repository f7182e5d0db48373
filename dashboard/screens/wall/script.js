/* The wall: lists and banner drawn straight into the page; the map has its own layer. */
(function () {
  'use strict';
  const gw = window.gw;
  const $ = id => document.getElementById(id);

  let asked = false;
  function soon() { // several frames a second become one drawing
    if (asked) return;
    asked = true;
    setTimeout(() => { asked = false; draw(); }, 200);
  }

  function draw() {
    document.documentElement.dataset.flood = gw.flood() ? 'yes' : 'no'; // first: it says how much room there is
    incidents(); alarms(); gw.showCritical(); gw.showKpi();
  }

  const severity = s => gw.el('span', 'gw-sev', gw.word('severity_mark', s), { 'data-severity': s, title: gw.word('severity', s) });

  /* Rows that fit: a wall has no scroll bar and nobody who could use it. */
  const rowsOf = (host, rowRem, lessRem) => Math.max(1, Math.floor((host.clientHeight / gw.rem() - (lessRem || 0)) / rowRem));
  /* With too many a last line says how many more there are: it takes room of its own. */
  gw.fitting = (count, host, rowRem, lineRem) => (count > rowsOf(host, rowRem) ? rowsOf(host, rowRem, lineRem) : count);

  function incidents() {
    const host = $('wall-incidents'), all = [...gw.live.incidents.values()].sort(gw.byUrgency);
    const fit = gw.fitting(all.length, host, 3.375, 2.75);
    gw.setText($('wall-incident-count'), gw.live.ready ? String(all.length) : '');
    const rows = all.slice(0, fit).map(incidentRow);
    if (all.length > fit) rows.push(gw.el('li', 'gw-more', gw.t('wall.more', { n: all.length - fit })));
    if (!all.length && gw.live.ready) rows.push(gw.el('li', 'gw-empty', gw.t(gw.isOld('incidents') ? 'fault.unknown' : 'wall.no_incidents')));
    host.replaceChildren(...rows);
    tick();
  }
  function incidentRow(i) {
    const due = gw.el('span', 'gw-due');
    due.incident = i;
    const squad = gw.pick(i, 'squad');
    return gw.el('li', 'gw-row', [severity(i.severity),
      gw.el('div', 'gw-row-main', [gw.el('div', 'gw-row-title', gw.placeName(gw.pick(i, 'title'))), gw.el('div', 'gw-row-note', [gw.place(i), ' · ', gw.word('state', i.state)])]),
      gw.el('div', 'gw-row-side', [due, gw.el('div', 'gw-row-note' + (squad ? '' : ' gw-wanted'), gw.placeName(squad) || gw.t('wall.unassigned'))])]);
  }

  function tick() {
    const now = gw.now();
    for (const e of document.querySelectorAll('.gw-due')) {
      const standing = gw.standing(e.incident, now);
      if (e.dataset.standing !== standing) e.dataset.standing = standing;
      const text = gw.countdownText(e.incident, now);
      gw.setText(e, e.incident.clock && standing !== 'paused' ? `${gw.word('clock', e.incident.clock)} ${text}` : text);
    }
  }

  /* In a flood: gas by itself on top, then the causes; what has no room is counted. */
  function flood(found) {
    const host = $('wall-alarms'), rows = gw.floodRows(found), lineRem = 2.5;
    const fit = gw.fitting(rows.length, host, lineRem, lineRem);
    gw.setText($('wall-alarm-count'), gw.t('flood.short', { n: found.announced, operators: found.operators }));
    host.replaceChildren(...rows.slice(0, fit).map(r => gw.el('li', 'gw-row gw-alarm' + (r.gas ? ' gw-flood-gas' : ''), [severity(r.severity), gw.el('time', '', gw.clock(r.at)),
      gw.el('div', 'gw-row-main', gw.el('div', 'gw-row-title', [r.title, gw.el('small', '', r.note), ...gw.timesMark(r.times)])), gw.el('span', 'gw-row-note', r.state ? gw.word('alarm_state', r.state) : '')])),
    ...(rows.length > fit ? [gw.el('li', 'gw-more', gw.t('flood.more', { n: rows.length - fit + found.causes_count - found.causes.length }))] : []));
  }

  function alarms() {
    const found = gw.flood();
    gw.setText($('wall-alarms').previousElementSibling.firstChild, gw.t(found ? 'flood.name' : 'wall.alarms'));
    if (found) { flood(found); return; }
    const host = $('wall-alarms'), all = [...gw.live.alarms.values()].filter(a => !a.shelved).sort((a, b) => b.announced - a.announced);
    gw.setText($('wall-alarm-count'), gw.live.ready ? String(all.length) : '');
    const rows = all.slice(0, rowsOf(host, 2.5)).map(a => gw.el('li', 'gw-row gw-alarm', [severity(a.severity),
      gw.el('time', '', gw.clock(a.announced)),
      gw.el('div', 'gw-row-main', gw.el('div', 'gw-row-title', [gw.reason(a.reason) || a.category, gw.el('small', '', gw.deviceName(a)), ...gw.timesMark(gw.timesOf(a))])),
      gw.el('span', 'gw-row-note', gw.word('alarm_state', a.state))]));
    if (!all.length && gw.live.ready) rows.push(gw.el('li', 'gw-empty', gw.t(gw.isOld('readings') || gw.isOld('alarms') ? 'fault.unknown' : 'wall.no_alarms')));
    host.replaceChildren(...rows);
  }

  gw.screens.wall = function () {
    gw.showOnMap();
    gw.showStatus();
    gw.showCalls(false);
    gw.live.on('snapshot', soon);
    gw.live.on('change', soon);
    gw.live.on('faults', soon);
    gw.live.on('devices', f => gw.latency.take(f));
    gw.every(1000, tick);
    gw.every(5000, soon); // a flood ends without an event
    gw.every(2000, () => gw.showLatency($('latency')));
    addEventListener('resize', soon);
    gw.live.start();
  };
})();
