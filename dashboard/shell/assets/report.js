/* Report a matter by hand: pick the place on the map first, then say what it is. */
(function () {
  'use strict';
  const gw = window.gw;

  gw.reportMatter = function () {
    if (gw.picking) return;
    const map = gw.map.leaflet, box = map.getContainer();
    const bar = gw.el('div', 'gw-pick-bar', gw.t('report.pick'), { role: 'status' });
    box.append(bar);
    box.classList.add('gw-picking');
    box.focus();
    gw.picking = true;
    const stop = () => {
      gw.picking = false;
      bar.remove(); box.classList.remove('gw-picking');
      map.off('click', onClick); document.removeEventListener('keydown', onKey, true);
    };
    const take = at => { stop(); ask(at.lng, at.lat); };
    const onClick = e => take(e.latlng);
    const onKey = e => {
      if (e.key === 'Escape') { e.preventDefault(); stop(); }
      if (e.key === 'Enter') { e.preventDefault(); e.stopPropagation(); take(map.getCenter()); }
    };
    map.on('click', onClick);
    document.addEventListener('keydown', onKey, true);
  };

  function ask(lon, lat) {
    const key = gw.newKey();
    const sources = ['hotline', 'patrol', 'leader'].map(s => [s, gw.word('source', s)]);
    gw.dialog({ title: gw.t('report.title'), fields: [
      { name: 'category', type: 'select', required: true, options: gw.categories() },
      { name: 'description', type: 'long', required: true },
      { name: 'source', type: 'select', required: true, options: sources },
      { name: 'reporter', type: 'text', hint: gw.t('report.reporter_hint') },
      { name: 'lon', type: 'number', required: true, value: lon.toFixed(6), hint: gw.t('report.location_hint') },
      { name: 'lat', type: 'number', required: true, value: lat.toFixed(6) },
    ], submit: async values => {
      const answer = await gw.send('POST', '/api/v1/incidents', values, key);
      if (!answer.ok) return gw.problem(answer);
      gw.notice(gw.t('report.done', { number: answer.body.number }));
      gw.live.reload();
      gw.select(answer.body.id, 'report');
      return '';
    } });
  }
})();
