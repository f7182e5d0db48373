/* Registers: list, one register, one entry, its inspection. What is shown stands in the address, so
   that a label, a link and the button "back" all lead to the same. */
(function () {
  'use strict';
  const gw = window.gw;
  const REGISTERS = '/api/v1/registers', ENTRIES = '/api/v1/register-entries';
  const PAGE = 100, TYPING_MS = 250;
  const LIST_FIELDS = 2; // of a definition, beside the title, where a list has room
  const $ = id => document.getElementById(id);
  const t = (key, gaps) => gw.t('registers.' + key, gaps);
  const name = thing => gw.pick(thing, 'name');
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  const panel = (title, nodes, beside) => gw.el('section', 'gw-panel', [gw.el('div', 'gw-panel-head', [gw.el('h3', '', title), ...(beside || [])]), ...nodes]);

  /* What answers come to, as the server counts them: `score` in per cent, cut to one decimal. */
  gw.inspectionScore = function (items, answers, passMark) {
    const open = items.filter(item => !answers[item.code]).length;
    const counted = items.filter(item => answers[item.code] && answers[item.code] !== 'na');
    const sum = list => list.reduce((all, item) => all + item.score, 0);
    const failed = counted.filter(item => answers[item.code] === 'fail');
    const possible = sum(counted), earned = possible - sum(failed);
    const passed = earned * 100 >= passMark * possible && !failed.some(item => item.critical);
    return { open, applies: possible > 0, score: possible ? Math.floor(earned * 1000 / possible) / 10 : 0, passed };
  };
  /* The offences of a party in words; null: nobody knows whose. */
  gw.offenceText = function (offences, known) {
    if (!known) return t('no_party');
    if (!offences.length) return t('first_offence');
    return t('earlier_offences', { n: offences.length, dates: offences.map(o => o.at.slice(0, 10)).join(', ') });
  };

  let current = 0; // of several answers that are on their way the newest counts

  gw.screens.registers = async function () {
    gw.showStatus();
    gw.live.start();
    addEventListener('popstate', route);
    await route();
  };

  function go(query) { history.pushState(null, '', '/registers' + query); scrollTo(0, 0); return route(); }
  function link(text, query, className) {
    const e = gw.el('a', className || '', text, { href: '/registers' + query });
    e.onclick = event => { if (event.ctrlKey || event.metaKey || event.shiftKey) return; event.preventDefault(); go(query); };
    return e;
  }
  const toRegister = code => '?register=' + encodeURIComponent(code);
  const toEntry = short => '?entry=' + encodeURIComponent(short);

  async function route() {
    const mine = ++current, query = new URLSearchParams(location.search);
    const nodes = query.get('entry') ? await showEntry(query.get('entry'), query.has('inspect'))
      : query.get('register') ? await showRegister(query.get('register')) : await showAll();
    if (mine === current) $('registers-body').replaceChildren(...nodes);
  }

  async function get(path) {
    const answer = await gw.send('GET', path);
    if (answer.ok) return answer.body;
    gw.notice(answer.status === 404 ? gw.t('nav.not_found') : await gw.problem(answer), 'bad');
    return null;
  }
  const unread = () => [gw.el('section', 'gw-panel', [gw.el('p', 'gw-empty', t('not_read')), button(gw.t('retry'), route)])];

  // All registers

  const ratio = c => gw.percent({ num: c.inspected, den: c.entries });
  const covered = (c, days) => t(days ? 'coverage_note' : 'coverage_ever', { n: gw.number(c.inspected), of: gw.number(c.entries), days });

  async function showAll() {
    const found = await get(REGISTERS);
    if (!found) return unread();
    return [gw.el('div', 'gw-registers-cards', found.items.map(item => {
      const c = item.coverage, card = link('', toRegister(item.code), 'gw-panel gw-register-card');
      card.append(gw.el('h3', '', name(item)), gw.el('strong', '', ratio(c)), gw.el('span', '', covered(c, item.every_days)),
        gw.el('span', c.overdue ? 'gw-register-late' : '', `${t('due')} ${gw.number(c.due)} · ${t('due_note', { overdue: gw.number(c.overdue) })}`));
      return card;
    }))];
  }

  // One register

  function figures(c, days) {
    const pairs = [[t('coverage'), ratio(c), covered(c, days)], [t('due'), gw.number(c.due), t('due_note', { overdue: gw.number(c.overdue) })],
      [t('failed'), gw.number(c.failed), ''], [t('entries'), gw.number(c.entries), '']];
    return gw.el('dl', 'gw-register-figures', pairs.map(([title, value, note]) => gw.el('div', '', [gw.el('dt', '', title), gw.el('dd', '', value), gw.el('dd', '', note)])));
  }

  async function showRegister(code) {
    const found = await get(`${REGISTERS}/${encodeURIComponent(code)}`);
    if (!found) return unread();
    const register = found.register, asked = { q: '', state: '', due: '' };
    const body = gw.el('div', 'gw-register-list');
    const search = gw.el('input', 'gw-input', null, { type: 'search', placeholder: t('search'), 'aria-label': t('search') });
    const choose = (label, options, set) => {
      const e = gw.el('select', 'gw-input', options.map(([value, text]) => gw.el('option', '', text, { value })), { 'aria-label': label });
      e.onchange = () => { set(e.value); fill(); };
      return e;
    };
    let typing = 0;
    search.oninput = () => { clearTimeout(typing); typing = setTimeout(() => { asked.q = search.value.trim(); fill(); }, TYPING_MS); };
    const fill = () => entries(register, body, asked, '');
    fill();
    const head = [link('← ' + t('all'), ''), gw.el('h2', '', name(register)), gw.el('p', 'gw-page-note', t('category', { name: gw.pick(found, 'category') }))];
    const filters = gw.el('div', 'gw-register-find', [search,
      choose(t('state'), [['', t('any_state')], ...register.states.map(s => [s.code, name(s)])], v => { asked.state = v; }),
      choose(t('due'), [['', t('any_due')], ['due', t('only_due')], ['overdue', t('only_overdue')]], v => { asked.due = v; })]);
    const code_ = encodeURIComponent(register.code);
    const tools = gw.el('div', 'gw-register-tools', [
      ...(found.may_keep ? [button(t('add'), () => keep(register, null), 'primary')] : []),
      gw.el('a', 'gw-button', t('labels'), { href: `${REGISTERS}/${code_}/labels`, target: '_blank' }),
      ...(document.querySelector('a[href="/settings"]') && found.may_keep ? [gw.el('a', 'gw-button', t('file'), { href: '/settings?part=register-' + code_ })] : [])]);
    const draws = gw.el('div');
    showDraws(register, draws, found.may_draw);
    return [gw.el('div', 'gw-register-head', head), figures(found.coverage, register.every_days), gw.el('section', 'gw-panel', [tools, filters, body]), draws];
  }

  async function entries(register, body, asked, cursor) {
    const query = new URLSearchParams({ limit: PAGE, ...Object.fromEntries(Object.entries({ ...asked, cursor }).filter(([, v]) => v)) });
    const key = query.toString();
    body.dataset.asked = key;
    const found = await get(`${REGISTERS}/${encodeURIComponent(register.code)}/entries?${query}`);
    if (!found || body.dataset.asked !== key) return;
    const rows = found.items.map(item => row(register, item));
    if (cursor) { body.querySelector('.gw-register-more')?.remove(); body.querySelector('tbody').append(...rows); }
    else if (rows.length) body.replaceChildren(table(register, rows));
    else body.replaceChildren(gw.el('p', 'gw-empty', asked.q || asked.state || asked.due ? t('none_found') : t('empty', { code: register.code })));
    if (found.next) body.append(button(t('more'), () => entries(register, body, asked, found.next), 'gw-register-more'));
  }

  const extraFields = register => register.fields.filter(f => f.code !== register.title && f.code !== register.due && !f.personal).slice(0, LIST_FIELDS);
  function table(register, rows) {
    const heads = [t('name'), t('code'), ...extraFields(register).map(name), t('state'), t('due_on'), t('inspected_on')];
    return gw.el('div', 'gw-table-scroll', gw.el('table', '', [gw.el('thead', '', gw.el('tr', '', heads.map(text => gw.el('th', '', text, { scope: 'col' })))), gw.el('tbody', '', rows)]));
  }
  function row(register, item) {
    const cell = (label, content) => gw.el('td', '', content, { 'data-label': label });
    return gw.el('tr', '', [gw.el('th', '', link(item.title, toEntry(item.short)), { scope: 'row' }), cell(t('code'), item.code),
      ...extraFields(register).map(f => cell(name(f), shownValue(f, item.values[f.code]))), cell(t('state'), state(register, item)),
      cell(t('due_on'), gw.el('span', '', due(item))), cell(t('inspected_on'), inspected(item))]);
  }
  const today = () => { const p = gw.parts(gw.now()); return [p.year, p.month.padStart(2, '0'), p.day.padStart(2, '0')].join('-'); };
  const isLate = item => !item.retired && item.due_on && item.due_on < today();
  const due = item => item.due_on ? [item.due_on, ...(isLate(item) ? [gw.el('em', 'gw-register-late', t('overdue_mark'))] : [])] : t('no_date');
  const inspected = item => item.inspected_on ? `${item.inspected_on} ${t(item.passed ? 'passed' : 'not_passed')}` : t('never');
  const state = (register, item) => name(register.states.find(s => s.code === item.state) || { name_zh: item.state, name_en: item.state });
  function shownValue(field, text) {
    const choice = field.choices.find(c => c.code === text);
    return choice ? name(choice) : text || '–';
  }

  // Draws

  async function showDraws(register, host, mayDraw) {
    const found = await get(`${REGISTERS}/${encodeURIComponent(register.code)}/draws`);
    if (!found || (!found.items.length && !mayDraw)) return;
    const again = () => showDraws(register, host, mayDraw);
    host.replaceChildren(panel(t('draws'), found.items.map(drawn), mayDraw ? [button(t('draw'), () => askDraw(register, again))] : []));
  }
  function drawn(item) {
    const said = gw.el('span', '', '', { role: 'status' });
    const verify = button(t('verify'), async () => {
      const answer = await get(`/api/v1/register-draws/${item.id}/verification`);
      if (answer) gw.setText(said, answer.same ? t('verified') : t('not_verified', { problem: answer.problem }));
    });
    const summary = `${gw.dayAndClock(Date.parse(item.at))} · ${item.actor} · ${item.why}`;
    return gw.el('details', 'gw-register-draw', [gw.el('summary', '', summary),
      gw.el('p', '', t('draw_made', { objects: item.objects, of: item.population, seed: item.seed })),
      ...item.recused.map(([entry, people]) => gw.el('p', '', t('recused_from', { entry, people: people.join(', ') }))),
      gw.el('ol', '', item.result.map(([entry, people]) => gw.el('li', '', `${entry}: ${people.join(', ')}`))), gw.el('p', '', [verify, said])]);
  }
  function askDraw(register, then) {
    const key = gw.newKey();
    gw.dialog({ title: t('draw'), button: t('draw'), fields: [
      { name: 'objects', label: t('draw_objects'), type: 'text', required: true, value: '' },
      { name: 'each', label: t('draw_each'), type: 'text', required: true, value: '2' },
      { name: 'seed', label: t('draw_seed'), type: 'text', required: true, value: gw.newKey(), hint: t('draw_seed_hint') },
      { name: 'why', label: t('draw_why'), type: 'text', required: true, value: '' }],
    submit: async values => {
      const body = { objects: Number(values.objects) || 0, each: Number(values.each) || 0, seed: values.seed, why: values.why };
      const answer = await gw.send('POST', `${REGISTERS}/${encodeURIComponent(register.code)}/draws`, body, key);
      if (!answer.ok) return gw.problem(answer);
      await then();
      return '';
    } });
  }

  // One entry

  async function showEntry(short, inspecting) {
    const found = await get(`${ENTRIES}/${encodeURIComponent(short)}`);
    if (!found) return unread();
    const { entry, register } = found;
    const head = gw.el('div', 'gw-register-head', [link('← ' + name(register), toRegister(register.code)), gw.el('h2', '', entry.title),
      gw.el('p', 'gw-page-note', `${entry.code} · ${entry.retired ? t('retired') : state(register, entry)}`)]);
    if (inspecting && found.may_inspect) return [head, form(found)];
    const tools = gw.el('div', 'gw-register-tools', [
      ...(found.may_inspect ? [button(t('inspect'), () => go(toEntry(short) + '&inspect=1'), 'primary')] : []),
      ...(found.may_keep ? [button(gw.t('settings.edit'), () => keep(register, entry, found.geometry)), button(t('retire'), () => retire(found))] : []),
      gw.el('a', 'gw-button', t('label'), { href: `${ENTRIES}/${encodeURIComponent(short)}/label`, target: '_blank' })]);
    const dates = gw.el('dl', 'gw-register-fields', [pair(t('due_on'), due(entry)), pair(t('inspected_on'), inspected(entry))]);
    const fields = gw.el('dl', 'gw-register-fields', register.fields.map(f => pair(name(f), fieldContent(found, f))));
    const nodes = [head, tools, dates];
    if (found.offences && register.party) nodes.push(offenceLine(found, found.offences.length || !known(found) ? gw.offenceText(found.offences, known(found)) : t('no_offence')));
    if (register.promises.length) nodes.push(panel(t('promises'), [gw.el('ul', 'gw-register-lines', register.promises.map(p => gw.el('li', '', name(p))))]));
    nodes.push(panel(t('fields'), [fields]), panel(t('inspections'), inspections(found)));
    if (found.may_inspect || found.recusals.length) nodes.push(recusals(found));
    if (found.history.length) nodes.push(panel(t('history'), [gw.el('ul', 'gw-register-lines', found.history.map(item => change(register, item)))]));
    return nodes;
  }
  const pair = (title, content) => gw.el('div', '', [gw.el('dt', '', title), gw.el('dd', '', content)]);
  function fieldContent(found, field) {
    const related = found.related.find(r => r.field === field.code), text = found.entry.values[field.code];
    if (related) return link(related.title, toEntry(related.short));
    if (found.entry.masked.includes(field.code)) return [text || '–', gw.el('small', 'gw-mark-quiet', t('masked'))];
    if (field.type === 'phone' && text) return gw.el('a', '', text, { href: 'tel:' + text.replace(/[^+\d]/g, '') });
    return shownValue(field, text);
  }
  const known = found => Boolean(found.entry.values[found.register.party]);
  function offenceLine(found, text) {
    return gw.el('p', 'gw-register-offences' + (found.offences.length ? ' earlier' : ''), text, { role: 'status' });
  }
  function inspections(found) {
    if (!found.inspections.length) return [gw.el('p', 'gw-empty', t('no_inspections'))];
    return [gw.el('ul', 'gw-register-lines', found.inspections.map(i => {
      const failed = found.register.items.filter(item => i.answers[item.code] === 'fail').map(name).join('; ');
      const facts = [gw.dayAndClock(Date.parse(i.at)), i.actor, t(i.passed ? 'passed' : 'not_passed'), t('score', { score: i.score, mark: i.pass_mark })];
      if (i.incident) facts.push(t('case', { number: i.incident }) + ' ' + gw.word('state', i.incident_state));
      return gw.el('li', i.passed ? '' : 'bad', [gw.el('b', '', facts.join(' · ')), ...[failed, i.note].filter(Boolean).map(text => gw.el('span', '', text))]);
    }))];
  }
  function change(register, item) {
    const names = item.fields.length ? ` (${item.fields.map(code => fieldName(register, code)).join(', ')})` : '';
    return gw.el('li', '', `${gw.dayAndClock(Date.parse(item.at))} · ${item.actor} · ${gw.word('event', item.kind)}${names}${item.why ? ' · ' + item.why : ''}`);
  }

  // An entry is kept: put in, changed, taken out; who is related to it

  const WHY = { name: 'why', type: 'long', required: true };
  const why = () => ({ ...WHY, label: t('why') });
  const PREFIX = 'cell_'; // fields of a register may be called as those of the dialog
  function cellsOf(register, entry, geometry) {
    const input = (code, label, more) => ({ name: PREFIX + code, label, type: 'text', value: '', ...more });
    const places = { point: ['lon', 'lat'], line: ['geometry'], area: ['geometry'] }[register.place] || [];
    const at = entry ? { lon: entry.lon ?? '', lat: entry.lat ?? '', geometry: geometry ? JSON.stringify(geometry) : '' } : {};
    return [
      ...(entry ? [] : [input('code', t('code'), { required: true })]),
      input('state', t('state'), { type: 'select', options: register.states.map(s => [s.code, name(s)]), value: entry ? entry.state : '' }),
      ...register.fields.map(f => input(f.code, name(f), { required: f.required, value: entry ? entry.values[f.code] || '' : '', hint: hintOf(f),
        ...(f.choices.length ? { type: 'select', options: [['', '–'], ...f.choices.map(c => [c.code, name(c)])] } : {}) })),
      ...places.map(p => input(p, gw.t('settings.column_' + p), { value: String(at[p] ?? ''), ...(p === 'geometry' ? { type: 'long', most: 500000, rows: 5, hint: t('geometry_hint') } : {}) })),
    ];
  }
  const hintOf = f => (f.type === 'date' ? gw.t('settings.hint_date') : f.type === 'relation' ? t('relation_hint', { register: f.register }) : f.personal ? t('personal_hint') : undefined);
  function keep(register, entry, geometry) {
    const key = gw.newKey();
    gw.dialog({ title: entry ? `${gw.t('settings.edit')} · ${entry.title}` : `${t('add')} · ${name(register)}`, button: gw.t('settings.put_in_force'), fields: [...cellsOf(register, entry, geometry), why()],
      submit: async values => {
        const cells = Object.fromEntries(Object.entries(values).filter(([n]) => n.startsWith(PREFIX)).map(([n, v]) => [n.slice(PREFIX.length), String(v || '')]));
        const path = entry ? `${ENTRIES}/${encodeURIComponent(entry.short)}/change` : `${REGISTERS}/${encodeURIComponent(register.code)}/entries`;
        return kept(await gw.send('POST', path, { cells, why: values.why, ...(entry ? { version: entry.version } : {}) }, key), register);
      } });
  }
  function retire({ entry, register }) {
    const key = gw.newKey();
    gw.dialog({ title: `${t('retire')} · ${entry.title}`, note: t('retire_note'), fields: [why()],
      submit: async values => kept(await gw.send('POST', `${ENTRIES}/${encodeURIComponent(entry.short)}/retire`, { version: entry.version, why: values.why }, key), register) });
  }
  /* A fault names its field as the register calls it. */
  async function kept(answer, register) {
    if (answer.ok) { await go(toEntry(answer.body.short)); return ''; }
    if (answer.status === 409) { route(); return t('stale'); }
    const { field = '', problem } = answer.body || {};
    if (answer.status !== 422 || !field.startsWith('cells.')) return gw.problem(answer);
    const names = field.slice(6).split(', ').map(code => fieldName(register, code)).join(', ');
    return `${names}: ${gw.settingsFault(problem || '', JSON.parse($('main').dataset.faults))}`;
  }
  function fieldName(register, code) {
    const found = register.fields.find(f => f.code === code);
    return found ? name(found) : { code: t('code'), state: t('state') }[code] || gw.page.texts['settings.column_' + code] || code;
  }
  function recusals(found) {
    const me = gw.page.user.name, path = `${ENTRIES}/${encodeURIComponent(found.entry.short)}/recusals`;
    const send = async body => { const answer = await gw.send('POST', path, body, gw.newKey()); if (!answer.ok) return gw.problem(answer); await route(); return ''; };
    const declare = () => gw.dialog({ title: t('recuse'), note: t('recuse_note'), fields: [
      { name: 'person', label: t('recuse_who'), type: 'text', required: true, value: me }, why()], submit: values => send({ person: values.person, why: values.why, related: true }) });
    const lines = found.recusals.map(r => gw.el('li', '', [gw.el('b', '', r.person), gw.el('span', '', `${r.why} · ${r.declared_by} · ${gw.dayAndClock(Date.parse(r.declared_at))}`),
      ...(found.may_keep || r.person === me ? [button(t('recusal_over'), async () => { const said = await send({ person: r.person, why: '', related: false }); if (said) gw.notice(said, 'bad'); })] : [])]));
    return panel(t('recusals'), [lines.length ? gw.el('ul', 'gw-register-lines', lines) : gw.el('p', 'gw-empty', t('no_recusals'))], found.may_inspect ? [button(t('recuse'), declare)] : []);
  }

  // An inspection

  function form(found) {
    const { register, entry } = found, answers = {}, key = gw.newKey();
    const verdict = gw.el('output', '', '', { 'aria-live': 'polite' }), error = gw.el('p', 'gw-form-error', '', { role: 'alert' });
    const said = gw.el('div'), note = gw.el('textarea', 'gw-input', null, { rows: '2', name: 'note', maxlength: '2000', placeholder: t('note'), 'aria-label': t('note') });
    const send = button(t('send'), () => submit(), 'primary');
    const look = () => {
      const seen = gw.inspectionScore(register.items, answers, register.pass_mark);
      const text = seen.open ? t('left', { n: seen.open }) : !seen.applies ? t('nothing_applies') : t(seen.passed ? 'will_pass' : 'will_fail', { score: seen.score });
      gw.setText(verdict, text);
      send.disabled = seen.open > 0 || !seen.applies;
      const fails = !seen.open && seen.applies && !seen.passed;
      said.replaceChildren(...(fails && register.party ? [offenceLine(found, gw.offenceText(found.offences, known(found)))] : []));
    };
    const submit = async () => {
      gw.setText(error, '');
      const at = entry.lon === null && !found.related.length ? await here() : {};
      const answer = await gw.send('POST', `${ENTRIES}/${encodeURIComponent(entry.short)}/inspections`, { answers, note: note.value.trim(), ...at }, key);
      if (!answer.ok) { gw.setText(error, await gw.problem(answer)); return; }
      done(found, answer.body);
    };
    const items = register.items.map(item => question(item, word => { answers[item.code] = word; look(); }));
    look();
    return gw.el('form', 'gw-inspection', [...items, note, said, error, gw.el('div', 'gw-inspection-bar', [verdict, send])]);
  }
  function question(item, answered) {
    const legend = gw.el('legend', '', [name(item), gw.el('small', '', t('points', { n: item.score }) + (item.critical ? ' · ' + t('critical') : ''))]);
    const words = ['ok', 'fail', 'na'].map(word => {
      const input = gw.el('input', '', null, { type: 'radio', name: item.code, value: word });
      input.onchange = () => answered(word);
      return gw.el('label', word, [input, gw.el('span', '', t('answer_' + word))]);
    });
    return gw.el('fieldset', '', [legend, gw.el('div', '', words)]);
  }
  /* Where the inspector stands; a browser on a plain address does not say, and the server asks. */
  function here() {
    return new Promise(resolve => {
      if (!navigator.geolocation) { resolve({}); return; }
      navigator.geolocation.getCurrentPosition(p => resolve({ lon: p.coords.longitude, lat: p.coords.latitude }), () => resolve({}), { timeout: 8000, enableHighAccuracy: true });
    });
  }
  function done(found, answer) {
    const gaps = { score: answer.score, number: answer.incident || '', due: answer.due_on || t('no_date') };
    const nodes = [gw.el('p', 'gw-inspection-done' + (answer.passed ? '' : ' bad'), t(answer.passed ? 'done_passed' : 'done_failed', gaps), { role: 'status' })];
    if (!answer.passed && found.register.party) nodes.push(gw.el('p', 'gw-register-offences' + (answer.earlier.length ? ' earlier' : ''), gw.offenceText(answer.earlier, known(found))));
    if (answer.incident_id) nodes.push(button(t('photo'), () => gw.photo(answer.incident_id, 'photo_before', () => {})));
    nodes.push(button(t('back'), () => go(toEntry(found.entry.short)), 'primary'));
    $('registers-body').replaceChildren(gw.el('section', 'gw-panel gw-inspection-result', nodes));
    scrollTo(0, 0);
  }
})();
