/* Lighting: the night's picture, orders to lamps, nights, programmes. Each part is drawn anew when
   something about lamps happens, and every quarter of a minute for what they report. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/lighting';
  const EVERY_MS = 15000, SOON_MS = 1200, ORDERS = 30;
  const CABINETS = 96, CABINETS_ON_A_PHONE = 12;
  const TARGET = 98; // per cent, what cities set themselves
  const NOON_MIN = 720, DAY_MIN = 1440;
  const $ = id => document.getElementById(id);
  const t = (key, gaps) => gw.t('lighting.' + key, gaps);
  const when = text => gw.dayAndClock(Date.parse(text));
  const clock = text => gw.clock(Date.parse(text)).slice(0, 5);
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  const panel = (title, nodes, beside) => gw.el('section', 'gw-panel', [gw.el('div', 'gw-panel-head', [gw.el('h3', '', title), ...(beside || [])]), ...nodes]);
  const figure = (title, value, note, bad) => gw.el('div', 'gw-figure' + (bad ? ' bad' : ''), [gw.el('dt', '', title), gw.el('dd', '', value), gw.el('dd', '', note || '')]);
  const svg = (tag, attributes, nodes) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const name in attributes || {}) e.setAttribute(name, attributes[name]);
    e.append(...(nodes || []));
    return e;
  };

  const state = { picture: null, may: false, mayChange: false, chosen: null, onlyLost: false, opened: new Set(), allCabinets: false };
  let soon = 0;
  let detailHost = null; // stays when the rest is drawn anew

  /* Lit checks of those that are known: what is unknown stands beside, never inside. */
  gw.litRate = counts => gw.percent({ num: counts.lit, den: counts.lit + counts.dark });

  gw.screens.lighting = async function () {
    detailHost = gw.el('div');
    gw.showStatus();
    gw.live.start();
    gw.live.on('change', news => {
      if (!news.kinds.some(kind => /^(lamps|lamp_programme|lit_night|approval)\./.test(kind))) return;
      clearTimeout(soon);
      soon = setTimeout(() => { now(); orders(); if (news.kinds.some(kind => kind.startsWith('lamp_programme.'))) programmes(); if (news.kinds.some(kind => kind.startsWith('lit_night.'))) nights(); }, SOON_MS);
    });
    await now();
    await Promise.all([orders(), nights(), programmes()]);
    setInterval(() => { if (!document.hidden) now(); }, EVERY_MS);
  };

  async function get(path, host) {
    const answer = await gw.send('GET', API + path);
    if (answer.ok) return answer.body;
    if (host && !host.childElementCount) host.replaceChildren(gw.el('section', 'gw-panel', [gw.el('p', 'gw-empty', t('not_read')), button(gw.t('retry'), () => location.reload())]));
    return null;
  }

  // Lamps now

  async function now() {
    const found = await get('', $('lighting-now'));
    if (!found) return;
    state.picture = found.picture;
    state.may = found.may_command;
    state.mayChange = found.may_change;
    $('lighting-tools').replaceChildren(...(state.may ? [button(t('command'), () => ask(''), 'primary')] : []));
    $('lighting-now').replaceChildren(...draw(found.picture));
    if (state.chosen) await detail(state.chosen);
  }

  function draw(p) {
    if (!p.total.lamps) return [gw.el('section', 'gw-panel', gw.el('p', 'gw-empty', t('no_lamps')))];
    const all = p.total, known = all.lit + all.dark;
    const sun = p.sun_up ? t('sun_up', { time: p.sunset ? clock(p.sunset) : '—' }) : t('sun_down', { time: p.sunrise ? clock(p.sunrise) : '—' });
    const first = all.due ? figure(t('lit_now'), gw.litRate(all), t('lit_note', { lit: gw.number(all.lit), known: gw.number(known) }))
      : figure(t('lit_now'), gw.t('value.none'), t('none_due'));
    return [
      gw.el('p', 'gw-lighting-sun', [gw.el('b', '', sun), gw.el('span', '', t('as_of', { time: gw.clock(Date.parse(p.now)) }))]),
      gw.el('dl', 'gw-figures', [first,
        figure(t('dark'), gw.number(all.dark), t('dark_note', { due: gw.number(all.due) })),
        figure(t('unknown'), gw.number(all.silent), t('unknown_note', { lamps: gw.number(all.lamps) })),
        figure(t('burning'), gw.number(all.burning), t('burning_note')),
        figure(t('commanded'), gw.number(all.commanded), t('commanded_note')),
        figure(t('lamps'), gw.number(all.lamps), t('lamps_note', { cabinets: gw.number(p.cabinets.filter(c => c.code).length) }))]),
      panel(t('streets'), [streets(p.streets)], [legend()]),
      detailHost,
      panel(t('cabinets'), cabinets(p.cabinets), [gw.el('span', 'gw-panel-note', t('cabinets_note'))]),
    ];
  }

  const SHARES = ['lit', 'dark', 'unknown', 'burning', 'off'];
  /* How many lamps of a group are what; the five add up to all of them. */
  function shares(g) {
    const silentOff = g.silent - g.unknown;
    return { lit: g.lit, dark: g.dark, unknown: g.silent, burning: g.burning, off: g.lamps - g.lit - g.dark - g.unknown - g.burning - silentOff };
  }
  function bar(g) {
    const parts = shares(g);
    const e = gw.el('span', 'gw-lighting-bar', SHARES.filter(name => parts[name] > 0).map(name => { const i = gw.el('i', name); i.style.flexGrow = parts[name]; return i; }));
    e.setAttribute('role', 'img');
    e.setAttribute('aria-label', SHARES.filter(name => parts[name] > 0).map(name => `${t('share.' + name)} ${parts[name]}`).join(', '));
    return e;
  }
  const legend = () => gw.el('span', 'gw-colours gw-lighting-legend', SHARES.map(name => gw.el('span', '', [gw.el('i', name), t('share.' + name)])));
  const label = g => g.name || g.code || t(g.kind === 'street' ? 'no_street' : 'no_cabinet');
  const programmeText = g => (g.programme ? g.programme : t('mixed')) + (g.level === null ? '' : ` · ${g.level} %`);

  function streets(groups) {
    const heads = ['street', 'state', 'lit_now', 'dark', 'unknown', 'commanded', 'programme'];
    const rows = groups.map(g => {
      const cell = (key, content) => gw.el('td', '', content, { 'data-label': t(key) });
      return gw.el('tr', '', [gw.el('th', '', choose(g), { scope: 'row' }), cell('state', bar(g)),
        cell('lit_now', [gw.el('b', '', g.due ? gw.litRate(g) : gw.t('value.none')), gw.el('small', '', g.due ? `${gw.number(g.lit)} / ${gw.number(g.lit + g.dark)}` : '')]),
        cell('dark', gw.number(g.dark)), cell('unknown', gw.number(g.silent)), cell('commanded', gw.number(g.commanded)), cell('programme', programmeText(g))]);
    });
    return gw.el('div', 'gw-table-scroll', gw.el('table', 'gw-lighting-streets', [gw.el('thead', '', gw.el('tr', '', heads.map(key => gw.el('th', '', t(key), { scope: 'col' })))), gw.el('tbody', '', rows)]));
  }
  function choose(g) {
    const e = gw.el('button', 'gw-lighting-name', label(g), { type: 'button' });
    e.onclick = () => gw.once(e, async () => { state.chosen = g; await detail(g); detailHost.scrollIntoView({ block: 'nearest', behavior: gw.calm() ? 'auto' : 'smooth' }); });
    return e;
  }

  const trouble = g => g.dark * 1000 + g.burning * 10 + g.silent + (g.commanded ? 1 : 0);
  function cabinets(groups) {
    const sorted = [...groups].sort((a, b) => trouble(b) - trouble(a) || (a.code < b.code ? -1 : 1));
    const most = matchMedia('(max-width: 900px)').matches ? CABINETS_ON_A_PHONE : CABINETS;
    const shown = state.allCabinets ? sorted : sorted.slice(0, most);
    const tiles = shown.map(g => {
      const e = gw.el('button', 'gw-lighting-tile', [gw.el('b', '', label(g)), gw.el('span', '', g.due ? `${gw.number(g.lit)}/${gw.number(g.due)}` : gw.number(g.lamps)), bar(g), gw.el('small', '', g.street)], { type: 'button', 'data-cabinet': g.code });
      if (g.commanded) e.dataset.commanded = '1';
      e.onclick = () => gw.once(e, async () => { state.chosen = g; await detail(g); detailHost.scrollIntoView({ block: 'nearest', behavior: gw.calm() ? 'auto' : 'smooth' }); });
      return e;
    });
    const more = sorted.length > shown.length ? [button(t('all_cabinets', { n: gw.number(sorted.length) }), async () => { state.allCabinets = true; await now(); })] : [];
    return [gw.el('div', 'gw-lighting-tiles', tiles), ...more];
  }

  /* The lamps of a street or cabinet, each a dot. */
  async function detail(g) {
    const found = await get(`/lamps?${g.kind}=${encodeURIComponent(g.code)}`);
    if (!found || state.chosen !== g && state.chosen && state.chosen.code !== g.code) return;
    const dots = found.items.map(lamp => {
      const said = lampState(lamp);
      const e = gw.el('button', 'gw-lighting-lamp ' + said, '', { type: 'button', title: lampText(lamp, said), 'aria-label': lampText(lamp, said), 'data-lamp': lamp.code });
      if (lamp.command_state) e.dataset.commanded = '1';
      e.onclick = () => (state.may ? ask('lamp:' + lamp.code) : gw.notice(lampText(lamp, said)));
      return e;
    });
    const shut = button(t('close'), () => { state.chosen = null; detailHost.replaceChildren(); });
    const tools = [...(state.may && g.code ? [button(t('command'), () => ask(`${g.kind}:${g.code}`), 'primary'), button(t('assign'), () => assign('', `${g.kind}:${g.code}`))] : []), shut];
    detailHost.replaceChildren(panel(`${t(g.kind)} ${label(g)}`, [
      gw.el('p', 'gw-panel-note', t('detail_note', { lamps: gw.number(g.lamps), programme: programmeText(g) })), gw.el('div', 'gw-lighting-dots', dots)], [gw.el('div', 'gw-row-buttons', tools)]));
  }
  function lampState(lamp) {
    if (lamp.heard_at === null) return 'unknown';
    if (lamp.lamp_on === 0) return 'off';
    return lamp.lamp_on === 1 || lamp.dim_pct > 0 ? 'lit' : 'off';
  }
  function lampText(lamp, said) {
    const facts = [lamp.code, t('lamp.' + said), lamp.dim_pct === null ? '' : `${gw.number(lamp.dim_pct)} %`, lamp.power_w === null ? '' : `${gw.number(lamp.power_w)} W`,
      lamp.heard_at ? t('heard', { time: when(lamp.heard_at) }) : '', lamp.command_state ? `→ ${lamp.command_level} % ${gw.word('lighting.command_state', lamp.command_state)}` : ''];
    return facts.filter(Boolean).join(' · ');
  }

  // Orders

  function places() {
    const p = state.picture;
    return [['', t('listed_below')], ...p.streets.filter(g => g.code).map(g => [`street:${g.code}`, `${t('street')} ${label(g)} (${g.lamps})`]),
      ...p.cabinets.filter(g => g.code).map(g => [`cabinet:${g.code}`, `${t('cabinet')} ${label(g)} (${g.lamps})`])];
  }
  const targetText = item => item.target === 'lamps' ? t('several_lamps') : item.target === 'district' ? t('district') : `${t(item.target)} ${item.target_name || item.code}`;

  function ask(where) {
    const [kind, code] = where.split(/:(.*)/), key = gw.newKey(), one = kind === 'lamp';
    const fields = [
      ...(one ? [] : [{ name: 'where', label: t('where'), type: 'select', options: places(), value: where }]),
      { name: 'lamps', label: t('lamp_codes'), type: 'text', value: one ? code : '', required: one, hint: one ? '' : t('lamp_codes_hint') },
      { name: 'level', label: t('level'), type: 'number', required: true, value: '', hint: t('level_hint') },
      { name: 'until', label: t('until'), type: 'when', hint: t('until_hint') },
      { name: 'why', label: t('why'), type: 'long', required: true }];
    gw.dialog({ title: t('command'), button: t('send'), note: t('command_note'), fields, submit: async values => {
      const listed = (values.lamps || '').split(/[\s,;，、]+/).filter(Boolean), [target, name] = (values.where || '').split(/:(.*)/);
      if (!target && !listed.length) return t('nowhere');
      const body = { level: Math.round(values.level), why: values.why, ...(values.until ? { until: values.until } : {}),
        ...(target ? { target, code: name } : listed.length === 1 ? { target: 'lamp', code: listed[0] } : { target: 'lamps', lamps: listed }) };
      const answer = await gw.send('POST', API + '/commands', body, key);
      if (!answer.ok) return problem(answer);
      gw.notice(answer.body.order ? t('ordered', { n: gw.number(answer.body.lamps) }) : t('asked', { n: gw.number(answer.body.lamps), approval: answer.body.approval }));
      await Promise.all([now(), orders()]);
      return '';
    } });
  }
  /* What the server says of a lamp is a sentence with names of its own. */
  async function problem(answer) {
    const current = answer.status === 409 && answer.body && answer.body.current;
    if (current && current.refused === 'cannot_command') return t('said.' + current.code, { fact: current.fact });
    if (current && (current.refused || current.version !== undefined || current.assignments !== undefined)) return answer.body.detail;
    if (answer.status === 404 && answer.body) return answer.body.detail || gw.problem(answer);
    return gw.problem(answer);
  }

  async function orders() {
    const found = await get(`/commands?limit=${ORDERS}${state.onlyLost ? '&state=lost' : ''}`, $('lighting-orders'));
    if (!found) return;
    const filter = gw.el('select', 'gw-input', [['', t('all_orders')], ['lost', t('lost_orders')]].map(([value, text]) => gw.el('option', '', text, { value })), { 'aria-label': t('orders') });
    filter.value = state.onlyLost ? 'lost' : '';
    filter.onchange = () => { state.onlyLost = filter.value === 'lost'; orders(); };
    const rows = found.items.map(order);
    $('lighting-orders').replaceChildren(panel(t('orders'), rows.length ? [gw.el('ul', 'gw-lighting-orders', rows)] : [gw.el('p', 'gw-empty', t(state.onlyLost ? 'no_lost' : 'no_orders'))], [filter]));
    await Promise.all(found.items.filter(item => state.opened.has(item.id)).map(item => commands(item)));
  }
  const STATES = ['queued', 'sent', 'acknowledged', 'failed', 'timed_out', 'cancelled'];
  function order(item) {
    const counts = STATES.filter(name => item[name]).map(name => gw.el('span', 'gw-lighting-count', `${gw.word('lighting.command_state', name)} ${gw.number(item[name])}`, { 'data-state': name }));
    const who = item.actor === 'system' ? t('by_programme', { code: item.programme }) : `${item.actor}: ${item.why}`;
    const head = [gw.el('span', '', [gw.el('b', '', `${targetText(item)} → ${item.level ? item.level + ' %' : t('off')}`), gw.el('small', '', `${when(item.ordered_at)} · ${who}`)]), gw.el('span', 'gw-lighting-counts', counts)];
    const host = gw.el('div', 'gw-lighting-commands', '', { 'data-order': item.id });
    const fold = gw.el('details', '', [gw.el('summary', '', head), gw.el('p', 'gw-panel-note', t('order_note', { id: item.id, lamps: gw.number(item.lamps) }) + (item.until ? ' · ' + t('until_at', { time: when(item.until) }) : '')), host]);
    fold.open = state.opened.has(item.id);
    fold.ontoggle = () => { if (fold.open && !state.opened.has(item.id)) { state.opened.add(item.id); commands(item); } else if (!fold.open) state.opened.delete(item.id); };
    return gw.el('li', '', fold);
  }
  async function commands(item) {
    const found = await get(`/commands/${item.id}`), host = document.querySelector(`[data-order="${item.id}"]`);
    if (!found || !host) return;
    const open = found.commands.some(c => c.state === 'queued' || c.state === 'sent');
    const rows = found.commands.map(c => gw.el('tr', '', [gw.el('th', '', c.device, { scope: 'row' }), gw.el('td', '', gw.word('lighting.command_state', c.state), { 'data-state': c.state }), gw.el('td', '', gw.number(c.attempts)),
      gw.el('td', '', c.sent_at ? gw.clock(Date.parse(c.sent_at)) : '—'), gw.el('td', '', c.ended_at ? gw.clock(Date.parse(c.ended_at)) : '—'), gw.el('td', 'gw-lighting-said', c.code ? t('said.' + c.code, { fact: c.fact }) : c.detail)]));
    const heads = ['lamp', 'state', 'attempts', 'sent_at', 'ended_at', 'detail'].map(key => gw.el('th', '', t(key), { scope: 'col' }));
    host.replaceChildren(...(open && state.may ? [button(t('cancel'), () => cancel(item))] : []), gw.el('div', 'gw-table-scroll', gw.el('table', '', [gw.el('thead', '', gw.el('tr', '', heads)), gw.el('tbody', '', rows)])));
  }
  function cancel(item) {
    const key = gw.newKey();
    gw.dialog({ title: `${t('cancel')} · ${targetText(item)}`, button: t('cancel'), fields: [{ name: 'why', label: t('why'), type: 'long', required: true }], submit: async ({ why }) => {
      const answer = await gw.send('POST', `${API}/commands/${item.id}/cancel`, { why }, key);
      if (!answer.ok) return problem(answer);
      await Promise.all([now(), orders()]);
      return '';
    } });
  }

  // Nights

  async function nights() {
    const found = await get('/nights', $('lighting-nights'));
    if (!found) return;
    const days = new Map();
    for (const row of found.items) days.set(row.night, [...(days.get(row.night) || []), row]);
    const sum = rows => rows.reduce((all, r) => { for (const k of ['due', 'lit', 'dark', 'unknown', 'hours_due', 'hours_lost', 'hours_unknown', 'lamps']) all[k] = (all[k] || 0) + r[k]; return all; }, {});
    const newest = [...days.keys()][0];
    const nodes = newest ? [chart([...days].map(([night, rows]) => [night, sum(rows)]).reverse()), gw.el('p', 'gw-panel-note', t('definition')), lastNight(newest, days.get(newest), sum(days.get(newest)))] : [gw.el('p', 'gw-empty', t('no_nights'))];
    $('lighting-nights').replaceChildren(panel(t('nights'), nodes));
  }
  /* The lit rate night by night, from the worst of them (90 % at most) up to 100 %; a night of which
     nothing is known is a gap. */
  gw.litTrend = function (rows) {
    const rates = rows.map(([night, c]) => [night, c.lit + c.dark ? 100 * c.lit / (c.lit + c.dark) : null, c]);
    const known = rates.filter(([, rate]) => rate !== null).map(([, rate]) => rate);
    const low = Math.max(0, Math.min(90, Math.floor((Math.min(...known, 100) - 1) / 10) * 10));
    return { rates, low };
  };
  function chart(rows) {
    const W = 1000, H = 100, { rates, low } = gw.litTrend(rows);
    const x = n => (rates.length > 1 ? 10 + (W - 20) * n / (rates.length - 1) : W / 2).toFixed(1), y = rate => (H - H * (rate - low) / (100 - low)).toFixed(2);
    const line = rates.map(([, rate], n) => (rate === null ? '' : `${n && rates[n - 1][1] !== null ? 'L' : 'M'}${x(n)} ${y(rate)}`)).join('');
    const marks = [...new Set([low, (low + 100) / 2, TARGET, 100])].filter(mark => mark >= low);
    const dots = rates.flatMap(([night, rate, c], n) => rate === null ? [] : [svg('path', { class: rate < TARGET ? 'dot below' : 'dot', d: `M${x(n)} ${y(rate)}h0` }, [svg('title', {}, [`${night}: ${gw.litRate(c)} (${gw.number(c.lit)} / ${gw.number(c.lit + c.dark)}, ${t('unknown')} ${gw.number(c.unknown)})`])])]);
    const box = svg('svg', { class: 'gw-lighting-chart', viewBox: `0 -4 ${W} ${H + 8}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': t('nights') },
      [...marks.map(mark => svg('path', { class: mark === TARGET ? 'target' : 'grid', d: `M0 ${y(mark)}H${W}` })), svg('path', { class: 'line', d: line }), ...dots]);
    const scale = gw.el('div', 'gw-lighting-scale', marks.map(mark => { const e = gw.el('span', mark === TARGET ? 'target' : '', mark === TARGET ? t('target', { rate: mark }) : `${mark}%`); e.style.top = `${(100 * (4 + Number(y(mark))) / (H + 8)).toFixed(1)}%`; return e; }));
    const last = rows[rows.length - 1];
    return gw.el('div', 'gw-lighting-trend', [gw.el('div', 'gw-lighting-head', [gw.el('strong', '', gw.litRate(last[1])), gw.el('span', '', t('night_of', { night: last[0] }))]),
      gw.el('div', 'gw-lighting-plot', [scale, box]), gw.el('div', 'gw-lighting-axis', [gw.el('span', '', rows[0][0]), gw.el('span', '', last[0])])]);
  }
  function lastNight(night, rows, total) {
    const line = (name, r, kind) => gw.el('tr', kind || '', [gw.el('th', '', name, { scope: 'row' }), ...[['rate', [gw.el('b', '', gw.litRate(r)), gw.el('small', '', `${gw.number(r.lit)} / ${gw.number(r.lit + r.dark)}`)]], ['unknown', gw.number(r.unknown)],
      ['hours_lost', gw.number(r.hours_lost)], ['hours_due', gw.number(r.hours_due)], ['lamps', gw.number(r.lamps)]].map(([key, content]) => gw.el('td', '', content, { 'data-label': t(key) }))]);
    const heads = ['street', 'rate', 'unknown', 'hours_lost', 'hours_due', 'lamps'].map(key => gw.el('th', '', t(key), { scope: 'col' }));
    return gw.el('div', 'gw-table-scroll', gw.el('table', 'gw-lighting-nights', [gw.el('caption', '', t('night_of', { night })), gw.el('thead', '', gw.el('tr', '', heads)),
      gw.el('tbody', '', rows.map(r => line(r.name || r.street || t('no_street'), r))), gw.el('tfoot', '', line(t('all'), total))]));
  }

  // Programmes

  async function programmes() {
    const found = await get('/programmes', $('lighting-programmes'));
    if (!found) return;
    const tools = state.mayChange ? [button(t('new_programme'), () => edit(null))] : [];
    const cards = found.items.map(item => gw.el('article', 'gw-lighting-programme', [gw.el('h4', '', `${gw.pick(item, 'name')} · ${item.code}`), curve(item.steps),
      gw.el('ol', '', item.steps.map(step => gw.el('li', '', `${stepTime(step.at)} → ${step.level ? step.level + ' %' : t('off')}${step.days === 'every' ? '' : ' · ' + t('days.' + step.days)}`))),
      gw.el('p', 'gw-panel-note', t('version', { version: item.version, actor: item.actor, time: when(item.valid_from) })),
      gw.el('ul', '', item.assigned.map(one => gw.el('li', '', [gw.el('span', '', `${one.target === 'district' ? t('district') : t(one.target) + ' ' + (one.name || one.code)}${one.step_at ? ' · ' + t('next_step', { time: when(one.step_at) }) : ''}`),
        ...(state.mayChange || state.may && one.target !== 'district' ? [button(t('unassign'), () => assign(null, `${one.target}:${one.code}`))] : [])]))),
      ...(state.may ? [gw.el('div', 'gw-row-buttons', [...(state.mayChange ? [button(t('edit'), () => edit(item))] : []), button(t('assign'), () => assign(item.code, '')), ...(state.mayChange && !item.assigned.length ? [button(t('retire'), () => retire(item))] : [])])] : [])]));
    $('lighting-programmes').replaceChildren(panel(t('programmes'), cards.length ? [gw.el('div', 'gw-lighting-programmes', cards)] : [gw.el('p', 'gw-empty', t('no_programmes'))], tools));
  }
  function stepTime(at) {
    const found = /^(sunset|sunrise)(?:([+-])(\d+))?$/.exec(at);
    if (!found) return at;
    return found[3] && Number(found[3]) ? t(found[2] === '-' ? 'before' : 'after', { minutes: Number(found[3]), sun: t(found[1]) }) : t(found[1]);
  }
  const minuteOf = text => { const p = gw.parts(Date.parse(text)); return Number(p.hour) * 60 + Number(p.minute); };
  /* Minutes after noon at which a step falls, on a day with this sun. */
  function minuteAfterNoon(at, sunset, sunrise) {
    const found = /^(sunset|sunrise)(?:([+-])(\d+))?$/.exec(at);
    const minute = found ? (found[1] === 'sunset' ? sunset : sunrise) + Number(found[3] || 0) * (found[2] === '-' ? -1 : 1) : Number(at.slice(0, 2)) * 60 + Number(at.slice(3));
    return (minute - NOON_MIN + DAY_MIN) % DAY_MIN;
  }
  /* The level from noon to noon: a step holds until the next one. */
  gw.dimCurve = function (steps, sunset, sunrise) {
    const points = steps.map(step => [minuteAfterNoon(step.at, sunset, sunrise), step.level]).sort((a, b) => a[0] - b[0]);
    if (!points.length) return [];
    let level = points[points.length - 1][1];
    const line = [[0, level]];
    for (const [x, y] of points) { line.push([x, level], [x, y]); level = y; }
    return [...line, [DAY_MIN, level]];
  };
  function curve(steps) {
    const p = state.picture, sunset = p && p.sunset ? minuteOf(p.sunset) : 1080, sunrise = p && p.sunrise ? minuteOf(p.sunrise) : 390;
    const path = days => gw.dimCurve(steps.filter(step => step.days === 'every' || step.days === days), sunset, sunrise).map(([x, y], n) => `${n ? 'L' : 'M'}${(x / 4).toFixed(1)} ${(104 - y).toFixed(1)}`).join('');
    const from = minuteAfterNoon('sunset', sunset, sunrise) / 4, to = minuteAfterNoon('sunrise', sunset, sunrise) / 4;
    const lines = steps.some(step => step.days !== 'every') ? ['workday', 'rest'] : ['workday'];
    const box = svg('svg', { class: 'gw-lighting-curve', viewBox: '0 0 360 108', preserveAspectRatio: 'none', role: 'img', 'aria-label': t('curve') }, [svg('rect', { class: 'night', x: from, y: 0, width: Math.max(0, to - from), height: 108 }), ...lines.map(days => svg('path', { class: days, d: path(days) }))]);
    return gw.el('div', '', [box, gw.el('div', 'gw-lighting-axis', ['12:00', '18:00', '00:00', '06:00', '12:00'].map(text => gw.el('span', '', text)))]);
  }

  const stepsText = steps => steps.map(step => `${step.at} ${step.level}${step.days === 'every' ? '' : ' ' + step.days}`).join('\n');
  gw.parseSteps = text => text.split('\n').map(line => line.trim()).filter(Boolean).map(line => { const [at, level, days] = line.split(/\s+/); return { at, level: /^\d+$/.test(level || '') ? Number(level) : level || '', ...(days ? { days } : {}) }; });
  function edit(item) {
    const key = gw.newKey();
    gw.dialog({ title: item ? `${t('edit')} · ${item.code}` : t('new_programme'), button: t('put_in_force'), fields: [
      ...(item ? [] : [{ name: 'code', label: t('code'), type: 'text', required: true, hint: t('code_hint') }]),
      { name: 'name_zh', label: t('name_zh'), type: 'text', required: true, value: item ? item.name_zh : '' },
      { name: 'name_en', label: t('name_en'), type: 'text', required: true, value: item ? item.name_en : '' },
      { name: 'steps', label: t('steps'), type: 'long', required: true, value: item ? stepsText(item.steps) : 'sunset-10 100\n23:30 60\nsunrise+10 0', hint: t('steps_hint') },
      { name: 'why', label: t('why'), type: 'long', required: true }],
    submit: async values => {
      const body = { code: item ? item.code : values.code, name_zh: values.name_zh, name_en: values.name_en, steps: gw.parseSteps(values.steps), why: values.why, version: item ? item.version : 0 };
      const answer = await gw.send('POST', API + '/programmes', body, key);
      if (!answer.ok) return problem(answer);
      gw.notice(t('in_force', { code: answer.body.code, version: answer.body.version }));
      await Promise.all([programmes(), now()]);
      return '';
    } });
  }
  /* `code` null: these lamps follow none any more; '': which one is asked. */
  async function assign(code, where) {
    const found = code === null ? { items: [] } : await get('/programmes');
    if (!found) return;
    if (code !== null && !found.items.length) { gw.notice(t('no_programmes')); return; }
    const [kind, name] = where.split(/:(.*)/), key = gw.newKey();
    const fields = [...(code === '' ? [{ name: 'programme', label: t('programme'), type: 'select', options: found.items.map(item => [item.code, `${gw.pick(item, 'name')} (${item.code})`]), required: true }] : []),
      ...(where ? [] : [{ name: 'where', label: t('where'), type: 'select', options: [...(state.mayChange ? [['district:', t('district')]] : []), ...places().slice(1)], required: true }]), { name: 'why', label: t('why'), type: 'long', required: true }];
    gw.dialog({ title: code === null ? t('unassign') : t('assign'), note: t('assign_note'), fields, submit: async values => {
      const [target, of] = where ? [kind, name] : values.where.split(/:(.*)/);
      const answer = await gw.send('POST', API + '/assignments', { target, code: of || '', programme: code === null ? '' : code || values.programme, why: values.why }, key);
      if (!answer.ok) return problem(answer);
      await Promise.all([programmes(), now()]);
      return '';
    } });
  }
  function retire(item) {
    const key = gw.newKey();
    gw.dialog({ title: `${t('retire')} · ${item.code}`, button: t('retire'), fields: [{ name: 'why', label: t('why'), type: 'long', required: true }], submit: async ({ why }) => {
      const answer = await gw.send('POST', `${API}/programmes/${encodeURIComponent(item.code)}/retire`, { why, version: item.version }, key);
      if (!answer.ok) return problem(answer);
      await programmes();
      return '';
    } });
  }
})();
