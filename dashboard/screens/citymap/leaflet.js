/* Puts the live layer into every Leaflet map that dash-leaflet makes, and brings pointer and keys to it. */
(function () {
  'use strict';
  const gw = window.gw, NAMES = 4, PADDING = 0.2;

  /* L.Renderer moves and scales its container with the map and calls `_update` when the picture
     must be drawn again. Only its documented subclass points are used: _initContainer,
     _destroyContainer, _update, _reset. */
  const Layer = L.Renderer.extend({
    options: { padding: PADDING, pane: 'gwLive' },
    initialize: function (city) { L.Renderer.prototype.initialize.call(this); this.city = city; },
    _initContainer: function () {
      this._container = L.DomUtil.create('div', 'gw-live-layer');
      this.canvases = Array.from({ length: NAMES }, () => L.DomUtil.create('canvas', '', this._container));
      this.city.pulseHost = L.DomUtil.create('div', 'gw-pulses', this._container);
    },
    _destroyContainer: function () { L.DomUtil.remove(this._container); this.city.g = null; this.city.pulseHost = null; },
    _updatePaths: function () {}, // no Leaflet paths live here
    _update: function () {
      const map = this._map;
      if (!map || (map._animatingZoom && this._bounds)) return; // the last picture is being scaled; draw once at the end
      L.Renderer.prototype._update.call(this);
      const b = this._bounds, origin = map.getPixelOrigin();
      L.DomUtil.setPosition(this._container, b.min);
      this.city.view(this.canvases, b.getSize(), { x: origin.x + b.min.x, y: origin.y + b.min.y }, this._zoom);
    },
    _onZoomEnd: function () { this._update(); },
  });

  function pointOf(map, layer, event) {
    const p = map.mouseEventToLayerPoint(event), min = layer._bounds.min;
    return [p.x - min.x, p.y - min.y];
  }

  function attach(map) {
    const city = gw.map;
    city.leaflet = map;
    map.createPane('gwLive').style.zIndex = 450; // above tiles and vectors, below pop-ups
    const layer = new Layer(city);
    map.addLayer(layer);
    const box = map.getContainer();
    box.setAttribute('role', 'application');
    box.setAttribute('aria-label', gw.t('map.label'));
    const tip = gw.el('div', 'gw-tip', null, { 'aria-hidden': 'true' });
    box.append(tip);

    /* A click that ends a drag is no pick; Leaflet's own 'click' knows the difference. */
    map.on('click', e => { const hit = city.hit(...pointOf(map, layer, e.originalEvent)); if (hit) city.fire('pick', { ...hit, latlng: e.latlng }); });
    let asked = 0;
    map.on('mousemove', e => {
      if (asked) return;
      asked = requestAnimationFrame(() => { asked = 0; hover(map, layer, city, tip, e); });
    });
    map.on('mouseout movestart zoomstart', () => tip.classList.remove('shown'));
    box.addEventListener('keydown', e => {
      if (e.target !== box) return;
      if (e.key === ']') city.step(1);
      else if (e.key === '[') city.step(-1);
      else if (e.key === '0' || e.key === 'Home') city.whole();
      else if (e.key === 'Enter' && city.focused) { const row = city.find(city.focused); if (row) city.fire('pick', { ...city.focused, row }); }
    });
    // Until a person moves the map it shows the whole district, whatever the size of its box.
    let moved = false;
    map.on('dragstart', () => { moved = true; });
    box.addEventListener('wheel', () => { moved = true; }, { passive: true });
    city.on('focus', () => { moved = true; });
    new ResizeObserver(() => { map.invalidateSize({ animate: false }); if (!moved) city.whole(); }).observe(box);
    city.whole();
  }

  function hover(map, layer, city, tip, e) {
    const hit = layer._bounds && city.ready() ? city.hit(...pointOf(map, layer, e.originalEvent)) : null;
    tip.classList.toggle('shown', !!hit);
    map.getContainer().style.cursor = hit && hit.kind !== 'cell' ? 'pointer' : '';
    if (!hit) return;
    const lines = gw.tip(hit);
    tip.replaceChildren(...lines.map((text, k) => gw.el(k ? 'span' : 'strong', '', text)));
    const p = e.containerPoint, width = map.getSize().x;
    tip.style.transform = `translate(${p.x + 14}px,${p.y + 14}px)` + (p.x > width * .7 ? ' translateX(calc(-100% - 28px))' : '');
  }

  /* Words for the thing under the pointer, first line bold. */
  gw.tip = function (hit) {
    const r = hit.row;
    if (hit.kind === 'incident') return [gw.pick(r, 'title'), `${gw.word('state', r.state)} · ${gw.countdownText(r, gw.now())}`, gw.pick(r, 'squad') || gw.t('wall.unassigned')];
    if (hit.kind === 'squad') return [r.name, gw.t('map.squad_tip', { kind: gw.word('squad_kind', r.kind), n: r.open }) + (r.duty ? '' : ' · ' + gw.t('map.off_duty'))];
    if (hit.kind === 'device') {
      const d = gw.live.devices.get(r.id), lines = [r.name || r.code, `${gw.word('kind', r.kind)} · ${gw.word('device_state', String(hit.state))}`];
      if (d && d[3]) lines.push(`${gw.word('metric', d[3])} ${gw.value(d[3], d[2])} · ${gw.clock(d[4])} · ${gw.t('time.ago', { age: gw.age(gw.now() - d[4]) })}`);
      return lines;
    }
    const count = (rows, field) => { let n = 0; for (const x of rows) if (x[field] === hit.id) n++; return n; };
    const named = (hit.areas || []).map(a => `${gw.word('area_kind', a.kind)} · ${gw.pick(a, 'name')}`);
    const lamps = gw.map.lampsOf.get(hit.id) || [], lit = lamps.filter(k => gw.map.lampState[k] === 2).length;
    if (lamps.length) named.push(gw.t('map.cell_lamps', { lit, of: lamps.length }));
    return [gw.t('map.cell', { code: hit.id }), gw.t('map.cell_counts', { devices: count(gw.map.devices, 'grid'),
      incidents: count(gw.live.incidents.values(), 'unit_grid'), alarms: count(gw.live.alarms.values(), 'unit_grid') }), ...named];
  };

  if (window.L) L.Map.addInitHook(function () { attach(this); });
})();
