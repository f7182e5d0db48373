/* What every screen says about itself: connection, age of the picture, demo mark, clock, notices. */
(function () {
  'use strict';
  const gw = window.gw;
  const STALE_MS = 12000; // one missed keep-alive is no reason to hatch a picture

  function showLink() {
    const e = document.getElementById('link-state'), state = gw.live.state;
    if (!e) return;
    e.dataset.state = state;
    gw.setText(e.lastElementChild, gw.t('link.' + (state === 'lost' ? 'lost_short' : state)));
  }

  /* The last picture stays, hatched, with its age; it goes away by itself. */
  function showAge() {
    const e = document.getElementById('stale-picture');
    if (!e) return;
    const age = gw.now() - gw.live.at, lost = gw.live.state !== 'live' && (!gw.live.ready || age > STALE_MS);
    document.documentElement.dataset.stale = lost && gw.live.ready ? 'yes' : 'no';
    e.hidden = !lost || (!gw.live.ready && gw.live.state === 'connecting');
    if (e.hidden) return;
    const text = gw.live.ready ? gw.t('link.stale', { time: gw.clock(gw.live.at), age: gw.age(age) }) : gw.t('link.no_picture');
    gw.setText(e.querySelector('span'), gw.live.state === 'signed_out' ? gw.t('link.signed_out') + ' · ' + text : text);
    e.querySelector('a').hidden = gw.live.state !== 'signed_out';
  }

  function showClock() {
    const now = gw.now(), p = gw.parts(now);
    gw.setText(document.getElementById('wall-clock'), gw.clock(now));
    gw.setText(document.getElementById('wall-date'), gw.date(now) + ' ' + gw.t('weekday.' + p.weekdayIndex));
  }

  function showDemo() {
    const e = document.getElementById('demo-mark');
    if (e) e.hidden = !gw.live.demo;
  }

  function showDistrict(m) { gw.setText(document.getElementById('district-name'), gw.pick(m.district, 'name')); }

  gw.showStatus = function () {
    gw.live.on('map', showDistrict);
    gw.live.on('link', () => { showLink(); showAge(); });
    gw.live.on('snapshot', () => { showDemo(); showAge(); });
    showLink(); showDemo();
    gw.every(1000, () => { showClock(); showAge(); tickSince(); });
  };

  gw.showKpi = function () {
    const k = gw.live.kpi;
    if (!k) return;
    gw.setProp('kpi-open', gw.number(k.open));
    gw.setProp('kpi-open-note', gw.t('kpi.open_note', { overdue: k.overdue, due_soon: k.due_soon, closed: k.closed_today }));
    gw.setProp('kpi-handling', gw.percent(k.handling));
    gw.setProp('kpi-handling-note', gw.t('kpi.ratio_note', k.handling));
    gw.setProp('kpi-in-time', gw.percent(k.in_time));
    gw.setProp('kpi-in-time-note', gw.t('kpi.ratio_note', k.in_time));
    gw.setProp('kpi-devices', gw.number(k.devices.reporting));
    gw.setProp('kpi-devices-note', gw.t('kpi.devices_note', { total: gw.number(k.devices.total), alarms: k.alarms_live, lit: gw.percent(k.lit) }));
  };

  gw.deviceName = function (alarm) {
    const k = gw.map.deviceIndex.get(alarm.device_id);
    return gw.placeName((k !== undefined && gw.map.devices[k].name) || alarm.device || '');
  };

  /* A red alarm that nobody has acknowledged takes the top of the map until somebody has. */
  let shown = '';
  gw.showCritical = function () {
    const host = document.getElementById('wall-critical'), all = gw.critical(), a = all[0];
    document.documentElement.dataset.critical = a ? 'yes' : 'no';
    host.hidden = !a;
    const key = a ? [a.id, a.version, all.length].join(':') : '';
    if (key === shown) return;
    shown = key;
    if (!a) { host.replaceChildren(); return; }
    const incident = gw.live.incidents.get(a.incident_id);
    host.replaceChildren(
      gw.el('strong', '', gw.t(gw.isGas(a) ? 'wall.gas_alarm' : 'wall.red_alarm')),
      gw.el('span', 'gw-critical-what', gw.reason(a.reason)),
      gw.el('span', 'gw-critical-where', [gw.deviceName(a), incident ? ' · ' + gw.place(incident) : '']),
      ...(a.state === 'unacknowledged' ? [] : [gw.el('span', 'gw-critical-more', gw.word('alarm_state', a.state))]),
      gw.el('span', 'gw-critical-since', '', { 'data-since': a.announced, 'aria-hidden': 'true' }) /* ticks: not to be read out each second */,
      ...(all.length > 1 ? [gw.el('span', 'gw-critical-more', gw.t('wall.critical_more', { n: all.length }))] : []));
    tickSince();
  };
  function tickSince() {
    for (const e of document.querySelectorAll('[data-since]')) gw.setText(e, gw.t('wall.unacknowledged_since', { age: gw.age(gw.now() - e.dataset.since) }));
  }

  /* A message to the person, also read aloud. Bad news stays until it is closed. */
  gw.notice = function (text, kind) {
    const host = document.getElementById('notice');
    if (!host) return;
    const close = gw.el('button', 'gw-notice-close', '×', { type: 'button', 'aria-label': gw.t('close_dialog') });
    const note = gw.el('div', 'gw-notice ' + (kind || 'good'), [gw.el('span', '', text), close], { role: kind === 'bad' ? 'alert' : 'status' });
    close.onclick = () => note.remove();
    host.replaceChildren(note);
    if (kind !== 'bad') setTimeout(() => note.remove(), 6000);
  };
})();
