/* Cases: asks while somebody types; an answer that was overtaken is thrown away. */
(function () {
  'use strict';
  const gw = window.gw;
  const $ = id => document.getElementById(id);
  const PAUSE_MS = 180, PAGE = 50;
  const OPEN = { all: '', open: '&open=true', over: '&open=false' };
  let filter = 'all', asked = 0, next = null, typing = 0;

  const field = () => $('cases-query');
  const note = text => gw.setText($('cases-note'), text);

  gw.screens.cases = function () {
    gw.showStatus();
    gw.live.start();
    const given = new URLSearchParams(location.search).get('q');
    if (given) field().value = given;
    field().addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => look(false), PAUSE_MS); });
    field().addEventListener('keydown', e => {
      if (e.key === 'Enter') { clearTimeout(typing); look(false); }
      if (e.key === 'ArrowDown') { const first = document.querySelector('#cases-list a'); if (first) { e.preventDefault(); first.focus(); } }
    });
    document.addEventListener('keydown', e => {
      if (e.key === '/' && !e.target.closest('input, textarea')) { e.preventDefault(); field().focus(); field().select(); }
    });
    document.addEventListener('click', e => {
      const chip = e.target.closest('[data-cases]');
      if (chip) choose(chip.dataset.cases);
      if (e.target.closest('#cases-more')) look(true);
    });
    look(false);
  };

  function choose(name) {
    filter = name;
    for (const chip of document.querySelectorAll('[data-cases]')) chip.setAttribute('aria-pressed', String(chip.dataset.cases === name));
    look(false);
  }

  async function look(more) {
    const q = field().value.trim(), turn = ++asked, began = performance.now();
    const search = q ? '&q=' + encodeURIComponent(q) : '';
    const answer = await gw.send('GET', `/api/v1/incidents?limit=${PAGE}${search}${OPEN[filter]}${more && next ? '&cursor=' + encodeURIComponent(next) : ''}`);
    if (turn !== asked) return;
    history.replaceState(null, '', q ? '?q=' + encodeURIComponent(q) : location.pathname);
    if (!answer.ok) { if (!more) $('cases-list').replaceChildren(); $('cases-more').hidden = true; note(await gw.problem(answer)); return; }
    next = answer.body.next;
    const rows = answer.body.items.map(i => draw(i, q));
    if (more) $('cases-list').append(...rows); else $('cases-list').replaceChildren(...rows);
    $('cases-more').hidden = !next;
    const count = $('cases-list').children.length;
    note(!count ? gw.t(q ? 'cases.none' : 'cases.empty', { q }) : gw.t(next ? 'cases.first' : 'cases.found', { n: gw.number(count), ms: gw.number(Math.round(performance.now() - began)) }));
  }

  function draw(i, q) {
    const title = mark(gw.placeName(gw.pick(i, 'title')), q), place = gw.place(i);
    const facts = [place, gw.placeName(gw.pick(i, 'squad')), i.device, gw.dayAndClock(Date.parse(i.opened_at))].filter(Boolean);
    const body = [
      gw.el('span', 'gw-sev', gw.word('severity_mark', i.severity), { 'data-severity': i.severity, title: gw.word('severity', i.severity) }),
      gw.el('span', 'gw-cases-what', [gw.el('b', '', title), gw.el('span', 'gw-cases-facts', [gw.el('span', 'gw-number', mark(i.number, q)), ...facts.map(text => gw.el('span', '', mark(text, q)))])]),
      gw.el('span', 'gw-cases-state', gw.word('state', i.state), { 'data-open': String(!['closed', 'rejected', 'cancelled', 'merged'].includes(i.state)) }),
    ];
    const opens = document.querySelector('nav a[href="/console"]');
    return gw.el('li', '', [gw.el(opens ? 'a' : 'div', 'gw-cases-row', body, opens ? { href: '/console#' + i.id } : {})]);
  }

  /* The words that were typed, where they stand in the text; what was found by its sound is not marked. */
  function mark(text, q) {
    const words = q.split(/\s+/).filter(Boolean).map(w => w.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    if (!words.length || !text) return [text || ''];
    return text.split(new RegExp(`(${words.join('|')})`, 'gi')).map((piece, n) => (n % 2 ? gw.el('mark', '', piece) : piece));
  }
})();
