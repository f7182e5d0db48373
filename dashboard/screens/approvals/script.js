/* Approvals: each request with exactly what it would change, and the two answers to it. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/approvals';
  const AROUND = 2; // lines shown before and after a changed one
  const $ = id => document.getElementById(id);
  const when = text => gw.dayAndClock(Date.parse(text));

  /* Two texts line by line: [sign, line] with '+', '-', ' ', and '…' for what is left out between. */
  gw.approvalDiff = function (before, after) {
    const a = before ? before.replace(/\n$/, '').split('\n') : [], b = after ? after.replace(/\n$/, '').split('\n') : [];
    const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--) common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    const lines = [];
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { lines.push([' ', a[i]]); i++; j++; }
      else if (i < a.length && (j === b.length || common[i + 1][j] >= common[i][j + 1])) lines.push(['-', a[i++]]);
      else lines.push(['+', b[j++]]);
    }
    const near = lines.map((_, n) => lines.slice(Math.max(0, n - AROUND), n + AROUND + 1).some(([sign]) => sign !== ' '));
    return lines.flatMap((line, n) => (near[n] ? [line] : n && !near[n - 1] ? [] : [['…', '']]));
  };

  gw.screens.approvals = async function () {
    gw.showStatus();
    gw.live.start();
    gw.live.on('change', news => { if (news.kinds.some(kind => kind.startsWith('approval.'))) show(); });
    await show();
  };

  async function show() {
    const answer = await gw.send('GET', API + '?limit=100');
    if (!answer.ok) {
      $('approvals-body').replaceChildren(gw.el('p', 'gw-empty', gw.t('approvals.not_read')));
      gw.notice(await gw.problem(answer), 'bad');
      return;
    }
    const items = answer.body.items, waiting = items.filter(item => item.state === 'waiting'), decided = items.filter(item => item.state !== 'waiting');
    $('approvals-body').replaceChildren(
      part(gw.t('approvals.waiting'), waiting.map(item => draw(item, true)), gw.t('approvals.none_waiting')),
      part(gw.t('approvals.decided'), decided.map(item => draw(item, false)), gw.t('approvals.none_decided')));
  }

  const part = (name, nodes, none) => gw.el('section', '', [gw.el('h3', '', name), ...(nodes.length ? nodes : [gw.el('p', 'gw-empty', none)])]);

  function draw(item, open) {
    const head = [gw.el('b', '', `${item.id} · ${title(item)}`), gw.el('span', 'gw-approvals-state', gw.word('approvals.state', item.state), { 'data-state': item.state })];
    const facts = [gw.t('approvals.asked', { name: item.asked_by, time: when(item.asked_at) }), ...(open ? [gw.t('approvals.until', { time: when(item.expires_at) })] : [])];
    const details = gw.el('details', '', [gw.el('summary', '', head), gw.el('div', 'gw-approvals-change', change(item.shown))], open ? { open: '' } : {});
    return gw.el('article', 'gw-panel', [
      details, gw.el('p', 'gw-panel-note', facts.join(' · ')), gw.el('q', '', item.why),
      ...(item.decided_by ? [gw.el('p', 'gw-panel-note', `${gw.word('approvals.state', item.state)} · ${item.decided_by} · ${when(item.decided_at)}`), gw.el('q', '', item.decided_why)] : []),
      ...buttons(item),
    ], { 'data-approval': item.id });
  }

  function title(item) {
    const names = item.shown.rules.map(rule => `${gw.page.lang === 'en' ? rule.title_en : rule.title_zh} (${rule.code})`);
    if (item.shown.duty) names.push(`${gw.t('approvals.duty')} · ${item.shown.duty.squad}`);
    if (item.shown.order) names.push(orderText(item.shown.order));
    if (item.shown.shelve) names.push(`${gw.t('approvals.shelve')} · ${gw.reason(item.shown.shelve.why) || item.shown.shelve.condition}`);
    if (item.shown.case) names.push(`${gw.word('action', item.shown.case.action)} · ${gw.pick(item.shown.case, 'title')}`);
    return [...names, ...(item.shown.switch_off ? [gw.t('approvals.switch_off')] : [])].join(' · ');
  }

  const orderText = order => gw.t('approvals.lamps', { target: gw.t('lighting.' + (order.target === 'lamps' ? 'several_lamps' : order.target)), code: order.name, level: order.level, n: gw.number(order.lamps) });

  function buttons(item) {
    const found = [];
    const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = press; return e; };
    const own = item.may_refuse && !item.may_approve;
    if (item.may_approve) found.push(button(gw.t('approvals.approve'), () => decide(item, 'approve'), 'primary'));
    if (item.may_refuse) found.push(button(gw.t(own ? 'approvals.withdraw' : 'approvals.refuse'), () => decide(item, 'refuse')));
    return found.length ? [...(own ? [gw.el('p', 'gw-panel-note', gw.t('approvals.own'))] : []), gw.el('div', 'gw-row-buttons', found)] : [];
  }

  // What would change

  /* What speaks against the stand-in. */
  const dutyDoubts = doubts => (!doubts ? [] : [
    ...(doubts.rest_hours === null ? [] : [gw.t('approvals.duty_rest', { hours: doubts.rest_hours })]),
    ...(doubts.expired.length ? [gw.t('approvals.duty_expired', { skills: doubts.expired.map(s => gw.word('skill', s)).join('、') })] : [])]);

  function change(shown) {
    return [
      ...(shown.order ? [gw.el('p', 'gw-approvals-warning', gw.t('approvals.lamps_by_day', { n: gw.number(shown.order.lamps) }))] : []),
      ...(shown.shelve ? [gw.el('p', 'gw-approvals-warning', gw.t('approvals.shelve_what', { condition: shown.shelve.condition, severity: gw.word('severity', shown.shelve.severity), since: when(shown.shelve.since), until: when(shown.shelve.until) }))] : []),
      ...(shown.case ? asksTime(shown.case) : []),
      ...(shown.duty ? list('', [...shown.duty.moves.map(move => gw.t('approvals.duty_move', move)), ...dutyDoubts(shown.duty.doubts)]) : []),
      ...(shown.switch_off ? [gw.el('p', 'gw-approvals-warning', gw.t('approvals.switch_off'))] : []),
      ...shown.rules.flatMap(rule => [
        gw.el('h4', '', `${gw.t('approvals.rule')} ${rule.code}${rule.before ? '' : ' · ' + gw.t('approvals.rule_new')}${rule.after ? '' : ' · ' + gw.t('approvals.rule_retired')}`),
        gw.el('pre', 'gw-approvals-diff', gw.approvalDiff(rule.before, rule.after).map(([sign, line]) =>
          gw.el(sign === '+' ? 'ins' : sign === '-' ? 'del' : 'span', '', `${sign} ${line}`))),
      ]),
      ...list(gw.t('approvals.ends'), shown.ends.map(end => `${gw.word('severity', end.severity)} · ${end.condition} · ${when(end.since)}`)),
      ...(shown.alarms ? alarms(shown.alarms) : []),
    ];
  }

  /* What a squad or the centre asks for: a case given back, more time, a clock that stands still. */
  function asksTime(asked) {
    const told = { number: asked.number, squad: asked.squad || '–', due: asked.due_at ? when(asked.due_at) : '–', action: gw.word('action', asked.action) };
    return [
      gw.el('p', 'gw-approvals-warning', [gw.t('approvals.case_what', told), ...(asked.until ? [' · ' + gw.t('approvals.case_until', { until: when(asked.until) })] : [])]),
      gw.el('p', 'gw-panel-note', [gw.t('approvals.case_clock') + ' ', gw.el('a', '', gw.t('approvals.case_open'), { href: '/console#' + asked.incident })]),
    ];
  }

  function alarms(found) {
    const span = one => `${gw.word('severity', one.severity)} · ${one.condition} · ${when(one.began)} – ${one.ended ? when(one.ended) : gw.t('approvals.now')}`;
    const more = (count, shown) => (count > shown.length ? [gw.t('approvals.more', { n: gw.number(count - shown.length) })] : []);
    const counts = { gained: gw.number(found.gained_count), lost: gw.number(found.lost_count), levels: gw.number(found.levels_count) };
    return [
      gw.el('h4', '', gw.t('approvals.alarms', { from: when(found.from), to: when(found.to) })),
      gw.el('p', '', gw.t('approvals.counts', counts)),
      ...list('', [
        ...found.gained.map(one => `+ ${span(one)} · ${gw.t('approvals.gained')}`), ...more(found.gained_count, found.gained),
        ...found.lost.map(one => `− ${span(one)} · ${gw.t('approvals.lost')}`), ...more(found.lost_count, found.lost),
        ...found.levels.map(one => `~ ${span(one)} · ${gw.t('approvals.level', { severity: gw.word('severity', one.severity_before) })}`), ...more(found.levels_count, found.levels),
      ]),
      ...(found.not_judged.length ? [gw.el('p', 'gw-panel-note', gw.t('approvals.blind', { rules: found.not_judged.join(', ') }))] : []),
    ];
  }

  const list = (name, lines) => (lines.length ? [...(name ? [gw.el('h4', '', name)] : []), gw.el('ul', '', lines.map(line => gw.el('li', '', line)))] : []);

  // The answer

  function decide(item, verb) {
    const own = !item.may_approve, name = verb === 'approve' ? 'approve' : own ? 'withdraw' : 'refuse', key = gw.newKey();
    gw.dialog({ title: `${gw.t('approvals.' + name)} · ${item.what}`, button: gw.t('approvals.' + name), note: verb === 'approve' ? gw.t('approvals.approve_note') : '',
      fields: [{ name: 'why', type: 'long', required: true, label: gw.t('approvals.why') }],
      submit: async ({ why }) => {
        const answer = await gw.send('POST', `${API}/${item.id}/${verb}`, verb === 'approve' ? { digest: item.digest, why } : { why }, key);
        if (!answer.ok) return refused(answer);
        gw.notice(gw.t('approvals.done.' + answer.body.state, { what: item.what }));
        await show();
        return '';
      } });
  }

  async function refused(answer) {
    const current = answer.status === 409 && answer.body && answer.body.current;
    if (current && current.refused === 'overtaken') return gw.t('approvals.overtaken', { who: current.changed.map(one => `${one.actor}, ${when(one.at)}: ${one.what}`).join('; ') });
    return gw.problem(answer);
  }
})();
