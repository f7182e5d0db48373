/* What every screen says about itself: what does not go on, age of the picture, demo mark, clock, notices. */
(function () {
  'use strict';
  const gw = window.gw;
  const SILENT_MS = 8000; // four words of the server missed
  const FEW = 20; // cases below which a percentage is no figure
  const SHOWN = 3; // what explains the rest comes first
  const LONG_MS = 20 * 3600 * 1000; // after that a time of day alone misleads
  const $ = id => document.getElementById(id);

  /* What does not go on: the server says it of everything behind it; that the server itself says
     nothing is known here only. */
  gw.faults = function () {
    const live = gw.live, silent = performance.now() - live.heard > SILENT_MS;
    const away = live.ready ? silent : live.state === 'lost' && !live.faults.length;
    if (away || live.state === 'signed_out') return [{ code: 'server_away', since: live.at || null, old: 'all' }];
    return live.faults;
  };
  /* Whether this part of the picture may be from before: 'readings', 'alarms', 'incidents'. */
  gw.isOld = what => gw.faults().some(f => f.old === 'all' || f.old === what);

  function showLink(faults) {
    const e = $('link-state');
    if (!e) return;
    let state = gw.live.state;
    if (state === 'live' && faults.length) state = faults[0].code === 'server_away' ? 'lost' : 'behind';
    e.dataset.state = state;
    gw.setText(e.lastElementChild, gw.t(state === 'behind' ? 'fault.chip' : 'link.' + (state === 'lost' ? 'lost_short' : state)));
  }

  const moment = ms => (gw.now() - ms > LONG_MS ? gw.dayAndClock(ms) : gw.clock(ms));
  function headline(f) {
    return f.since ? gw.t('fault.' + f.code, { age: gw.age(gw.now() - f.since), time: moment(f.since) }) : gw.t(`fault.${f.code}_never`);
  }
  function reason(f) {
    const code = f.code === 'server_away' && gw.live.state === 'signed_out' ? 'signed_out' : f.code;
    const since = f.since && f.code !== 'server_away' ? ' · ' + gw.t('fault.since', { time: moment(f.since) }) : '';
    return gw.t(`fault.${code}_why`) + since;
  }

  /* The last picture stays; what is old of it is hatched, and above it stands why and for how long. */
  let told = '';
  function showFaults() {
    const faults = gw.faults(), root = document.documentElement.dataset, host = $('stale-picture');
    showLink(faults);
    root.stale = faults.some(f => f.old === 'all') && gw.live.ready ? 'yes' : 'no';
    root.old = [...new Set(faults.map(f => f.old))].join(' ');
    if (!host) return;
    host.hidden = !faults.length;
    host.querySelector('a').hidden = gw.live.state !== 'signed_out';
    const list = host.querySelector('ul'), key = faults.map(f => f.code + f.since + gw.live.state).join();
    if (key !== told) { list.replaceChildren(...faults.slice(0, SHOWN).map(row)); told = key; }
    for (const e of list.querySelectorAll('strong')) gw.setText(e, headline(e.fault));
  }
  /* The age ticks; read aloud it is once, as it was when it began to be said. */
  function row(f) {
    const what = gw.el('strong');
    what.fault = f;
    return gw.el('li', '', [gw.el('span', 'gw-unseen', `${headline(f)}, ${reason(f)}`),
      gw.el('div', '', [what, gw.el('span', '', reason(f))], { 'aria-hidden': 'true' }), ...wayOut(f)]);
  }

  function wayOut(f) { // for whoever may open it
    const leads = f.code === 'gas_refused' && document.querySelector('.gw-nav a[href="/quarantine"]');
    return leads ? [gw.el('a', 'gw-quiet-button', gw.t('fault.gas_refused_open'), { href: '/quarantine' })] : [];
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
    gw.live.on('link', showFaults);
    gw.live.on('faults', showFaults);
    gw.live.on('snapshot', () => { showDemo(); showFaults(); });
    showDemo();
    gw.every(1000, () => { showClock(); showFaults(); tickSince(); });
  };

  /* A ratio of few cases says little: it is grey, and says so. */
  function showRatio(name, ratio) {
    const few = ratio.den > 0 && ratio.den < FEW, said = gw.t('kpi.ratio_note', ratio);
    gw.setProp('kpi-' + name, gw.percent(ratio));
    gw.setProp('kpi-' + name + '-note', few ? said + ' · ' + gw.t('kpi.few') : said);
    gw.setProp('kpi-' + name, few ? 'gw-few' : '', 'className');
  }

  gw.showKpi = function () {
    const k = gw.live.kpi;
    if (!k) return;
    gw.setProp('kpi-overdue', gw.number(k.overdue));
    gw.setProp('kpi-overdue-note', gw.t('kpi.overdue_note', { due_soon: k.due_soon }));
    gw.setProp('kpi-open', gw.number(k.open));
    gw.setProp('kpi-open-note', gw.t('kpi.open_note', { opened: k.opened_today, closed: k.closed_today }));
    showRatio('dispatching', k.dispatching);
    showRatio('acknowledging', k.acknowledging);
    showRatio('in-time', k.in_time);
    gw.setProp('kpi-devices', gw.number(k.devices.reporting));
    gw.setProp('kpi-devices-note', gw.t('kpi.devices_note', { total: gw.number(k.devices.total), alarms: k.alarms_live, lit: gw.percent(k.lit) }));
  };

  gw.names = new Map(); // by code, on screens without a map
  gw.deviceName = function (alarm) {
    const k = gw.map.deviceIndex.get(alarm.device_id);
    return gw.placeName((k !== undefined && gw.map.devices[k].name) || gw.names.get(alarm.device) || alarm.device || '');
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
