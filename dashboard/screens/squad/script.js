/* The squad's phone: tasks drawn by the server, distance and direction from the phone, one hand. */
(function () {
  'use strict';
  const gw = window.gw;
  const EARTH_M = 6371008.8, RAD = Math.PI / 180;
  let here = null; // {lon, lat}: the phone's own place, else the squad's last position

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

  /* A browser gives its place only over HTTPS or on localhost; the squad's own report is the way out. */
  function place() {
    const own = gw.live.squads.get(gw.page.user.squad);
    return here || (own && own[3] !== null ? { lon: own[3], lat: own[4] } : null);
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
    navigator.geolocation.watchPosition(p => { here = { lon: p.coords.longitude, lat: p.coords.latitude }; showWays(); }, () => {}, { maximumAge: 30000, timeout: 20000 });
  }

  let asked = 0;
  function tasks() { // several changes in a moment are one reading
    clearTimeout(asked);
    asked = setTimeout(() => gw.setProp('tasks-tick', Date.now(), 'data'), 250);
  }
  const mine = rows => rows.some(i => i.squad === gw.page.user.squad || document.querySelector(`.gw-task[data-incident="${i.id}"]`));

  function tab(name) {
    for (const b of document.querySelectorAll('[data-tab]')) b.setAttribute('aria-selected', String(b.dataset.tab === name));
    for (const p of document.querySelectorAll('[data-panel]')) p.hidden = p.dataset.panel !== name;
    if (name === 'map') { gw.map.leaflet.invalidateSize(); gw.map.redrawTop(); }
    scrollTo(0, 0);
  }

  function showSquad() {
    const own = gw.live.squads.get(gw.page.user.squad);
    if (own) gw.setProp('squad-name', gw.placeName(gw.page.lang === 'zh' ? own[1] : own[2]));
    showWays();
  }

  gw.screens.squad = function () {
    gw.showOnMap(i => i.squad === gw.page.user.squad);
    gw.showStatus();
    gw.live.on('snapshot', () => { showSquad(); tasks(); });
    gw.live.on('change', c => {
      if (c.kinds.includes('incident.step_answered') || mine(c.incidents) || c.gone.some(id => document.querySelector(`.gw-task[data-incident="${id}"]`))) {
        if (gw.dialogOpen()) gw.tasksLater = true; else tasks();
      }
      if (c.squads.length) showWays();
    });
    gw.actionDone = tasks;
    gw.actionFailed = tasks;
    gw.dialogClosed = () => { if (gw.tasksLater) { gw.tasksLater = false; tasks(); } };
    document.addEventListener('click', e => {
      const b = e.target.closest('[data-tab]'), link = e.target.closest('a[href^="geo:"]');
      // iOS knows no geo: addresses, its own map has another one.
      if (link && /iPhone|iPad/.test(navigator.userAgent)) { e.preventDefault(); location.href = 'maps://?q=' + link.href.slice(4).split('?')[0]; }
      if (b) tab(b.dataset.tab);
    });
    gw.map.on('pick', hit => {
      if (hit.kind !== 'incident') return;
      const card = document.querySelector(`.gw-task[data-incident="${hit.id}"]`);
      if (card) { tab('tasks'); card.scrollIntoView({ block: 'start' }); }
    });
    new MutationObserver(() => { showWays(); gw.tickDue(); }).observe(document.getElementById('tasks'), { childList: true });
    gw.every(1000, gw.tickDue);
    watchPlace();
    gw.live.start();
  };
})();
