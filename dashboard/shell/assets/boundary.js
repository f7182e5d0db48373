/* The set-up page: corners of the boundary by click on a graticule, for there are no tiles. The
   text field is what is sent; without this script it is filled by hand. */
(function () {
  'use strict';
  const KM_PER_DEG = 111, CENTRE = [110.35, 20.0], WIDTH_KM = 20, HIT_PX = 12;

  const boundary = {
    /* Corners of a text, one a line; lines that are none are left out. */
    parse: text => text.split('\n').map(line => line.trim().split(/[\s,;，；]+/).filter(Boolean).map(Number))
      .filter(pair => pair.length === 2 && pair.every(Number.isFinite)),
    format: corners => corners.map(([lon, lat]) => `${lon.toFixed(6)}, ${lat.toFixed(6)}`).join('\n'),
    /* What the map shows: degrees a pixel are as long to the east as to the north. */
    view: (centre, widthKm, size) => {
      const lat = widthKm / KM_PER_DEG / size[0], lon = lat / Math.max(Math.cos(centre[1] * Math.PI / 180), 0.01);
      return {
        place: ([x, y]) => [centre[0] + (x - size[0] / 2) * lon, centre[1] - (y - size[1] / 2) * lat],
        point: ([east, north]) => [(east - centre[0]) / lon + size[0] / 2, (centre[1] - north) / lat + size[1] / 2],
      };
    },
    /* Centre and width that show all corners. */
    fit: (corners, ratio) => {
      const lons = corners.map(c => c[0]), lats = corners.map(c => c[1]);
      const box = [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
      const centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      const wide = (box[2] - box[0]) * Math.cos(centre[1] * Math.PI / 180), high = (box[3] - box[1]) * ratio;
      return { centre, widthKm: Math.max(Math.max(wide, high) * KM_PER_DEG * 1.2, 0.5) };
    },
    /* The distance between lines, degrees: at most ten across. */
    step: span => [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find(s => span / s <= 8) || 30,
  };
  window.gwBoundary = boundary;

  const box = document.getElementById('boundary-map');
  if (!box) return;
  const field = document.querySelector('textarea[name=corners]');
  const make = (tag, parent, attributes, text) => {
    const e = Object.assign(document.createElement(tag), attributes);
    if (text) e.append(text);
    parent.append(e);
    return e;
  };
  const row = make('div', box, { className: 'row' });
  const input = (text, value) => make('input', make('label', row, {}, text), { value, autocomplete: 'off' });
  let corners = boundary.parse(field.value), held = -1, moved = false;
  const began = corners.length ? boundary.fit(corners, 1.6) : { centre: CENTRE, widthKm: WIDTH_KM };
  const centreField = input(box.dataset.centre, began.centre.map(v => v.toFixed(4)).join(', '));
  const widthField = input(box.dataset.width, String(Math.ceil(began.widthKm)));
  const canvas = make('canvas', box, { tabIndex: 0 });
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', box.dataset.label);
  const buttons = make('div', box, { className: 'row' });
  const button = (text, act) => make('button', buttons, { type: 'button', onclick: act }, text);
  button(box.dataset.undo, () => set(corners.slice(0, -1)));
  button(box.dataset.clear, () => set([]));
  box.hidden = false;

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const size = () => [canvas.clientWidth, canvas.clientHeight];
  function view() {
    const centre = boundary.parse(centreField.value)[0] || CENTRE, width = Number(widthField.value);
    return boundary.view(centre, width > 0 && width < 5000 ? width : WIDTH_KM, size());
  }

  function set(next) {
    corners = next;
    field.value = boundary.format(corners);
    draw();
  }

  function draw() {
    const [w, h] = size(), scale = window.devicePixelRatio || 1, shown = view();
    canvas.width = w * scale;
    canvas.height = h * scale;
    const c = canvas.getContext('2d'), rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    c.scale(scale, scale);
    c.font = `${0.75 * rem}px sans-serif`;
    c.fillStyle = colour('muted');
    c.strokeStyle = colour('line');
    const [west, north] = shown.place([0, 0]), [east, south] = shown.place([w, h]), step = boundary.step(east - west);
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    const stroke = (from, to) => { c.beginPath(); c.moveTo(...from); c.lineTo(...to); c.stroke(); };
    for (let lon = Math.ceil(west / step) * step; lon < east; lon += step) {
      const [x] = shown.point([lon, south]);
      stroke([x, 0], [x, h]);
      c.fillText(lon.toFixed(digits), x + 3, h - 4);
    }
    for (let lat = Math.ceil(south / step) * step; lat < north; lat += step) {
      const [, y] = shown.point([west, lat]);
      stroke([0, y], [w, y]);
      c.fillText(lat.toFixed(digits), 3, y - 3);
    }
    const points = corners.map(shown.point);
    if (!points.length) return;
    c.beginPath();
    points.forEach(([x, y], n) => (n ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.closePath();
    c.strokeStyle = c.fillStyle = colour('accent');
    c.lineWidth = 2;
    c.stroke();
    c.globalAlpha = 0.15;
    c.fill();
    c.globalAlpha = 1;
    for (const [x, y] of points) { c.beginPath(); c.arc(x, y, 0.3 * rem, 0, 7); c.fill(); }
  }

  const at = event => [event.offsetX, event.offsetY];
  canvas.addEventListener('pointerdown', event => {
    const [x, y] = at(event), points = corners.map(view().point);
    held = points.findIndex(p => Math.hypot(p[0] - x, p[1] - y) <= HIT_PX);
    moved = false;
    if (held >= 0) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', event => {
    if (held < 0) return;
    moved = true;
    set(corners.map((corner, n) => (n === held ? view().place(at(event)) : corner)));
  });
  canvas.addEventListener('pointerup', event => {
    if (held < 0 && !moved) set([...corners, view().place(at(event))]);
    held = -1;
  });
  field.addEventListener('input', () => { corners = boundary.parse(field.value); draw(); });
  field.addEventListener('change', () => {
    if (!corners.length) return;
    const fitted = boundary.fit(corners, 1.6);
    centreField.value = fitted.centre.map(v => v.toFixed(4)).join(', ');
    widthField.value = String(Math.ceil(fitted.widthKm));
    draw();
  });
  for (const e of [centreField, widthField]) e.addEventListener('input', draw);
  window.addEventListener('resize', draw);
  draw();
})();
