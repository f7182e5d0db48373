/* The tasks as cards: what, where, until when, and one large button for the next step. Drawn on the
   phone, for there may be no server to draw them. */
(function () {
  'use strict';
  const gw = window.gw;
  const DONE = ['handled', 'checking'], MAIN = ['acknowledge', 'arrive', 'handle'];
  const FILES = ['photo_before', 'photo_after', 'check_photo'], OPTIONAL = { handle: ['photo_after'] };
  const FIELDS = ['note', 'reason', 'until'];
  const cards = (gw.cards = {});

  /* Open ones first, the worst and most urgent of them on top; what is handed over below. */
  cards.order = tasks => [...tasks].sort((a, b) => DONE.includes(cards.state(a)) - DONE.includes(cards.state(b)) || a.severity - b.severity || due(a) - due(b));
  const due = task => (task.due_at ? Date.parse(task.due_at) : Number.MAX_SAFE_INTEGER);
  cards.state = task => gw.outbox.stateAfter(task.state, gw.outbox.of(task.id));

  const queued = (task, stage) => gw.outbox.of(task.id).some(i => i.kind === 'file' && i.stage === stage);
  function lacks(task, stage) {
    if (queued(task, stage)) return false;
    const waits = task.waiting.find(w => (w.waiting_for || []).some(r => r.code === stage));
    if (waits) return true;
    if (task.steps.some(s => s.action === 'handle')) return false; // the server has looked at this round's files
    return task.category_facts.closing_evidence.includes(stage) && (task.rework_count > 0 || !task.evidence.some(e => e.stage === stage));
  }

  /* Whether values lie within the limits of a step, as the server will judge them. */
  cards.passes = (measures, measured) => measures.every(m => m.metric in measured && (m.low === null || measured[m.metric] >= m.low) && (m.high === null || measured[m.metric] <= m.high));
  /* The newest answer to a step that is not sent yet, and whether the step is passed with it. */
  const found = (task, code) => gw.outbox.of(task.id).filter(i => i.kind === 'step' && i.step === code && i.state === 'waiting').pop();
  const passed = (task, s) => { const kept = found(task, s.code); return kept ? kept.passes : s.passed; };
  const steps = task => (task.card ? task.card.steps : []);
  const blocked = (task, action) => steps(task).some(s => s.blocking && s.before === action && !passed(task, s));
  /* An action that the server saw waiting for the checklist alone, which is answered by now. */
  function unlocked(task, action) {
    const waits = task.waiting.find(w => w.action === action);
    return !!waits && waits.waiting_for.some(r => r.code === 'run_card') && waits.waiting_for.every(r => r.code === 'run_card' || FILES.includes(r.code));
  }

  /* What may be done now: as the server said, or by the table where something waits to be sent. */
  cards.steps = function (task, table) {
    const state = cards.state(task);
    const may = s => s.state === state && !blocked(task, s.action) && (state !== task.state || task.offered.includes(s.action) || unlocked(task, s.action));
    return table.filter(may).map(s => {
      const missing = s.needs.filter(n => FILES.includes(n) && lacks(task, n));
      const optional = (OPTIONAL[s.action] || []).filter(n => !missing.includes(n));
      return { ...s, fields: [...missing.map(n => n + '*'), ...s.needs.filter(n => FIELDS.includes(n)).map(n => n + '*'), ...optional] };
    }).sort((a, b) => MAIN.includes(b.action) - MAIN.includes(a.action));
  };

  const severity = s => gw.el('span', 'gw-sev', gw.word('severity_mark', String(s)), { 'data-severity': s, title: gw.word('severity', String(s)) });
  const moment = text => (text ? gw.dayAndClock(Date.parse(text)) : '');

  function head(task, state) {
    const clock = task.clocks.find(c => !c.met_at && c.standing !== 'stopped');
    const runs = clock && clock.standing !== 'paused' && state === task.state;
    return gw.el('div', 'gw-task-head', [severity(task.severity),
      gw.el('div', '', [gw.el('h2', '', gw.pick(task, 'title')), gw.el('p', '', [gw.el('span', 'gw-state', gw.word('state', state))])]),
      ...(clock ? [gw.el('span', 'gw-task-clock', [gw.word('clock', clock.clock), ' ',
        gw.el('span', 'gw-standing', gw.word('standing', clock.standing), { 'data-standing': clock.standing, ...(runs ? { 'data-due': clock.due_at } : {}) })])] : [])]);
  }

  function way(task) {
    return gw.el('div', 'gw-way', [
      gw.el('div', '', [gw.el('strong', '', gw.place(task)), gw.el('span', 'gw-coordinates', `${task.lat.toFixed(6)},${task.lon.toFixed(6)}`)]),
      gw.el('span', 'gw-way-far', [gw.el('i', 'gw-arrow'), gw.el('b', '', gw.t('value.none'))], { 'data-lon': task.lon, 'data-lat': task.lat }),
      gw.el('button', 'gw-button', gw.t('squad.navigate'), { type: 'button', 'data-way': task.id })]);
  }

  function closing(task) {
    const have = new Set(task.evidence.map(e => e.stage));
    return task.category_facts.closing_evidence.map(n => (have.has(n) || (n === 'gas_release' && task.released_at) ? '✓ ' : '') + gw.word('evidence', n)).join(' · ');
  }

  function help(text) {
    if (!text) return [];
    const rows = ['action', 'cause', 'consequence'].flatMap(part => [gw.el('dt', '', gw.t('help.' + part)), gw.el('dd', '', gw.pick(text, part))]);
    return [gw.el('details', 'gw-help-text', [gw.el('summary', '', gw.t('help.minutes', { n: text.minutes })), gw.el('dl', '', rows)], { 'data-keep': 'help' })];
  }

  /* What waits to be sent for this case, and what the person has to decide. */
  function unsent(task) {
    return gw.outbox.of(task.id).filter(i => i.kind !== 'duress').map(item => {
      const at = gw.dayAndClock(Date.parse(item.acted_at) + gw.phone.offset);
      if (item.state === 'waiting') return gw.el('li', 'gw-unsent', [gw.el('b', '', item.label), ' ', at, gw.el('span', '', gw.t('phone.not_sent'))]);
      return gw.el('li', 'gw-unsent asks', decision(item, at));
    });
  }
  function decision(item, at) {
    const choice = (name, primary) => gw.el('button', 'gw-button' + (primary ? ' primary' : ''), gw.t('phone.choice_' + name), { type: 'button', 'data-decide': name, 'data-seq': item.seq });
    const comments = item.kind === 'action' && item.body.action !== 'comment' && (item.allowed || []).includes('comment');
    return [gw.el('p', '', [gw.el('b', '', item.label), ' ', at]), gw.el('p', '', item.problem), gw.el('div', 'gw-actions', [
      ...(comments ? [choice('comment', true)] : []), choice('again'), choice('drop')])];
  }
  /* Of cases that are with this squad no more: they have no card of their own. */
  cards.stray = tasks => gw.outbox.items.filter(i => i.state === 'asking' && !tasks.some(t => t.id === i.incident))
    .map(item => gw.el('li', 'gw-task', [gw.el('h2', '', item.title || ''), gw.el('ul', 'gw-unsent-list', gw.el('li', 'gw-unsent asks', decision(item, gw.dayAndClock(Date.parse(item.acted_at) + gw.phone.offset))))]));

  function evidence(task) {
    const figures = task.evidence.map(file => {
      const label = gw.word('evidence', file.stage), url = `/api/v1/incidents/${task.id}/evidence/${file.id}`, shown = file.has_shown ? url + '?shown=true' : url;
      const inside = file.media_type.startsWith('audio/') ? gw.el('audio', '', null, { src: url, controls: '', preload: 'none', 'aria-label': label })
        : file.media_type === 'video/mp4' ? gw.el('video', '', null, { src: url, controls: '', preload: 'none', 'aria-label': label })
          : gw.el('a', '', file.media_type.startsWith('image/') ? gw.el('img', '', null, { src: shown, alt: label, loading: 'lazy' }) : label, { href: shown, target: '_blank', rel: 'noopener' });
      return gw.el('figure', '', [inside, gw.el('figcaption', '', [label, gw.el('small', '', `${moment(file.taken_at || file.uploaded_at)} ${file.uploaded_by}`)])]);
    });
    return figures.length ? gw.el('div', 'gw-photos', figures) : gw.el('p', 'gw-empty', gw.t('detail.none'));
  }

  function clocks(task) {
    return gw.el('ul', '', task.clocks.map(c => {
      const ended = c.met_at || c.stopped_at, runs = !ended && !['paused', 'stopped'].includes(c.standing);
      return gw.el('li', 'gw-clock', [gw.el('span', 'gw-clock-name', gw.word('clock', c.clock)), gw.el('span', 'gw-clock-limit', moment(ended || c.due_at)),
        gw.el('span', 'gw-standing', gw.word('standing', c.standing), { 'data-standing': c.standing || '', ...(runs ? { 'data-due': c.due_at } : {}) })]);
    }));
  }

  function said(event) {
    const p = event.payload || {};
    return [gw.pick(p, 'squad_name') || p.squad, typeof p.reason === 'string' ? gw.word('cause', p.reason) : '', p.note, gw.word('evidence', p.stage), gw.word('clock', p.clock), p.device, gw.actTime(event)]
      .filter(Boolean).join(' · ');
  }
  const timeline = task => gw.el('ol', 'gw-timeline', [...task.events].reverse().map(e => gw.el('li', '', [gw.el('time', '', moment(e.at)),
    gw.el('div', '', [gw.el('span', 'gw-event-kind', gw.word('event', e.kind)), gw.el('span', 'gw-event-who', e.actor === 'system' ? gw.t('actor.system') : e.actor), ...(said(e) ? [gw.el('p', '', said(e))] : [])])])));

  const gas = task => (task.nearby || []).map(d => gw.el('div', '', [gw.el('small', '', `${gw.placeName(d.name) || d.code} · ${gw.t('squad.metres', { n: d.metres })}`),
    gw.el('div', 'gw-spark', null, { 'data-spark': d.code, 'data-metric': d.metric, 'data-limit': '' })]));

  function more(task, done) {
    const add = [...(done ? [] : ['photo_before', 'photo_after'])].map(stage => gw.el('button', 'gw-button', gw.t('detail.add', { what: gw.word('evidence', stage) }), { type: 'button', 'data-photo': stage }));
    if (!done) add.push(gw.el('button', 'gw-button', gw.t('phone.voice'), { type: 'button', 'data-voice': 'yes' }));
    return [...(task.nearby && task.nearby.length ? [gw.el('details', '', [gw.el('summary', '', gw.t('phone.gas_here')), ...gas(task)], { 'data-keep': 'gas' })] : []),
      ...(add.length ? [gw.el('div', 'gw-actions', add)] : []),
      gw.el('details', '', [gw.el('summary', '', gw.t('squad.more')), gw.el('div', 'gw-task-more', [evidence(task), clocks(task), timeline(task)])], { 'data-keep': 'more' })];
  }

  /* What has to be known of a sensor before it is believed. */
  function states(task) {
    const text = (d, word) => word === 'retired' ? gw.t('case_device.retired', { at: gw.dayAndClock(Date.parse(d.retired_at)), why: d.retired_reason })
      : word === 'out_of_service' ? gw.t('case_device.out_of_service', { why: d.out_of_service_reason || '—', until: d.return_due_at ? gw.dayAndClock(Date.parse(d.return_due_at)) : '—' }) : gw.t('case_device.' + word);
    const lines = (task.devices || []).flatMap(d => d.states.map(word => gw.el('li', '', [gw.el('b', '', d.code), ' ', text(d, word)])));
    return lines.length ? [gw.el('ul', 'gw-task-states', lines)] : [];
  }

  /* The run card: the plan and its steps; what blocks the next action says so. */
  function checklist(task) {
    if (!task.card) return [];
    const limits = m => [gw.word('metric', m.metric), m.low === null ? '≤ ' + m.high : m.high === null ? '≥ ' + m.low : `${m.low}–${m.high}`, m.unit].join(' ');
    const step = s => { const ok = passed(task, s), kept = found(task, s.code), answered = s.answer || kept; return gw.el('li', '', [gw.el('span', 'gw-check-mark', ok ? '✓' : answered ? '!' : '○'),
      gw.el('div', '', [gw.el('span', '', gw.pick(s, 'text')), ...s.measures.map(m => gw.el('small', '', limits(m))),
        ...(s.blocking && !ok ? [gw.el('small', 'gw-doubt', gw.t('card.blocks', { action: gw.word('action', s.before) }))] : []),
        ...(answered && !ok ? [gw.el('small', '', gw.t('card.outside'))] : []), ...(kept ? [gw.el('small', '', gw.t('phone.not_sent'))] : [])]),
      ...(ok ? [] : [gw.el('button', 'gw-button', gw.t(answered ? 'card.again' : 'card.answer'),
        { type: 'button', 'data-check-step': s.code, 'data-check-title': gw.pick(s, 'text'), 'data-check-measures': JSON.stringify(s.measures) })])]); };
    const plan = gw.pick(task.card, 'plan');
    return [gw.el('section', 'gw-run-card', [gw.el('h3', '', gw.t('card.title', { name: gw.pick(task.card, 'title') })),
      ...(plan ? [gw.el('p', 'gw-card-plan', plan)] : []), gw.el('ol', 'gw-checklist', task.card.steps.map(step))])];
  }

  function card(task, table) {
    const state = cards.state(task), done = DONE.includes(state), waits = unsent(task);
    const reasons = task.alarms.map(a => gw.reason(a.reason)).filter(Boolean).slice(0, 2);
    return gw.el('li', done ? 'gw-task done' : 'gw-task', [head(task, state), ...reasons.map(text => gw.el('p', 'gw-task-reason', text)),
      ...states(task), ...checklist(task), ...help((task.alarms[0] || {}).help), ...(task.description ? [gw.el('p', '', task.description)] : []), way(task),
      ...(waits.length ? [gw.el('ul', 'gw-unsent-list', waits)] : []),
      ...(task.requests || []).map(r => gw.el('p', 'gw-waiting', gw.t('request.waits', { action: gw.word('action', r.action), name: r.asked_by, time: moment(r.asked_at), why: r.why }))),
      ...(done ? [] : [gw.el('p', 'gw-task-needs', gw.t('squad.needs', { what: closing(task) }))]),
      gw.el('div', 'gw-actions', cards.steps(task, table).map(s => gw.el('button', 'gw-button' + (MAIN.includes(s.action) ? ' primary' : ''), gw.word('action', s.action),
        { type: 'button', 'data-action': s.action, 'data-fields': s.fields.join(' '), ...(s.needs.includes('duty_chief') ? { 'data-note': gw.t('action.asks_chief') } : {}), 'data-from': s.state, 'data-to': s.to }))),
      ...more(task, done)], { 'data-incident': task.id, 'data-version': task.version, 'data-title': gw.pick(task, 'title') });
  }

  /* Draw all; what was open stays open. */
  cards.draw = function (host, phone) {
    const open = new Set([...host.querySelectorAll('details[open][data-keep]')].map(e => e.closest('[data-incident]').dataset.incident + e.dataset.keep));
    const stray = phone.tasks ? cards.stray(phone.tasks) : [];
    if (!phone.squad) host.replaceChildren(gw.el('p', 'gw-empty', gw.t('squad.no_squad')));
    else if (!phone.tasks) host.replaceChildren(gw.el('div', 'gw-no-tasks', gw.el('p', '', gw.t('phone.nothing_yet'))));
    else if (!phone.tasks.length && !stray.length) host.replaceChildren(gw.el('div', 'gw-no-tasks', gw.el('p', '', gw.t('squad.no_tasks'))));
    else host.replaceChildren(gw.el('ul', 'gw-tasks', [...stray, ...cards.order(phone.tasks).map(task => card(task, phone.steps))]));
    for (const e of host.querySelectorAll('details[data-keep]')) if (open.has(e.closest('[data-incident]').dataset.incident + e.dataset.keep)) e.open = true;
  };

  // A gas trend is read when somebody looks at it. The event does not rise: it is caught on its way down.
  document.addEventListener('toggle', e => { if (e.target.open && e.target.dataset.keep === 'gas') gw.hydrate(e.target); }, true);
})();
