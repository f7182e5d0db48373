/* Corners of a boundary between text and picture: shell/assets/boundary.js. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { page, plain } from './page.mjs';

const { gwBoundary: boundary } = page({ scripts: ['shell/assets/boundary.js'], bare: true }).context;
const near = (found, wanted) => found.forEach((value, n) => assert.ok(Math.abs(value - wanted[n]) < 1e-9, `${found} is not ${wanted}`));

test('lines that are no corner are left out of the picture', () => {
  const text = '112.5, 30.2\n\n 112.52 30.2 \n112.52，30.22\n112.5\nnorth, west';
  assert.deepEqual(plain(boundary.parse(text)), [[112.5, 30.2], [112.52, 30.2], [112.52, 30.22]]);
  assert.equal(boundary.format([[112.5, 30.2]]), '112.500000, 30.200000');
});

test('a click is the place that is drawn there', () => {
  const view = boundary.view([112.5, 30.2], 20, [800, 500]);
  near(view.place([400, 250]), [112.5, 30.2]);
  near(view.point(view.place([123, 456])), [123, 456]);
  assert.ok(view.place([400, 0])[1] > 30.2, 'north is above');
});

test('the width is in kilometres wherever the city lies', () => {
  for (const lat of [0, 30.2, 53]) {
    const view = boundary.view([112.5, lat], 20, [800, 500]);
    const degrees = view.place([800, 250])[0] - view.place([0, 250])[0];
    assert.ok(Math.abs(degrees * Math.cos(lat * Math.PI / 180) * 111 - 20) < 1e-6);
  }
});

test('all corners are in the picture that fits them', () => {
  const corners = [[112.5, 30.2], [112.9, 30.2], [112.6, 30.9]], { centre, widthKm } = boundary.fit(corners, 1.6);
  const view = boundary.view(centre, widthKm, [800, 500]);
  for (const [x, y] of corners.map(view.point)) assert.ok(x > 0 && x < 800 && y > 0 && y < 500, `${x} ${y}`);
});

test('there are never so many lines that they cannot be told apart', () => {
  for (const span of [0.004, 0.18, 3, 200]) assert.ok(span / boundary.step(span) <= 8);
});
