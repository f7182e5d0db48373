/* The KPI board needs the live picture only to say whether the server is there. */
(function () {
  'use strict';
  const gw = window.gw;
  gw.screens.kpi = function () {
    gw.showStatus();
    gw.live.start();
    document.addEventListener('click', event => {
      const count = event.target.closest('.gw-kpi-count');
      if (count) gw.once(count, () => openCases(count));
    });
  };

  /* The cases behind a count, below the table. */
  async function openCases(count) {
    const period = count.closest('.gw-kpi-table').dataset, host = document.getElementById('gw-kpi-cases');
    const asked = new URLSearchParams({ from: period.from, to: period.to, by: period.by, figure: count.dataset.figure });
    if (count.dataset.key !== undefined) asked.set('key', count.dataset.key);
    const answer = await gw.send('GET', '/api/v1/kpi/cases?' + asked);
    if (!answer.ok || !host) return;
    const items = answer.body.items, n = items.length;
    const console_ = document.querySelector('nav a[href="/console"]');
    host.replaceChildren(
      gw.el('h3', '', gw.t(n < 500 ? 'kpi.cases_of' : 'kpi.cases_first', { figure: gw.t('kpi.' + count.dataset.figure), n })),
      gw.el('ul', 'gw-kpi-cases', items.map(item => gw.el('li', '', [
        gw.el(console_ ? 'a' : 'b', '', item.number, console_ ? { href: '/console#' + item.id } : {}), ' ',
        gw.pick(item, 'title'), ' ', gw.el('small', '', gw.dayAndClock(Date.parse(item.at)) + ' · ' + gw.word('state', item.state)),
      ]))));
    host.hidden = false;
    host.scrollIntoView({ block: 'nearest' });
  }
})();
