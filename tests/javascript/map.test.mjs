/* What lies where on the map and what is drawn first: screens/citymap/. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NOW, page, plain } from './page.mjs';

/* In the order in which the server hands them out: by name, `script.js` last. */
const CITYMAP = ['live', 'paint', 'switches', 'script'].map(name => `screens/citymap/${name}.js`);
/* Four cells in a square: two communities of one sub-district in the north, another sub-district south. */
const CELLS = [
  ['460107001001001', 110.0, 20.01, 110.01, 20.02], ['460107001002001', 110.01, 20.01, 110.02, 20.02],
  ['460107002001001', 110.0, 20.0, 110.01, 20.01], ['460107002001002', 110.01, 20.0, 110.02, 20.01],
];
const DEVICES = [[1, 'G1', 'gas', 110.005, 20.005, CELLS[2][0], 'G'], [2, 'L1', 'light', 110.015, 20.015, CELLS[1][0], 'L']];
const MAP = { cells: CELLS, devices: DEVICES, community_names: { 460107001: 'North', 460107002001: 'Harbour' }, district: {} };

function loaded() {
  const { gw, ...rest } = page({ scripts: CITYMAP, window: { getComputedStyle: () => ({ getPropertyValue: () => '' }) } });
  gw.map.load(MAP);
  return { gw, map: gw.map, ...rest };
}
/* As Leaflet would set it: a picture of 1,000 by 1,000 whose middle is the middle of the cells. */
function seen() {
  const { map, gw, ...rest } = loaded();
  const [a, b] = [map.cells[2], map.cells[1]];
  map.size = { x: 1000, y: 1000 };
  map.scale = 500 / (b.x0 - a.x0);
  map.ox = a.x0 * map.scale;
  map.oy = map.cells[0].y0 * map.scale;
  map.u = 1;
  return { map, gw, ...rest };
}

test('a place is projected as web maps do', () => {
  const { map } = loaded();
  const cell = map.cells[0];
  assert.ok(Math.abs(cell.x0 - (110 + 180) / 360) < 1e-12);
  assert.ok(Math.abs(cell.y0 - (0.5 - Math.asinh(Math.tan(20.02 * Math.PI / 180)) / (2 * Math.PI))) < 1e-12);
  assert.ok(cell.y0 < cell.y1, 'north is above');
});

test('borders run where the codes of two cells begin differently', () => {
  const { map } = loaded();
  const [within, between] = map.borders;
  assert.equal(within.length, 1); // two communities of the northern sub-district
  assert.equal(between.length, 2 + 8); // between the sub-districts, and around all
  assert.deepEqual(plain(map.names).map(n => [n.text, n.street, n.cells]), [['North', true, 2], ['Harbour', false, 2]]);
});

test('the whole picture is where the cells are', () => {
  assert.deepEqual(plain(loaded().map.bbox), [110, 20, 110.02, 20.02]);
});

test('only a device that changed is painted again', () => {
  const { map } = loaded();
  assert.equal(map.setDevices([[1, 5], [2, 1], [99, 5]]), 2);
  assert.equal(map.setDevices([[1, 5], [2, 3], [1, null]]), 1);
  assert.deepEqual([...map.deviceState], [5, 3]);
  map.setDevices([[2, 1]], true); // all others have never reported
  assert.deepEqual([...map.deviceState], [0, 1]);
});

test('quiet devices lie below those in alarm', () => {
  const { map } = loaded();
  const quiet = [0, 1, 2, 3, 4, 5, 6].map(state => { map.deviceState[0] = state; return map.isQuiet(0); });
  assert.deepEqual(quiet, [true, true, true, false, false, false, true]);
});

test('a point shows the incident before the squad, the device, the cell', () => {
  const { map } = seen();
  const at = { lon: 110.005, lat: 20.005 }, x = map.X(map.devices[0].x), y = map.Y(map.devices[0].y);
  assert.deepEqual(plain([map.hit(x + 30, y).kind, map.hit(x + 30, y).id]), ['cell', CELLS[2][0]]);
  assert.deepEqual(plain([map.hit(x + 6, y).kind, map.hit(x + 6, y).id, map.hit(x, y).state]), ['device', 1, 0]);
  map.setSquads([['SQ-01', '一', 'One', at.lon, at.lat, 1, 0, 'gas'], ['SQ-02', '二', 'Two', null, null, 1, 0, 'gas']]);
  assert.deepEqual(plain([map.squads.length, map.hit(x + 9, y).kind]), [1, 'squad']);
  map.setIncidents([{ id: 7, severity: 1, ...at }, { id: 8, severity: 1, lon: null, lat: 20 }]);
  assert.deepEqual(plain([map.incidents.length, map.hit(x + 12, y).kind, map.hit(x + 12, y).id]), [1, 'incident', 7]);
  assert.equal(map.hit(-5000, -5000), null);
});

