/* The handover sheet: it writes itself; people add notes, and both shifts sign. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/handovers', EACH_MS = 30_000;
  const PARTS = ['red', 'overdue', 'suspended', 'muted', 'out_of_service', 'owed', 'tasks', 'odd', 'on_duty'];
  const $ = id => document.getElementById(id);
  const when = text => (text ? gw.dayAndClock(Date.parse(text)) : '—');
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  const may = () => $('main').dataset.maySign === 'yes';
  let now = null, past = [], chosen = null;

  gw.screens.handover = async function () {
    gw.showStatus();
    gw.live.start();
    gw.every(EACH_MS, () => { if (!chosen) show(); });
    gw.live.on('change', news => { if (news.kinds.some(kind => kind.startsWith('handover.'))) show(); });
    await show();
  };

  async function show() {
    const [sheet, before] = await Promise.all([gw.send('GET', API + '/now'), gw.send('GET', API + '?limit=30')]);
    now = sheet.ok ? sheet.body : null;
    past = before.ok ? before.body.items : [];
    if (chosen) chosen = past.find(h => h.id === chosen.id) || chosen;
    if (!gw.dialogOpen()) draw();
  }

  /* What one row of a part says: [what, about whom or why, until when]. */
  gw.handoverRow = function (part, row) {
    const title = row.title_zh !== undefined ? gw.pick(row, 'title') : '';
    switch (part) {
      case 'red': case 'overdue': return [`${row.number} ${title}`, [gw.word('state', row.state), gw.pick(row, 'squad')].filter(Boolean).join(' · '), when(row.due_at)];
      case 'suspended': return [`${row.number} ${title}`, row.reason || '', when(row.resume_due_at)];
      case 'muted': return [row.device || row.condition, [row.rule, row.by, row.reason].filter(Boolean).join(' · '), when(row.until)];
      case 'out_of_service': return [`${row.device} ${row.name}`, [row.by, row.reason].filter(Boolean).join(' · '), when(row.until)];
      case 'owed': return [`${row.number} ${title}`, [gw.t('handover.' + row.what), gw.word('channel', row.channel), row.external_number].filter(Boolean).join(' · '), when(row.due_at)];
      case 'tasks': return [`${row.number} ${title}`, [gw.word('clock', row.clock), row.collector || gw.t('tasks.nobody')].join(' · '), when(row.due_at)];
      case 'odd': return [row.device || row.condition, gw.reason(row.reason) || row.rule, when(row.since)];
      default: return [gw.pick(row, 'name'), [row.called, row.phone].filter(Boolean).join(' '), gw.t('squad.open_count', { n: row.open_incidents })];
    }
  };

  function draw() {
    const host = $('handover-body');
    if (!now) { host.replaceChildren(gw.el('p', 'gw-empty', gw.t('handover.not_read'))); return; }
    const sheet = chosen || now.open;
    host.replaceChildren(tools(sheet), sign(sheet), body(sheet ? sheet.content : now.content, sheet ? sheet.since_at : now.since_at, sheet ? sheet.given_at : now.now), notes(sheet), list());
  }

  function tools(sheet) {
    const rows = [button(gw.t('handover.print'), async () => window.print())];
    if (chosen) rows.unshift(button(gw.t('handover.back'), async () => { chosen = null; await show(); }));
    if (!sheet && may()) rows.unshift(button(gw.t('handover.give'), async () => give(), 'primary'));
    if (sheet && !sheet.taken_at && may() && sheet.given_by !== gw.page.user.name) rows.unshift(button(gw.t('handover.take'), () => take(sheet), 'primary'));
    if (sheet) rows.push(button(gw.t('handover.note'), async () => note(sheet)));
    return gw.el('div', 'gw-actions gw-handover-tools', rows);
  }

  function sign(sheet) {
    if (!sheet) return gw.el('p', 'gw-handover-state', gw.t('handover.unsigned'), { 'data-signed': 'no' });
    const text = sheet.taken_at ? gw.t('handover.signed', { from: sheet.given_by, at: when(sheet.given_at), to: sheet.taken_by, then: when(sheet.taken_at) })
      : gw.t(sheet.given_by === gw.page.user.name ? 'handover.waits_for_other' : 'handover.waits', { from: sheet.given_by, at: when(sheet.given_at) });
    return gw.el('p', 'gw-handover-state', text, { 'data-signed': sheet.taken_at ? 'yes' : 'half' });
  }

  function body(content, since, until) {
    const counts = content.counts || {};
    const parts = PARTS.map(part => {
      const rows = content[part] || [];
      return gw.el('section', 'gw-panel', [gw.el('h3', '', `${gw.t('handover.part_' + part)} (${rows.length})`),
        rows.length ? gw.el('table', '', gw.el('tbody', '', rows.map(row => {
          const [what, about, due] = gw.handoverRow(part, row);
          return gw.el('tr', row.late ? 'gw-late' : '', [gw.el('th', '', what), gw.el('td', '', about), gw.el('td', '', due)]);
        }))) : gw.el('p', 'gw-empty', gw.t('handover.none'))], { 'data-part': part });
    });
    return gw.el('div', 'gw-handover-sheet', [gw.el('p', 'gw-panel-note', gw.t('handover.period', { from: when(since), to: when(until), open: counts.open, opened: counts.opened, closed: counts.closed, calls: counts.calls })), ...parts]);
  }

  function notes(sheet) {
    if (!sheet) return gw.el('span');
    const rows = sheet.notes.map(n => gw.el('li', '', [gw.el('b', '', n.by), ` ${when(n.at)} `, gw.el('q', '', n.text)]));
    return gw.el('section', 'gw-panel', [gw.el('h3', '', gw.t('handover.notes')), rows.length ? gw.el('ul', '', rows) : gw.el('p', 'gw-empty', gw.t('handover.none'))], { 'data-part': 'notes' });
  }

  function list() {
    const rows = past.map(h => {
      const open = button(gw.t('handover.open'), async () => { chosen = h; draw(); });
      return gw.el('li', '', [`${when(h.given_at)} ${h.given_by} → ${h.taken_by || gw.t('handover.nobody')} `, open]);
    });
    return gw.el('section', 'gw-panel gw-handover-past', [gw.el('h3', '', gw.t('handover.past')), rows.length ? gw.el('ul', '', rows) : gw.el('p', 'gw-empty', gw.t('handover.none_past'))]);
  }

  async function post(url, sent, done) {
    const answer = await gw.send('POST', url, sent, gw.newKey());
    if (!answer.ok) return answer.status === 409 ? gw.t('handover.changed') : gw.problem(answer);
    gw.notice(done);
    setTimeout(show); // once a dialog is gone
    return '';
  }
  const give = () => gw.dialog({ title: gw.t('handover.give'), note: gw.t('handover.give_note'), button: gw.t('handover.give'),
    fields: [{ name: 'note', type: 'long', label: gw.t('handover.note') }], submit: values => post(API, { note: values.note || '' }, gw.t('handover.given')) });
  const note = sheet => gw.dialog({ title: gw.t('handover.note'), fields: [{ name: 'text', type: 'long', required: true, label: gw.t('handover.note') }],
    submit: values => post(`${API}/${sheet.id}/notes`, { text: values.text }, gw.t('handover.noted')) });
  async function take(sheet) {
    const problem = await post(`${API}/${sheet.id}/take`, { version: sheet.version }, gw.t('handover.taken'));
    if (problem) { gw.notice(problem, 'bad'); await show(); }
  }
})();
