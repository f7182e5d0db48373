/* The alarm workbench: what stands, three registers of what is muted, and the measures. Lists come from
   the API, and again when the log says that something about alarms or devices has changed. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/alarms', PAGE = 200, TYPING_MS = 250, AGAIN_MS = 600, HOUR_MS = 3600000, TOGETHER_MAX = 200;
  const $ = id => document.getElementById(id);
  const t = (key, gaps) => gw.t('alarms.' + key, gaps);
  const when = text => gw.dayAndClock(Date.parse(text));
  const mark = severity => gw.el('span', 'gw-sev', gw.word('severity_mark', severity), { 'data-severity': severity, title: gw.word('severity', severity) });
  const may = what => $('main').dataset[what] === 'yes';
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  const GAS = 'gas/';
  /* Red gas is never acknowledged among others; the server says so, too. */
  gw.isRedGas = alarm => alarm.severity === 1 && (alarm.condition.startsWith(GAS) || alarm.kind === 'gas');
  const waits = alarm => ['unacknowledged', 'returned_unacknowledged', 'latched_unacknowledged'].includes(alarm.state);
  const title = alarm => gw.reason(alarm.reason) || gw.word('condition', alarm.condition.split('/')[0]);
  const place = alarm => [gw.placeName(alarm.device_name) || alarm.device || alarm.condition.split('/').slice(1).join('/'), gw.placeName(alarm.street_name)].filter(Boolean).join(' · ');
  const query = values => Object.entries(values).filter(([, v]) => v !== '' && v !== null && v !== undefined).map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join('&');

  const state = { tab: 'live', filters: {}, cursor: '', items: [], next: null, chosen: 0, picked: new Map(), streets: new Map(), conditions: new Set() };
  let asked = 0; // of several answers on their way the newest counts

  gw.screens.alarms = async function () {
    gw.showStatus();
    gw.live.on('snapshot', flood);
    gw.live.on('change', news => { flood(); if (news.kinds.some(kind => /^(alarm|device|silence|approval|rule)\./.test(kind))) soon(); });
    gw.showSound();
    for (const tab of document.querySelectorAll('[data-alarms-tab]')) tab.onclick = () => choose(tab.dataset.alarmsTab);
    gw.actionDone = () => show();
    addEventListener('hashchange', addressed);
    gw.live.start();
    gw.every(1000, ages);
    gw.every(5000, flood); // it begins and ends beside the log
    await choose(new URLSearchParams(location.search).get('tab') || 'live');
    await addressed();
  };
  const flood = () => gw.showFlood($('alarms-flood'), 12);
  let timer = 0;
  function soon() { clearTimeout(timer); timer = setTimeout(() => { if (!gw.dialogOpen() && state.tab !== 'measures') show(); }, AGAIN_MS); }

  const TABS = { live: showLive, shelved: showShelved, out: showOut, suppressed: showSuppressed, measures: showMeasures };
  async function choose(name) {
    state.tab = TABS[name] ? name : 'live';
    for (const tab of document.querySelectorAll('[data-alarms-tab]')) tab.setAttribute('aria-selected', String(tab.dataset.alarmsTab === state.tab));
    state.items = []; state.next = null;
    $('alarms-body').replaceChildren();
    $('alarms-detail').hidden = true;
    await show();
  }
  const show = () => TABS[state.tab]();

  async function read(url) {
    const mine = ++asked, answer = await gw.send('GET', url);
    if (mine !== asked) return null;
    if (!answer.ok) { gw.notice(await gw.problem(answer), 'bad'); $('alarms-body').replaceChildren(gw.el('p', 'gw-empty', t('not_read'))); return null; }
    return answer.body;
  }

  // What stands

  async function showLive() {
    const body = await read(`${API}?${query({ live: true, shelved: false, limit: PAGE, ...state.filters })}`);
    if (!body) return;
    state.items = body.items; state.next = body.next;
    drawLive();
  }
  async function more() {
    const answer = await gw.send('GET', `${API}?${query({ live: true, shelved: false, limit: PAGE, ...state.filters, cursor: state.next })}`);
    if (!answer.ok) { gw.notice(await gw.problem(answer), 'bad'); return; }
    state.items = [...state.items, ...answer.body.items]; state.next = answer.body.next;
    drawLive();
  }
  /* What stands as it was is left standing: a press on a list that is just made anew would be lost. */
  let drawn = '';
  function drawLive() {
    for (const a of state.items) { if (a.device) gw.names.set(a.device, a.device_name); if (a.street) state.streets.set(a.street, a.street_name); state.conditions.add(a.condition.split('/')[0]); }
    for (const id of state.picked.keys()) { const a = state.items.find(i => i.id === id); if (!a || !waits(a)) state.picked.delete(id); else state.picked.set(id, a.version); }
    const items = [...state.items].sort((a, b) => a.severity - b.severity || waits(b) - waits(a) || b.id - a.id);
    const body = $('alarms-body');
    if (!$('alarms-filters')) body.replaceChildren(filters(), gw.el('div', '', null, { id: 'alarms-list' }));
    options();
    count(state.items.length, state.next);
    const key = JSON.stringify([items.map(a => [a.id, a.version, a.inhibited_by, gw.timesOf(a)]), [...state.picked], state.next, gw.isOld('alarms')]);
    if (key === drawn && $('alarms-list').firstChild) { chosen(); return; }
    drawn = key;
    $('alarms-list').replaceChildren(
      gw.el('div', 'gw-panel gw-alarms-list', items.length ? [bulk(items), table(items)] : [gw.el('p', 'gw-empty', t(gw.isOld('alarms') ? 'unknown' : 'none'))]),
      ...(state.next ? [button(t('more'), more)] : []));
    chosen();
  }
  const count = (n, next) => gw.setText(document.querySelector(`[data-alarms-tab=${state.tab}] span`), n + (next ? '+' : ''));

  const FILTERS = {
    severity: () => [1, 2, 3, 4].map(s => [s, gw.word('severity', s)]),
    state: () => ['unacknowledged', 'acknowledged', 'returned_unacknowledged', 'latched_unacknowledged', 'latched_acknowledged'].map(s => [s, gw.word('alarm_state', s)]),
    condition: () => [...state.conditions].sort().map(c => [c, gw.word('condition', c)]),
    street: () => [...state.streets].sort((a, b) => a[1].localeCompare(b[1])).map(([code, name]) => [code, gw.placeName(name)]),
    kind: () => ['gas', 'manhole', 'light', 'camera'].map(k => [k, gw.word('kind', k)]),
  };
  function filters() {
    let typing = 0;
    const text = gw.el('input', 'gw-input', null, { type: 'search', placeholder: t('search'), 'aria-label': t('search'), value: state.filters.q || '', maxlength: 100 });
    text.oninput = () => { clearTimeout(typing); typing = setTimeout(() => filter('q', text.value.trim()), TYPING_MS); };
    return gw.el('div', 'gw-alarms-filters', [text, ...Object.keys(FILTERS).map(name => {
      const e = gw.el('select', 'gw-input', null, { 'data-filter-of': name, 'aria-label': t('filter_' + name) });
      e.onchange = () => filter(name, e.value);
      return e;
    })], { id: 'alarms-filters' });
  }
  function options() {
    for (const e of document.querySelectorAll('[data-filter-of]')) {
      const name = e.dataset.filterOf, found = FILTERS[name](), value = state.filters[name] ?? '';
      if (e.options.length === found.length + 1) continue;
      e.replaceChildren(gw.el('option', '', t('filter_' + name), { value: '' }), ...found.map(([code, word]) => gw.el('option', '', word, { value: code })));
      e.value = value;
    }
  }
  function filter(name, value) { state.filters[name] = value; show(); }

  function bulk(items) {
    const able = items.filter(a => waits(a) && !gw.isRedGas(a)), n = state.picked.size;
    if (!may('mayChange') || !able.length) return gw.el('p', 'gw-panel-note', t('order'));
    const all = gw.el('input', '', null, { type: 'checkbox', 'aria-label': t('pick_all') });
    all.checked = n > 0 && n >= Math.min(able.length, TOGETHER_MAX);
    all.onchange = () => { state.picked = new Map(all.checked ? able.slice(0, TOGETHER_MAX).map(a => [a.id, a.version]) : []); drawLive(); };
    return gw.el('div', 'gw-alarms-bulk', [gw.el('label', '', [all, ' ', t('pick_all')]),
      ...(n ? [button(t('acknowledge_picked', { n }), acknowledgePicked, 'primary')] : []), gw.el('span', 'gw-panel-note', t('bulk_note'))]);
  }
  async function acknowledgePicked() {
    const alarms = [...state.picked].map(([id, version]) => ({ id, version }));
    const answer = await gw.send('POST', API + '/acknowledge', { alarms }, gw.newKey());
    if (answer.ok) { state.picked.clear(); gw.notice(t('acknowledged', { n: answer.body.items.length })); }
    else {
      const named = (answer.body && answer.body.current && answer.body.current.alarms) || [];
      for (const a of named) state.picked.delete(a.id);
      gw.notice(named.length ? t('refused_' + answer.body.current.refused, { alarms: named.map(a => a.condition).join(', ') }) : await gw.problem(answer), 'bad');
    }
    await show();
  }

  function table(items) {
    return gw.el('table', 'gw-alarms-table', [
      gw.el('thead', '', gw.el('tr', '', ['', t('col_alarm'), t('col_place'), t('col_state'), t('col_since')].map(c => gw.el('th', '', c)))),
      gw.el('tbody', '', items.map(row)),
    ]);
  }
  function row(a) {
    const pick = gw.el('input', '', null, { type: 'checkbox', 'aria-label': t('pick', { alarm: title(a) }) });
    pick.checked = state.picked.has(a.id);
    pick.onchange = () => { if (pick.checked) state.picked.set(a.id, a.version); else state.picked.delete(a.id); drawLive(); };
    const open = gw.el('button', 'gw-as-link', title(a), { type: 'button' });
    open.onclick = () => pickRow(a.id);
    const able = may('mayChange') && waits(a) && !gw.isRedGas(a);
    return gw.el('tr', '', [
      gw.el('th', '', [mark(a.severity), ...(able ? [pick] : [])]),
      gw.el('td', '', [open, ...gw.timesMark(gw.timesOf(a)), ...(a.inhibited_by ? [gw.el('small', '', t('suppressed_by', { by: a.inhibited_by }))] : [])]),
      gw.el('td', '', place(a)),
      gw.el('td', '', [gw.el('span', 'gw-alarms-state', gw.word('alarm_state', a.state), { 'data-state': a.state }), ...(a.releasable_at ? [gw.el('small', '', release(a))] : [])]),
      gw.el('td', '', gw.el('time', '', '', { 'data-age': Date.parse(a.raised_at), title: when(a.raised_at) })),
    ], { 'data-alarm-row': a.id, 'aria-selected': String(a.id === state.chosen), 'data-severity': a.severity });
  }
  function ages() { for (const e of document.querySelectorAll('[data-age]')) gw.setText(e, gw.age(gw.now() - Number(e.dataset.age))); }
  const release = a => (Date.parse(a.releasable_at) > gw.now() ? t('releasable_from', { at: when(a.releasable_at), who: gw.word('role', a.release_role) }) : t('releasable_now', { who: gw.word('role', a.release_role) }));

  // One alarm

  function pickRow(id) { state.chosen = id; history.replaceState(null, '', location.pathname + location.search + '#' + id); chosen(); $('alarms-detail').scrollIntoView({ block: 'nearest' }); }
  async function addressed() {
    const id = Number(location.hash.slice(1));
    if (!id) return;
    state.chosen = id;
    if (!state.items.some(a => a.id === id)) { const answer = await gw.send('GET', `${API}/${id}`); if (answer.ok) { draw(answer.body); return; } }
    chosen();
  }
  function chosen() {
    for (const e of document.querySelectorAll('[data-alarm-row]')) e.setAttribute('aria-selected', String(Number(e.dataset.alarmRow) === state.chosen));
    const a = state.items.find(i => i.id === state.chosen);
    if (a && a.condition) draw(a);
    ages();
  }
  let detail = '';
  function draw(a) {
    const host = $('alarms-detail'), key = `${a.id}:${a.version}`;
    if (!host.hidden && key === detail) return;
    detail = key;
    host.hidden = false;
    host.replaceChildren(
      gw.el('div', 'gw-panel-head', [gw.el('h3', '', [mark(a.severity), ' ', title(a)]), button('×', () => { state.chosen = 0; host.hidden = true; history.replaceState(null, '', location.pathname + location.search); chosen(); }, 'gw-close')]),
      gw.el('p', '', [gw.el('span', 'gw-alarms-state', gw.word('alarm_state', a.state), { 'data-state': a.state }), ' ', place(a)]),
      gw.el('dl', 'gw-facts', facts(a).flatMap(([name, value]) => [gw.el('dt', '', name), gw.el('dd', '', value)])),
      ...(may('mayChange') && a.state !== 'normal' ? [gw.el('div', 'gw-actions', verbs(a))] : []),
      gw.helpText(a.help));
    if (gw.isRedGas(a) && may('mayChange')) asksToShelve(a, host, key);
  }
  /* What waits for a second person is decided, and taken back, on the page of approvals. */
  async function asksToShelve(a, host, key) {
    const answer = await gw.send('GET', '/api/v1/approvals?limit=100');
    const waiting = answer.ok && answer.body.items.find(item => item.state === 'waiting' && item.shown.shelve && item.shown.shelve.alarm === a.id);
    if (!waiting || detail !== key || host.hidden) return;
    host.querySelector('dl').after(gw.el('p', 'gw-panel-note', gw.el('a', '', t('shelving_waits', { who: waiting.asked_by, at: when(waiting.asked_at), id: waiting.id }), { href: '/approvals' })));
  }
  function facts(a) {
    return [
      [t('fact_since'), when(a.raised_at)], [t('fact_rule'), `${a.rule} v${a.rule_version}`], [t('fact_condition'), a.condition],
      ...(a.acknowledged_by ? [[t('fact_acknowledged'), `${a.acknowledged_by} · ${when(a.acknowledged_at)}`]] : []),
      ...(a.cleared_at ? [[t('fact_cleared'), when(a.cleared_at)]] : []),
      ...(a.shelved_until ? [[t('fact_shelved'), `${a.shelved_by} · ${t('until', { at: when(a.shelved_until) })} · ${a.shelve_reason}`]] : []),
      ...(a.latch_s !== null ? [[t('fact_latch'), a.releasable_at ? release(a) : t('latches', { n: gw.number(a.latch_s / 60), who: gw.word('role', a.release_role) })]] : []),
      ...(a.incident_id ? [[t('fact_incident'), gw.el('a', '', t('open_incident'), { href: '/console#' + a.incident_id })]] : []),
    ];
  }
  function verbs(a) {
    const found = [], held = a.state.startsWith('latched');
    const verb = (name, text) => { const e = gw.el('button', 'gw-button', text, { type: 'button', 'data-alarm-verb': name, 'data-of': a.id, 'data-version': a.version }); if (name === 'shelve' && gw.isRedGas(a)) e.dataset.two = 'yes'; return e; };
    if (waits(a)) found.push(button(gw.t('alarm.acknowledge'), () => acknowledge(a), 'primary'));
    found.push(a.shelved_until ? verb('unshelve', gw.t('alarm.unshelve')) : verb('shelve', gw.t('alarm.shelve')));
    if (held) found.push(verb('reset', gw.t('alarm.release')));
    else if (a.state === 'acknowledged' || a.state === 'returned_unacknowledged') found.push(verb('reset', gw.t('alarm.reset')));
    if (a.device && may('mayTakeOut')) found.push(button(t('take_out'), () => takeOut(a)));
    return found;
  }
  async function acknowledge(a) {
    const answer = await gw.send('POST', `${API}/${a.id}/acknowledge`, { version: a.version }, gw.newKey());
    if (answer.ok) gw.notice(gw.t('alarm.acknowledged')); else gw.notice(await gw.problem(answer), 'bad');
    if (answer.ok && answer.body.state === 'normal') $('alarms-detail').hidden = true;
    await show();
  }
  function takeOut(a) {
    const key = gw.newKey(), at = new Date(gw.now() + 24 * HOUR_MS);
    gw.dialog({ title: `${t('take_out')} · ${place(a)}`, button: t('take_out'), note: gw.t('devices.out_note'),
      fields: [{ name: 'return_due_at', type: 'when', required: true, value: new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16) }, { name: 'reason', type: 'long', required: true }],
      submit: async values => {
        const answer = await gw.send('POST', `/api/v1/devices/${encodeURIComponent(a.device)}/out-of-service`, values, key);
        if (!answer.ok) return gw.problem(answer);
        gw.notice(t('taken_out', { device: a.device }));
        await show();
        return '';
      } });
  }

  // The registers

  function register(columns, rows, none) {
    count(rows.length, null);
    $('alarms-body').replaceChildren(gw.el('div', 'gw-panel gw-alarms-list', rows.length
      ? [gw.el('table', 'gw-alarms-table', [gw.el('thead', '', gw.el('tr', '', columns.map(c => gw.el('th', '', c)))), gw.el('tbody', '', rows)])]
      : [gw.el('p', 'gw-empty', none)]));
    ages();
  }
  async function showShelved() {
    const body = await read(`${API}?live=true&shelved=true&limit=1000`);
    if (!body) return;
    state.items = body.items;
    register(['', t('col_alarm'), t('col_place'), t('col_who'), t('col_why'), t('col_until'), ''], body.items.map(a => {
      const open = gw.el('button', 'gw-as-link', title(a), { type: 'button' });
      open.onclick = () => pickRow(a.id);
      return gw.el('tr', '', [gw.el('th', '', mark(a.severity)), gw.el('td', '', open), gw.el('td', '', place(a)), gw.el('td', '', a.shelved_by || ''), gw.el('td', 'gw-wrap', a.shelve_reason || ''),
        gw.el('td', '', when(a.shelved_until)), gw.el('td', '', may('mayChange') ? gw.el('button', 'gw-button', gw.t('alarm.unshelve'), { type: 'button', 'data-alarm-verb': 'unshelve', 'data-of': a.id, 'data-version': a.version }) : '')],
      { 'data-alarm-row': a.id });
    }), t('none_shelved'));
    chosen();
  }
  async function showOut() {
    const body = await read('/api/v1/devices?out_of_service=true&limit=1000');
    if (!body) return;
    register([t('col_device'), t('col_kind'), t('col_who'), t('col_why'), t('col_since'), t('col_until')], body.items.map(d => gw.el('tr', '', [
      gw.el('th', '', gw.el('a', '', gw.placeName(d.name) || d.code, { href: '/devices?device=' + encodeURIComponent(d.code) })), gw.el('td', '', gw.word('kind', d.kind)), gw.el('td', '', d.out_of_service_by || ''),
      gw.el('td', 'gw-wrap', d.out_of_service_reason), gw.el('td', '', when(d.out_of_service_since)), gw.el('td', '', d.return_due_at ? when(d.return_due_at) : t('open_end'))])), t('none_out'));
  }
  async function showSuppressed() {
    const body = await read('/api/v1/inhibitions?limit=1000');
    if (!body) return;
    register(['', t('col_condition'), t('col_kind'), t('col_by'), t('col_since')], body.items.map(i => gw.el('tr', '', [
      gw.el('th', '', mark(i.severity)), gw.el('td', '', [gw.reason(i.reason), gw.el('small', '', i.device)]), gw.el('td', '', gw.word('kind', i.kind)), gw.el('td', '', i.by_condition), gw.el('td', '', when(i.since))])), t('none_suppressed'));
  }
  async function showMeasures() { await gw.alarmMeasures($('alarms-body'), read); }

  /* What to do, as the rule says it; a rule from before says nothing, and that is said. */
  gw.helpText = function (help) {
    if (!help) return gw.el('p', 'gw-panel-note gw-help-text', gw.t('help.none'));
    return gw.el('section', 'gw-help-text', [gw.el('h4', '', gw.t('help.minutes', { n: help.minutes })),
      gw.el('dl', '', ['action', 'cause', 'consequence'].flatMap(part => [gw.el('dt', '', gw.t('help.' + part)), gw.el('dd', '', gw.pick(help, part))]))]);
  };
})();
