/* A flood of alarms as its few causes, for wall, console and workbench; and the sound, which one
   console silences for itself: nothing of that is stored with the alarm. */
(function () {
  'use strict';
  const gw = window.gw;
  const BEEP_EVERY_MS = 4000, SILENT = 'gw-silenced';

  gw.flood = () => (gw.live.kpi && gw.live.kpi.flood) || null;

  const mark = severity => gw.el('span', 'gw-sev', gw.word('severity_mark', severity), { 'data-severity': severity, title: gw.word('severity', severity) });
  const named = alarm => [gw.reason(alarm.reason) || alarm.category, gw.el('small', '', gw.deviceName(alarm))];

  /* How often an alarm was announced in the last hour: chattering is one alarm with a count. */
  gw.timesOf = alarm => { const flood = gw.flood(); return (flood && flood.times[alarm.id]) || 1; };
  gw.timesMark = n => (n > 1 ? [gw.el('b', 'gw-times', '×' + n, { title: gw.t('flood.times', { n }) })] : []);

  gw.floodHeadline = flood => gw.t('flood.headline', { n: flood.announced, age: gw.age(gw.now() - flood.since), operators: flood.operators });

  /* What a cause is called: "网关 GW-7", "Street Haixiu", "Cover tilted". */
  function causeName(cause) {
    if (cause.kind === 'alarm') { const a = gw.live.alarms.get(cause.alarms[0]); return a ? gw.reason(a.reason) + ' · ' + gw.deviceName(a) : cause.name; }
    if (cause.kind === 'condition') return gw.word('condition', cause.name);
    const name = gw.t('flood.kind_' + cause.kind, { name: gw.placeName(cause.name) });
    return cause.condition ? `${name} · ${gw.word('condition', cause.condition)}` : name;
  }

  /* Gas stands by itself on top, then the causes: [{severity, title, note, at, times, alarms, gas}]. */
  gw.floodRows = function (flood) {
    const gas = flood.alone.map(id => gw.live.alarms.get(id)).filter(a => a && !a.shelved);
    return [
      ...gas.map(a => ({ severity: a.severity, title: gw.reason(a.reason) || a.category, note: gw.deviceName(a), at: a.announced, times: gw.timesOf(a), alarms: [a.id], gas: true, state: a.state })),
      ...flood.causes.map(c => ({ severity: c.severity, title: causeName(c), note: c.kind === 'alarm' ? '' : gw.t('flood.count', { n: c.count }), at: c.newest,
        times: c.kind === 'alarm' ? c.times : 1, alarms: c.alarms, gas: false, state: '' })),
    ];
  };

  /* The panel of console and workbench; an empty one hides itself. */
  gw.showFlood = function (host, most) {
    if (!host) return;
    const flood = gw.flood();
    host.hidden = !flood;
    document.documentElement.dataset.flood = flood ? 'yes' : 'no';
    if (!flood) { host.replaceChildren(); return; }
    const open = new Set([...host.querySelectorAll('details[open]')].map(e => e.dataset.cause));
    const rows = gw.floodRows(flood), gas = rows.filter(r => r.gas).length, shown = rows.slice(0, Math.max(most, gas));
    const left = rows.length - shown.length + (flood.causes_count - flood.causes.length);
    host.replaceChildren(
      gw.el('h3', '', [gw.t('flood.title'), gw.el('small', '', gw.floodHeadline(flood))]),
      gw.el('ul', '', shown.map(r => gw.el('li', r.gas ? 'gw-flood-gas' : '', r.alarms.length > 1 ? details(r, open) : line(r)))),
      ...(left > 0 ? [gw.el('p', 'gw-panel-note', gw.t('flood.more', { n: left }))] : []));
  };
  function line(r) {
    return [mark(r.severity), gw.el('a', 'gw-flood-what', [r.title, ...gw.timesMark(r.times)], { href: '/alarms#' + r.alarms[0] }), gw.el('span', 'gw-flood-note', [r.note, r.state ? ' · ' + gw.word('alarm_state', r.state) : '']), gw.el('time', '', gw.clock(r.at))];
  }
  function details(r, open) {
    const inside = r.alarms.map(id => gw.live.alarms.get(id)).filter(Boolean).map(a => gw.el('li', '', [mark(a.severity), gw.el('a', 'gw-flood-what', [...named(a), ...gw.timesMark(gw.timesOf(a))], { href: '/alarms#' + a.id }), gw.el('time', '', gw.clock(a.announced))]));
    return gw.el('details', '', [gw.el('summary', '', [mark(r.severity), gw.el('span', 'gw-flood-what', r.title), gw.el('span', 'gw-flood-note', r.note), gw.el('time', '', gw.clock(r.at))]), gw.el('ul', '', inside)],
      { 'data-cause': r.title, ...(open.has(r.title) ? { open: '' } : {}) });
  }

  // The sound

  const silenced = () => { try { return new Set(JSON.parse(sessionStorage.getItem(SILENT)) || []); } catch { return new Set(); } };
  const keyOf = alarm => `${alarm.id}:${alarm.announced}`;
  /* Red alarms that nobody has acknowledged and that this console has not silenced. */
  gw.sounding = () => { const quiet = silenced(); return noise().filter(a => !quiet.has(keyOf(a))); };
  /* What a refused message says of gas stands for an alarm that nobody raised. */
  const noise = () => [...gw.critical().filter(a => a.state === 'unacknowledged'),
    ...gw.faults().filter(f => f.code === 'gas_refused').map(f => ({ id: f.code, announced: f.since }))];
  gw.silence = function () {
    const live = noise().map(keyOf);
    try { sessionStorage.setItem(SILENT, JSON.stringify(live)); } catch { /* a browser that stores nothing goes on sounding */ }
    showSound();
  };

  let audio = null;
  function beep() {
    if (!navigator.userActivation || !navigator.userActivation.hasBeenActive || !window.AudioContext) return; // browsers are silent before the first key or press
    audio = audio || new AudioContext();
    const at = audio.currentTime, tone = audio.createOscillator(), loud = audio.createGain();
    tone.frequency.setValueAtTime(880, at); tone.frequency.setValueAtTime(660, at + 0.18);
    loud.gain.setValueAtTime(0.12, at); loud.gain.exponentialRampToValueAtTime(0.001, at + 0.4);
    tone.connect(loud).connect(audio.destination); tone.start(at); tone.stop(at + 0.42);
  }
  function showSound() {
    const button = document.getElementById('silence'), n = gw.sounding().length;
    if (!button) return;
    button.hidden = !n;
    gw.setText(button, gw.t('sound.silence', { n }));
  }
  gw.showSound = function () {
    const button = document.getElementById('silence');
    if (button) button.onclick = () => { gw.silence(); gw.notice(gw.t('sound.silenced')); };
    gw.live.on('snapshot', showSound);
    gw.live.on('change', showSound);
    let last = 0;
    gw.every(1000, () => { showSound(); if (gw.sounding().length && performance.now() - last > BEEP_EVERY_MS) { last = performance.now(); beep(); } });
  };
})();
