/* Quarantine: choosing a group and a message, and replaying one or many. What is chosen stands in
   the address, so that it can be sent to somebody and other pages can lead here. */
(function () {
  'use strict';
  const gw = window.gw;
  const EVERY_MS = 15000, NAMES = ['format', 'device', 'reason'];
  let n = 0;
  const tick = () => gw.setProp('quarantine-tick', ++n, 'data');

  function choose(group) {
    const query = new URLSearchParams(group).toString();
    history.replaceState(null, '', location.pathname + (query ? '?' + query : ''));
    gw.setProp('quarantine-group', group, 'data');
  }
  function groupOf(element) {
    const group = {};
    for (const name of NAMES) if (element.dataset[name] !== undefined) group[name] = element.dataset[name];
    return group;
  }

  function outcome(total) {
    const refused = Object.entries(total.refused).map(([reason, count]) => `${gw.word('refused', reason)} ${gw.number(count)}`);
    const gaps = { stored: gw.number(total.stored), refused: refused.join(' · '), missed: gw.number(total.missed), example: total.example };
    if (!refused.length && !total.missed) return gw.t('quarantine.done', gaps);
    if (!refused.length) return gw.t('quarantine.done_missed', gaps);
    return gw.t('quarantine.done_refused', gaps);
  }
  function add(total, part) {
    total.stored += part.stored;
    total.missed += part.missed;
    total.example = total.example || part.example;
    for (const reason in part.refused) total.refused[reason] = (total.refused[reason] || 0) + part.refused[reason];
  }
  gw.replayed = { add, outcome };
  function problem(answer) {
    if (answer.status === 409) return Promise.resolve(gw.t('quarantine.not_possible'));
    if (answer.status === 404) return Promise.resolve(gw.t('quarantine.gone'));
    return gw.problem(answer);
  }

  /* A group goes in steps; the button says how far it is. */
  async function replay(button, url, body) {
    const label = button.textContent, total = { stored: 0, missed: 0, refused: {}, example: '' };
    for (let next = 0; next !== null;) {
      const answer = await gw.send('POST', url, body && { ...body, after: next });
      if (!answer.ok) { gw.notice(await problem(answer), 'bad'); break; }
      add(total, answer.body);
      next = body ? answer.body.next : null;
      const done = total.stored + total.missed + Object.values(total.refused).reduce((a, b) => a + b, 0);
      if (next === null) gw.notice(outcome(total), total.stored ? 'good' : 'bad');
      else button.textContent = gw.t('quarantine.replaying', { n: gw.number(done) });
    }
    button.textContent = label;
    tick();
  }

  document.addEventListener('click', event => {
    if (gw.started !== 'quarantine') return;
    const pressed = event.target.closest('[data-choose],[data-reject],[data-replay-reject],[data-replay-group]');
    if (!pressed) return;
    const d = pressed.dataset;
    if (d.choose) { choose(groupOf(pressed)); bring('quarantine-list'); }
    if (d.reject) { mark(pressed); gw.setProp('quarantine-selected', Number(d.reject), 'data'); bring('quarantine-detail'); }
    if (d.replayReject) gw.once(pressed, () => replay(pressed, `/api/v1/rejects/${d.replayReject}/replay`));
    if (d.replayGroup) gw.once(pressed, () => replay(pressed, '/api/v1/rejects/replay', groupOf(pressed)));
  });
  function mark(pressed) {
    for (const e of document.querySelectorAll('[data-reject][aria-current]')) e.removeAttribute('aria-current');
    pressed.setAttribute('aria-current', 'true');
  }
  /* Below each other on a phone: what was chosen comes into view. */
  function bring(id) {
    if (innerWidth > 900) return;
    document.getElementById(id).scrollIntoView({ behavior: gw.calm() ? 'auto' : 'smooth', block: 'start' });
  }

  /* What speaks of gas stands above everything until somebody says what became of it. */
  let gas = [];
  async function showGas() {
    const answer = await gw.send('GET', '/api/v1/rejects/gas');
    if (!answer.ok) return;
    gas = answer.body.items;
    const host = document.getElementById('quarantine-gas');
    host.hidden = !gas.length;
    const cell = (of, text) => gw.el('span', 'gw-refused-' + of, text);
    host.replaceChildren(
      gw.el('h3', '', gw.t('quarantine.gas', { n: gw.number(gas.length) })),
      gw.el('ul', '', gas.map(g => gw.el('li', '', [
        gw.el('strong', '', g.gas === 'gas_alarm' ? gw.word('metric', g.gas) : g.gas), cell('device', g.device || '—'), cell('why', gw.word('refused', g.reason)),
        cell('topic', g.topic), gw.el('time', '', gw.dayAndClock(Date.parse(g.received_at)))]))),
      gw.el('button', 'gw-button primary', gw.t('quarantine.gas_seen'), { type: 'button', 'data-gas-seen': 'yes' }));
  }
  function seen() {
    const key = gw.newKey();
    gw.dialog({ title: gw.t('quarantine.gas_seen'), note: gw.t('quarantine.gas_note'), fields: [{ name: 'note', type: 'long', required: true }],
      submit: async values => {
        const answer = await gw.send('POST', '/api/v1/rejects/gas/seen', { up_to: Math.max(...gas.map(g => g.id)), note: values.note }, key);
        if (!answer.ok) return gw.problem(answer);
        showGas();
        return '';
      } });
  }

  gw.screens.quarantine = function () {
    gw.showStatus();
    gw.live.start();
    showGas();
    gw.live.on('faults', showGas);
    gw.every(EVERY_MS, showGas);
    document.getElementById('quarantine-gas').addEventListener('click', e => { if (e.target.closest('[data-gas-seen]')) seen(); });
    const asked = new URLSearchParams(location.search), group = {};
    for (const name of NAMES) if (asked.has(name)) group[name] = asked.get(name);
    if (Object.keys(group).length) gw.setProp('quarantine-group', group, 'data');
    setInterval(() => { if (!document.hidden && !document.querySelector('[data-busy]')) tick(); }, EVERY_MS);
  };
})();
