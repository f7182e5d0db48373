/* People and tokens: one dialog a step; the lists come from the server again after each. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/';
  const ROLES = ['viewer', 'dispatcher', 'squad_leader', 'checker', 'gas_engineer', 'leader', 'admin'];
  const refresh = () => gw.setProp('people-tick', Date.now(), 'data');

  gw.screens.people = function () {
    gw.showStatus();
    gw.live.start();
    gw.live.on('change', change => { // somebody else changes people too
      if (change.kinds.some(kind => kind.startsWith('user.') || kind.startsWith('token.'))) refresh();
    });
  };

  async function problem(answer) {
    const refused = answer.status === 409 && answer.body && answer.body.current && answer.body.current.refused;
    if (answer.status === 409 || answer.status === 404) refresh();
    return refused ? gw.t('people.refused', { why: gw.word('refusal', refused) }) : gw.problem(answer);
  }

  function ask({ title, note, button, fields, url, body, done }) {
    const key = gw.newKey();
    gw.dialog({ title, note, button, fields, submit: async values => {
      const answer = await gw.send('POST', API + url, { ...body, ...values }, key);
      if (!answer.ok) return problem(answer);
      refresh();
      done(answer.body);
      return '';
    } });
  }

  const squads = () => JSON.parse(document.getElementById('main').dataset.squads);
  const roleField = value => ({ name: 'role', type: 'select', required: true, value, options: ROLES.map(role => [role, gw.word('role', role)]) });
  const squadField = value => ({ name: 'squad', type: 'select', value, hint: gw.t('people.squad_hint'), options: [['', '–'], ...squads()] });
  const divisions = () => JSON.parse(document.getElementById('main').dataset.divisions);
  const divisionsField = value => ({ name: 'divisions', type: 'many', value, hint: gw.t('people.divisions_hint'), options: divisions() });
  const passwordField = () => ({ name: 'password', type: 'password', required: true, hint: gw.t('people.password_hint') });
  const named = (step, row) => gw.t('people.step_' + step) + ' · ' + row.name;
  const of = (row, verb) => `users/${encodeURIComponent(row.name)}/${verb}`;
  const said = (step, row) => gw.notice(gw.t('people.done_' + step, { name: row.name }));

  function showToken(body) {
    gw.dialog({ title: gw.t('people.token_made', { name: body.name }), note: gw.t('people.token_once'), plain: true, button: gw.t('close_dialog'),
      fields: [{ name: 'token', type: 'text', value: body.token }], submit: async () => '' });
    const field = document.querySelector('dialog[open] [name=token]');
    field.readOnly = true;
    field.select();
  }

  const STEPS = {
    user_new: () => ask({ title: gw.t('people.step_user_new'), url: 'users', body: {}, done: body => said('user_new', body),
      fields: [{ name: 'name', required: true, hint: gw.t('people.name_hint') }, { name: 'display_name' }, roleField('viewer'), squadField(''), divisionsField([]), passwordField()] }),
    role: row => ask({ title: named('role', row), button: gw.t('people.step_role'), note: gw.t('people.role_note'), url: of(row, 'role'), body: { version: Number(row.version) },
      done: () => said('role', row), fields: [roleField(row.role), squadField(row.squad), divisionsField(row.divisions.split(';'))] }),
    password: row => ask({ title: named('password', row), button: gw.t('people.step_password'), note: gw.t('people.password_note'), url: of(row, 'password'),
      body: { version: Number(row.version) }, done: () => said('password', row), fields: [passwordField()] }),
    disable: row => ask({ title: named('disable', row), button: gw.t('people.step_disable'), note: gw.t('people.disable_note'), url: of(row, 'disable'),
      body: { version: Number(row.version) }, done: () => said('disable', row), fields: [] }),
    enable: row => ask({ title: named('enable', row), button: gw.t('people.step_enable'), note: gw.t('people.enable_note'), url: of(row, 'enable'),
      body: { version: Number(row.version) }, done: () => said('enable', row), fields: [] }),
    second_factor: row => ask({ title: named('second_factor', row), button: gw.t('people.step_second_factor'), note: gw.t('people.second_factor_note'),
      url: of(row, 'second-factor/reset'), body: { version: Number(row.version) }, done: () => said('second_factor', row), fields: [] }),
    token_new: () => ask({ title: gw.t('people.step_token_new'), note: gw.t('people.token_note'), url: 'tokens', body: {}, done: body => setTimeout(() => showToken(body)),
      fields: [{ name: 'name', required: true, hint: gw.t('people.name_hint') }, roleField('viewer'), squadField(''), divisionsField([])] }),
    revoke: row => ask({ title: named('revoke', row), button: gw.t('people.step_revoke'), note: gw.t('people.revoke_note'), url: `tokens/${encodeURIComponent(row.name)}/revoke`,
      body: {}, done: () => said('revoke', row), fields: [] }),
  };

  document.addEventListener('click', event => {
    const button = event.target.closest('[data-people]');
    if (button) STEPS[button.dataset.people]({ ...button.dataset });
  });
})();
