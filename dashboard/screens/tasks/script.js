/* Looking at places, from a phone: what is one's own, what nobody has taken, what is late. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/tasks';
  const $ = id => document.getElementById(id);
  let items = null, collectors = [];

  /* Who may be given a task: the centre chooses, a collector takes. [[name, text]] */
  gw.collectorOptions = () => (gw.page.user.role === 'checker' ? [[gw.page.user.name, gw.page.user.name]]
    : [['', ''], ...collectors.map(c => [c.name, `${c.display_name || c.name} · ${gw.t('tasks.waiting', { n: c.waiting })}`])]);
  gw.loadCollectors = async function () {
    const answer = await gw.send('GET', API + '?mine=true');
    if (answer.ok) collectors = answer.body.collectors;
  };

  /* What may be pressed on a task, as [action, fields]: the same words as on the console. */
  gw.taskActions = function (task, user) {
    const mine = task.collector === user.name, free = !task.collector, collects = user.role === 'checker';
    const own = task.clock === 'verify' ? task.reported_by === user.name : task.handled_by === user.name;
    if (collects && own) return [];
    if (collects && free) return [['assign', 'collector*']];
    if (collects && !mine) return [];
    const given = collects ? [] : [['assign', 'collector*']];
    const photo = collects ? 'photo_before*' : 'photo_before'; // the centre decides by what it is told
    if (task.clock === 'verify') return [...given, ['file', photo], ['reject', photo + ' reason*']];
    if (task.state === 'handled') return [...given, ['check', '']];
    return [...given, ['close', 'check_photo* note'], ['rework', 'check_photo reason*']];
  };

  gw.screens.tasks = async function () {
    gw.showStatus();
    gw.live.start();
    gw.actionDone = gw.actionFailed = () => show();
    gw.live.on('change', news => { if (news.kinds.some(kind => kind.startsWith('incident.'))) show(); });
    gw.every(15_000, () => { if (items && !gw.dialogOpen()) draw(); });
    gw.every(1000, () => gw.tickDue());
    await show();
  };

  async function show() {
    const answer = await gw.send('GET', API);
    items = answer.ok ? answer.body.items : null;
    collectors = answer.ok ? answer.body.collectors : [];
    if (!gw.dialogOpen()) draw();
  }

  function draw() {
    const host = $('tasks-body');
    if (!items) { host.replaceChildren(gw.el('p', 'gw-empty', gw.t('tasks.not_read'))); return; }
    const user = gw.page.user;
    const part = (name, list) => (list.length || name === 'mine' ? [gw.el('section', '', [gw.el('h3', '', `${gw.t('tasks.' + name)} (${list.length})`),
      ...(list.length ? list.map(card) : [gw.el('p', 'gw-empty', gw.t('tasks.none'))])], { 'data-part': name })] : []);
    const collects = user.role === 'checker';
    const nothing = !collects && !items.length ? [gw.el('p', 'gw-empty', gw.t('tasks.none'))] : [];
    host.replaceChildren(...nothing, ...(collects ? part('mine', items.filter(i => i.collector === user.name)) : []),
      ...part('free', items.filter(i => !i.collector)), ...part('others', items.filter(i => i.collector && (!collects || i.collector !== user.name))));
    gw.tickDue();
  }

  function card(task) {
    const late = Date.parse(task.due_at) < gw.now();
    const buttons = gw.taskActions(task, gw.page.user).map(([action, fields]) => {
      const takes = action === 'assign' && gw.page.user.role === 'checker';
      const word = takes ? gw.t('tasks.take') : gw.page.texts[`tasks.${task.clock}_${action}`] || gw.word('action', action);
      return gw.el('button', 'gw-button' + (['assign', 'file', 'check', 'close'].includes(action) ? ' primary' : ''), word,
        { type: 'button', 'data-action': action, 'data-fields': fields, ...(takes ? { 'data-collector': gw.page.user.name } : {}) });
    });
    return gw.el('article', 'gw-panel', [
      gw.el('div', 'gw-panel-head', [gw.el('h4', '', [gw.el('b', '', gw.word('clock', task.clock)), ' ', gw.pick(task, 'title')]),
        gw.el('span', 'gw-due', '', { 'data-due': task.due_at, 'data-standing': late ? 'overdue' : 'running' })]),
      gw.el('p', '', [gw.place(task), task.number, gw.word('state', task.state)].filter(Boolean).join(' · ')),
      ...(task.description ? [gw.el('q', '', task.description)] : []),
      gw.el('p', 'gw-panel-note', task.collector ? gw.t('tasks.given', { name: task.collector, by: task.given_by, time: gw.dayAndClock(Date.parse(task.given_at)) }) : gw.t('tasks.nobody')),
      gw.el('div', 'gw-actions', [...buttons, gw.el('a', 'gw-button', gw.t('tasks.way'), { href: `geo:${task.lat},${task.lon}?q=${task.lat},${task.lon}` }),
        gw.el('a', 'gw-button', gw.t('tasks.case'), { href: '/console#' + task.incident_id })]),
    ], { 'data-incident': task.incident_id, 'data-version': task.version, 'data-title': gw.pick(task, 'title'), 'data-late': late ? 'yes' : 'no' });
  }
})();
