/* What a person does to an alarm beside acknowledging it: a press on [data-alarm-verb] shelves it for a
   time, ends that, or declares it over. */
(function () {
  'use strict';
  const gw = window.gw;
  const HOUR_MS = 3600000;
  const NOTES = { shelve: 'alarm.shelve_note', reset: 'alarm.reset_note' };

  /* Local time as a datetime field takes it, an hour from now. */
  function inAnHour() {
    const at = new Date(gw.now() + HOUR_MS);
    return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }

  async function change(button, verb, key, values) {
    const { of, version } = button.dataset;
    const answer = await gw.send('POST', `/api/v1/alarms/${of}/${verb}`, { version: Number(version), ...values }, key);
    if (!answer.ok) return gw.problem(answer);
    gw.notice(answer.status === 202 ? gw.t('alarm.asked', { id: answer.body.approval }) : gw.t('alarm.changed'));
    if (gw.actionDone) gw.actionDone();
    return '';
  }

  document.addEventListener('click', event => {
    const button = event.target.closest('[data-alarm-verb]');
    if (!button) return;
    const verb = button.dataset.alarmVerb, key = gw.newKey();
    const fields = verb === 'shelve' ? [{ name: 'until', type: 'when', required: true, value: inAnHour() }, { name: 'reason', type: 'long', required: true }] : [];
    const note = NOTES[verb] && gw.t(NOTES[verb]) + (button.dataset.two ? ' ' + gw.t('alarm.two_note') : '');
    gw.dialog({ title: gw.t('alarm.' + verb), note, fields,
      submit: values => change(button, verb, key, values) });
  });
})();
