/* What the squad's phone decides without a server: its queue, its steps, its photos, the way there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { page, plain } from './page.mjs';

const SQUAD = 'screens/squad/';
const phone = (scripts, more = {}) => page({ scripts: scripts.map(name => `${SQUAD}${name}.js`), words: { user: { name: 'chen', squad: 'SQ-1' } }, ...more });

test('a call for help goes first, the rest as it was done', () => {
  const { gw } = phone(['outbox']);
  const items = [{ seq: 1, kind: 'file' }, { seq: 3, kind: 'duress' }, { seq: 2, kind: 'action' }];
  assert.deepEqual(plain(gw.outbox.order(items).map(i => i.seq)), [3, 1, 2]);
});

test('what waits moves a case along, what was refused does not', () => {
  const { gw } = phone(['outbox']);
  const step = (from, to, state = 'waiting') => ({ kind: 'action', from, to, state });
  const after = (...items) => gw.outbox.stateAfter('dispatched', items);
  assert.equal(after(), 'dispatched');
  assert.equal(after(step('dispatched', 'acknowledged'), step('acknowledged', 'on_site')), 'on_site');
  assert.equal(after(step('dispatched', 'acknowledged', 'asking'), step('acknowledged', 'on_site')), 'dispatched');
  assert.equal(after(step('dispatched', 'dispatched'), { kind: 'file', state: 'waiting' }), 'dispatched');
});

test('an answer is done, to be waited for, to be repeated, or a question', () => {
  const { gw } = phone(['outbox']);
  const item = { kind: 'action', from: 'dispatched', to: 'acknowledged', body: { action: 'acknowledge', version: 3 } };
  const current = more => ({ ok: false, status: 409, body: { current: { state: 'dispatched', version: 5, squad: 'SQ-1', ...more } } });
  const cases = [
    [{ ok: true, status: 200 }, 'done'], [{ status: 0 }, 'later'], [{ status: 503 }, 'later'], [{ status: 429 }, 'later'], [{ status: 401 }, 'who'],
    [current({}), 'again'], [current({ version: 3 }), 'ask'], [current({ squad: 'SQ-2' }), 'ask'], [current({ squad: null, state: 'filed' }), 'ask'],
    [current({ refused: 'alarm_stands' }), 'ask'], [current({ state: 'acknowledged' }), 'already'], [current({ state: 'cancelled' }), 'ask'], [{ status: 403 }, 'ask'], [{ status: 422 }, 'ask'],
  ];
  for (const [answer, verdict] of cases) assert.equal(gw.outbox.verdict(answer, item, 'SQ-1'), verdict, JSON.stringify(answer));
  const handled = { ...item, to: 'handled', body: { action: 'handle', version: 3 } };
  assert.equal(gw.outbox.verdict(current({ state: 'handled' }), handled, 'SQ-1'), 'ask'); // its words would be lost
  assert.equal(gw.outbox.verdict({ status: 409, body: {} }, { kind: 'fine' }, 'SQ-1'), 'over');
});

test('the next step asks for the photo that is neither there nor waiting', () => {
  const { gw } = phone(['outbox', 'cards']);
  const table = [{ state: 'dispatched', action: 'acknowledge', to: 'acknowledged', needs: [] }, { state: 'on_site', action: 'comment', to: 'on_site', needs: ['note'] },
    { state: 'on_site', action: 'handle', to: 'handled', needs: ['note', 'photo_after'] }];
  const task = more => ({ id: 7, state: 'on_site', steps: [], waiting: [], evidence: [], rework_count: 0, offered: ['acknowledge', 'comment', 'handle'], category_facts: { closing_evidence: ['photo_after'] }, ...more });
  const fields = of => gw.cards.steps(of, table).map(s => [s.action, s.fields.join(' ')]);
  assert.deepEqual(fields(task({})), [['handle', 'photo_after* note*'], ['comment', 'note*']]);
  assert.deepEqual(fields(task({ evidence: [{ stage: 'photo_after' }] }))[0], ['handle', 'note* photo_after']);
  assert.deepEqual(fields(task({ evidence: [{ stage: 'photo_after' }], rework_count: 1 }))[0], ['handle', 'photo_after* note*']);
  gw.outbox.items = [{ incident: 7, kind: 'file', stage: 'photo_after', state: 'waiting' }];
  assert.deepEqual(fields(task({}))[0], ['handle', 'note* photo_after']);
  assert.deepEqual(fields(task({ state: 'dispatched' })), [['acknowledge', '']]);
});

test('a checklist is answered without signal: what was found opens the next step, and stays true when the case moved', () => {
  const { gw } = phone(['outbox', 'cards']);
  const table = [{ state: 'acknowledged', action: 'arrive', to: 'on_site', needs: [] }, { state: 'on_site', action: 'handle', to: 'handled', needs: ['note'] }];
  const measures = [{ metric: 'o2_pct_vol', low: 19.5, high: 23.5 }, { metric: 'ch4_pct_lel', low: null, high: 10 }];
  const step = { code: 'air', before: 'handle', blocking: true, passed: false, measures };
  const task = more => ({ id: 7, state: 'on_site', steps: [], evidence: [], rework_count: 0, offered: ['arrive'], category_facts: { closing_evidence: [] }, card: { steps: [step] },
    waiting: [{ action: 'handle', waiting_for: [{ code: 'run_card' }] }], ...more });
  const may = of => plain(gw.cards.steps(of, table).map(s => s.action));
  const kept = (passes, seq) => ({ incident: 7, kind: 'step', step: 'air', passes, state: 'waiting', seq });
  assert.deepEqual([[21, 4], [17, 4], [21, 11]].map(([o, g]) => gw.cards.passes(measures, { o2_pct_vol: o, ch4_pct_lel: g })), [true, false, false]);
  assert.equal(gw.cards.passes(measures, { o2_pct_vol: 21 }), false);
  assert.deepEqual(may(task({})), []);
  gw.outbox.items = [kept(true, 1)];
  assert.deepEqual(may(task({})), ['handle']);
  assert.deepEqual(may(task({ waiting: [{ action: 'handle', waiting_for: [{ code: 'run_card' }, { code: 'alarm_stands' }] }] })), []);
  gw.outbox.items = [kept(true, 1), kept(false, 2)];
  assert.deepEqual(may(task({})), []); // the newest counts
  // On the way there the table alone would let the work be reported done.
  const coming = task({ state: 'acknowledged', waiting: [] });
  gw.outbox.items = [{ incident: 7, kind: 'action', from: 'acknowledged', to: 'on_site', state: 'waiting' }];
  assert.deepEqual(may(coming), []);
  gw.outbox.items.push(kept(true, 2));
  assert.deepEqual(may(coming), ['handle']);
  const conflict = more => ({ status: 409, body: { current: { state: 'on_site', version: 5, squad: 'SQ-1', ...more } } });
  const item = { ...kept(true, 1), body: { step: 'air', version: 3 } };
  const cases = [[conflict({}), 'again'], [conflict({ state: 'handled' }), 'again'], [conflict({ squad: 'SQ-2' }), 'ask'], [conflict({ refused: 'found_before' }), 'ask'], [conflict({ version: 3 }), 'ask'], [{ status: 422 }, 'ask']];
  for (const [answer, verdict] of cases) assert.equal(gw.outbox.verdict(answer, item, 'SQ-1'), verdict, JSON.stringify(answer));
});

test('tasks put the urgent first and what is handed over last', () => {
  const { gw } = phone(['outbox', 'cards']);
  const task = (id, state, severity, due_at) => ({ id, state, severity, due_at });
  const tasks = [task(1, 'handled', 1), task(2, 'dispatched', 3), task(3, 'on_site', 2, '2026-11-29T05:00:00Z'), task(4, 'on_site', 2, '2026-11-29T04:00:00Z')];
  const order = () => plain(gw.cards.order(tasks).map(t => t.id));
  assert.deepEqual(order(), [4, 3, 2, 1]);
  gw.outbox.items = [{ incident: 4, kind: 'action', from: 'on_site', to: 'handled', state: 'waiting' }];
  assert.deepEqual(order(), [3, 2, 1, 4]);
});

test('every map app gets the place in its own datum', () => {
  const { gw } = phone(['maps'], { window: { encodeURIComponent } });
  const task = { maps: { wgs84: [110.35, 20.03], gcj02: [110.354, 20.028], bd09: [110.36, 20.034] } };
  const links = agent => Object.fromEntries(plain(gw.mapLinks(task, 'A & B', agent)));
  const android = links('Android'), apple = links('iPhone');
  assert.match(android['phone.map_amap'], /to=110\.354000,20\.028000,A%20%26%20B&.*coordinate=gaode/);
  assert.match(android['phone.map_baidu'], /location=20\.034000,110\.360000&.*coord_type=bd09ll/);
  assert.equal(android['phone.map_geo'], 'geo:20.030000,110.350000?q=20.030000,110.350000(A%20%26%20B)');
  assert.equal(android['phone.map_apple'], undefined);
  assert.match(apple['phone.map_apple'], /daddr=20\.028000,110\.354000/);
  assert.equal(apple['phone.map_geo'], undefined);
});

const bytes = (...parts) => Uint8Array.from(parts.flatMap(p => (typeof p === 'string' ? [...Buffer.from(p, 'latin1')] : p)));

test('what a file is stands in its first bytes, not in its name', () => {
  const { gw } = phone(['photo'], { window: { Uint8Array, DataView } });
  const cases = [[bytes([0xff, 0xd8, 0xff, 0xe0]), 'image/jpeg'], [bytes([0x89], 'PNG\r\n'), 'image/png'], [bytes('RIFF', [0, 0, 0, 0], 'WEBP'), 'image/webp'],
    [bytes([0, 0, 0, 24], 'ftypheic'), 'image/heic'], [bytes([0, 0, 0, 24], 'ftypisom'), 'video/mp4'], [bytes('PK', [3, 4], 'photo.jpg in it'), ''], [bytes([0xff]), '']];
  for (const [content, kind] of cases) assert.equal(gw.photoFile.kind(content), kind);
});

test('EXIF moves into the picture that was made smaller, upright', () => {
  const { gw } = phone(['photo'], { window: { Uint8Array, DataView } });
  const tiff = ['II', [0x2a, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]];
  const body = bytes('Exif', [0, 0], ...tiff), segment = bytes([0xff, 0xe1, 0, body.length + 2], [...body]);
  const photo = bytes([0xff, 0xd8], [0xff, 0xe0, 0, 4, 1, 2], [...segment], [0xff, 0xda, 0, 2]);
  const found = gw.photoFile.exif(photo);
  assert.deepEqual(plain([...found]), plain([...segment]));
  const upright = gw.photoFile.upright(found);
  assert.equal(upright[10 + 8 + 2 + 8], 1);
  assert.equal(found[10 + 8 + 2 + 8], 6); // the one of the file stays
  assert.deepEqual(plain([...gw.photoFile.withExif(bytes([0xff, 0xd8, 9, 9]), upright)].slice(0, 4)), [0xff, 0xd8, 0xff, 0xe1]);
  assert.equal(gw.photoFile.exif(bytes([0xff, 0xd8, 0xff, 0xda, 0, 2])), null);
  assert.equal(gw.photoFile.exif(bytes([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff])), null); // a length beyond the end
});
