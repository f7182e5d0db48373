/* What was done without signal and goes to the server alone, in order, when there is one. An item:
   {seq, person, kind: action|file|step|fine|duress, key, url, incident, label, title, acted_at, offset_ms,
   body or form, from, to, state: waiting|asking, problem, choices}. */
(function () {
  'use strict';
  const gw = window.gw;
  const OFFSET_MOST_MS = 2 ** 31 - 1; // a clock of 1970: how long ago it was is right all the same
  const AGAIN_MS = 15000, TIMEOUT_MS = 20000, FILE_TIMEOUT_MS = 120000, STALE_TRIES = 5;
  const HARMLESS = ['acknowledge', 'arrive']; // says nothing but the state that the case is in already
  const box = (gw.outbox = { items: [], others: 0, sending: false, signedOut: false, listeners: [] });
  const me = () => gw.page.user.name;

  box.on = fn => box.listeners.push(fn);
  async function changed() {
    const all = await gw.store.all();
    box.items = all.filter(i => i.person === me());
    box.others = all.length - box.items.length;
    for (const fn of box.listeners) fn();
  }
  box.refresh = changed;

  /* A call for help first, then as it was done. */
  box.order = items => [...items].sort((a, b) => (b.kind === 'duress') - (a.kind === 'duress') || a.seq - b.seq);
  /* Where a case is once what waits has arrived. */
  box.stateAfter = (state, items) => items.reduce((s, i) => (i.kind === 'action' && i.state === 'waiting' && i.from === s ? i.to : s), state);
  box.of = incident => box.items.filter(i => i.incident === incident);
  /* What the person is told of: a call for help is silent on the phone. */
  box.unsent = () => box.items.filter(i => i.state === 'waiting').length;

  /* What an answer means for an item: done, already, again (on the new version), later, who, ask. */
  box.verdict = function (answer, item, squad) {
    const current = (answer.body || {}).current || {};
    if (answer.ok) return 'done';
    if (answer.status === 0 || answer.status >= 500 || [408, 425, 429].includes(answer.status)) return 'later';
    if (answer.status === 401) return 'who';
    if (item.kind === 'fine' && answer.status === 409) return 'over';
    // What was found stays true whatever else has happened to the case since.
    if (item.kind === 'step' && answer.status === 409 && !current.refused && current.squad === squad && current.version !== item.body.version) return 'again';
    if (item.kind !== 'action' || answer.status !== 409 || current.refused || current.squad !== squad) return 'ask';
    if (current.state === item.from && current.version !== item.body.version) return 'again';
    return current.state === item.to && HARMLESS.includes(item.body.action) ? 'already' : 'ask';
  };

  /* Kept first, sent then: the same double tap is one item. */
  box.add = async function (item) {
    const full = { person: me(), key: gw.newKey(), acted_at: new Date().toISOString(), offset_ms: gw.phone.offset, state: 'waiting', tries: 0, ...item };
    const same = i => i.kind === 'action' && full.kind === 'action' && i.incident === full.incident && i.from === full.from && i.body.action === full.body.action && full.from !== full.to;
    if (box.items.some(same)) return;
    try {
      await gw.store.add(full);
    } catch {
      gw.notice(gw.t('phone.no_room'), 'bad');
      return;
    }
    await changed();
    box.run();
  };

  async function send(item) {
    const headers = { Accept: 'application/json', 'X-CSRFToken': gw.cookie('_csrf_token'), 'Idempotency-Key': item.key,
      'Sent-At': new Date().toISOString(), 'Sent-As': encodeURIComponent(item.person) };
    const time = { acted_at: item.acted_at, ...(item.offset_ms === null || Math.abs(item.offset_ms) > OFFSET_MOST_MS ? {} : { clock_offset_ms: item.offset_ms }) };
    let body;
    if (item.kind === 'file') {
      body = new FormData();
      for (const [name, value] of Object.entries({ stage: item.stage, ...time })) body.append(name, value);
      body.append('file', item.file, item.filename);
    } else {
      headers['Content-Type'] = 'application/json';
      body = JSON.stringify({ ...item.body, ...time });
    }
    try {
      const answer = await fetch(item.url, { method: 'POST', headers, body, credentials: 'same-origin', signal: AbortSignal.timeout(item.kind === 'file' ? FILE_TIMEOUT_MS : TIMEOUT_MS) });
      const text = await answer.text();
      let found = null;
      try { found = JSON.parse(text); } catch { /* a proxy's page */ }
      return { ok: answer.ok && found !== null, status: answer.ok && found === null ? 0 : answer.status, body: found };
    } catch { return { ok: false, status: 0, body: null }; }
  }

  /* That the time of the phone was not believed, or was off, in words. */
  function sayTime(item, answer) {
    const events = ((answer.body || {}).events || []).filter(e => e.payload && e.payload.acted_at && e.payload.action === (item.body || {}).action);
    const told = events.length ? events[events.length - 1].payload : {};
    if (told.acted_at_doubt) gw.notice(gw.t('phone.time_of_receipt', { what: item.label, why: gw.word('act_doubt', told.acted_at_doubt) }), 'bad');
    else if (told.phone_clock_off_s) gw.notice(gw.t('phone.time_corrected', { what: item.label, at: gw.dayAndClock(Date.parse(told.acted_at)) }));
  }

  /* One item until it is out of the way; false: nothing more can be sent now. */
  async function one(item) {
    for (let tries = 0; tries < STALE_TRIES; tries++) {
      const answer = await send(item), verdict = box.verdict(answer, item, gw.page.user.squad);
      if (verdict === 'again') { item.body = { ...item.body, version: answer.body.current.version }; await gw.store.put(item); continue; }
      box.signedOut = verdict === 'who';
      if (verdict === 'later' || verdict === 'who') return false;
      if (verdict === 'ask') { await ask(item, answer); return true; }
      await gw.store.remove(item.seq);
      if (verdict === 'already') gw.notice(gw.t('phone.already', { what: item.label, state: gw.word('state', item.to) }));
      else if (verdict === 'over') gw.notice(gw.t('phone.fine_over'), 'bad');
      else { if (item.kind === 'action') sayTime(item, answer); if (gw.phone.sent) gw.phone.sent(item, answer.body); }
      return true;
    }
    return false;
  }

  /* The person decides: what stands in the way, and what can be done about it. */
  async function ask(item, answer) {
    const known = answer.body && answer.body.current ? answer.body : null;
    item.state = 'asking';
    item.problem = await gw.problem(answer, item.incident);
    item.allowed = (known && known.allowed) || [];
    item.seen = (known && known.current) || null;
    await gw.store.put(item);
  }

  async function work() {
    box.sending = true;
    const held = new Set();
    try {
      await changed();
      for (const item of box.order(box.items)) {
        if (item.state !== 'waiting') { if (item.incident) held.add(item.incident); continue; }
        if (item.incident && item.kind !== 'duress' && held.has(item.incident)) continue; // its order is kept
        if (!(await one(item))) break;
        if (item.state === 'asking') held.add(item.incident);
        await changed();
      }
    } finally { box.sending = false; }
    await changed();
  }

  let running = null, more = false;
  box.run = function () {
    if (running) { more = true; return running; }
    // Two pages of one phone: one of them sends.
    const turn = () => (navigator.locks ? navigator.locks.request('gw-outbox', work) : work());
    running = turn().catch(() => {}).then(() => {
      running = null;
      if (more) { more = false; return box.run(); }
      return undefined;
    });
    return running;
  };

  /* What the person decided about an item. */
  box.decide = async function (seq, choice) {
    const item = box.items.find(i => i.seq === seq);
    if (!item) return;
    if (choice === 'drop') await gw.store.remove(seq);
    if (choice === 'again') await gw.store.put({ ...item, state: 'waiting', problem: '', key: gw.newKey(), body: item.body && item.seen ? { ...item.body, version: item.seen.version } : item.body, ...(item.seen ? { from: item.seen.state } : {}) });
    if (choice === 'comment') {
      const note = gw.t('phone.as_comment', { what: item.label, at: gw.dayAndClock(Date.parse(item.acted_at)), note: item.body.note || '' }).trim();
      await gw.store.put({ ...item, state: 'waiting', problem: '', key: gw.newKey(), from: item.seen.state, to: item.seen.state, body: { action: 'comment', version: item.seen.version, note } });
    }
    await changed();
    box.run();
  };

  box.start = async function () {
    await changed();
    addEventListener('online', box.run);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) box.run(); });
    setInterval(() => { if (box.items.some(i => i.state === 'waiting')) box.run(); }, AGAIN_MS);
    box.run();
  };
})();
