/* How things look on the map: pure drawing on a 2D context, no state and no Leaflet here. */
(function () {
  'use strict';
  const gw = window.gw;
  const paint = (gw.paint = {});
  const SEVERITY = ['', 'red', 'orange', 'yellow', 'blue'];

  /* Read once for a full redraw: getComputedStyle for each dot would dominate the frame. */
  paint.colours = function () {
    const c = {};
    for (const name of ['bg', 'surface', 'line', 'text', 'muted', 'faint', 'accent', 'on-accent', 'red', 'orange', 'yellow',
      'blue', 'series-2', 'on-red', 'on-orange', 'on-yellow', 'on-blue', 'ok', 'silent', 'out', 'cell', 'halo']) c[name] = gw.css(name);
    c.device = [c.out, c.ok, c.silent, c.yellow, c.orange, c.red, c.out];
    c.severity = SEVERITY.map(s => c[s]);
    c.onSeverity = SEVERITY.map(s => c['on-' + s]);
    c.font = getComputedStyle(document.body).fontFamily;
    return c;
  };

  /* Radius of a device's mark: quiet ones small, alarms large, all growing with the zoom. */
  paint.deviceRadius = function (state, cellPx, u) {
    const base = Math.min(5, Math.max(1.1, cellPx / 16)) * u;
    return state >= 5 ? Math.max(base, 4 * u) : state >= 3 ? Math.max(base, 3 * u) : base;
  };

  /* Shape tells the kind once there is room for it: square lamp, round cover, triangle gas, diamond camera. */
  paint.device = function (g, c, x, y, r, state, kind) {
    g.fillStyle = c.device[state];
    if (r < 2.2) { g.fillRect(x - r, y - r, 2 * r, 2 * r); return; }
    g.beginPath();
    if (kind === 'gas') { g.moveTo(x, y - r * 1.15); g.lineTo(x + r * 1.1, y + r); g.lineTo(x - r * 1.1, y + r); g.closePath(); }
    else if (kind === 'camera') { g.moveTo(x, y - r * 1.2); g.lineTo(x + r * 1.2, y); g.lineTo(x, y + r * 1.2); g.lineTo(x - r * 1.2, y); g.closePath(); }
    else if (kind === 'light') g.rect(x - r * .85, y - r * .85, r * 1.7, r * 1.7);
    else g.arc(x, y, r, 0, 7);
    if (state === 2 || state === 0) { g.lineWidth = 1.2; g.strokeStyle = c.device[state]; g.stroke(); } else g.fill();
  };

  /* What a place means, calm and without the colours of severities: permitted stalls are tinted,
     hazard zones hatched, important places have a double edge. */
  paint.area = function (g, c, path, kind, u) {
    g.save();
    g.strokeStyle = kind === 'stalls' ? c['series-2'] : c.muted;
    g.fillStyle = kind === 'stalls' ? c['series-2'] : c.muted;
    g.globalAlpha = kind === 'stalls' ? .16 : .07;
    g.fill(path, 'evenodd');
    g.globalAlpha = .8;
    if (kind === 'hazard') {
      g.lineWidth = 1.2 * u; g.setLineDash([5 * u, 3 * u]); g.stroke(path); g.setLineDash([]);
      g.clip(path, 'evenodd');
      g.globalAlpha = .35; g.lineWidth = 1 * u;
      const step = 7 * u, w = g.canvas.width, h = g.canvas.height;
      g.beginPath();
      for (let x = -h; x < w; x += step) { g.moveTo(x, h); g.lineTo(x + h, 0); }
      g.stroke();
    } else if (kind === 'important') {
      g.lineWidth = 3.6 * u; g.stroke(path);
      g.strokeStyle = c.halo; g.globalAlpha = 1; g.lineWidth = 1.2 * u; g.stroke(path);
    } else { g.lineWidth = 1.2 * u; g.stroke(path); }
    g.restore();
  };

  /* The lamps of a cell as one mark in its corner: full of light by the share that is lit. */
  paint.lamps = function (g, c, x, y, cellPx, states) {
    const size = Math.max(1.6, cellPx / 5), lit = states.filter(s => s === 2).length, says = states.filter(s => s).length;
    g.fillStyle = says ? c['series-2'] : c.silent;
    g.globalAlpha = says ? .2 + .7 * lit / says : .3;
    g.fillRect(x - size - 1, y - size - 1, size, size);
    g.globalAlpha = 1;
  };

  paint.incidentRadius = (incident, cellPx, u) =>
    (incident.severity === 1 ? 9 : incident.severity === 2 ? 7.5 : cellPx > 26 ? 7 : 4.5) * u;

  paint.incident = function (g, c, x, y, r, incident, standing, u) {
    const colour = c.severity[incident.severity] || c.muted;
    g.beginPath(); g.arc(x, y, r, 0, 7);
    g.fillStyle = colour; g.fill();
    g.lineWidth = 1.5 * u; g.strokeStyle = c.halo; g.stroke();
    if (standing === 'overdue') { // a second ring: readable without telling colours apart
      g.beginPath(); g.arc(x, y, r + 3 * u, 0, 7);
      g.lineWidth = 1.6 * u; g.strokeStyle = colour; g.setLineDash([3 * u, 2.4 * u]); g.stroke(); g.setLineDash([]);
    }
    if (r < 7 * u) return;
    g.fillStyle = c.onSeverity[incident.severity] || c.bg;
    g.font = `700 ${r * 1.15}px ${c.font}`;
    g.textAlign = 'center'; g.textBaseline = 'middle';
    g.fillText(gw.word('family_mark', incident.family), x, y + r * .06);
  };

  paint.squad = function (g, c, x, y, onDuty, u) {
    const w = 6 * u;
    g.beginPath();
    g.moveTo(x, y - w * 1.1); g.lineTo(x + w, y - w * .5); g.lineTo(x + w, y + w * .35);
    g.lineTo(x, y + w * 1.15); g.lineTo(x - w, y + w * .35); g.lineTo(x - w, y - w * .5); g.closePath();
    g.fillStyle = onDuty ? c.accent : c.bg; g.fill();
    g.lineWidth = 1.5 * u; g.strokeStyle = onDuty ? c.halo : c.muted; g.stroke();
  };

  paint.label = function (g, c, text, x, y, size, colour, weight) {
    g.font = `${weight || 500} ${size}px ${c.font}`;
    g.textBaseline = 'middle';
    g.lineJoin = 'round'; g.lineWidth = Math.max(2.5, size / 4); g.strokeStyle = c.halo; g.strokeText(text, x, y);
    g.fillStyle = colour; g.fillText(text, x, y);
  };

  paint.ring = function (g, c, x, y, r, u) {
    g.lineWidth = 2.5 * u; g.strokeStyle = c.text;
    g.beginPath(); g.arc(x, y, r + 5 * u, 0, 7); g.stroke();
    g.lineWidth = 1 * u; g.strokeStyle = c.halo;
    g.beginPath(); g.arc(x, y, r + 7 * u, 0, 7); g.stroke();
  };

  /* Labels in order of importance; one that would cover another is left out. */
  paint.placeLabels = function (g, c, wanted, size) {
    const taken = [];
    for (const l of wanted) {
      g.font = `${l.weight || 500} ${l.size || size}px ${c.font}`;
      const h = (l.size || size) * 1.3, w = g.measureText(l.text).width + 4;
      const box = [l.x, l.y - h / 2, l.x + w, l.y + h / 2];
      if (taken.some(t => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
      taken.push(box);
      g.textAlign = 'left';
      paint.label(g, c, l.text, l.x, l.y, l.size || size, l.colour, l.weight);
    }
  };
})();
