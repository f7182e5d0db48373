/* Rosters: the week of every squad, and who was on duty at a moment. */
(function () {
  'use strict';
  const gw = window.gw;
  const $ = id => document.getElementById(id);
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  let first = '', week = null, then = null;

  gw.screens.roster = async function () {
    gw.showStatus();
    gw.live.start();
    first = new URLSearchParams(location.search).get('from') || '';
    gw.live.on('change', news => { if (news.kinds.some(kind => /^(roster|squad|certificate)\./.test(kind))) show(); });
    await show();
  };

  async function show() {
    const answer = await gw.send('GET', '/api/v1/roster' + (first ? '?from=' + encodeURIComponent(first) : ''));
    week = answer.ok ? answer.body : null;
    if (!answer.ok) gw.notice(await gw.problem(answer), 'bad');
    draw();
  }

  /* The same day some weeks on, as the API takes it. */
  gw.weekFrom = function (monday, weeks) {
    const day = new Date(monday + 'T00:00:00Z');
    day.setUTCDate(day.getUTCDate() + 7 * weeks);
    return day.toISOString().slice(0, 10);
  };
  function go(from) {
    first = from;
    history.replaceState(null, '', from ? '?from=' + from : location.pathname);
    return show();
  }

  function draw() {
    if (!week) {
      $('roster-body').replaceChildren(gw.el('section', 'gw-panel', [gw.el('p', 'gw-empty', gw.t('roster.not_read')), button(gw.t('retry'), show)]));
      return;
    }
    const tools = gw.el('div', 'gw-roster-tools', [
      button('‹ ' + gw.t('roster.before'), () => go(gw.weekFrom(week.from, -1))), button(gw.t('roster.this'), () => go('')),
      button(gw.t('roster.after') + ' ›', () => go(gw.weekFrom(week.from, 1))), gw.el('span', 'gw-push'),
      ...(gw.page.user.role === 'admin' ? [gw.el('a', 'gw-button', gw.t('roster.edit'), { href: '/settings?part=rosters' })] : [])]);
    const body = week.items.length ? table() : gw.el('p', 'gw-empty', gw.t('roster.none'));
    $('roster-body').replaceChildren(past(), tools, body);
  }

  function table() {
    const days = week.items[0].days.map(d => d.date);
    const label = (date, k) => `${gw.t('roster.day_' + (k + 1))} ${date.slice(5)}`;
    const head = gw.el('tr', '', [gw.el('th', '', gw.t('roster.squad'), { scope: 'col' }), ...days.map((date, k) =>
      gw.el('th', '', label(date, k), { scope: 'col', 'data-today': date === week.today ? 'yes' : 'no' }))]);
    const known = name => gw.page.texts['kit.' + name] ? gw.word('kit', name) : name;
    const brings = squad => (squad.kit.length ? [gw.el('small', '', gw.t('roster.kit', { what: squad.kit.map(known).join('、') }))] : []);
    // A brigade heads its squads; where there is none there is no tree.
    const tree = week.items.some(squad => squad.brigade_zh);
    const starts = (squad, k) => tree && (k === 0 || squad.brigade_zh !== week.items[k - 1].brigade_zh);
    const branch = squad => gw.el('tr', 'gw-roster-brigade', gw.el('th', '', squad.brigade_zh ? gw.pick(squad, 'brigade') : gw.t('roster.no_brigade'), { scope: 'rowgroup', colspan: days.length + 1 }));
    const rows = week.items.flatMap((squad, at) => [...(starts(squad, at) ? [branch(squad)] : []), gw.el('tr', '', [
      gw.el('th', '', [gw.el('b', '', gw.pick(squad, 'name')), gw.el('small', '', gw.word('squad_kind', squad.kind) + (squad.by_roster ? '' : ' · ' + gw.t('roster.by_shifts'))), ...brings(squad)], { scope: 'row' }),
      ...squad.days.map((day, k) => gw.el('td', '', day.duties.length ? day.duties.map(d => duty(d, squad, day.date)) : [gw.el('span', 'gw-roster-free', gw.t('roster.free'))],
        { 'data-label': label(day.date, k), 'data-today': day.date === week.today ? 'yes' : 'no' })),
    ])]);
    return gw.el('div', 'gw-table-scroll', [gw.el('table', 'gw-roster-table', [gw.el('thead', '', [head]), gw.el('tbody', '', rows)])]);
  }

  /* Somebody who could stand in, with what speaks against it. */
  gw.standInText = one => one.fit ? one.called : gw.t(one.expired.length ? 'roster.stand_in_expired' : 'roster.stand_in_rest', { name: one.called, hours: one.rest_hours });

  /* Leave, or a swap where another day is named; somebody else agrees. */
  async function ask(d, squad, date) {
    const key = gw.newKey();
    const could = await gw.send('GET', '/api/v1/roster/stand-ins?' + new URLSearchParams({ squad: squad.squad, day: date, start: d.from }));
    if (!could.ok) { gw.notice(await gw.problem(could), 'bad'); return; }
    if (!could.body.items.some(one => one.fit)) gw.notice(gw.t('roster.nobody_stands_in'), 'bad');
    gw.dialog({ title: `${gw.t('roster.change')} · ${date} ${d.from} ${d.called}`, note: gw.t('roster.change_note'), button: gw.t('roster.change'), fields: [
      { name: 'stand_in', label: gw.t('roster.stand_in'), required: true, type: 'select', options: [['', ''], ...could.body.items.map(one => [one.person, gw.standInText(one)])] }, { name: 'other_day', label: gw.t('roster.other_day'), hint: gw.t('roster.other_hint') },
      { name: 'other_start', label: gw.t('roster.other_start') }, { name: 'why', label: gw.t('roster.why'), required: true }],
    submit: async values => {
      const answer = await gw.send('POST', '/api/v1/roster/changes', { squad: squad.squad, day: date, start: d.from, ...values }, key);
      if (!answer.ok) return gw.problem(answer);
      gw.notice(gw.t('roster.asked', { n: answer.body.approval }));
      return '';
    } });
  }

  function duty(d, squad, date) {
    const doubts = [...(d.rest_hours === null ? [] : [gw.t('roster.rest', { hours: d.rest_hours })]),
      ...(d.expired.length ? [gw.t('roster.expired', { skills: d.expired.map(s => gw.word('skill', s)).join('、') })] : [])];
    return gw.el('div', 'gw-roster-duty', [gw.el('span', '', `${d.from}–${d.to}`), ...(d.called ? [gw.el('b', '', d.called)] : []),
      ...(d.phone ? [gw.el('a', '', d.phone, { href: 'tel:' + d.phone.replace(/ /g, '') })] : []), ...doubts.map(text => gw.el('small', 'gw-doubt', text)),
      ...(d.person && date >= week.today ? [button(gw.t('roster.change'), () => ask(d, squad, date))] : [])]);
  }

  /* Answered from the log: what was entered later changes nothing. */
  function past() {
    const input = gw.el('input', 'gw-input', null, { type: 'datetime-local', name: 'at', 'aria-label': gw.t('roster.then') });
    const look = button(gw.t('roster.ask'), async () => {
      const at = new Date(input.value);
      if (!(at.getTime() > 0)) { input.focus(); return; }
      const answer = await gw.send('GET', '/api/v1/duty?at=' + encodeURIComponent(at.toISOString()));
      if (!answer.ok) { gw.notice(await gw.problem(answer), 'bad'); return; }
      then = { ...answer.body, typed: input.value };
      draw();
    });
    if (then) input.value = then.typed;
    return gw.el('section', 'gw-panel gw-roster-then', [gw.el('h3', '', gw.t('roster.then')), gw.el('div', 'gw-roster-tools', [input, look]), ...(then ? found() : [])]);
  }

  function found() {
    if (!then.seq) return [gw.el('p', '', gw.t('roster.unknown'))];
    const there = then.items.filter(item => item.on_duty);
    const line = item => gw.el('li', '', [gw.el('b', '', gw.pick(item, 'name')), ' ',
      [item.called, item.phone, item.to ? gw.t('roster.until', { to: gw.dayAndClock(Date.parse(item.to)) }) : ''].filter(Boolean).join(' · ')]);
    return [gw.el('p', 'gw-panel-note', gw.t('roster.at', { at: gw.dayAndClock(Date.parse(then.at)) })),
      there.length ? gw.el('ul', 'gw-roster-found', there.map(line)) : gw.el('p', '', gw.t('roster.nobody'))];
  }
})();
