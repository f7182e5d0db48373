/* Changes go to the API from here: one change for one decision, and plain words when it failed. */
(function () {
  'use strict';
  const gw = window.gw;
  const TIMEOUT_MS = 20000;

  /* `crypto.randomUUID` is missing on plain-http intranet addresses; this is not. */
  gw.newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');

  const offline = { ok: false, status: 0, body: null };

  function answerOf(status, text) {
    let body = null;
    try { body = text ? JSON.parse(text) : null; } catch { /* a proxy's error page */ }
    return { ok: status >= 200 && status < 300, status, body };
  }

  /* JSON in, JSON out. The same `key` again is the same change: safe to repeat after a lost answer. */
  gw.send = async function (method, url, body, key) {
    const headers = { Accept: 'application/json', 'X-CSRFToken': gw.cookie('_csrf_token') };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (key) headers['Idempotency-Key'] = key;
    try {
      const answer = await fetch(url, { method, headers, credentials: 'same-origin', signal: AbortSignal.timeout(TIMEOUT_MS),
        body: body === undefined ? undefined : JSON.stringify(body) });
      return answerOf(answer.status, await answer.text());
    } catch { return offline; }
  };

  /* fetch tells nothing about how much has gone up; XMLHttpRequest does. */
  gw.upload = function (url, fields, key, onProgress) {
    return new Promise(resolve => {
      const form = new FormData(), request = new XMLHttpRequest();
      for (const name in fields) form.append(name, fields[name]);
      request.open('POST', url);
      request.setRequestHeader('X-CSRFToken', gw.cookie('_csrf_token'));
      request.setRequestHeader('Accept', 'application/json');
      if (key) request.setRequestHeader('Idempotency-Key', key);
      request.upload.onprogress = e => e.lengthComputable && onProgress && onProgress(e.loaded / e.total);
      request.onload = () => resolve(answerOf(request.status, request.responseText));
      request.onerror = request.ontimeout = request.onabort = () => resolve(offline);
      request.timeout = 6 * TIMEOUT_MS;
      request.send(form);
    });
  };

  /* Why it was not done, for the person who wanted it. */
  gw.problem = async function (answer, incidentId) {
    const body = answer.body || {};
    if (answer.status === 0 || answer.status === 503) return gw.t('error.not_sent');
    if (answer.status === 401) return gw.t('error.signed_out');
    if (answer.status === 403) return gw.t('error.forbidden') + (body.detail ? ` (${body.detail})` : '');
    if (answer.status === 404) return gw.t('error.gone');
    if (answer.status === 409) return conflict(body, incidentId);
    if (answer.status === 422 && gw.page.texts['evidence.' + body.field]) return gw.t('error.missing', { field: gw.word('evidence', body.field) });
    if (answer.status === 422 && gw.page.texts['fault.' + body.code])
      return gw.t('error.field', { field: gw.word('field', body.field), problem: gw.t('fault.' + body.code, body.facts) });
    if (answer.status === 422) return gw.t('error.field', { field: gw.word('field', body.field), problem: body.problem || body.detail || '' });
    if (answer.status === 429) return gw.t('error.too_fast');
    return gw.t('error.server', { status: answer.status });
  };

  /* A 409 says what the state is now, and a code where the action itself is not possible; who
     changed the incident meanwhile stands in its timeline. */
  async function conflict(body, incidentId) {
    const current = body.current || {}, state = gw.word('state', current.state);
    if (current.refused) return gw.t('error.refused', { why: gw.refusal(current), state });
    const now = incidentId ? await gw.send('GET', '/api/v1/incidents/' + incidentId) : offline;
    const events = (now.body && now.body.events) || [], last = events[events.length - 1];
    if (!last) return gw.t('error.conflict_plain', { state });
    return gw.t('error.conflict', { who: last.actor === 'system' ? gw.t('actor.system') : last.actor, when: gw.clock(Date.parse(last.at)),
      state: gw.word('state', now.body.state) || state, what: gw.word('event', last.kind) });
  }
  /* What stands in the way; alarms by device and reason, as `refusal_text` of the server has them. */
  gw.refusal = function (current) {
    const named = (current.alarms || []).map(a => {
      const facts = { device: a.device || a.condition, reason: gw.reason(a.reason) };
      if (current.refused !== 'alarm_latched') return gw.t('alarm.named', facts);
      facts.who = gw.word('role', a.release_role || 'gas_engineer');
      if (!a.releasable_at) return gw.t('alarm.named_latched', facts);
      return gw.t('alarm.named_latched_from', { ...facts, at: gw.dayAndClock(Date.parse(a.releasable_at)) });
    });
    return gw.page.texts['refusal.' + current.refused] ? gw.t('refusal.' + current.refused, { alarms: named.join('; ') }) : current.refused;
  };

  /* Somebody has seen an alarm: the picture at hand knows its version. */
  gw.acknowledge = async function (id) {
    const alarm = gw.live.alarms.get(id);
    if (!alarm) return;
    const answer = await gw.send('POST', `/api/v1/alarms/${id}/acknowledge`, { version: alarm.version }, gw.newKey());
    if (answer.ok) gw.notice(gw.t('alarm.acknowledged')); else gw.notice(await gw.problem(answer), 'bad');
  };

  /* One press, one change: a button that is busy does not answer. */
  gw.once = async function (button, work) {
    if (button.dataset.busy) return;
    button.dataset.busy = '1';
    button.setAttribute('aria-disabled', 'true');
    try { await work(); } finally {
      delete button.dataset.busy;
      button.removeAttribute('aria-disabled');
    }
  };

  document.addEventListener('click', event => {
    const out = event.target.closest('[data-sign-out]');
    if (out) gw.once(out, async () => { await gw.send('POST', '/logout', {}); location.href = '/login'; });
  });
})();
