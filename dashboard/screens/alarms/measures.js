/* How good the alarms are: the measures of ISA-18.2 over a period beside their targets, the worst
   actors, and what would make one of them quieter, tried on the stored readings. */
(function () {
  'use strict';
  const gw = window.gw;
  const t = (key, gaps) => gw.t('measures.' + key, gaps);
  const DAY_MS = 86400000, PERIODS = [1, 7, 30, 365];
  const when = text => gw.dayAndClock(Date.parse(text));
  const percent = share => (100 * share).toFixed(1) + ' %';
  let days = 1;

  gw.alarmMeasures = async function (host, read) {
    const to = new Date(gw.now()), from = new Date(gw.now() - days * DAY_MS);
    if (!host.firstChild) host.replaceChildren(gw.el('p', 'gw-empty', t('counting')));
    const m = await read(`/api/v1/alarms/measures?from=${from.toISOString()}&to=${to.toISOString()}`);
    if (!m) return;
    const pick = gw.el('div', 'gw-chips', PERIODS.map(n => {
      const e = gw.el('button', '', t('period_' + n), { type: 'button', 'aria-pressed': String(n === days) });
      e.onclick = () => { days = n; gw.alarmMeasures(host, read); };
      return e;
    }));
    host.replaceChildren(
      gw.el('div', 'gw-measures-period', [pick, gw.el('span', 'gw-panel-note', t('span', { from: when(m.from), to: when(m.to), announced: gw.number(m.load.announced), hours: gw.number(m.load.operator_hours), operators: m.operators }))]),
      ...gw.operatorsNote(m),
      figures(m), split(m),
      gw.el('div', 'gw-two', [actors(m, 'top', m.top, t('top_note', { share: percent(m.top_share) })), actors(m, 'chattering', m.chattering, t('chattering_note'))]),
      stale(m));
  };

  /* Where the period begins before anybody was counted, the figures for an operator say so. */
  gw.operatorsNote = function (m) {
    const since = m.operators_since && Date.parse(m.operators_since);
    if (since && since <= Date.parse(m.from)) return [];
    return [gw.el('p', 'gw-panel-note', since && since < Date.parse(m.to) ? t('operators_since', { at: when(m.operators_since) }) : t('operators_never'))];
  };

  /* [name, value, target, good]: nothing is good or bad where nothing was counted. */
  gw.measureFigures = function (m) {
    const l = m.load, g = m.targets, share = (part, all) => (all ? part / all : 0), any = l.announced > 0;
    const high = share(m.by_severity[0], m.raised);
    return [
      ['hour', gw.number(l.per_operator_hour), t('target_hour', { good: g.per_operator_hour, most: g.per_operator_hour_max }), !any || l.per_operator_hour <= g.per_operator_hour_max],
      ['ten', gw.number(l.per_operator_10min), t('target_ten', { good: g.per_operator_10min, most: g.per_operator_10min_max, worst: gw.number(l.worst_10min) }), !any || l.per_operator_10min <= g.per_operator_10min_max],
      ['full', percent(share(l.full_windows, l.windows)), t('target_full', { n: gw.number(l.full_windows), all: gw.number(l.windows), good: g.full_windows_pct }), 100 * share(l.full_windows, l.windows) <= g.full_windows_pct],
      ['flood', percent(share(l.flood_s, l.period_s)), t('target_flood', { n: gw.number(l.floods), age: gw.age(l.flood_s * 1000), good: g.flood_pct }), 100 * share(l.flood_s, l.period_s) <= g.flood_pct],
      ['chattering', gw.number(m.chattering.length), t('target_chattering', { fleeting: gw.number(m.fleeting) }), m.chattering.length <= g.chattering],
      ['stale', gw.number(m.stale), t('target_stale', { good: g.stale }), m.stale < g.stale],
      ['standing', gw.number(m.standing), t('target_standing', { good: g.standing }), m.standing < g.standing],
      ['high', m.raised ? percent(high) : gw.t('value.none'), t('target_high', { good: g.high_pct, n: gw.number(m.by_severity[0]), all: gw.number(m.raised) }), 100 * high <= g.high_pct],
    ];
  };
  function figures(m) {
    return gw.el('div', 'gw-figures gw-measures', gw.measureFigures(m).map(([name, value, target, good]) =>
      gw.el('dl', 'gw-figure' + (good ? '' : ' over'), [gw.el('dt', '', t(name)), gw.el('dd', '', [value, ...(good ? [] : [gw.el('span', 'gw-mark-quiet', t('over'))])]), gw.el('dd', '', target)], { 'data-measure': name })));
  }
  function split(m) {
    const all = m.raised || 1;
    return gw.el('section', 'gw-panel', [gw.el('h3', '', t('split')), gw.el('p', 'gw-panel-note', t('split_note', { shelved: gw.number(m.shelved) })),
      gw.el('div', 'gw-measures-split', m.by_severity.map((n, i) => gw.el('span', '', `${gw.word('severity', i + 1)} ${gw.number(n)}`, { 'data-severity': i + 1, style: `--share:${(100 * n / all).toFixed(1)}%` })))]);
  }

  function actors(m, kind, rows, note) {
    const most = Math.max(1, ...rows.map(a => a.announced));
    const line = a => {
      const ask = gw.el('button', 'gw-button', t('propose'), { type: 'button' });
      ask.onclick = () => gw.once(ask, () => propose(ask.closest('li'), a, m));
      return gw.el('li', '', [gw.el('div', 'gw-actor', [gw.el('b', '', gw.placeName(a.device_name) || a.device || a.condition), gw.el('small', '', `${gw.word('condition', a.condition.split('/')[0])} · ${a.rule}`),
        gw.el('span', 'gw-actor-bar', '', { style: `--share:${(100 * a.announced / most).toFixed(1)}%` }), gw.el('span', 'gw-actor-n', kind === 'top' ? t('announced', { n: gw.number(a.announced) }) : t('spots', { n: gw.number(a.spots) })), ask])]);
    };
    return gw.el('section', 'gw-panel', [gw.el('h3', '', t(kind)), gw.el('p', 'gw-panel-note', note), rows.length ? gw.el('ol', 'gw-actors', rows.map(line)) : gw.el('p', 'gw-empty', t('no_' + kind))], { 'data-actors': kind });
  }
  function stale(m) {
    return gw.el('section', 'gw-panel', [gw.el('h3', '', t('stale_title')), m.stale_alarms.length
      ? gw.el('ul', 'gw-actors', m.stale_alarms.map(a => gw.el('li', '', [gw.el('span', 'gw-sev', gw.word('severity_mark', a.severity), { 'data-severity': a.severity }), ' ', gw.el('a', '', a.condition, { href: '/alarms#' + a.id }), gw.el('small', '', ` ${gw.word('alarm_state', a.state)} · ${when(a.raised_at)} · ${a.rule}`)])))
      : gw.el('p', 'gw-empty', t('no_stale'))]);
  }

  async function propose(host, a, m) {
    host.querySelector('.gw-proposals')?.remove();
    const waiting = gw.el('p', 'gw-panel-note gw-proposals', t('trying'));
    host.append(waiting);
    const url = `/api/v1/alarms/proposals?rule=${encodeURIComponent(a.rule)}&from=${m.from}&to=${m.to}` + (a.device ? `&device=${encodeURIComponent(a.device)}` : '');
    const answer = await gw.send('GET', url);
    const refused = answer.status === 409 || answer.status === 404;
    waiting.replaceWith(answer.ok ? gw.el('ul', 'gw-proposals', answer.body.items.map(p => proposal(p, a))) : gw.el('p', 'gw-panel-note gw-proposals', refused ? t('no_proposal') : await gw.problem(answer)));
  }
  /* The rule editor takes the proposal from the address: rule, device and each field with its value. */
  gw.ruleLink = (rule, fields) => `/rules?rule=${encodeURIComponent(rule)}` + Object.entries(fields).map(([name, f]) => `&${encodeURIComponent(name)}=${encodeURIComponent(f.proposed)}`).join('');
  function proposal(p, a) {
    const changes = Object.entries(p.fields).map(([name, f]) => t('change', { name: gw.word('measures.field', name), now: f.now === null ? gw.t('value.none') : gw.number(f.now), proposed: gw.number(f.proposed) }));
    const named = (sign, list) => list.slice(0, 5).map(one => gw.el('li', '', `${sign} ${one.device} · ${gw.word('measures.severity_word', one.severity)} · ${when(one.began)}`));
    return gw.el('li', 'gw-proposal', [gw.el('b', '', t('kind_' + p.kind)), gw.el('span', '', changes.join(' · ')),
      gw.el('span', '', t('outcome', { before: gw.number(p.told_before), after: gw.number(p.told_after), gained: gw.number(p.gained.length), lost: gw.number(p.lost.length) })),
      ...(p.lost.length || p.gained.length ? [gw.el('ul', '', [...named('−', p.lost), ...named('+', p.gained)])] : []),
      gw.el('a', 'gw-button', t('to_rule'), { href: gw.ruleLink(a.rule, p.fields) })], { 'data-proposal': p.kind });
  }
})();