test('a device is found by the square that it lies in, off the picture it is not kept', () => {
  const { map } = seen();
  map.fillBuckets();
  assert.equal([...map.buckets.values()].flat().length, 2);
  assert.ok(map.buckets.get(map.bucketOf(map.X(map.devices[0].x), map.Y(map.devices[0].y))).includes(0));
  map.ox += 5000;
  map.fillBuckets();
  assert.equal(map.buckets.size, 0);
});

test('the keys go through the incidents, worst first, round and round', () => {
  const { map } = loaded();
  const order = [];
  map.step(1);
  assert.equal(map.focused, null);
  map.setIncidents([{ id: 1, severity: 2, lon: 110, lat: 20, opened: 1 }, { id: 2, severity: 1, lon: 110, lat: 20, opened: 1 }, { id: 3, severity: 2, lon: 110, lat: 20, opened: 2 }]);
  for (const by of [1, 1, 1, 1, -1, -1]) { map.step(by); order.push(map.focused.id); }
  assert.deepEqual(order, [2, 3, 1, 2, 1, 3]);
  map.focused = null;
  map.step(-1);
  assert.equal(map.focused.id, 1);
});

test('marks grow with the zoom and with what they say', () => {
  const { gw: { paint } } = loaded();
  const device = [[1, 4], [1, 32], [1, 400], [3, 4], [5, 4], [5, 400]].map(([state, cell]) => paint.deviceRadius(state, cell, 1));
  assert.deepEqual(device, [1.1, 2, 5, 3, 4, 5]);
  assert.equal(paint.deviceRadius(5, 4, 2), 8);
  const incident = [[1, 4], [2, 4], [3, 4], [3, 30]].map(([severity, cell]) => paint.incidentRadius({ severity }, cell, 1));
  assert.deepEqual(incident, [9, 7.5, 4.5, 7]);
});

test('a label that would cover a more important one is left out', () => {
  const { gw: { paint } } = loaded();
  const drawn = [];
  const g = { measureText: text => ({ width: text.length * 6 }), strokeText: () => {}, fillText: text => drawn.push(text) };
  const label = (text, x, y) => ({ text, x, y, colour: '' });
  paint.placeLabels(g, { font: 'f', halo: '' }, [label('first', 0, 0), label('covered', 20, 5), label('below', 0, 20), label('beside', 40, 0)], 12);
  assert.deepEqual(drawn, ['first', 'below', 'beside']);
});

/* The live picture that the map is fed from. */
function fed(alarms, incidents = []) {
  const { gw, map, ...rest } = loaded();
  const on = {};
  gw.live = { ready: true, map: null, alarms: new Map(alarms.map(a => [a.id, a])), incidents: new Map(incidents.map(i => [i.id, i])),
    devices: new Map(), squads: new Map(), on: (name, fn) => { on[name] = fn; } };
  return { gw, map, on, ...rest };
}
const alarm = (id, more) => ({ id, severity: 1, state: 'unacknowledged', raised: NOW, shelved: false, device_id: 2, lon: 110, lat: 20, ...more });

test('the banner names standing red alarms first, gas before others, the newest first', () => {
  const { gw } = fed([
    alarm(1, { raised: NOW - 2 }), alarm(2, { raised: NOW - 1 }), alarm(3, { device_id: 1, raised: NOW - 9 }),
    alarm(4, { device_id: null, incident_id: 70, raised: NOW - 8 }), alarm(5, { state: 'returned_unacknowledged', device_id: 1 }),
    alarm(6, { severity: 2 }), alarm(7, { shelved: true }), alarm(8, { state: 'acknowledged' }),
  ], [{ id: 70, family: 'gas' }]);
  assert.deepEqual(plain(gw.critical().map(a => a.id)), [4, 3, 2, 1, 5]);
});

