/* Settings: every part is a table of the API. A change of any of them leads to the same step, what
   it would do, and from there to being put in force with a reason. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/settings';
  const LONG = 60, SUMMARY = 26, SHOWN = 500, FILE_MAX = 4000000; // characters of a field that gets more room and of its first line, rows drawn at once
  const TEXTS = ['text', 'codec', 'geometry', 'line']; // columns that hold a whole file
  const NAMED_BY_ITSELF = 'entry'; // the column of a duty that says which one it is
  const view = { parts: [], sheet: null, search: '', plan: null, history: null, open: null };
  const $ = id => document.getElementById(id);
  const may = () => $('main').dataset.mayChange === 'yes';
  const part = name => { const year = /^calendar-(\d+)$/.exec(name); return year ? gw.t('settings.part_calendar', { year: year[1] }) : name.startsWith('register-') ? `${gw.t('nav.registers')} · ${name.slice(9)}` : gw.word('settings.part', name); };
  const FILES = { rosters: 'roster.csv', areas: 'areas.geojson', feeds: 'feeds.toml', city: 'city.toml', boundary: 'boundary.geojson', 'unit-grid': 'grid.csv',
    pipes: 'pipes.geojson', 'division-outlines': 'divisions.geojson' };
  const GEOJSON = ['boundary', 'areas', 'pipes', 'division-outlines'];
  const fileOf = name => FILES[name] || (name.startsWith('register-') ? `registers/${name.slice(9)}.csv` : name + '.csv');
  const column = name => gw.page.texts['settings.column_' + name] || gw.word('settings.column', name);
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };

  /* A word that a column takes, as people say it. */
  gw.settingsWord = function (name, value) {
    if (name === 'role' || name === 'clock') return gw.word(name, value);
    if (name === 'severity') return gw.word('severity', value);
    if (name === 'limit') return limit(value);
    return gw.page.texts['settings.word_' + value] || value;
  };
  function limit(value) {
    const [amount, unit] = value.split(' ');
    if (!unit) return value;
    if (unit === 'urgent_hour' && amount < 1) return `${gw.number(Math.round(amount * 60))} ${gw.word('unit', 'minute')}`; // they run always
    return `${gw.number(Number(amount))} ${gw.word('unit', unit)}`;
  }
  /* Rows in which every word that was typed stands somewhere. */
  gw.settingsFound = function (rows, typed) {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter(row => { const text = Object.values(row.values).join('\n').toLowerCase(); return words.every(word => text.includes(word)); });
  };
  /* A sentence of the check in the language of the page; `known` are [English, own words] with gaps. */
  gw.settingsFault = function (problem, known) {
    for (const [english, own] of known) {
      const names = [], pattern = english.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, (_, name) => { names.push(name); return '(.+)'; });
      const found = new RegExp(`^${pattern}$`).exec(problem);
      if (found) return own.replace(/\{(\w+)\}/g, (_, name) => found[names.indexOf(name) + 1]);
    }
    return problem;
  };
  /* What of a row is not as it was: [column, before, after]. */
  gw.settingsDiff = function (before, after) {
    const names = [...new Set([...Object.keys(before || {}), ...Object.keys(after || {})])];
    return names.map(name => [name, (before || {})[name] || '', (after || {})[name] || '']).filter(([, old, now]) => old !== now);
  };

  gw.screens.settings = async function () {
    gw.showStatus();
    gw.live.start();
    await parts();
    await show(new URLSearchParams(location.search).get('part') || 'squads');
  };

  async function get(path) {
    const answer = await gw.send('GET', API + path);
    if (answer.ok) return answer.body;
    gw.notice(await gw.problem(answer), 'bad');
    return null;
  }

  async function parts() {
    const found = await get('');
    if (found) view.parts = found.items;
  }

  function drawParts(chosen) {
    $('settings-parts').replaceChildren(...view.parts.map(item => {
      const link = gw.el('a', '', part(item.name), { href: '/settings?part=' + item.name, ...(item.name === chosen ? { 'aria-current': 'page' } : {}) });
      if (item.missing) link.append(gw.el('span', 'gw-mark-quiet', gw.t('settings.missing')));
      link.onclick = event => { event.preventDefault(); history.pushState(null, '', link.href); show(item.name); };
      return link;
    }));
  }

  async function show(name) {
    view.part = name;
    Object.assign(view, { plan: null, history: null, search: '' });
    drawParts(name);
    const sheet = await get('/' + encodeURIComponent(name));
    if (view.part !== name) return; // somebody has gone on meanwhile
    view.sheet = sheet;
    draw();
  }

  function draw() {
    const missing = view.parts.find(item => item.missing);
    const nodes = missing ? [gw.el('p', 'gw-settings-warning', gw.t('settings.calendar_missing', { part: part(missing.name) }), { role: 'status' })] : [];
    const again = button(gw.t('retry'), async () => { await parts(); await show(view.part); });
    if (!view.sheet) nodes.push(gw.el('section', 'gw-panel', [gw.el('p', 'gw-empty', gw.t('settings.not_read')), again]));
    else if (view.plan) nodes.push(drawPlan(view.plan));
    else nodes.push(...(view.history ? [drawHistory(view.history)] : []), drawSheet(view.sheet));
    $('settings-body').replaceChildren(...nodes);
  }

  // The table

  function drawSheet(sheet) {
    const body = gw.el('div', 'gw-settings-table');
    const search = gw.el('input', 'gw-input', null, { type: 'search', placeholder: gw.t('settings.search'), 'aria-label': gw.t('settings.search') });
    const count = gw.el('small', 'gw-panel-note', '', { role: 'status' });
    const fill = () => {
      const rows = gw.settingsFound(sheet.rows, view.search);
      gw.setText(count, gw.t('settings.count', { n: rows.length, of: sheet.rows.length }));
      body.replaceChildren(rows.length ? table(sheet, rows.slice(0, SHOWN)) : gw.el('p', 'gw-empty', gw.t(view.search ? 'settings.none_found' : 'settings.none')));
      if (rows.length > SHOWN) body.append(gw.el('p', 'gw-empty', gw.t('settings.more', { n: rows.length - SHOWN })));
    };
    search.value = view.search;
    search.oninput = () => { view.search = search.value; fill(); };
    fill();
    const note = gw.page.texts['settings.note_' + sheet.name.replace(/-\d+$/, '')];
    return gw.el('section', 'gw-panel', [
      gw.el('div', 'gw-panel-head', [gw.el('h3', '', part(sheet.name)), gw.el('div', 'gw-row-buttons', tools(sheet))]),
      ...(note ? [gw.el('p', 'gw-panel-note', note)] : []),
      gw.el('div', 'gw-settings-find', [search, count]), body,
    ]);
  }

  function tools(sheet) {
    const found = [];
    if (sheet.editable && may()) {
      if (sheet.addable && !isFull(sheet)) found.push(button(gw.t('settings.add'), () => edit(sheet, null), 'primary'));
      found.push(button(gw.t('settings.upload'), () => pick(sheet)));
    }
    if (sheet.name === 'rules' && document.querySelector('a[href="/rules"]')) found.push(gw.el('a', 'gw-button primary', gw.t('settings.to_rules'), { href: '/rules' }));
    if (sheet.name.startsWith('register-')) found.push(gw.el('a', 'gw-button', gw.t('nav.registers'), { href: '/registers?register=' + sheet.name.slice(9) }));
    if (sheet.editable) for (const format of ['csv', 'xlsx', ...(GEOJSON.includes(sheet.name) ? ['geojson'] : [])])
      found.push(gw.el('a', 'gw-button', gw.t('settings.as_' + format), { href: `${API}/${sheet.name}/file?format=${format}`, download: `${sheet.name}.${format}` }));
    if (!sheet.by_file) found.push(button(gw.t('settings.history'), () => look('')));
    return found;
  }

  /* Every row that there can be is there. */
  function isFull(sheet) {
    const { choices } = sheet.columns.find(c => c.name === sheet.key), keys = new Set(sheet.rows.map(row => row.values[sheet.key]));
    return choices.length > 0 && choices.every(word => keys.has(word));
  }
  const named = key => gw.settingsWord(view.sheet.key, key);

  function cell(name, value) {
    if (value.length <= LONG) return [gw.settingsWord(name, value)];
    const text = gw.el('details', '', [gw.el('summary', '', value.replace(/\s+/g, ' ').slice(0, SUMMARY) + '…'), gw.el(value.includes('\n') ? 'pre' : 'p', '', value)]);
    return [text];
  }

  function table(sheet, rows) {
    const names = sheet.columns.map(c => c.name).filter(name => name !== NAMED_BY_ITSELF);
    const head = gw.el('tr', '', [...names.map(name => gw.el('th', '', column(name), { scope: 'col' })), gw.el('th', '', '')]);
    const lines = rows.map(row => gw.el('tr', '', [
      ...names.map((name, n) => gw.el(n ? 'td' : 'th', '', cell(name, row.values[name] || ''), n ? { 'data-label': column(name) } : { scope: 'row' })),
      gw.el('td', 'gw-settings-steps', steps(sheet, row)),
    ], { 'data-key': row.values[sheet.key] }));
    return gw.el('div', 'gw-table-scroll', gw.el('table', '', [gw.el('thead', '', head), gw.el('tbody', '', lines)]));
  }

  function steps(sheet, row) {
    const key = row.values[sheet.key], found = [];
    if (sheet.by_file) return found;
    if (sheet.editable && may()) {
      found.push(button(gw.t('settings.edit'), () => edit(sheet, row)));
      if (sheet.removable) found.push(button(gw.t('settings.remove'), () => ask(sheet, { remove: key })));
    }
    found.push(button(gw.t('settings.history'), () => look(key)));
    return found;
  }

  // An edit

  function field(sheet, c, row) {
    const value = row ? row.values[c.name] || '' : '';
    const same = { name: c.name, label: column(c.name), required: c.needed, value, hint: gw.page.texts['settings.hint_' + c.name] };
    if (TEXTS.includes(c.name)) return { ...same, type: 'long', most: FILE_MAX, rows: 12 };
    if (!c.choices.length) return { ...same, type: value.length > LONG ? 'long' : 'text' };
    return { ...same, type: 'select', options: [...(c.needed && value ? [] : [['', '–']]), ...c.choices.map(word => [word, gw.settingsWord(c.name, word)])] };
  }

  function edit(sheet, row) {
    const title = row ? `${gw.t('settings.edit')} · ${named(row.values[sheet.key])}` : gw.t('settings.add');
    gw.dialog({ title, button: gw.t('settings.what_changes'), fields: sheet.columns.filter(c => c.name !== NAMED_BY_ITSELF).map(c => field(sheet, c, row)),
      submit: async values => {
        const put = Object.fromEntries(sheet.columns.map(c => [c.name, values[c.name] || '']));
        const { problem, plan } = await planned(sheet, { put, key: row ? row.values[sheet.key] : '' });
        if (problem) return problem;
        if (plan.faults.length) return plan.faults.map(fault).join('\n');
        open(plan);
        return '';
      } });
  }

  async function ask(sheet, wanted) {
    const { problem, plan } = await planned(sheet, wanted);
    if (problem) gw.notice(problem, 'bad'); else open(plan);
  }

  async function planned(sheet, wanted) {
    const answer = await gw.send('POST', `${API}/${sheet.name}/plan`, { digest: sheet.digest, seq: sheet.seq, ...wanted });
    return answer.ok ? { plan: answer.body } : { problem: await refused(answer) };
  }

  /* Somebody else was faster: what they changed, and the table as it is now. */
  async function refused(answer) {
    const current = (answer.body && answer.body.current) || {};
    if (answer.status === 409 && current.stale) {
      await show(current.stale);
      const told = current.changed.map(item => `${item.actor}, ${gw.dayAndClock(Date.parse(item.at))}: ${item.code}: ${differences(item.fields)}`);
      return gw.t('settings.stale') + '\n' + told.join('\n');
    }
    if (answer.status === 409) return answer.body.detail;
    return gw.problem(answer);
  }

  function pick(sheet) {
    const input = gw.el('input', '', null, { type: 'file', accept: '.csv,.xlsx' + (GEOJSON.includes(sheet.name) ? ',.geojson,.json' : ''), hidden: '' });
    document.body.append(input);
    input.onchange = async () => {
      const answer = await gw.upload(`${API}/${sheet.name}/upload`, { file: input.files[0] });
      input.remove();
      if (answer.ok) open(answer.body); else gw.notice(await gw.problem(answer), 'bad');
    };
    input.click();
  }

  // What it would do

  function open(plan) { view.plan = plan; draw(); scrollTo(0, 0); }

  const field_ = name => name.split(', ').map(column).join(', ');
  function fault(f) {
    const known = JSON.parse($('main').dataset.faults);
    const where = [f.file === fileOf(view.sheet.name) ? '' : f.file, f.row ? gw.t('settings.row', { n: f.row }) : '', f.field && field_(f.field)].filter(Boolean);
    return `${where.join(' · ')}: ${f.value ? `“${f.value.slice(0, 80)}” ` : ''}${gw.settingsFault(f.problem, known)}`;
  }
  const differences = fields => fields.map(f => `${column(f.name)} ${f.before || '–'} → ${f.after || '–'}`).join('; ');

  function line(change) {
    const what = gw.word('settings.what', change.what), how = gw.word('settings.how', change.how);
    if (!change.code) return `${what}: ${gw.number(change.count)} ${how}`;
    const fields = change.fields.length ? ` (${change.fields.map(column).join(', ')})` : '';
    return `${what} ${change.what === 'stage_limit' ? gw.word('clock', change.code) : change.code}: ${how}${fields}`;
  }

  function effect(e) {
    const gaps = { name: e.what === 'stage_limit' ? gw.word('clock', e.code) : e.code, before: gw.settingsWord('limit', e.before), after: gw.settingsWord('limit', e.after), keep: gw.number(e.keep), get: gw.number(e.get) };
    return gw.t('settings.effect_' + e.what, gaps);
  }

  function compared(plan) {
    const key = view.sheet.key, before = new Map(view.sheet.rows.map(row => [row.values[key], row.values])), seen = new Set(), lines = [];
    for (const row of plan.rows) {
      const name = row.values[key];
      seen.add(name);
      const diff = gw.settingsDiff(before.get(name), row.values);
      if (diff.length) lines.push([name, diff]);
    }
    for (const [name, row] of before) if (!seen.has(name)) lines.push([name, gw.settingsDiff(row, null)]);
    return lines.slice(0, SHOWN).map(([name, diff]) => gw.el('li', '', [gw.el('b', '', named(name) || '–'),
      ...diff.map(([c, old, now]) => gw.el('span', '', [column(c) + ' ', gw.el('del', '', old ? gw.settingsWord(c, old) : '–'), ' → ', gw.el('ins', '', now ? gw.settingsWord(c, now) : '–')]))]));
  }

  function faulty(plan) {
    const rows = new Map(plan.rows.map(row => [row.row, row.values]));
    return plan.faults.map(f => {
      const row = f.file === fileOf(plan.name) && rows.get(f.row);
      return gw.el('li', '', [gw.el('b', '', fault(f)), ...(row ? [gw.el('span', '', Object.values(row).filter(Boolean).join(' · ').slice(0, 200))] : [])], f.row ? { 'data-row': f.row } : {});
    });
  }

  const list = (title, lines, kind) => (lines.length ? [gw.el('h4', '', title), gw.el('ul', 'gw-settings-lines ' + (kind || ''), lines)] : []);

  function drawPlan(plan) {
    const blocked = plan.faults.length || plan.obstacles.length;
    const says = plan.faults.length ? gw.t('settings.faulty', { n: plan.faults.length }) : plan.changes.length ? gw.t('settings.nothing_yet') : gw.t('settings.no_change');
    const buttons = [button(gw.t('settings.back'), () => { view.plan = null; draw(); })];
    if (!blocked && plan.changes.length) buttons.unshift(button(gw.t('settings.put_in_force'), () => confirm(plan), 'primary'));
    return gw.el('section', 'gw-panel gw-settings-plan', [
      gw.el('div', 'gw-panel-head', [gw.el('h3', '', `${gw.t('settings.what_changes')} · ${part(plan.name)}`), gw.el('div', 'gw-row-buttons', buttons)]),
      gw.el('p', 'gw-panel-note', says, { role: 'status' }),
      ...list(gw.t('settings.faults'), faulty(plan), 'bad'),
      ...list(gw.t('settings.obstacles'), plan.obstacles.map(f => gw.el('li', '', fault(f))), 'bad'),
      ...list(gw.t('settings.changes'), plan.changes.map(change => gw.el('li', '', line(change)))),
      ...list(gw.t('settings.effects'), plan.effects.map(e => gw.el('li', '', effect(e)))),
      ...(plan.faults.length ? [] : list(gw.t('settings.values'), compared(plan))),
    ]);
  }

  function confirm(plan) {
    gw.dialog({ title: gw.t('settings.put_in_force'), note: gw.t('settings.why_note'), fields: [{ name: 'why', type: 'long', required: true, label: gw.t('settings.why') }],
      submit: async ({ why }) => {
        const answer = await gw.send('POST', `${API}/${plan.name}/apply`, { content: plan.content, digest: plan.digest, seq: plan.seq, why });
        if (!answer.ok) return refused(answer);
        const passwords = Object.entries(answer.body.passwords);
        gw.notice(gw.t('settings.done', { n: answer.body.changes.length }));
        await parts();
        await show(plan.name);
        if (passwords.length) setTimeout(() => tell(passwords));
        return '';
      } });
  }

  /* Passwords of new people, this once. */
  function tell(passwords) {
    gw.dialog({ title: gw.t('settings.passwords'), note: gw.t('settings.passwords_once'), plain: true, button: gw.t('close_dialog'), submit: async () => '',
      fields: passwords.map(([name, password]) => ({ name, label: name, type: 'text', value: password })) });
    for (const input of document.querySelectorAll('dialog[open] input')) input.readOnly = true;
  }

  // What was

  async function look(code) {
    const found = await get(`/${view.sheet.name}/history${code ? '?code=' + encodeURIComponent(code) : ''}`);
    if (!found) return;
    view.history = { code, items: found.items };
    draw();
    scrollTo(0, 0);
  }

  function drawHistory({ code, items }) {
    const lines = items.map(item => gw.el('li', '', [
      gw.el('b', '', `${gw.dayAndClock(Date.parse(item.at))} · ${item.actor === 'system' ? gw.t('actor.system') : item.actor} · ${named(item.code)}`),
      ...(item.why ? [gw.el('q', '', item.why)] : []),
      ...item.fields.slice(0, 40).map(f => gw.el('span', '', [column(f.name) + ' ', gw.el('del', '', f.before.slice(0, 200) || '–'), ' → ', gw.el('ins', '', f.after.slice(0, 200) || '–')])),
    ]));
    return gw.el('section', 'gw-panel gw-settings-history', [
      gw.el('div', 'gw-panel-head', [gw.el('h3', '', gw.t('settings.history') + (code ? ' · ' + named(code) : '')), button(gw.t('close_dialog'), () => { view.history = null; draw(); })]),
      lines.length ? gw.el('ul', 'gw-settings-lines', lines) : gw.el('p', 'gw-empty', gw.t('settings.no_history')),
    ]);
  }

  addEventListener('popstate', () => { if (gw.started === 'settings') show(new URLSearchParams(location.search).get('part') || 'squads'); });
})();
