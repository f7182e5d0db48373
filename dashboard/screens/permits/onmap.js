/* Work permits on every map: the place that is asked for, a mark at each cover, a line in its tip; and
   beside a device what was open under which permit. For those who may read permits. */
(function () {
  'use strict';
  const gw = window.gw;
  const READERS = ['admin', 'dispatcher', 'gas_engineer', 'leader', 'squad_leader', 'checker'];
  const LATER_MS = 500, AGAIN_MS = 60_000; // after a burst of changes; permits begin and end by themselves
  const byDevice = new Map(); // code of a device -> the permit that lasts longest
  let layer = null, waiting = 0;
  const mayRead = () => READERS.includes((gw.page.user || {}).role) && !gw.page.user.within; // they are of the whole district

  gw.permitLine = item => gw.t('permits.tip', { code: item.code, who: item.who, until: gw.dayAndClock(Date.parse(item.until_at)) });
  gw.permitOf = code => { const item = byDevice.get(code); return item && gw.permitState(item, gw.now()) === 'open' ? item : null; };
  /* What of permits counts now, by device. */
  gw.permitsByDevice = function (items, now) {
    const found = new Map();
    for (const item of items.filter(one => gw.permitState(one, now) === 'open'))
      for (const code of item.devices) { const known = found.get(code); if (!known || Date.parse(known.until_at) < Date.parse(item.until_at)) found.set(code, item); }
    return found;
  };

  async function load(map) {
    const answer = await gw.send('GET', '/api/v1/permits?state=open&limit=500');
    if (!answer.ok) return; // what is known stays
    const open = answer.body.items.filter(item => gw.permitState(item, gw.now()) === 'open');
    byDevice.clear();
    for (const [code, item] of gw.permitsByDevice(open, gw.now())) byDevice.set(code, item);
    draw(map, open);
  }

  function draw(map, items) {
    layer.clearLayers();
    const colour = gw.css('accent'), line = { pane: 'gwPermits', interactive: false, color: colour, weight: 2, dashArray: '4 4' };
    for (const { place } of items) {
      if (place.radius_m) layer.addLayer(L.circle([place.lat, place.lon], { ...line, radius: place.radius_m, fillOpacity: .08 }));
      if (place.polygon) layer.addLayer(L.polygon(place.polygon.map(([lon, lat]) => [lat, lon]), { ...line, fillOpacity: .08 }));
    }
    for (const device of gw.map.devices)
      if (byDevice.has(device.code)) layer.addLayer(L.circleMarker([device.lat, device.lon], { pane: 'gwPermits', interactive: false, color: colour, weight: 2, radius: 8, fill: false }));
  }

  function attach(map) {
    if (!mayRead()) return;
    map.createPane('gwPermits').style.zIndex = 440; // below the live layer
    layer = L.layerGroup().addTo(map);
    const again = () => { clearTimeout(waiting); waiting = setTimeout(() => load(map), LATER_MS); };
    gw.live.on('snapshot', again);
    gw.live.on('change', news => { if (news.kinds.some(kind => kind.startsWith('permit.'))) again(); });
    gw.every(AGAIN_MS, again);
  }

  if (gw.tip) {
    const tip = gw.tip;
    gw.tip = hit => { const item = hit.kind === 'device' && gw.permitOf(hit.row.code); return item ? [...tip(hit), gw.permitLine(item)] : tip(hit); };
  }

  /* Beside a device: permits that count or will, with what was open under them. */
  gw.permitsOfDevice = async function (code) {
    if (!mayRead()) return [];
    const answer = await gw.send('GET', '/api/v1/permits?state=open&device=' + encodeURIComponent(code));
    if (!answer.ok || !answer.body.items.length) return [];
    return [gw.el('b', 'gw-history-part', gw.t('permits.title')), ...answer.body.items.flatMap(item => [
      gw.el('span', 'gw-history-line', [gw.el('a', '', item.code, { href: '/permits?device=' + encodeURIComponent(code) }), gw.el('span', '', `${item.who} · ${item.why}`),
        gw.el('span', '', `${gw.dayAndClock(Date.parse(item.from_at))} – ${gw.dayAndClock(Date.parse(item.until_at))}`)]),
      ...item.noted.filter(note => note.device === code).map(note => gw.el('span', '', gw.t('permits.noted', { device: code, first: gw.dayAndClock(Date.parse(note.first_at)), last: gw.dayAndClock(Date.parse(note.last_at)) }))),
    ])];
  };

  if (window.L) L.Map.addInitHook(function () { attach(this); });
})();
