/* Rules: the list, one rule with its versions, and what starts from there. The editor is editor.js,
   what a change would have done is trial.js. */
(function () {
  'use strict';
  const gw = window.gw;
  const $ = id => document.getElementById(id);
  const when = text => gw.dayAndClock(Date.parse(text));
  const view = { items: null, code: '', rule: null, search: '', retired: false, busy: false };
  const desk = Object.assign((gw.rules = gw.rules || {}), {
    API: '/api/v1', view, when,
    may: () => $('main').dataset.mayChange === 'yes',
    button: (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; },
  });
  const button = desk.button;
  const SOON_MS = 400, LATER_MS = 5000; // figures of alarms may be a little old

  gw.screens.rules = async function () {
    gw.showStatus();
    gw.live.start();
    gw.live.on('change', news => {
      if (news.kinds.some(kind => /^(rule|approval)\./.test(kind))) refresh(SOON_MS);
      else if (news.kinds.some(kind => kind.startsWith('alarm.'))) refresh(LATER_MS);
    });
    addEventListener('popstate', () => { if (gw.started === 'rules') open(); });
    await open();
  };

  /* Once for many changes, and never under the hands of somebody who edits. */
  let waiting = 0, due = 0;
  function refresh(ms) {
    if (waiting && due <= Date.now() + ms) return;
    clearTimeout(waiting);
    due = Date.now() + ms;
    waiting = setTimeout(() => { waiting = 0; if (!view.busy) open(); }, ms);
  }

  desk.go = function (query) { history.pushState(null, '', '/rules' + query); view.busy = false; return open(); };

  async function open() {
    view.busy = false;
    const asked = new URLSearchParams(location.search), code = asked.get('rule') || '';
    view.code = code;
    if (asked.has('new')) return desk.edit(null, TEMPLATE);
    if (!code) { view.items = await get('/rules'); return draw(); }
    const rule = await get('/rules/' + encodeURIComponent(code));
    if (view.code !== code) return; // somebody has gone on meanwhile
    view.rule = rule;
    const proposed = gw.ruleProposal(asked);
    if (rule && proposed && desk.may()) return desk.edit(rule, await drafted(rule, proposed));
    return draw();
  }

  /* A proposal is a whole text, or values by their fields: `draft={"clear_limit": 9}`, or each as a
     word of the address, `&clear_limit=9`; `level.limit` is that of the mildest level. */
  gw.ruleProposal = function (asked) {
    if (asked.has('draft')) return asked.get('draft');
    const put = {};
    for (const [name, text] of asked) if (name !== 'rule') put[name.replace(/^level\./, 'level[0].')] = text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
    return Object.keys(put).length ? JSON.stringify(put) : '';
  };
  async function drafted(rule, draft) {
    const text = rule.versions[0].text;
    if (!draft.trim().startsWith('{')) return draft;
    try {
      const answer = await gw.send('POST', desk.API + '/rules/form', { text, put: JSON.parse(draft) });
      if (answer.ok) return answer.body.text;
      gw.notice(await gw.problem(answer), 'bad');
    } catch { gw.notice(gw.t('rules.draft_unread'), 'bad'); }
    return text;
  }

  async function get(path) {
    const answer = await gw.send('GET', desk.API + path);
    if (answer.ok) return answer.body.items || answer.body;
    gw.notice(await gw.problem(answer), 'bad');
    return null;
  }

  const failed = () => [gw.el('section', 'gw-panel', [gw.el('p', 'gw-empty', gw.t('rules.not_read')), button(gw.t('retry'), open)])];
  function draw() {
    const nodes = view.code ? (view.rule ? drawRule(view.rule) : failed()) : view.items ? drawList(view.items) : failed();
    $('rules-body').replaceChildren(...nodes);
  }

  // The list

  /* Rules in which every word that was typed stands somewhere. */
  gw.rulesFound = function (items, typed) {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    return items.filter(item => {
      const text = [item.code, item.title_zh, item.title_en, item.condition, item.category, item.metric, item.watch, ...item.kinds].join('\n').toLowerCase();
      return words.every(word => text.includes(word));
    });
  };

  function drawList(items) {
    const body = gw.el('div', 'gw-rules-table'), count = gw.el('small', 'gw-panel-note', '', { role: 'status' });
    const search = gw.el('input', 'gw-input', null, { type: 'search', placeholder: gw.t('rules.search'), 'aria-label': gw.t('rules.search') });
    const fill = () => {
      const found = gw.rulesFound(items, view.search);
      gw.setText(count, gw.t('rules.count', { n: found.length, of: items.length }));
      body.replaceChildren(found.length ? table(found) : gw.el('p', 'gw-empty', gw.t(items.length ? 'rules.none_found' : 'rules.none')));
    };
    search.value = view.search;
    search.oninput = () => { view.search = search.value; fill(); };
    fill();
    const add = desk.may() ? [button(gw.t('rules.add'), () => desk.go('?new'), 'primary')] : [];
    return [gw.el('section', 'gw-panel', [gw.el('div', 'gw-rules-find', [search, count, gw.el('span', 'gw-push'), ...add]), body])];
  }

  function table(items) {
    const columns = ['rule', 'scope', 'condition', 'levels', 'version', 'live', 'lately'];
    const head = gw.el('tr', '', columns.map(name => gw.el('th', '', gw.t('rules.column_' + name), { scope: 'col' })));
    const rows = items.map(item => {
      const link = gw.el('a', '', gw.pick(item, 'title'), { href: '/rules?rule=' + encodeURIComponent(item.code) });
      link.onclick = event => { if (event.metaKey || event.ctrlKey) return; event.preventDefault(); desk.go('?rule=' + encodeURIComponent(item.code)); };
      const cells = {
        scope: [scope(item)], condition: [gw.word('condition', item.condition)], levels: [levels(item)], version: [`${item.version}`, gw.el('small', '', state(item))],
        live: [gw.number(item.live)], lately: [gw.number(item.lately)],
      };
      return gw.el('tr', '', [
        gw.el('th', '', [link, gw.el('small', '', item.code), ...marks(item)], { scope: 'row' }),
        ...columns.slice(1).map(name => gw.el('td', 'gw-rules-' + name, cells[name], { 'data-label': gw.t('rules.column_' + name) })),
      ], { 'data-rule': item.code, 'data-state': item.state });
    });
    return gw.el('div', 'gw-table-scroll', gw.el('table', '', [gw.el('thead', '', head), gw.el('tbody', '', rows)]));
  }

  const watched = item => (item.metric ? gw.word('metric', item.metric) : gw.word('rules.watch', item.watch));
  const scope = item => [item.kinds.map(kind => gw.page.texts['kind.' + kind] || gw.word('gateway_kind', kind)).join(gw.t('rules.and')), watched(item)].filter(Boolean).join(' · ');
  const state = item => (item.state === 'in_force' ? '' : gw.t('rules.state_' + item.state));
  const marks = item => [
    ...(item.gas ? [gw.el('span', 'gw-mark-quiet', gw.t('rules.gas'))] : []),
    ...(item.waits ? [gw.el('a', 'gw-mark-quiet', gw.t('rules.waits', { n: item.waits }), { href: '/approvals' })] : []),
  ];
  function levels(item) {
    return gw.el('span', 'gw-rules-limits', item.levels.map(level => gw.el('span', '', [
      gw.el('i', 'gw-sev', gw.word('severity_mark', level.severity), { 'data-severity': level.severity }),
      level.limit === null ? (level.attribute ? gw.t('rules.own_limit') : '') : gw.number(level.limit),
    ])));
  }

  // One rule

  function drawRule(answer) {
    const item = answer.rule, newest = answer.versions[0], steps = [];
    if (desk.may()) {
      steps.push(button(gw.t(item.state === 'retired' ? 'rules.bring_back' : 'rules.edit'), () => desk.edit(answer, newest.text), 'primary'));
      if (item.state === 'in_force') steps.push(button(gw.t('rules.retire'), () => desk.tryRetirement(answer)));
    }
    steps.push(button(gw.t('rules.all'), () => desk.go('')));
    const facts = [
      ['rules.column_scope', scope(item) || gw.t('rules.everything')], ['rules.column_condition', gw.word('condition', item.condition) + (answer.beside.length ? ` (${gw.t('rules.beside')} ${answer.beside.join(', ')})` : '')],
      ['rules.category', item.category], ['rules.column_version', `${item.version} · ${gw.t('rules.state_' + item.state)} · ${gw.t('rules.from', { time: when(item.valid_from) })}`],
      ['rules.column_live', gw.number(item.live)], ['rules.column_lately', gw.number(item.lately)],
    ];
    const gone = answer.retired ? [gw.el('p', 'gw-rules-warning', gw.t('rules.retired_by', { name: who(answer.retired.actor), time: when(answer.retired.at) }) + (answer.retired.why ? ` “${answer.retired.why}”` : ''))] : [];
    return [
      gw.el('section', 'gw-panel', [
        gw.el('div', 'gw-panel-head', [gw.el('h3', '', [gw.pick(item, 'title'), ' ', gw.el('small', '', item.code), ...marks(item)]), gw.el('div', 'gw-row-buttons', steps)]),
        ...gone, levels(item),
        gw.el('dl', 'gw-rules-facts', facts.flatMap(([key, value]) => [gw.el('dt', '', gw.t(key)), gw.el('dd', '', value)])),
        gw.el('details', '', [gw.el('summary', '', gw.t('rules.text')), gw.el('pre', 'gw-rules-text', newest.text)]),
      ]),
      gw.el('section', 'gw-panel', [gw.el('h3', '', gw.t('rules.versions')), gw.el('ol', 'gw-rules-versions', answer.versions.map((version, n) => drawVersion(answer, version, answer.versions[n + 1])))]),
    ];
  }

  const who = name => (name === 'system' ? gw.t('rules.shipped') : name);
  function drawVersion(answer, version, before) {
    const by = version.asked_by ? gw.t('rules.by_two', { one: version.asked_by, other: version.applied_by, n: version.approval || '' }) : who(version.applied_by);
    const restore = desk.may() && version !== answer.versions[0] ? [button(gw.t('rules.take_up'), () => desk.edit(answer, version.text))] : [];
    const lines = before ? gw.approvalDiff(before.text, version.text) : [];
    return gw.el('li', '', [
      gw.el('b', '', `${gw.t('rules.version', { n: version.version })} · ${when(version.at || version.valid_from)} · ${by}`),
      ...(version.why ? [gw.el('q', '', version.why)] : []),
      ...(lines.length ? [desk.diff(lines)] : []), ...restore,
    ], { 'data-version': version.version });
  }

  desk.diff = lines => gw.el('pre', 'gw-approvals-diff', lines.map(([sign, line]) => gw.el(sign === '+' ? 'ins' : sign === '-' ? 'del' : 'span', '', `${sign} ${line}`)));
  desk.list = (name, lines) => (lines.length ? [...(name ? [gw.el('h4', '', name)] : []), gw.el('ul', 'gw-rules-lines', lines)] : []);
  desk.remarks = remarks => desk.list('', remarks.map(remark => gw.el('li', '', [gw.el('b', '', gw.t('rules.grade_' + remark.grade)), ' ', ...(remark.field ? [`${desk.label(remark.field)}: `] : []), gw.pick(remark, 'text')], { 'data-grade': remark.grade })));
  desk.label = name => { const part = /^level\[(\d+)\]\.(.+)$/.exec(name); return part ? `${gw.t('rules.level', { n: Number(part[1]) + 1 })} · ${desk.label(part[2])}` : gw.page.texts['rules.field_' + name.replace(/^level\./, '')] || name; };
  /* Somebody else was faster: who, when, why, and the text as it is now. */
  desk.moved = changed => changed.map(one => gw.t('rules.moved', { name: who(one.actor || '?'), time: when(one.at), what: gw.word('rules.what', one.what), code: one.code, n: one.version }) + (one.why ? ` “${one.why}”` : ''));

  const TEMPLATE = ['code = ""', 'title_zh = ""', 'title_en = ""', 'watch = "reading"', 'kind = "manhole"', 'metric = "water_level_cm"', 'comparison = "at_or_above"',
    'category = "05-06"', 'opens_incident = true', 'off_delay_s = 300', 'source = ""', 'valid_from = 2020-01-01T00:00:00+08:00', '', '[[level]]', 'severity = "yellow"', 'limit = 100.0', 'on_delay_s = 0', ''].join('\n');
})();
