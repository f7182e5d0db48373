/* The live layer of the map: our own canvases inside Leaflet, so that a change repaints only
   what changed (Leaflet's own vectors and GeoJSON layers rebuild everything).
   Interface, neutral to the renderer: load, setCells, setDevices, setSquads, setIncidents, focus, on('pick').
   Four canvases from below: cells (tint), base (boundaries, names), devices, top (incidents, squads, labels). */
(function () {
  'use strict';
  const gw = window.gw, paint = gw.paint;
  const BUCKET = 32; // px; devices are found for a small repaint by the bucket they lie in
  const MAX_LABELS = 60, FEW = 40;
  const LAMP_PX = 22; // a cell of so many px has room for its lamps; below it they are one mark a cell
  const AREA_NAME_PX = 14; // and this is near enough to read what an area is called
  const EARTH_M = 40075016.686; // round the equator
  const NAMES = ['cells', 'base', 'devices', 'top'];

  /* Web Mercator on 0..1: projected once, then a draw is one multiplication a point. */
  const mx = lon => (lon + 180) / 360;
  const my = lat => { const s = Math.sin(lat * Math.PI / 180); return 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI); };

  /* The whole picture is where the grid is: a district may be mostly countryside. */
  const boxOf = cells => cells.reduce((b, [, w, s, e, n]) => [Math.min(b[0], w), Math.min(b[1], s), Math.max(b[2], e), Math.max(b[3], n)], [180, 90, -180, -90]);

  function CityMap() {
    this.cells = []; this.cellIndex = new Map(); this.cellState = new Map();
    this.devices = []; this.deviceIndex = new Map(); this.deviceState = new Uint8Array(0);
    this.squads = []; this.incidents = []; this.pulses = []; this.names = []; this.borders = [];
    this.areas = []; this.lampState = new Uint8Array(0); this.lampsOf = new Map(); // 0 says nothing, 1 off, 2 lit; lamps by cell
    this.layers = { areas: true, lamps: true };
    this.listeners = {}; this.focused = null; this.showLabels = true;
  }
  const P = CityMap.prototype;

  P.on = function (name, fn) { (this.listeners[name] = this.listeners[name] || []).push(fn); return this; };
  P.fire = function (name, value) { for (const fn of this.listeners[name] || []) fn(value); };

  /* --- data ---------------------------------------------------------------------------- */
  P.load = function (m) {
    this.cells = m.cells.map(([code, w, s, e, n]) => ({ code, x0: mx(w), y0: my(n), x1: mx(e), y1: my(s), lon: (w + e) / 2, lat: (s + n) / 2 }));
    this.cellIndex = new Map(this.cells.map((c, k) => [c.code, k]));
    this.devices = m.devices.map(([id, code, kind, lon, lat, grid, name]) => ({ id, code, kind, lon, lat, grid, name, x: mx(lon), y: my(lat) }));
    this.deviceIndex = new Map(this.devices.map((d, k) => [d.id, k]));
    this.deviceState = new Uint8Array(this.devices.length);
    this.lampState = new Uint8Array(this.devices.length);
    this.lampsOf = new Map();
    this.devices.forEach((d, k) => {
      if (d.kind !== 'light') return;
      const list = this.lampsOf.get(d.grid);
      if (list) list.push(k); else this.lampsOf.set(d.grid, [k]);
    });
    this.areas = (m.areas || []).map(area);
    this.findBorders(m.community_names || {});
    this.bbox = this.cells.length ? boxOf(m.cells) : m.district && m.district.bbox;
    this.whole();
    this.redraw();
  };

  const area = a => ({ ...a, rings: a.rings.map(ring => ring.map(([lon, lat]) => [mx(lon), my(lat)])),
    ...(a.centre ? { x: mx(a.centre[0]), y: my(a.centre[1]), r: a.radius_m / (EARTH_M * Math.cos(a.centre[1] * Math.PI / 180)) } : {}) });

  /* A layer is shown or not: "areas", "lamps". */
  P.setLayer = function (name, shown) { this.layers[name] = shown; this.redraw(); };

  /* Boundaries without any boundary data: an edge between cells whose codes start differently.
     The first 9 digits are the sub-district, the first 12 the community. */
  P.findBorders = function (names) {
    const key = (x, y) => Math.round(x * 4e6) + ':' + Math.round(y * 4e6);
    const byCorner = new Map(this.cells.map(c => [key(c.x0, c.y0), c]));
    this.borders = [[], []];
    const add = (a, b, x0, y0, x1, y1) => {
      if (b && a.code.slice(0, 12) === b.code.slice(0, 12)) return;
      this.borders[b && a.code.slice(0, 9) === b.code.slice(0, 9) ? 0 : 1].push([x0, y0, x1, y1]);
    };
    const middle = new Map();
    for (const c of this.cells) {
      const east = byCorner.get(key(c.x1, c.y0)), south = byCorner.get(key(c.x0, c.y1));
      add(c, east, c.x1, c.y0, c.x1, c.y1);
      add(c, south, c.x0, c.y1, c.x1, c.y1);
      if (!byCorner.get(key(2 * c.x0 - c.x1, c.y0))) add(c, null, c.x0, c.y0, c.x0, c.y1);
      if (!byCorner.get(key(c.x0, 2 * c.y0 - c.y1))) add(c, null, c.x0, c.y0, c.x1, c.y0);
      for (const code of [c.code.slice(0, 9), c.code.slice(0, 12)]) {
        const m = middle.get(code) || [0, 0, 0];
        m[0] += c.x0 + c.x1; m[1] += c.y0 + c.y1; m[2] += 2;
        middle.set(code, m);
      }
    }
    this.names = [];
    for (const [code, [x, y, n]] of middle) {
      const text = names[code] || names[code + '000'];
      if (text) this.names.push({ text: gw.placeName(text), x: x / n, y: y / n, street: code.length === 9, cells: n / 2 });
    }
    this.names.sort((a, b) => b.street - a.street || b.cells - a.cells);
  };

  /* [[code, severity 0-4]]: replaces all when `whole`, else only these. */
  P.setCells = function (states, whole) {
    const changed = new Set(whole ? this.cellState.keys() : []);
    if (whole) this.cellState.clear();
    for (const [code, severity] of states) {
      if (severity) this.cellState.set(code, severity); else this.cellState.delete(code);
      changed.add(code);
    }
    if (this.ready()) for (const code of changed) this.drawCell(this.cellIndex.get(code));
  };

  /* [[id, state, …]]: returns how many really changed; `whole` sets all others to "never reported". */
  P.setDevices = function (rows, whole) {
    if (whole) { this.deviceState.fill(0); this.lampState.fill(0); }
    const changed = [], cells = new Set();
    for (const row of rows) {
      const k = this.deviceIndex.get(row[0]);
      if (k === undefined || row[1] === null) continue;
      const before = this.deviceState[k], lamp = row[3] === 'lamp_on' ? 1 + !!row[2] : this.lampState[k];
      if (!whole && before === row[1] && lamp === this.lampState[k]) continue;
      if (lamp !== this.lampState[k]) cells.add(this.devices[k].grid);
      this.deviceState[k] = row[1]; this.lampState[k] = lamp;
      if (!whole) changed.push([k, before]);
    }
    if (whole) this.redraw();
    else if (this.ready()) {
      for (const [k, before] of changed) this.repaintDevice(k, before);
      if (this.lampsByCell()) for (const code of cells) this.drawCell(this.cellIndex.get(code));
    }
    return changed.length;
  };

  P.setSquads = function (rows) {
    this.squads = rows.filter(r => isFinite(r[3]) && isFinite(r[4]) && r[3] !== null && r[4] !== null)
      .map(r => ({ code: r[0], name: gw.placeName(r[gw.page.lang === 'zh' ? 1 : 2] || r[1]), lon: r[3], lat: r[4], x: mx(r[3]), y: my(r[4]), duty: r[5], open: r[6], kind: r[7] }));
    this.redrawTop();
  };

  P.setIncidents = function (rows) {
    this.incidents = rows.filter(i => isFinite(i.lon) && isFinite(i.lat) && i.lon !== null && i.lat !== null)
      .map(i => ({ ...i, x: mx(i.lon), y: my(i.lat) })).sort((a, b) => b.severity - a.severity);
    this.redrawTop();
  };

  /* Places that pulse: [{lon, lat, severity, text}]. DOM elements, so that CSS animates them and
     a person who asked for less motion gets a still double ring. */
  P.setPulses = function (rows) {
    this.pulses = rows.map(r => ({ ...r, x: mx(r.lon), y: my(r.lat) }));
    this.placePulses();
  };

  /* --- geometry ------------------------------------------------------------------------ */
  P.ready = function () { return !!this.g && this.size; };
  P.X = function (x) { return x * this.scale - this.ox; };
  P.Y = function (y) { return y * this.scale - this.oy; };
  P.onScreen = function (x, y, margin) { return x > -margin && y > -margin && x < this.size.x + margin && y < this.size.y + margin; };

  /* Called by the Leaflet layer after every pan and zoom. */
  P.view = function (canvases, size, origin, zoom) {
    const ratio = window.devicePixelRatio || 1;
    this.size = size; this.scale = 256 * Math.pow(2, zoom);
    this.ox = origin.x; this.oy = origin.y; this.u = gw.rem() / 16;
    this.g = {};
    NAMES.forEach((name, k) => {
      const canvas = canvases[k], w = Math.round(size.x * ratio), h = Math.round(size.y * ratio);
      if (canvas.width !== w || canvas.height !== h) { // assigning clears and re-allocates: only when needed
        canvas.width = w; canvas.height = h;
        canvas.style.width = size.x + 'px'; canvas.style.height = size.y + 'px';
      }
      this.g[name] = canvas.getContext('2d');
      this.g[name].setTransform(ratio, 0, 0, ratio, 0, 0);
    });
    this.redraw();
  };

  /* --- drawing ------------------------------------------------------------------------- */
  P.redraw = function () {
    if (!this.ready()) return;
    this.colours = paint.colours();
    const first = this.cells[0];
    this.cellPx = first ? (first.x1 - first.x0) * this.scale : 16;
    for (const name of NAMES) this.g[name].clearRect(0, 0, this.size.x, this.size.y);
    this.drawBase();
    for (let k = 0; k < this.cells.length; k++) this.drawCell(k, true);
    this.fillBuckets();
    for (const low of [true, false]) // alarms above quiet devices
      for (let k = 0; k < this.devices.length; k++) if ((this.isQuiet(k)) === low) this.drawDevice(k);
    this.redrawTop(true);
    this.placePulses();
  };

  P.drawCell = function (k, fresh) {
    const c = this.cells[k];
    if (!c) return;
    const g = this.g.cells, gap = this.cellPx > 5 ? 0.5 : 0;
    const x0 = this.X(c.x0) + gap, y0 = this.Y(c.y0) + gap, w = this.X(c.x1) - this.X(c.x0) - 2 * gap, h = this.Y(c.y1) - this.Y(c.y0) - 2 * gap;
    if (x0 + w < 0 || y0 + h < 0 || x0 > this.size.x || y0 > this.size.y) return;
    if (!fresh) g.clearRect(x0, y0, w, h);
    g.globalAlpha = 0.55; g.fillStyle = this.colours.cell; g.fillRect(x0, y0, w, h);
    const severity = this.cellState.get(c.code);
    if (severity) { g.globalAlpha = [0, .5, .38, .28, .24][severity]; g.fillStyle = this.colours.severity[severity]; g.fillRect(x0, y0, w, h); }
    g.globalAlpha = 1;
    const lamps = this.lampsByCell() && this.lampsOf.get(c.code);
    if (lamps) paint.lamps(g, this.colours, x0 + w, y0 + h, this.cellPx, lamps.map(n => this.lampState[n]));
  };
  P.lampsByCell = function () { return this.layers.lamps && this.cellPx < LAMP_PX; };

  P.drawAreas = function (g, c) {
    const labels = [];
    for (const a of this.areas) {
      const path = new Path2D();
      if (a.r) path.arc(this.X(a.x), this.Y(a.y), Math.max(a.r * this.scale, 2 * this.u), 0, 7);
      for (const ring of a.rings) { ring.forEach(([x, y], n) => path[n ? 'lineTo' : 'moveTo'](this.X(x), this.Y(y))); path.closePath(); }
      paint.area(g, c, path, a.kind, this.u);
      const [x, y] = a.r ? [a.x, a.y] : a.rings[0][0];
      if (this.cellPx >= AREA_NAME_PX) labels.push({ text: gw.pick(a, 'name'), x: this.X(x) + 4 * this.u, y: this.Y(y), size: 11.5 * this.u, colour: c.muted });
    }
    paint.placeLabels(g, c, labels.slice(0, MAX_LABELS), 12 * this.u);
  };

  /* What is called so here: areas in which a place of the map lies. */
  P.areasAt = function (x, y) {
    if (!this.layers.areas) return [];
    const inRing = ring => ring.reduce((inside, [x0, y0], n) => {
      const [x1, y1] = ring[(n + 1) % ring.length];
      return inside !== ((y0 > y) !== (y1 > y) && x < (x1 - x0) * (y - y0) / (y1 - y0) + x0);
    }, false);
    return this.areas.filter(a => (a.r ? Math.hypot(a.x - x, a.y - y) <= a.r : a.rings.reduce((inside, ring) => inside !== inRing(ring), false)));
  };

  P.drawBase = function () {
    const g = this.g.base, c = this.colours;
    if (this.layers.areas) this.drawAreas(g, c);
    this.borders.forEach((edges, level) => {
      g.beginPath();
      for (const [x0, y0, x1, y1] of edges) { g.moveTo(this.X(x0), this.Y(y0)); g.lineTo(this.X(x1), this.Y(y1)); }
      g.lineWidth = (level ? 1.6 : 0.8) * this.u; g.strokeStyle = level ? c.faint : c.line; g.stroke();
    });
    const wanted = [];
    for (const n of this.names) {
      const span = Math.sqrt(n.cells) * this.cellPx, size = (n.street ? 14 : 11.5) * this.u;
      if (span < n.text.length * size * (n.street ? .8 : 1.05)) continue;
      g.font = `500 ${size}px ${c.font}`;
      wanted.push({ text: n.text, x: this.X(n.x) - g.measureText(n.text).width / 2, y: this.Y(n.y), size, colour: n.street ? c.muted : c.faint, weight: n.street ? 600 : 400 });
    }
    g.globalAlpha = .85;
    paint.placeLabels(g, c, wanted, 12 * this.u);
    g.globalAlpha = 1;
  };

  P.isQuiet = function (k) { const s = this.deviceState[k]; return s < 3 || s === 6; };
  P.drawDevice = function (k) {
    const d = this.devices[k], x = this.X(d.x), y = this.Y(d.y);
    if (!this.onScreen(x, y, 8) || this.isHidden(k)) return;
    paint.device(this.g.devices, this.colours, x, y, paint.deviceRadius(this.deviceState[k], this.cellPx, this.u), this.deviceState[k], d.kind);
  };

  /* A quiet lamp is drawn where there is room for it; one with an alarm always. */
  P.isHidden = function (k) { return this.devices[k].kind === 'light' && this.isQuiet(k) && (!this.layers.lamps || this.cellPx < LAMP_PX); };

  P.bucketOf = function (x, y) { return Math.floor(x / BUCKET) + ':' + Math.floor(y / BUCKET); };
  P.fillBuckets = function () {
    this.buckets = new Map();
    this.devices.forEach((d, k) => {
      const x = this.X(d.x), y = this.Y(d.y);
      if (!this.onScreen(x, y, 8)) return;
      const key = this.bucketOf(x, y), list = this.buckets.get(key);
      if (list) list.push(k); else this.buckets.set(key, [k]);
    });
  };

  /* One device changed: wipe its square and draw whoever reaches into it again. */
  P.repaintDevice = function (k, before) {
    const d = this.devices[k], x = this.X(d.x), y = this.Y(d.y);
    if (!this.onScreen(x, y, 8)) return;
    const radius = s => paint.deviceRadius(s, this.cellPx, this.u);
    const r = Math.ceil(Math.max(radius(this.deviceState[k]), radius(before)) * 1.3) + 2, g = this.g.devices;
    const near = [];
    for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++)
      near.push(...(this.buckets.get(this.bucketOf(x + i * BUCKET, y + j * BUCKET)) || []));
    g.save(); g.beginPath(); g.rect(x - r, y - r, 2 * r, 2 * r); g.clip();
    g.clearRect(x - r, y - r, 2 * r, 2 * r);
    for (const n of near) if (this.isQuiet(n)) this.drawDevice(n);
    for (const n of near) if (!this.isQuiet(n)) this.drawDevice(n);
    g.restore();
  };

  /* The top is small: at most some hundred marks, cleared and drawn as one, once a frame. */
  P.redrawTop = function (now) {
    if (!this.ready()) return;
    if (!now) {
      if (!this.topAsked) { this.topAsked = true; requestAnimationFrame(() => { this.topAsked = false; this.redrawTop(true); }); }
      return;
    }
    const g = this.g.top, c = this.colours, u = this.u, t = gw.now(), labels = [];
    const few = this.incidents.length <= FEW; // with many incidents only the worst are named, until one zooms in
    g.clearRect(0, 0, this.size.x, this.size.y);
    for (const s of this.squads) {
      const x = this.X(s.x), y = this.Y(s.y);
      if (!this.onScreen(x, y, 20)) continue;
      paint.squad(g, c, x, y, s.duty, u);
      if (s.duty || this.cellPx > 30) labels.push({ text: s.name, x: x + 9 * u, y, size: 11.5 * u, colour: c.accent, weight: 600, rank: 3 });
    }
    for (const i of this.incidents) {
      const x = this.X(i.x), y = this.Y(i.y);
      if (!this.onScreen(x, y, 20)) continue;
      const r = paint.incidentRadius(i, this.cellPx, u);
      paint.incident(g, c, x, y, r, i, gw.standing(i, t), u);
      if (i.severity === 1 || (i.severity === 2 && few) || this.cellPx > 40)
        labels.push({ text: gw.placeName(gw.pick(i, 'title')), x: x + r + 4 * u, y, size: 12 * u, colour: c.text, weight: i.severity === 1 ? 700 : 500, rank: i.severity });
    }
    if (this.showLabels) paint.placeLabels(g, c, labels.sort((a, b) => a.rank - b.rank).slice(0, MAX_LABELS), 12 * u);
    this.drawFocus(g, c, u);
  };

  P.drawFocus = function (g, c, u) {
    const f = this.focused && (this.find(this.focused) || (this.focused.kind === 'place' && { x: mx(this.focused.lon), y: my(this.focused.lat) }));
    if (f) paint.ring(g, c, this.X(f.x), this.Y(f.y), this.focused.kind === 'incident' ? paint.incidentRadius(f, this.cellPx, u) : 6 * u, u);
  };

  P.placePulses = function () {
    const host = this.pulseHost;
    if (!host || !this.ready()) return;
    while (host.children.length > this.pulses.length) host.lastChild.remove();
    this.pulses.forEach((p, k) => {
      let e = host.children[k];
      if (!e) { e = gw.el('div', 'gw-pulse', [gw.el('i'), gw.el('i'), gw.el('b')]); host.append(e); }
      e.dataset.severity = p.severity;
      const x = this.X(p.x), label = e.lastChild;
      e.style.transform = `translate(${x}px,${this.Y(p.y)}px)`;
      if (label.textContent !== (p.text || '')) { gw.setText(label, p.text || ''); e.half = label.offsetWidth / 2 || 0; }
      const width = (host.parentNode && host.parentNode.clientWidth) || Infinity; // the words stay on the map
      label.style.marginLeft = `${x < e.half ? e.half - Math.max(x, 0) : Math.min(0, width - e.half - x)}px`;
    });
  };

  /* --- finding ------------------------------------------------------------------------- */
  P.find = function ({ kind, id }) {
    if (kind === 'incident') return this.incidents.find(i => i.id === id);
    if (kind === 'squad') return this.squads.find(s => s.code === id);
    if (kind === 'device') return this.devices[this.deviceIndex.get(id)];
    return null;
  };

  /* What lies under a point of the picture: a person first sees incidents, then squads, devices, the cell. */
  P.hit = function (x, y) {
    const nearest = (rows, reach) => {
      let best = null, least = reach * reach;
      for (const r of rows) {
        const dx = this.X(r.x) - x, dy = this.Y(r.y) - y, d = dx * dx + dy * dy;
        if (d < least) { least = d; best = r; }
      }
      return best;
    };
    const i = nearest(this.incidents, 13 * this.u);
    if (i) return { kind: 'incident', id: i.id, row: i };
    const s = nearest(this.squads, 11 * this.u);
    if (s) return { kind: 'squad', id: s.code, row: s };
    const d = nearest(this.devices.filter((_, k) => !this.isHidden(k)), 7 * this.u);
    if (d) return { kind: 'device', id: d.id, row: d, state: this.deviceState[this.deviceIndex.get(d.id)] };
    const mxx = (x + this.ox) / this.scale, myy = (y + this.oy) / this.scale;
    const c = this.cells.find(k => mxx >= k.x0 && mxx < k.x1 && myy >= k.y0 && myy < k.y1);
    return c ? { kind: 'cell', id: c.code, row: c, areas: this.areasAt(mxx, myy) } : null;
  };

  /* Steps through the incidents, worst first: +1 next, -1 previous. */
  P.step = function (by) {
    const order = [...this.incidents].sort(gw.byUrgency);
    if (!order.length) return;
    const at = order.findIndex(i => this.focused && this.focused.kind === 'incident' && i.id === this.focused.id);
    const next = order[(at + by + order.length + (at < 0 && by < 0 ? 1 : 0)) % order.length];
    this.focus({ kind: 'incident', id: next.id });
  };

  P.focus = function (what, zoom) {
    this.focused = what;
    const f = what && (this.find(what) || (isFinite(what.lon) ? what : null));
    if (f && this.leaflet) {
      const z = Math.max(this.leaflet.getZoom(), (zoom || 15) + Math.log2(this.u || 1)); // a larger screen shows as much ground
      this.leaflet.setView([f.lat, f.lon], z, { animate: !gw.calm() });
      this.fire('focus', { ...what, row: f });
    }
    this.redrawTop();
  };

  P.whole = function () {
    if (!this.leaflet || !this.bbox) return;
    const [w, s, e, n] = this.bbox, box = this.leaflet.getSize();
    if (!box.x || !box.y) return; // a hidden map has no zoom that fits: NaN from then on
    this.leaflet.fitBounds([[s, w], [n, e]], { animate: false, padding: [10, 10] });
  };

  gw.CityMap = CityMap;
  gw.map = new CityMap();
})();
