/* What a person does to an incident, from any screen: a press on [data-action] inside
   [data-incident][data-version]. What each action asks for is written on the button. */
(function () {
  'use strict';
  const gw = window.gw;
  const PHOTO_FIELDS = ['photo_before', 'photo_after', 'check_photo'];
  const SHAPES = { note: 'long', reason: 'long', until: 'when', squad: 'select', category: 'select', into: 'select', outcome: 'select', collector: 'select' };
  const NEAR_INCIDENTS = 20;
  const handedIn = new Set(); // incident:stage sent from here; the buttons learn it a moment later
  const unanswered = new Map(); // id:action:version:squad:into -> keys of the attempt

  /* "reason*" is required, "note" is not. */
  function fieldsOf(button, incident, without) {
    return (button.dataset.fields || '').split(' ').filter(Boolean).map(text => {
      const name = text.replace('*', ''), required = text.endsWith('*');
      const type = PHOTO_FIELDS.includes(name) ? 'photo' : SHAPES[name] || 'text';
      const field = { name, required, type };
      if (type === 'photo') field.label = gw.word('evidence', name);
      if (handedIn.has(incident.id + ':' + name)) field.required = false;
      if (name === 'squad') field.options = squadOptions();
      if (name === 'category') field.options = gw.categories();
      if (name === 'collector') field.options = gw.collectorOptions();
      if (name === 'into') field.options = intoOptions(incident, without);
      if (name === 'outcome') field.options = ['resolved', 'false_alarm', 'not_found'].map(o => [o, gw.word('outcome', o)]);
      return field;
    });
  }

  gw.fieldsOf = fieldsOf;

  const squadOptions = () => [...gw.live.squads.values()]
    .sort((a, b) => b[5] - a[5] || a[6] - b[6])
    .map(q => [q[0], [gw.page.lang === 'zh' ? q[1] : q[2], q[5] ? '' : gw.t('map.off_duty'), gw.t('squad.open_count', { n: q[6] }), onCall(q[0])].filter(Boolean).join(' · ')]);
  /* Who of a squad is on duty, as its recommendation says. */
  const onCall = code => { const button = [...document.querySelectorAll('[data-call]')].find(b => b.dataset.squad === code); return button ? button.dataset.call : ''; };

  gw.categories = () => [['', ''], ...(gw.page.categories || []).map(c => [c[0], gw.page.lang === 'zh' ? c[1] : c[2]])];

  /* Twins lie near each other and are mostly of one family. */
  function intoOptions(incident, without = new Set()) {
    const far = i => Math.hypot(i.lon - incident.lon, i.lat - incident.lat) + (i.family === incident.family ? 0 : 1);
    const rows = [...gw.live.incidents.values()].filter(i => i.id !== incident.id && !without.has(i.id)).sort((a, b) => far(a) - far(b)).slice(0, NEAR_INCIDENTS);
    return [['', ''], ...rows.map(i => [String(i.id), `${i.number} ${gw.pick(i, 'title')}`])];
  }

  async function uploadPhotos(id, values, keys, progress) {
    for (const stage of PHOTO_FIELDS) {
      const file = values[stage];
      if (!file) continue;
      delete values[stage];
      if (keys.sent.has(file)) continue; // it went up before the action was refused
      const answer = await gw.upload(`/api/v1/incidents/${id}/evidence`, { stage, file }, keys.photo, progress);
      if (!answer.ok) { values[stage] = file; return answer; }
      keys.sent.add(file);
      handedIn.add(id + ':' + stage);
    }
    return null;
  }

  /* A retry repeats the same key, so an answer that got lost does not become a second change. */
  async function perform(id, version, action, values, keys, progress) {
    const body = { ...values };
    const failed = await uploadPhotos(id, body, keys, progress);
    if (failed) return gw.problem(failed, id);
    if (body.into) body.into = Number(body.into);
    const answer = await gw.send('POST', `/api/v1/incidents/${id}/actions`, { action, version, ...body }, keys.action);
    if (!answer.ok) { if (answer.status !== 0) keys.action = gw.newKey(); return gw.problem(answer, id); }
    unanswered.clear();
    const asked = answer.status === 202;
    gw.notice(gw.t(asked ? 'action.asked' : 'action.done', { action: gw.word('action', action), id: asked ? answer.body.approval : '' }));
    if (gw.actionDone) gw.actionDone(id, action, answer.body);
    return '';
  }

  gw.act = function (button) {
    const host = button.closest('[data-incident]');
    if (!host || button.dataset.busy) return;
    const id = Number(host.dataset.incident), version = Number(host.dataset.version), action = button.dataset.action;
    const incident = gw.live.incidents.get(id) || { id };
    const { squad, into, collector } = button.dataset, preset = { ...(squad && { squad }), ...(into && { into }), ...(collector && { collector }) };
    const fields = fieldsOf(button, incident).filter(f => !(f.name in preset));
    // No answer came last time: the same key, so that a change that did arrive is not made twice.
    const press = [id, action, version, squad, into, collector].join(':');
    const keys = unanswered.get(press) || { action: gw.newKey(), photo: gw.newKey(), sent: new Set() };
    unanswered.set(press, keys);
    if (!fields.length || (button.dataset.at_once && !fields.some(f => f.required))) {
      gw.once(button, async () => {
        const problem = await perform(id, version, action, preset, keys);
        if (problem) { gw.notice(problem, 'bad'); if (gw.actionFailed) gw.actionFailed(id); }
      });
      return;
    }
    gw.dialog({ title: gw.word('action', action), note: button.dataset.note || host.dataset.title, fields,
      submit: (values, progress) => perform(id, version, action, { ...preset, ...values }, keys, progress) });
  };

  document.addEventListener('click', event => {
    const button = event.target.closest('[data-action]');
    if (button) gw.act(button);
  });

  /* A photo beside the actions: taken, sent with progress, kept for a retry when the line is down. */
  gw.photo = function (id, stage, done) {
    const keys = gw.newKey();
    gw.dialog({ title: gw.word('evidence', stage), fields: [{ name: stage, label: gw.word('evidence', stage), type: 'photo', required: true }],
      button: gw.t('photo.send'),
      submit: async (values, progress) => {
        const answer = await gw.upload(`/api/v1/incidents/${id}/evidence`, { stage, file: values[stage] }, keys, progress);
        if (!answer.ok) return gw.problem(answer, id);
        handedIn.add(id + ':' + stage);
        gw.notice(gw.t('photo.sent'));
        if (done) done();
        return '';
      } });
  };
  document.addEventListener('click', event => {
    const button = event.target.closest('[data-photo]');
    if (button) gw.photo(Number(button.closest('[data-incident]').dataset.incident), button.dataset.photo, () => gw.actionDone && gw.actionDone());
  });
})();
