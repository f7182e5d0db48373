/* The console: queue rows straight into the grid's API, one selected incident, keys for everything. */
(function () {
  'use strict';
  const gw = window.gw;
  const $ = id => document.getElementById(id);

  /* --- grid cells, called by name from the column definitions ---------------------------- */
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  cells.GwSeverity = p => React.createElement('span', { className: 'gw-sev', 'data-severity': p.value, title: gw.word('severity', p.value) }, gw.word('severity_mark', p.value));
  cells.GwDue = p => {
    const standing = gw.standing(p.data, gw.now()), risk = ['running', 'due_soon'].includes(standing) ? risks.get(Number(p.data.id)) : undefined;
    const told = risk ? { 'data-risk': gw.riskOf(risk.probability), title: gw.t('console.risk', { share: Math.round(100 * risk.probability), count: risk.count, basis: gw.t('console.basis_' + risk.basis) }) } : {};
    return React.createElement('span', { className: 'gw-due', 'data-standing': standing, ...told }, gw.countdownText(p.data, gw.now()));
  };

  /* How likely running attempts are late, by incident; the queue says so before they are. */
  let risks = new Map();
  gw.riskOf = probability => (probability >= 0.7 ? 'high' : probability >= 0.4 ? 'some' : 'low');
  async function readRisks() {
    const answer = await gw.send('GET', '/api/v1/incidents/forecasts');
    if (answer.ok) risks = new Map(answer.body.items.map(item => [item.id, item]));
  }

  /* Row ids must be strings; the countdown column sorts by the moment, a paused clock last. */
  const row = i => ({ ...i, id: String(i.id), title: gw.placeName(gw.pick(i, 'title')), place: gw.place(i), stateName: gw.word('state', i.state),
    squadName: gw.placeName(gw.pick(i, 'squad')) || gw.t('wall.unassigned'), dueSort: gw.dueMoment(i), marked: !!together && together.marked.has(i.id) });

  let api = null, filter = 'all', family = '', together = null;
  let shown = new Set(); // ids handed to the grid: a transaction on its way cannot be asked for

  /* Which incidents a chip above the queue lets through. */
  const STAGES = (gw.stages = {
    all: () => true,
    to_file: i => i.state === 'reported' || i.state === 'verifying',
    to_dispatch: i => i.state === 'filed',
    in_hand: i => ['dispatched', 'acknowledged', 'on_site', 'suspended'].includes(i.state),
    to_check: i => i.state === 'handled' || i.state === 'checking',
    gas_release: i => i.family === 'gas' && ['on_site', 'handled', 'checking'].includes(i.state),
    overdue: i => gw.standing(i, gw.now()) === 'overdue',
  });
  gw.passes = (i, stage, ofFamily) => STAGES[stage](i) && (!ofFamily || i.family === ofFamily);
  /* The row before or after another; at an end it stays, an unknown one counts as before the first. */
  gw.neighbour = (rows, id, by) => rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(id) + by))];

  function fill() {
    if (!api || !gw.live.ready) return;
    shown = new Set(gw.live.incidents.keys());
    api.setGridOption('rowData', [...gw.live.incidents.values()].map(row));
    counts();
    if (gw.selected) mark(gw.selected);
  }
  function update(c) {
    if (!api) return;
    const fresh = c.incidents.filter(i => !shown.has(i.id)), known = c.incidents.filter(i => shown.has(i.id));
    const gone = c.gone.filter(id => shown.delete(id));
    for (const i of fresh) shown.add(i.id);
    // Whoever opened a case by its address may have been faster than its row.
    const came = () => { if (gw.selected && fresh.some(i => i.id === gw.selected)) mark(gw.selected); };
    api.applyTransactionAsync({ add: fresh.map(row), update: known.map(row), remove: gone.map(id => ({ id: String(id) })) }, came);
    together.forget(c.gone);
    counts();
    if (gw.selected && (c.incidents.some(i => i.id === gw.selected) || c.gone.includes(gw.selected))) refresh();
    if (c.kinds.some(k => k.startsWith('video.'))) videos();
  }
  let counting = 0;
  function counts() {
    clearTimeout(counting);
    counting = setTimeout(() => {
      const all = [...gw.live.incidents.values()];
      gw.setText($('queue-count'), String(all.length));
      for (const chip of document.querySelectorAll('[data-filter]'))
        gw.setText(chip.querySelector('.gw-chip-count'), String(all.filter(STAGES[chip.dataset.filter]).length));
    }, 150);
  }

  /* dash-ag-grid makes its API some time after the page stands. */
  function whenGrid(fn) {
    const found = window.dash_ag_grid && document.querySelector('#queue .ag-root') && dash_ag_grid.getApi('queue');
    if (found) fn(found); else setTimeout(() => whenGrid(fn), 60);
  }
  function startGrid(found) {
    api = found;
    api.updateGridOptions({ isExternalFilterPresent: () => filter !== 'all' || !!family, doesExternalFilterPass: node => gw.passes(node.data, filter, family) });
    api.addEventListener('selectionChanged', () => { const r = api.getSelectedRows()[0]; if (r) select(Number(r.id), 'queue'); });
    api.addEventListener('rowClicked', e => clicked(e.event, Number(e.data.id)));
    api.addEventListener('cellKeyDown', e => { if (e.event.key === 'Enter') e.node.setSelected(true, true); });
    fill();
    readRisks();
    gw.every(30_000, readRisks);
    gw.every(1000, () => api.refreshCells({ columns: ['dueSort'], force: true, suppressFlash: true })); // rendered rows only
  }

  /* --- selection ------------------------------------------------------------------------ */
  function mark(id) {
    const node = api && api.getRowNode(String(id));
    if (!node) return;
    if (!node.isSelected()) node.setSelected(true, true);
    api.ensureNodeVisible(node);
  }
  function select(id, from) {
    if (gw.selected === id) return;
    gw.selected = id;
    gw.setProp('selected', { id, at: Date.now() }, 'data');
    if (from !== 'queue') mark(id);
    if (from !== 'map') gw.map.focus({ kind: 'incident', id }, 14.5);
    else { gw.map.focused = { kind: 'incident', id }; gw.map.redrawTop(); }
    history.replaceState(null, '', '#' + id);
  }
  gw.select = select;
  /* A half-written dialog is outside the panel, but its version would go stale under it: wait. */
  let later = false, refreshing = 0;
  function refresh() {
    if (gw.dialogOpen()) { later = true; return; }
    clearTimeout(refreshing);
    refreshing = setTimeout(() => gw.setProp('selected', { id: gw.selected, at: Date.now() }, 'data'), 120);
  }
  function rowsShown() {
    const rows = [];
    api.forEachNodeAfterFilterAndSort(n => rows.push(Number(n.data.id)));
    return rows;
  }
  function step(by, marking) {
    const rows = rowsShown();
    if (!rows.length) return;
    if (marking && gw.selected) together.mark(gw.selected, true);
    select(gw.neighbour(rows, gw.selected, by), 'keys');
    if (marking) together.mark(gw.selected, true);
  }

  /* --- several at once ------------------------------------------------------------------ */
  let anchor = null; // the row from which Shift with a click marks on
  function clicked(event, id) {
    if (event.shiftKey && anchor !== null) for (const one of gw.between(rowsShown(), anchor, id)) together.mark(one, true);
    else if (event.ctrlKey || event.metaKey) together.mark(id);
    if (!event.shiftKey) anchor = id;
  }
  function repaint(ids) {
    if (!api) return;
    const rows = ids.map(id => gw.live.incidents.get(id)).filter(i => i && shown.has(i.id));
    api.applyTransactionAsync({ update: rows.map(row) });
  }

  /* --- lists and filters ---------------------------------------------------------------- */
  let asked = 0;
  function videos() {
    clearTimeout(asked);
    asked = setTimeout(() => gw.setProp('video-tick', Date.now(), 'data'), 300);
  }
  function videoCount() {
    const list = document.querySelector('#video-list [data-count]');
    gw.setText($('video-count'), list ? list.dataset.count : '');
  }
  function tab(name) {
    for (const b of document.querySelectorAll('[data-tab]')) b.setAttribute('aria-selected', String(b.dataset.tab === name));
    for (const p of document.querySelectorAll('[data-panel]')) p.hidden = p.dataset.panel !== name;
  }
  function choose(name) {
    filter = name;
    for (const b of document.querySelectorAll('[data-filter]')) b.setAttribute('aria-pressed', String(b.dataset.filter === name));
    if (api) api.onFilterChanged();
  }

  async function verdict(button) {
    const item = button.closest('[data-camera]'), value = button.dataset.verdict;
    const url = `/api/v1/video-events/${encodeURIComponent(item.dataset.camera)}/${encodeURIComponent(item.dataset.event)}/review`;
    const answer = await gw.send('POST', url, { verdict: value, note: '' }, item.key = item.key || gw.newKey());
    if (!answer.ok) { gw.notice(await gw.problem(answer), 'bad'); return; }
    gw.notice(gw.t('video.' + value));
    videos();
  }
  async function acknowledge(button) {
    await gw.acknowledge(Number(button.dataset.alarm));
    refresh();
  }

  function showKeys() {
    const rows = [['J / K', 'keys.next'], ['.', 'keys.mark'], ['⇧A / ⇧N / ⇧E', 'keys.together'], ['A–Z', 'keys.actions'], ['1–5', 'keys.squads'], ['/', 'keys.search'], ['V', 'keys.tabs'],
      ['+ / -', 'keys.confirm'], ['M', 'keys.map'], ['R', 'keys.report'], ['Esc', 'keys.close']];
    gw.dialog({ title: gw.t('keys.title'), fields: [], button: gw.t('close_dialog'), plain: true, submit: async () => '' })
      .querySelector('h2').after(gw.el('dl', 'gw-keys', rows.flatMap(([key, text]) => [gw.el('dt', '', gw.el('kbd', '', key)), gw.el('dd', '', gw.t(text))])));
  }

  /* --- keys ----------------------------------------------------------------------------- */
  const COMMANDS = { report: () => gw.openIntake(), keys: showKeys };
  const KEYS = {
    j: e => step(1, e.shiftKey), k: e => step(-1, e.shiftKey), '.': () => { if (gw.selected) together.mark(gw.selected); }, Escape: () => together.clear(), '/': () => $('queue-search').focus(), m: () => gw.map.leaflet.getContainer().focus(),
    v: () => tab(document.querySelector('[data-panel=video]').hidden ? 'video' : 'queue'),
  };
  function onKey(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || gw.dialogOpen() || gw.picking) return;
    if (e.target.closest('input, textarea, select, [contenteditable]')) { if (e.key === 'Escape') e.target.blur(); return; }
    const onMap = e.target.closest('.leaflet-container');
    const key = e.key.length === 1 ? e.key.toLowerCase() : e.key;
    if (onMap && '+-[]0'.includes(key)) return; // the map's own
    if (e.shiftKey && together.marked.size && together.press(key)) { e.preventDefault(); return; }
    const button = [...document.querySelectorAll('[data-key]')].find(b => b.dataset.key === key && b.offsetParent);
    if (KEYS[key]) { e.preventDefault(); KEYS[key](e); } else if (button) { e.preventDefault(); button.click(); }
  }

  function onClick(e) {
    const b = e.target.closest('button');
    if (!b) return;
    if (b.dataset.filter) choose(b.dataset.filter);
    if (b.dataset.tab) tab(b.dataset.tab);
    if (b.dataset.command) COMMANDS[b.dataset.command]();
    if (b.dataset.verdict) gw.once(b, () => verdict(b));
    if (b.dataset.showLon) gw.map.focus({ kind: 'place', lon: Number(b.dataset.showLon), lat: Number(b.dataset.showLat) });
    if (b.dataset.alarm) gw.once(b, () => acknowledge(b));
    if (b.dataset.select) select(Number(b.dataset.select), 'similar');
  }

  gw.screens.console = function () {
    gw.showOnMap();
    gw.showStatus();
    gw.showCalls(true);
    together = gw.makeTogether({ bar: $('queue-together'), repaint });
    whenGrid(startGrid);
    const flood = () => gw.showFlood($('console-flood'), 8);
    gw.showSound();
    gw.every(5000, flood); // a flood ends without an event
    gw.live.on('snapshot', () => { fill(); flood(); gw.showCritical(); videos(); if (gw.selected) refresh(); });
    gw.live.on('change', c => { update(c); flood(); gw.showCritical(); if (gw.selected && c.kinds.includes('incident.step_answered')) refresh(); });
    gw.every(1000, () => gw.tickDue());
    if ($('intake-owed') && $('intake-owed').dataset.may.includes('collectors')) gw.every(30000, () => gw.loadCollectors());
    const owed = () => gw.showOwed($('intake-owed'));
    if ($('intake-owed')) {
      gw.every(30000, owed);
      gw.live.on('change', c => { if (c.kinds.some(k => /^report\.|^incident\.(call|repl|closed|rejected|cancelled)/.test(k))) owed(); });
    }
    gw.map.on('pick', hit => {
      if (gw.picking) return;
      if (hit.kind === 'incident') select(hit.id, 'map');
      const about = hit.kind === 'device' && [...gw.live.incidents.values()].find(i => i.device === hit.row.code);
      if (about) select(about.id, 'map');
    });
    gw.actionDone = (id, action) => { refresh(); if (action === 'close') gw.askForReply(id); };
    gw.actionFailed = () => refresh();
    gw.dialogClosed = () => { if (later) { later = false; refresh(); } };
    document.addEventListener('keydown', onKey);
    document.addEventListener('click', onClick);
    $('queue-search').addEventListener('input', e => api && api.setGridOption('quickFilterText', e.target.value));
    $('queue-family').addEventListener('change', e => { family = e.target.value; if (api) api.onFilterChanged(); });
    new MutationObserver(() => gw.hydrate($('detail'))).observe($('detail'), { childList: true, subtree: true });
    new MutationObserver(videoCount).observe($('video-list'), { childList: true, subtree: true });
    const pressed = document.querySelector('[data-filter][aria-pressed=true]');
    choose(pressed ? pressed.dataset.filter : 'all');
    const addressed = () => {
      const said = location.hash.slice(1), id = Number(said);
      if (id) select(id, 'address');
      if (said !== 'report') return;
      history.replaceState(null, '', location.pathname); // a reload does not open the form again
      COMMANDS.report();
    };
    gw.live.on('snapshot', () => { if (!gw.selected) addressed(); });
    addEventListener('hashchange', addressed);
    gw.live.start();
  };
})();
