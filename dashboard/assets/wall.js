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

  function draw() { incidents(); alarms(); critical(); gw.showKpi(); }

  const severity = s => gw.el('span', 'gw-sev', gw.word('severity_mark', s), { 'data-severity': s, title: gw.word('severity', s) });

  /* Rows that fit: a wall has no scroll bar and nobody who could use it. */
  function fitting(host, rowRem) { return Math.max(1, Math.floor(host.clientHeight / (rowRem * gw.rem()))); }

  function incidents() {
    const host = $('wall-incidents'), all = [...gw.live.incidents.values()].sort(gw.byUrgency);
    const room = fitting(host, 3.375), fit = all.length > room ? room - 1 : room;
    gw.setText($('wall-incident-count'), gw.live.ready ? String(all.length) : '');
    const rows = all.slice(0, fit).map(incidentRow);
    if (all.length > fit) rows.push(gw.el('li', 'gw-more', gw.t('wall.more', { n: all.length - fit })));
    if (!all.length && gw.live.ready) rows.push(gw.el('li', 'gw-empty', gw.t('wall.no_incidents')));
    host.replaceChildren(...rows);
    tick();
  }
  function incidentRow(i) {
    const due = gw.el('span', 'gw-due');
    due.incident = i;
    const squad = gw.pick(i, 'squad');
    return gw.el('li', 'gw-row', [severity(i.severity),
      gw.el('div', 'gw-row-main', [gw.el('div', 'gw-row-title', gw.pick(i, 'title')), gw.el('div', 'gw-row-note', [gw.place(i), ' · ', gw.word('state', i.state)])]),
      gw.el('div', 'gw-row-side', [due, gw.el('div', 'gw-row-note' + (squad ? '' : ' gw-wanted'), squad || gw.t('wall.unassigned'))])]);
  }

  function tick() {
    const now = gw.now();
    for (const e of document.querySelectorAll('.gw-due')) {
      const standing = gw.standing(e.incident, now);
      if (e.dataset.standing !== standing) e.dataset.standing = standing;
      const text = gw.countdownText(e.incident, now);
      gw.setText(e, e.incident.clock && standing !== 'paused' ? `${gw.word('clock', e.incident.clock)} ${text}` : text);
    }
    for (const e of document.querySelectorAll('[data-since]')) gw.setText(e, gw.t('wall.unacknowledged_since', { age: gw.age(now - e.dataset.since) }));
  }

  function alarms() {
    const host = $('wall-alarms'), all = [...gw.live.alarms.values()].filter(a => !a.shelved).sort((a, b) => b.raised - a.raised);
    gw.setText($('wall-alarm-count'), gw.live.ready ? String(all.length) : '');
    const rows = all.slice(0, fitting(host, 2.5)).map(a => gw.el('li', 'gw-row gw-alarm', [severity(a.severity),
      gw.el('time', '', gw.clock(a.raised)),
      gw.el('div', 'gw-row-main', gw.el('div', 'gw-row-title', [gw.reason(a.reason) || a.category, gw.el('small', '', deviceName(a))])),
      gw.el('span', 'gw-row-note', gw.word('alarm_state', a.state))]));
    if (!all.length && gw.live.ready) rows.push(gw.el('li', 'gw-empty', gw.t('wall.no_alarms')));
    host.replaceChildren(...rows);
  }
  function deviceName(alarm) {
    const k = gw.map.deviceIndex.get(alarm.device_id);
    return (k !== undefined && gw.map.devices[k].name) || alarm.device || '';
  }

  /* A red alarm that nobody has acknowledged takes the top of the map until somebody has. */
  let shown = '';
  function critical() {
    const host = $('wall-critical'), all = gw.critical(), a = all[0];
    document.documentElement.dataset.critical = a ? 'yes' : 'no';
    host.hidden = !a;
    const key = a ? [a.id, a.version, all.length].join(':') : '';
    if (key === shown) return;
    shown = key;
    if (!a) { host.replaceChildren(); return; }
    const k = gw.map.deviceIndex.get(a.device_id), kind = k === undefined ? '' : gw.map.devices[k].kind;
    const incident = gw.live.incidents.get(a.incident_id);
    host.replaceChildren(
      gw.el('strong', '', gw.t(kind === 'gas' || (incident && incident.family === 'gas') ? 'wall.gas_alarm' : 'wall.red_alarm')),
      gw.el('span', 'gw-critical-what', gw.reason(a.reason)),
      gw.el('span', 'gw-critical-where', [deviceName(a), incident ? ' · ' + gw.place(incident) : '']),
      gw.el('span', 'gw-critical-since', '', { 'data-since': a.raised }),
      ...(all.length > 1 ? [gw.el('span', 'gw-critical-more', gw.t('wall.critical_more', { n: all.length }))] : []));
    tick();
  }

  gw.screens.wall = function () {
    gw.showOnMap();
    gw.showStatus();
    gw.live.on('snapshot', soon);
    gw.live.on('change', soon);
    gw.live.on('devices', f => gw.latency.take(f));
    gw.every(1000, tick);
    gw.every(2000, () => gw.showLatency($('latency')));
    addEventListener('resize', soon);
    gw.live.start();
  };
})();
