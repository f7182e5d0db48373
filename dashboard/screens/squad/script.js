/* The squad's phone: it opens, shows the tasks and takes what is done also without a server. */
(function () {
  'use strict';
  const gw = window.gw;
  const EARTH_M = 6371008.8, RAD = Math.PI / 180;
  const CLOCK_OFF_MS = 120000; // below that nobody needs to hear of it
  const $ = id => document.getElementById(id);
  const phone = (gw.phone = { tasks: null, steps: [], squad: gw.page.user && gw.page.user.squad, at: 0, offset: null, here: null });

  /* Metres and compass bearing from one place to another. */
  gw.way = function (from, to) {
    const a1 = from.lat * RAD, a2 = to.lat * RAD, dl = (to.lon - from.lon) * RAD;
    const h = Math.sin((a2 - a1) / 2) ** 2 + Math.cos(a1) * Math.cos(a2) * Math.sin(dl / 2) ** 2;
    const bearing = Math.atan2(Math.sin(dl) * Math.cos(a2), Math.cos(a1) * Math.sin(a2) - Math.sin(a1) * Math.cos(a2) * Math.cos(dl)) / RAD;
    return { metres: 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h))), bearing: (bearing + 360) % 360 };
  };
  gw.wayText = function ({ metres, bearing }) {
    const far = metres < 950 ? gw.t('squad.metres', { n: Math.round(metres / 10) * 10 }) : gw.t('squad.km', { km: (metres / 1000).toFixed(1) });
    return far + ' ' + gw.t('compass.' + Math.round(bearing / 45) % 8);
  };

  /* What an event says of when it was done, beside its own time, which is that of the receipt. */
  gw.actTime = function ({ payload }) {
    if (!payload || !payload.acted_at) return '';
    const at = text => gw.dayAndClock(Date.parse(text));
    if (payload.acted_at_doubt) return gw.t('acted.doubt', { said: at(payload.acted_at_said), why: gw.word('act_doubt', payload.acted_at_doubt) });
    return gw.t(payload.phone_clock_off_s ? 'acted.corrected' : 'acted.at', { at: at(payload.acted_at) });
  };

  /* --- place -------------------------------------------------------------------------------- */
  /* A browser gives its place only over HTTPS or on localhost; the squad's own report is the way out. */
  function place() {
    const own = gw.live.squads.get(gw.page.user.squad);
    return phone.here || (own && own[3] !== null ? { lon: own[3], lat: own[4] } : null);
  }
  function showWays() {
    const from = place();
    for (const e of document.querySelectorAll('.gw-way-far')) {
      if (!from) continue;
      const way = gw.way(from, { lon: Number(e.dataset.lon), lat: Number(e.dataset.lat) });
      gw.setText(e.querySelector('b'), gw.wayText(way));
      e.querySelector('i').style.transform = `rotate(${way.bearing}deg)`;
    }
  }
  function watchPlace() {
    if (!navigator.geolocation || !window.isSecureContext) return;
    const refused = error => { if (error.code === 1) $('no-place').hidden = false; };
    navigator.geolocation.watchPosition(p => { phone.here = { lon: p.coords.longitude, lat: p.coords.latitude }; $('no-place').hidden = true; showWays(); }, refused, { maximumAge: 30000, timeout: 20000 });
  }

  /* --- tasks -------------------------------------------------------------------------------- */
  function draw() {
    gw.cards.draw($('tasks'), phone);
    bar();
    showWays();
    gw.tickDue();
  }

  function take(found, at, offset) {
    Object.assign(phone, { tasks: found.tasks, steps: found.steps, at, offset });
    gw.setText($('squad-name'), gw.placeName(gw.pick(found, 'squad')) || gw.t('squad.title'));
    gw.takeCheckIn(found.check_in);
    draw();
  }

  const FIRST_RETRY_MS = 2000, LAST_RETRY_MS = 30000;
  let loading = false, again = false, retry = FIRST_RETRY_MS;
  async function load() {
    if (loading) { again = true; return; }
    loading = true;
    const asked = Date.now(), answer = await gw.send('GET', '/live/tasks'), back = Date.now();
    loading = false;
    if (answer.ok && answer.body && answer.body.tasks) {
      retry = FIRST_RETRY_MS;
      if (answer.body.person !== gw.page.user.name) { location.reload(); return; } // somebody else has signed in
      const offset = Math.round(answer.body.now - (asked + back) / 2);
      take(answer.body, answer.body.now, offset);
      await gw.store.keep('tasks', { person: gw.page.user.name, at: answer.body.now, offset, found: answer.body }).catch(() => {});
      gw.outbox.signedOut = false;
      if (gw.outbox.unsent()) gw.outbox.run();
    } else if (gw.live.state === 'live' && (answer.status === 0 || answer.status === 429 || answer.status >= 500)) { // the next picture asks again only after a lost link
      tasks(retry);
      retry = Math.min(2 * retry, LAST_RETRY_MS);
    }
    if (again) { again = false; load(); }
  }
  let soon = 0;
  function tasks(wait = 250) { // several changes in a moment are one reading
    clearTimeout(soon);
    soon = setTimeout(load, wait);
  }
  const shown = id => document.querySelector(`.gw-task[data-incident="${id}"]`);
  const mine = rows => rows.some(i => i.squad === gw.page.user.squad || shown(i.id));

  /* --- what is not sent --------------------------------------------------------------------- */
  function bar() {
    const n = gw.outbox.unsent(), asks = gw.outbox.items.filter(i => i.state === 'asking').length, rows = [];
    if (n && gw.outbox.signedOut) rows.push(gw.el('a', '', gw.t('phone.sign_in_to_send', { n, name: gw.page.user.name }), { href: '/login?next=/squad' }));
    else if (n) rows.push(gw.t(gw.live.state === 'live' && gw.outbox.sending ? 'phone.sending' : 'phone.waiting', { n }));
    if (asks) rows.push(gw.t('phone.asking', { n: asks }));
    if (gw.outbox.others) rows.push(gw.t('phone.others', { n: gw.outbox.others }));
    if (phone.offset !== null && Math.abs(phone.offset) > CLOCK_OFF_MS) rows.push(gw.t(phone.offset > 0 ? 'phone.clock_behind' : 'phone.clock_ahead', { by: gw.age(Math.abs(phone.offset)) }));
    const host = $('phone-bar'), key = rows.map(r => (r.textContent !== undefined ? r.textContent : r)).join('|');
    host.hidden = !rows.length;
    if (host.said === key) return;
    host.said = key;
    host.replaceChildren(...rows.map(r => gw.el('p', '', r)));
  }

  /* --- what is done ------------------------------------------------------------------------- */
  const taskOf = element => { const host = element.closest('[data-incident]'); return host && phone.tasks.find(t => t.id === Number(host.dataset.incident)); };
  const about = task => ({ incident: task.id, title: gw.pick(task, 'title') });
  const photoLabel = stage => gw.word('evidence', stage);

  async function keepFile(task, stage, file) {
    const made = await gw.photoFile.prepare(file);
    await gw.outbox.add({ ...about(task), kind: 'file', url: `/api/v1/incidents/${task.id}/evidence`, label: photoLabel(stage), stage, ...made });
  }
  const files = ['photo_before', 'photo_after', 'check_photo'];
  async function keepAction(task, button, values) {
    const { action, from, to } = button, body = { action, version: task.version + gw.outbox.of(task.id).filter(i => i.kind === 'action').length };
    try {
      for (const stage of files) if (values[stage]) await keepFile(task, stage, values[stage]);
    } catch (error) { if (error.words) return error.words; throw error; }
    for (const name of ['note', 'reason', 'until']) if (values[name]) body[name] = values[name];
    await gw.outbox.add({ ...about(task), kind: 'action', url: `/api/v1/incidents/${task.id}/actions`, label: gw.word('action', action), from, to, body });
    return '';
  }
  function act(button) {
    const task = taskOf(button), { action, from, to } = button.dataset;
    const fields = (button.dataset.fields || '').split(' ').filter(Boolean).map(text => {
      const name = text.replace('*', ''), type = files.includes(name) ? 'photo' : name === 'until' ? 'when' : 'long';
      return { name, type, required: text.endsWith('*'), ...(type === 'photo' ? { label: photoLabel(name) } : {}) };
    });
    const go = { action, from, to };
    if (!fields.length) { gw.once(button, () => keepAction(task, go, {})); return; }
    gw.dialog({ title: gw.word('action', action), note: button.dataset.note || gw.pick(task, 'title'), fields, submit: values => keepAction(task, go, values) });
  }
  function photo(button) {
    const task = taskOf(button), stage = button.dataset.photo;
    gw.dialog({ title: photoLabel(stage), fields: [{ name: stage, label: photoLabel(stage), type: 'photo', required: true }], button: gw.t('photo.send'),
      submit: async values => {
        try { await keepFile(task, stage, values[stage]); } catch (error) { if (error.words) return error.words; throw error; }
        return '';
      } });
  }
  const voice = task => gw.recordVoice((file, filename) => gw.outbox.add({ ...about(task), kind: 'file', url: `/api/v1/incidents/${task.id}/evidence`,
    label: photoLabel('voice_note'), stage: 'voice_note', file, filename }));

  phone.sent = function (item, answer) {
    if (item.kind === 'fine') gw.takeCheckIn(answer);
    if (item.kind === 'action') gw.notice(gw.t(answer.waiting ? 'action.asked' : 'action.done', { action: item.label, id: answer.approval || '' }));
    tasks();
  };

  /* --- leaving ------------------------------------------------------------------------------ */
  async function leave() {
    const answer = await gw.send('POST', '/logout', {});
    if (answer.status === 0) { gw.notice(gw.t('phone.sign_out_no_signal'), 'bad'); return false; }
    for (const item of gw.outbox.items) await gw.store.remove(item.seq);
    await gw.store.forget('tasks');
    const worker = navigator.serviceWorker && navigator.serviceWorker.controller;
    if (worker) await new Promise(resolve => { const line = new MessageChannel(); line.port1.onmessage = resolve; setTimeout(resolve, 1000); worker.postMessage('forget', [line.port2]); });
    location.href = '/login';
    return true;
  }
  function signOut() {
    const n = gw.outbox.items.length;
    if (!n) { leave(); return; }
    gw.dialog({ title: gw.t('phone.sign_out_unsent', { n }), note: gw.t('phone.sign_out_note'), fields: [], button: gw.t('phone.sign_out_anyway'),
      submit: async () => ((await leave()) ? '' : gw.t('phone.sign_out_no_signal')) });
  }

  /* --- the page ----------------------------------------------------------------------------- */
  gw.tab = function (name) {
    for (const b of document.querySelectorAll('[data-tab]')) { b.setAttribute('aria-selected', String(b.dataset.tab === name)); b.tabIndex = b.dataset.tab === name ? 0 : -1; }
    for (const p of document.querySelectorAll('[data-panel]')) p.hidden = p.dataset.panel !== name;
    if (name === 'map') gw.showMap();
    scrollTo(0, 0);
  };

  function install() {
    if (matchMedia('(display-mode: standalone)').matches) return;
    const host = $('install');
    const hint = !window.isSecureContext ? 'phone.install_needs_tls' : /iPhone|iPad/.test(navigator.userAgent) ? 'phone.install_ios' : '';
    if (hint) { host.hidden = false; host.replaceChildren(gw.el('p', '', gw.t(hint))); }
    addEventListener('beforeinstallprompt', e => {
      e.preventDefault();
      const button = gw.el('button', 'gw-button', gw.t('phone.install'), { type: 'button' });
      button.onclick = async () => { await e.prompt(); host.hidden = true; };
      host.hidden = false;
      host.replaceChildren(gw.el('p', '', gw.t('phone.install_why')), button);
    });
  }
  function register() {
    if (!navigator.serviceWorker) return; // no HTTPS: it works with signal only, and says so above
    navigator.serviceWorker.register('/squad/worker.js', { scope: '/squad', updateViaCache: 'none' }).catch(() => {});
    if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(() => {});
  }

  const PRESSES = {
    '[data-tab]': b => gw.tab(b.dataset.tab), '[data-action]': act, '[data-photo]': photo, '[data-voice]': b => voice(taskOf(b)), '[data-way]': b => gw.showWay(taskOf(b)),
    '[data-decide]': b => gw.once(b, () => gw.outbox.decide(Number(b.dataset.seq), b.dataset.decide)), '[data-leave]': signOut,
  };
  function press(e) {
    for (const [what, work] of Object.entries(PRESSES)) {
      const found = e.target.closest(what);
      if (found) { work(found); return; }
    }
  }
  function arrows(e) {
    const tabs = [...document.querySelectorAll('[data-tab]')], at = tabs.indexOf(e.target), by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (at < 0 || !by) return;
    const next = tabs[(at + by + tabs.length) % tabs.length];
    next.focus();
    gw.tab(next.dataset.tab);
  }

  async function begin() {
    document.addEventListener('click', press);
    document.addEventListener('keydown', arrows);
    gw.showStatus();
    gw.startAlone();
    const kept = await gw.store.kept('tasks').catch(() => null);
    if (kept && kept.person === gw.page.user.name) {
      gw.offset = kept.offset;
      gw.live.at = kept.at; // "picture from …" until the server says something
      take(kept.found, kept.at, kept.offset);
    }
    gw.outbox.on(draw);
    await gw.outbox.start().catch(() => gw.notice(gw.t('phone.no_store'), 'bad'));
    gw.live.on('snapshot', () => { showWays(); tasks(); });
    gw.live.on('link', state => { bar(); if (state === 'live') gw.outbox.run(); });
    gw.live.on('change', c => {
      if (c.kinds.includes('incident.step_answered') || mine(c.incidents) || c.gone.some(shown)) tasks();
      if (c.squads.length) showWays();
    });
    gw.every(1000, gw.tickDue);
    gw.every(30000, bar);
    watchPlace();
    install();
    register();
    load();
    gw.live.start();
  }
  if (document.getElementById('gw-phone')) begin();
})();
