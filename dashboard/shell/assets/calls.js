/* Calls for help and missed check-ins: above everything on console and wall until somebody of the
   centre has taken them on. */
(function () {
  'use strict';
  const gw = window.gw;
  const TAKERS = ['admin', 'dispatcher'];

  function row(call, actions) {
    const squad = gw.live.squads.get(call.squad), incident = gw.live.incidents.get(call.incident_id);
    const since = gw.el('time', '', '', { 'data-call-since': call.acted });
    const facts = [call.person, squad ? gw.placeName(squad[gw.page.lang === 'zh' ? 1 : 2]) : call.squad, incident ? `${incident.number} ${gw.place(incident)}` : '',
      call.heard ? gw.t('distress.heard', { at: gw.clock(call.heard) }) : ''].filter(Boolean);
    const buttons = [
      ...(call.lon === null ? [] : [gw.el('button', 'gw-button', gw.t('distress.place'), { type: 'button', 'data-call-place': call.id })]),
      ...(TAKERS.includes(gw.page.user.role) ? [gw.el('button', 'gw-button primary', gw.t('distress.acknowledge'), { type: 'button', 'data-call': call.id })] : [])];
    return gw.el('li', '', [gw.el('strong', '', gw.word('distress', call.kind)), gw.el('span', '', facts.join(' · ')), since, ...(actions ? buttons : [])]);
  }

  let host = null, shown = '', withActions = false;
  function draw() {
    const calls = gw.live.calls, key = JSON.stringify(calls) + gw.live.squads.size;
    host.hidden = !calls.length;
    if (key !== shown) { shown = key; host.replaceChildren(gw.el('ul', '', calls.map(call => row(call, withActions)))); }
    for (const e of host.querySelectorAll('[data-call-since]')) gw.setText(e, gw.t('distress.since', { age: gw.age(gw.now() - e.dataset.callSince) }));
  }

  async function take(button) {
    const answer = await gw.send('POST', `/api/v1/distress-calls/${button.dataset.call}/acknowledge`, { note: '' }, gw.newKey());
    const first = answer.status === 409 && ((answer.body || {}).current || {}).acknowledged_by;
    if (answer.ok) gw.notice(gw.t('distress.acknowledged'));
    else gw.notice(first ? gw.t('distress.taken_by', { who: first }) : await gw.problem(answer), first ? 'good' : 'bad');
  }

  /* `actions`: whether it can be taken on from here; a wall has nobody who could. */
  gw.showCalls = function (actions) {
    withActions = actions;
    host = gw.el('div', 'gw-calls', null, { role: 'alert', id: 'distress-calls' });
    host.hidden = true;
    document.body.append(host);
    gw.live.on('snapshot', draw);
    gw.live.on('change', draw);
    gw.every(1000, draw);
    host.addEventListener('click', e => {
      const b = e.target.closest('[data-call]'), p = e.target.closest('[data-call-place]');
      if (b) gw.once(b, () => take(b));
      if (p) { const call = gw.live.calls.find(c => c.id === Number(p.dataset.callPlace)); if (call) gw.map.focus({ kind: 'place', lon: call.lon, lat: call.lat }, 16); }
    });
  };
})();
