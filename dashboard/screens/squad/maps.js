/* The way there: the apps of phones, each in the datum that it wants (the server converts), and the
   map of the page itself, whose library comes when somebody wants to see it. */
(function () {
  'use strict';
  const gw = window.gw;

  /* [key of the name, address] of the apps that may be on this phone; positions as [lon, lat]. */
  gw.mapLinks = function (task, name, agent) {
    const { wgs84, gcj02, bd09 } = task.maps, six = ([lon, lat], by) => (by === 'lat' ? [lat, lon] : [lon, lat]).map(v => v.toFixed(6)).join(',');
    const title = encodeURIComponent(name), apple = /iPhone|iPad|Macintosh/.test(agent);
    return [
      ['phone.map_amap', `https://uri.amap.com/navigation?to=${six(gcj02)},${title}&mode=car&coordinate=gaode&callnative=1`],
      ['phone.map_baidu', `https://api.map.baidu.com/marker?location=${six(bd09, 'lat')}&title=${title}&content=${title}&coord_type=bd09ll&output=html&src=gridwarden`],
      // Apple's map of the mainland is drawn in GCJ-02 and takes addresses in it.
      ...(apple ? [['phone.map_apple', `https://maps.apple.com/?daddr=${six(gcj02, 'lat')}&dirflg=d`]] : []),
      // RFC 5870: WGS-84. iOS knows no such address.
      ...(/iPhone|iPad/.test(agent) ? [] : [['phone.map_geo', `geo:${six(wgs84, 'lat')}?q=${six(wgs84, 'lat')}(${title})`]]),
    ];
  };

  gw.showWay = function (task) {
    const links = gw.mapLinks(task, gw.placeName(gw.pick(task, 'title')), navigator.userAgent);
    const box = gw.dialog({ title: gw.t('squad.navigate'), fields: [], button: gw.t('close_dialog'), plain: true, submit: async () => '' });
    box.querySelector('h2').after(gw.el('div', 'gw-way-apps', links.map(([key, href]) => gw.el('a', 'gw-button', gw.t(key), { href, rel: 'noopener', ...(href.startsWith('http') ? { target: '_blank' } : {}) }))));
  };

  const script = address => new Promise((resolve, reject) => {
    const e = gw.el('script', '', null, { src: address });
    e.onload = resolve;
    e.onerror = reject;
    document.head.append(e);
  });

  let asked = null;
  async function build() {
    for (const address of gw.page.map_scripts) await script(address); // in order: each needs the one before
    const L = window.L, css = name => gw.css(name);
    const map = L.map('map', { minZoom: 4, maxZoom: 19, zoomSnap: 0.1, zoomDelta: 0.5, attributionControl: false }).setView([35, 105], 5);
    if (gw.page.tiles) L.tileLayer(gw.page.tiles).addTo(map);
    L.control.scale({ imperial: false, position: 'bottomright' }).addTo(map);
    const layers = {
      'map-streets': L.geoJSON(null, { style: { color: css('faint'), weight: 1, opacity: 0.5, fill: false }, interactive: false }),
      'map-pipes': L.geoJSON(null, { style: { color: css('muted'), weight: 1.5, opacity: 0.6, dashArray: '6 4', fill: false }, interactive: false }),
      'map-outline': L.geoJSON(null, { style: { color: css('muted'), weight: 2, fill: false }, interactive: false }),
    };
    for (const layer of Object.values(layers)) layer.addTo(map);
    // What the live map gives to Dash on the other screens.
    gw.setProp = (id, data) => { const layer = layers[id]; if (layer) { layer.clearLayers(); layer.addData(data); } };
    gw.showOnMap(i => i.squad === gw.page.user.squad);
    gw.map.on('pick', hit => {
      if (hit.kind !== 'incident') return;
      const card = document.querySelector(`.gw-task[data-incident="${hit.id}"]`);
      if (card) { gw.tab('tasks'); card.scrollIntoView({ block: 'start' }); }
    });
    gw.live.on('map', m => { gw.store.keep('map', m).catch(() => {}); });
    await gw.live.wantMap();
    if (gw.live.map) return;
    const kept = await gw.store.kept('map'); // without signal: the one of last time
    if (kept) gw.live.takeMap(kept);
  }
  gw.showMap = async function () {
    try { await (asked = asked || build()); } catch { asked = null; gw.notice(gw.t('phone.no_map'), 'bad'); return; }
    gw.map.leaflet.invalidateSize();
    gw.map.redrawTop();
  };
})();
