/* Whoever works alone: "I am fine" every so many minutes, and a call for help that nobody hears here. */
(function () {
  'use strict';
  const gw = window.gw;
  const HOLD_MS = 2000, MINUTES = [5, 10, 15, 30, 60];
  const $ = id => document.getElementById(id);
  let row = null; // the running check-in as the server last said

  const left = () => (row && row.due_at ? Date.parse(row.due_at) - gw.now() : null);
  function place() {
    const here = gw.phone.here;
    return here ? { lon: here.lon, lat: here.lat } : {};
  }

  function words() {
    const waits = gw.outbox.items.some(i => i.kind === 'fine');
    if (waits) return gw.t('phone.fine_waits');
    const ms = left();
    if (ms === null || ms < 0) return gw.t('phone.fine_missed');
    return gw.t('phone.fine_in', { left: gw.countdown(ms) });
  }

  function draw() {
    const host = $('alone');
    if (!row) {
      host.dataset.state = 'off';
      host.replaceChildren(gw.el('button', 'gw-button', gw.t('phone.alone_begin'), { type: 'button', 'data-alone': 'begin' }));
      return;
    }
    host.dataset.state = 'on';
    host.replaceChildren(gw.el('output', '', words()),
      gw.el('div', 'gw-actions', [gw.el('button', 'gw-button primary', gw.t('phone.fine'), { type: 'button', 'data-alone': 'fine' }),
        gw.el('button', 'gw-button', gw.t('phone.alone_end'), { type: 'button', 'data-alone': 'end' })]));
  }
  function tick() {
    const e = document.querySelector('#alone output'), ms = left();
    if (!e) return;
    gw.setText(e, words());
    $('alone').dataset.due = ms !== null && ms < 60000 ? 'soon' : 'later';
  }

  gw.takeCheckIn = function (found) { row = found; draw(); };

  function begin() {
    gw.dialog({ title: gw.t('phone.alone_begin'), note: gw.t('phone.alone_note'), fields: [{ name: 'every_minutes', label: gw.t('phone.alone_every'), type: 'select', value: '15', required: true,
      options: MINUTES.map(n => [String(n), gw.t('time.minutes', { n })]) }],
    submit: async values => {
      const answer = await gw.send('POST', '/api/v1/check-in', { every_minutes: Number(values.every_minutes), ...place() }, gw.newKey());
      if (!answer.ok) return answer.status === 0 ? gw.t('phone.alone_no_signal') : gw.problem(answer);
      gw.takeCheckIn(answer.body);
      return '';
    } });
  }
  async function end() {
    const answer = await gw.send('POST', '/api/v1/check-in/end', undefined, gw.newKey());
    if (!answer.ok) { gw.notice(answer.status === 0 ? gw.t('phone.alone_no_signal') : await gw.problem(answer), 'bad'); return; }
    gw.takeCheckIn(null);
  }
  const fine = () => gw.outbox.add({ kind: 'fine', url: '/api/v1/check-in/fine', label: gw.t('phone.fine'), body: place() });

  /* Held for two seconds; the phone shows and says nothing of it. */
  function duress(button) {
    let timer = 0, called = false;
    const onSite = () => (gw.phone.tasks || []).find(task => gw.cards.state(task) === 'on_site');
    const start = e => {
      if (timer || (e.type === 'keydown' && ![' ', 'Enter'].includes(e.key))) return;
      if (e.type === 'keydown') e.preventDefault();
      button.dataset.held = 'yes';
      called = false;
      timer = setTimeout(() => {
        stop();
        called = true;
        const task = onSite();
        gw.outbox.add({ kind: 'duress', url: '/api/v1/distress-calls', label: '', body: { ...place(), ...(task ? { incident_id: task.id } : {}) } });
      }, HOLD_MS);
    };
    const stop = () => { clearTimeout(timer); timer = 0; delete button.dataset.held; };
    for (const name of ['pointerdown', 'keydown']) button.addEventListener(name, start);
    for (const name of ['pointerup', 'pointerleave', 'pointercancel', 'keyup', 'blur']) button.addEventListener(name, stop);
    button.addEventListener('contextmenu', e => e.preventDefault()); // a long press is not a menu here
    button.addEventListener('click', e => { if (e.detail && !called) gw.notice(gw.t('phone.duress_how')); });
  }

  gw.startAlone = function () {
    if (!gw.page.user.squad) { $('duress').hidden = $('alone').hidden = true; return; }
    duress($('duress'));
    document.addEventListener('click', e => {
      const b = e.target.closest('[data-alone]');
      if (!b) return;
      if (b.dataset.alone === 'begin') begin();
      if (b.dataset.alone === 'fine') fine();
      if (b.dataset.alone === 'end') gw.once(b, end);
    });
    gw.outbox.on(tick);
    gw.every(1000, tick);
    draw();
  };
})();