test('a cell wears the worst of its alarms and incidents, and loses it again', () => {
  const [a, b] = [CELLS[0][0], CELLS[1][0]];
  const { gw, map, on } = fed([alarm(1, { severity: 3, unit_grid: a }), alarm(2, { severity: 1, shelved: true, unit_grid: a })],
    [{ id: 5, severity: 2, unit_grid: a, lon: 110, lat: 20 }, { id: 6, severity: 4, unit_grid: b, lon: 110, lat: 20 }]);
  gw.showOnMap();
  assert.deepEqual(plain([...map.cellState]), [[a, 2], [b, 4]]);
  gw.live.incidents.delete(5);
  gw.live.incidents.delete(6);
  on.change({ incidents: [], gone: [5, 6], alarms: [], alarmsGone: [], squads: [] });
  assert.deepEqual(plain([...map.cellState]), [[a, 3]]);
});

test('a phone shows the cases of its own squad only; what pulses is red and stands', () => {
  const { gw, map } = fed([alarm(1), alarm(2, { state: 'returned_unacknowledged' })],
    [{ id: 5, severity: 2, squad: 'SQ-01', lon: 110, lat: 20 }, { id: 6, severity: 2, squad: 'SQ-02', lon: 110, lat: 20 }]);
  gw.showOnMap(i => i.squad === 'SQ-01');
  assert.deepEqual(plain(map.incidents.map(i => i.id)), [5]);
  assert.equal(map.pulses.length, 1);
});

const SQUARE = [[110.0, 20.01], [110.01, 20.01], [110.01, 20.02], [110.0, 20.02]];
const HOLE = [[110.002, 20.012], [110.008, 20.012], [110.008, 20.018], [110.002, 20.018]];
const AREAS = [
  { code: 'A', kind: 'hazard', name_zh: '甲', name_en: 'A', rings: [SQUARE, HOLE], centre: null, radius_m: null },
  { code: 'B', kind: 'stalls', name_zh: '乙', name_en: 'B', rings: [], centre: [110.015, 20.015], radius_m: 300 },
];

test('a place lies in the areas around it, not in their holes, and in none where they are switched off', () => {
  const { map } = seen();
  map.load({ ...MAP, areas: AREAS });
  const at = (lon, lat) => {
    const x = (lon + 180) / 360, s = Math.sin(lat * Math.PI / 180);
    return plain(map.areasAt(x, 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI))).map(a => a.code);
  };
  assert.deepEqual(at(110.001, 20.011), ['A']);
  assert.deepEqual(at(110.005, 20.015), []);
  assert.deepEqual(at(110.0155, 20.0155), ['B']);
  assert.deepEqual(at(110.015, 20.0185), []); // 390 m to the north
  map.size = null;
  map.setLayer('areas', false);
  assert.deepEqual(at(110.001, 20.011), []);
});

test('lamps are one mark a cell until there is room for them, and an alarm is always drawn', () => {
  const { map } = seen();
  map.size = null;
  map.setDevices([[1, 1, 0, 'ch4_pct_lel'], [2, 1, 1, 'lamp_on']], true);
  assert.deepEqual([...map.lampState], [0, 2]);
  assert.deepEqual(plain([...map.lampsOf]), [[CELLS[1][0], [1]]]);
  map.cellPx = 8;
  assert.deepEqual([map.lampsByCell(), map.isHidden(0), map.isHidden(1)], [true, false, true]);
  map.cellPx = 40;
  assert.deepEqual([map.lampsByCell(), map.isHidden(1)], [false, false]);
  assert.equal(map.setDevices([[2, 1, 0, 'lamp_on']]), 1); // it went out, and is as well as before
  assert.deepEqual([...map.lampState], [0, 1]);
  map.setLayer('lamps', false);
  assert.equal(map.isHidden(1), true);
  map.setDevices([[2, 5, 0, 'lamp_on']]);
  assert.equal(map.isHidden(1), false);
});

test('a switched layer is remembered by the browser and found again', () => {
  const kept = { 'gw-map-layers': '{"lamps": false, "areas": 7}' };
  const localStorage = { getItem: key => kept[key] || null, setItem: (key, value) => { kept[key] = value; } };
  const { gw, listeners } = page({ scripts: CITYMAP, window: { localStorage, getComputedStyle: () => ({ getPropertyValue: () => '' }) } });
  gw.showLayerSwitches();
  assert.deepEqual(plain(gw.map.layers), { areas: true, lamps: false }); // what is no answer counts for nothing
  const press = name => listeners.click.forEach(fn => fn({ target: { closest: what => (what === '[data-map-layer]' ? { dataset: { mapLayer: name } } : null) } }));
  press('areas');
  assert.deepEqual(plain(gw.map.layers), { areas: false, lamps: false });
  assert.deepEqual(JSON.parse(kept['gw-map-layers']), { areas: false, lamps: false });
});
