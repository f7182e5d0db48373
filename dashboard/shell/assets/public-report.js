/* The public page: the place of a report under the cross of a small map. Without this script the
   place is said in words. */
(function () {
  'use strict';
  const M_PER_DEG = 111320, NEAREST_M = 60, FARTHEST_M = 60000, FIRST_M = 1500, TAP_PX = 6, NAMES_M = 2500;

  /* What a map of so many pixels shows that is `across` metres wide around `centre` [lon, lat]. */
  const view = (centre, across, size) => {
    const lat = across / size[0] / M_PER_DEG, lon = lat / Math.max(Math.cos(centre[1] * Math.PI / 180), 0.01);
    return {
      point: ([east, north]) => [(east - centre[0]) / lon + size[0] / 2, (centre[1] - north) / lat + size[1] / 2],
      place: ([x, y]) => [centre[0] + (x - size[0] / 2) * lon, centre[1] - (y - size[1] / 2) * lat],
    };
  };
  /* All corners of a GeoJSON polygon or of several, ring by ring. */
  const rings = outline => (outline.type === 'MultiPolygon' ? outline.coordinates.flat() : outline.coordinates);
  /* The middle of the named places, where people live, else of the outline. */
  const middle = (names, outlines) => {
    const points = names.length ? names.map(n => [n[1], n[2]]) : outlines.flatMap(rings).flat();
    const mean = k => points.reduce((sum, p) => sum + p[k], 0) / points.length;
    return points.length ? [mean(0), mean(1)] : [0, 0];
  };
  window.gwPublicMap = { view, rings, middle };

  const box = document.getElementById('map'), form = document.getElementById('report');
  if (!box) return;
  const canvas = box.querySelector('canvas'), said = box.querySelector('[role=status]'), words = box.dataset;
  const lon = form.elements.lon, lat = form.elements.lat;
  let city = { outlines: [], names: [], streets: [] }, across = FIRST_M, isSet = !!lon.value, held = null;
  let centre = isSet ? [Number(lon.value), Number(lat.value)] : null;

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const size = () => [canvas.clientWidth, canvas.clientHeight];
  const tell = (text, set) => { said.textContent = text; said.dataset.set = set ? 'yes' : 'no'; };

  function choose(at, metres) {
    centre = at;
    isSet = true;
    lon.value = at[0].toFixed(6);
    lat.value = at[1].toFixed(6);
    tell(metres ? words.accuracy.replace('{n}', Math.round(metres)) : words.chosen, true);
    draw();
  }
  function zoom(by) {
    across = Math.min(FARTHEST_M, Math.max(NEAREST_M, across * by));
    draw();
  }

  function draw() {
    const [w, h] = size(), scale = window.devicePixelRatio || 1, shown = view(centre, across, [w, h]);
    canvas.width = w * scale;
    canvas.height = h * scale;
    const c = canvas.getContext('2d'), rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    c.scale(scale, scale);
    const line = (points, width, ink) => {
      c.beginPath();
      for (const p of points) c.lineTo(...shown.point(p));
      c.lineWidth = width; c.strokeStyle = colour(ink); c.stroke();
    };
    for (const outline of city.outlines) for (const ring of rings(outline)) line(ring, 2, 'muted');
    for (const [, , points] of city.streets) line(points, across < NAMES_M ? 5 : 1.5, 'line');
    c.font = `${0.8125 * rem}px sans-serif`;
    c.textAlign = 'center';
    const taken = [];
    const name = (text, p) => {
      const [x, y] = shown.point(p), wide = c.measureText(text).width / 2 + 4;
      if (x < 0 || x > w || y < 0 || y > h || taken.some(t => Math.abs(t[0] - x) < t[2] + wide && Math.abs(t[1] - y) < rem)) return;
      taken.push([x, y, wide]);
      c.lineWidth = 3; c.strokeStyle = colour('bg'); c.strokeText(text, x, y);
      c.fillStyle = colour('muted'); c.fillText(text, x, y);
    };
    if (across < NAMES_M) for (const [zh, en, points] of city.streets) {
      const inside = points.filter(p => { const [x, y] = shown.point(p); return x > 0 && x < w && y > 0 && y < h; });
      if (inside.length) name(words.lang === 'zh' ? zh : en, inside[inside.length >> 1]);
    }
    for (const [text, east, north] of city.names) name(text, [east, north]);
    c.strokeStyle = colour(isSet ? 'red' : 'muted');
    c.lineWidth = 2.5;
    c.beginPath();
    c.arc(w / 2, h / 2, 11, 0, 2 * Math.PI);
    for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { c.moveTo(w / 2 + 5 * x, h / 2 + 5 * y); c.lineTo(w / 2 + 20 * x, h / 2 + 20 * y); }
    c.stroke();
  }

  canvas.onpointerdown = e => { held = { x: e.clientX, y: e.clientY, from: centre, moved: false }; canvas.setPointerCapture(e.pointerId); };
  canvas.onpointermove = e => {
    if (!held) return;
    const by = [e.clientX - held.x, e.clientY - held.y];
    if (Math.hypot(...by) > TAP_PX) held.moved = true;
    if (held.moved) choose(view(held.from, across, size()).place([size()[0] / 2 - by[0], size()[1] / 2 - by[1]]));
  };
  canvas.onpointerup = e => {
    if (held && !held.moved) {
      const at = canvas.getBoundingClientRect();
      choose(view(centre, across, size()).place([e.clientX - at.left, e.clientY - at.top]));
    }
    held = null;
  };
  canvas.onpointercancel = () => { held = null; };
  canvas.onwheel = e => { e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : 0.8); };
  canvas.onkeydown = e => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (e.key === '+' || e.key === '=') zoom(0.5);
    else if (e.key === '-') zoom(2);
    else if (steps) choose(view(centre, across, size()).place([size()[0] / 2 + 20 * steps[0], size()[1] / 2 + 20 * steps[1]]));
    else if (e.key === 'Enter') choose(centre);
    else return;
    e.preventDefault();
  };
  for (const b of box.querySelectorAll('[data-zoom]')) b.onclick = () => zoom(Number(b.dataset.zoom));
  const mine = box.querySelector('[data-position]');
  mine.hidden = !(window.isSecureContext && navigator.geolocation);
  mine.onclick = () => {
    tell(words.positioning, false);
    navigator.geolocation.getCurrentPosition(
      found => { across = Math.max(300, 4 * found.coords.accuracy); choose([found.coords.longitude, found.coords.latitude], found.coords.accuracy); },
      () => tell(words.noPosition, false), { enableHighAccuracy: true, timeout: 15000 });
  };
  form.onsubmit = () => {
    const go = form.querySelector('[type=submit]');
    go.textContent = form.dataset.sending;
    setTimeout(() => { go.disabled = true; });
  };
  addEventListener('pageshow', () => { form.querySelector('[type=submit]').disabled = false; });

  fetch('/report/map.json').then(answer => answer.json()).then(found => {
    city = found;
    centre = centre || middle(city.names, city.outlines);
    box.hidden = false;
    if (isSet) tell(words.chosen, true);
    draw();
    addEventListener('resize', draw);
  }).catch(() => { box.hidden = true; });
})();
