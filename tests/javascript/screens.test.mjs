/* The parts of the screens that decide: the queue, a phone's way, sparks, replays, actions, problems. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NOW, page, plain } from './page.mjs';

const screen = (name, more = {}) => page({ scripts: [`screens/${name}/script.js`], ...more });

test('a chip of the queue lets through what its step of the loop is about', () => {
  const { gw } = screen('console');
  const states = ['reported', 'verifying', 'filed', 'dispatched', 'acknowledged', 'on_site', 'suspended', 'handled', 'checking'];
  const through = stage => states.filter(state => gw.passes({ state, family: 'gas' }, stage, ''));
  assert.deepEqual(through('all'), states);
  assert.deepEqual(through('to_file'), ['reported', 'verifying']);
  assert.deepEqual(through('to_dispatch'), ['filed']);
  assert.deepEqual(through('in_hand'), ['dispatched', 'acknowledged', 'on_site', 'suspended']);
  assert.deepEqual(through('to_check'), ['handled', 'checking']);
  assert.deepEqual(through('gas_release'), ['on_site', 'handled', 'checking']);
  assert.equal(gw.passes({ state: 'checking', family: 'drainage' }, 'gas_release', ''), false);
  assert.equal(gw.passes({ state: 'filed', family: 'gas' }, 'to_dispatch', 'drainage'), false);
  const late = { state: 'filed', clock: 'dispatch', due: NOW - 1, standing: 'running' };
  assert.deepEqual([late, { ...late, due: NOW }, { ...late, standing: 'paused' }].map(i => gw.passes(i, 'overdue', '')), [true, false, false]);
});

test('the keys stop at the ends of the queue', () => {
  const { gw } = screen('console');
  const rows = [4, 5, 6];
  const cases = [[4, 1, 5], [6, 1, 6], [4, -1, 4], [undefined, 1, 4], [99, -1, 4]];
  for (const [from, by, to] of cases) assert.equal(gw.neighbour(rows, from, by), to, `${from} ${by}`);
});

test('a phone says how far and where to', () => {
  const { gw } = screen('squad', { texts: { 'squad.metres': '{n} m', 'squad.km': '{km} km', ...Object.fromEntries(['N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW'].map((n, k) => ['compass.' + k, n])) } });
  const here = { lon: 110, lat: 20 };
  const way = (lon, lat) => gw.way(here, { lon, lat });
  assert.deepEqual(plain(way(110, 20)), { metres: 0, bearing: 0 });
  assert.ok(Math.abs(way(110, 20.01).metres - 1111.95) < 0.1); // a hundredth of a degree
  const cases = [[110, 20.001, '110 m N'], [110.001, 20, '100 m E'], [110, 19.99, '1.1 km S'], [109.9, 20, '10.4 km W'], [109.999, 20.001, '150 m NW']];
  for (const [lon, lat, text] of cases) assert.equal(gw.wayText(way(lon, lat)), text);
  assert.equal(gw.wayText({ metres: 949, bearing: 359 }), '950 m N');
  assert.equal(gw.wayText({ metres: 951, bearing: 22 }), '1.0 km N');
});

test('a spark fills its box, from the least to the most of values and limit', () => {
  const { gw } = screen('detail');
  const shape = gw.sparkShape([[0, 0], [50, 10], [100, 5]], NaN, 0, 100);
  assert.deepEqual(plain(shape), { d: 'M4.0 92.0L240.0 4.0L476.0 48.0', end: [476, 48], limit: null });
  assert.equal(gw.sparkShape([[0, 0], [100, 10]], 20, 0, 100).limit, 4);
  assert.deepEqual(plain(gw.sparkShape([[0, 3], [100, 3]], NaN, 0, 100)), { d: 'M4.0 48.0L476.0 48.0', end: [476, 48], limit: null });
});

test('a wall shows the rows that fit, and one that says how many more there are', () => {
  const { gw } = screen('wall');
  gw.rem = () => 16;
  const host = { clientHeight: 16 * 20 };
  assert.deepEqual([0, 3, 5].map(count => gw.fitting(count, host, 4, 3)), [0, 3, 5]);
  assert.equal(gw.fitting(6, host, 4, 3), 4);
  assert.equal(gw.fitting(6, { clientHeight: 0 }, 4, 3), 1);
});

test('the steps of a replay add up, and what was not stored is said', () => {
  const texts = { 'quarantine.done': '{stored}', 'quarantine.done_missed': '{stored}, {missed} gone', 'quarantine.done_refused': '{stored}, refused: {refused}', 'refused.json_invalid': 'no JSON' };
  const { gw } = screen('quarantine', { texts });
  const total = { stored: 0, missed: 0, refused: {}, example: '' };
  const step = more => { gw.replayed.add(total, { stored: 0, missed: 0, refused: {}, example: '', ...more }); return gw.replayed.outcome(total); };
  assert.equal(step({ stored: 200 }), '200');
  assert.equal(step({ stored: 1, missed: 2 }), '201, 2 gone');
  assert.equal(step({ refused: { json_invalid: 3 }, example: 'a' }), '201, refused: no JSON 3');
  assert.equal(step({ refused: { json_invalid: 1, other: 1 }, example: 'b' }), '201, refused: no JSON 4 · other 1');
  assert.equal(total.example, 'a');
});

test('a device says how old its value is and how its clock goes', () => {
  const texts = { 'time.ago': '{age} ago', 'time.seconds': '{n} s', 'time.minutes': '{n} min', 'quality.in_future': '{age} ahead', 'quality.clock_none': 'unknown',
    'quality.clock_ahead': '{by} ahead', 'quality.clock_behind': '{by} behind', 'quality.clock_right': 'right' };
  const { gw } = screen('devices', { texts });
  const words = gw.deviceWords;
  assert.equal(words.age({ age_s: 60, ts: new Date(NOW - 60000).toISOString() }), '1 min ago');
  assert.equal(words.age({ age_s: -1.9, ts: new Date(NOW + 1900).toISOString() }), '0 s ago');
  assert.equal(words.age({ age_s: -30, ts: new Date(NOW + 30000).toISOString() }), '30 s ahead');
  const clocks = [[null, ''], [{ lag_s: null, least_s: null }, 'unknown'], [{ lag_s: 1, least_s: 2 }, 'right'], [{ lag_s: 1, least_s: -2 }, 'right'], [{ lag_s: 9, least_s: -40 }, '40 s ahead'], [{ lag_s: 9, least_s: 180 }, '3 min behind']];
  for (const [clock, text] of clocks) assert.equal(words.clock(clock), text);
  assert.deepEqual(['gateway/chirpstack/0016c001', 'feed/ttn'].map(words.gateway), ['0016c001', 'ttn']);
});

test('a refusal of a device file is a question only where the server asks one', () => {
  const { gw } = screen('devices');
  const question = { suspected: 'gcj02', offset_m: 512, points: 9, evidence: [] };
  assert.deepEqual(gw.datumQuestion({ status: 409, body: { current: { datum_question: question } } }), question);
  for (const answer of [{ status: 409, body: { current: {} } }, { status: 409, body: null }, { status: 422, body: { field: 'datum' } }, { status: 200, body: { rows: 1 } }, { status: 0 }])
    assert.equal(gw.datumQuestion(answer), null);
});

const sender = (texts = {}) => page({ scripts: ['shell/assets/send.js'], texts });

test('why it was not done is said in words', async () => {
  const { gw } = sender({ 'evidence.photo_after': 'photo after', 'fault.too_far': 'off by {m}', 'error.missing': 'missing {field}', 'error.field': '{field}: {problem}',
    'error.server': 'server {status}', 'field.lon': 'longitude' });
  const cases = [
    [{ status: 0 }, 'error.not_sent'], [{ status: 503 }, 'error.not_sent'], [{ status: 401 }, 'error.signed_out'], [{ status: 404 }, 'error.gone'],
    [{ status: 403, body: { detail: 'not yours' } }, 'error.forbidden (not yours)'], [{ status: 403, body: null }, 'error.forbidden'],
    [{ status: 422, body: { field: 'photo_after' } }, 'missing photo after'], [{ status: 422, body: { field: 'lon', code: 'too_far', facts: { m: 5 } } }, 'longitude: off by 5'],
    [{ status: 422, body: { field: 'lon', problem: 'no number' } }, 'longitude: no number'], [{ status: 429 }, 'error.too_fast'], [{ status: 500 }, 'server 500'],
  ];
  for (const [answer, words] of cases) assert.equal(await gw.problem(answer), words);
});

test('a conflict names what stands in the way', async () => {
  const { gw } = sender({ 'error.refused': '{why} ({state})', 'refusal.alarm_stands': 'alarms stand: {alarms}', 'alarm.named': '{device}', 'state.handled': 'handled', 'error.conflict_plain': 'now {state}' });
  const alarms = [{ device: 'GAS-1' }, { condition: 'feed/x' }];
  assert.equal(await gw.problem({ status: 409, body: { current: { refused: 'alarm_stands', state: 'handled', alarms } } }), 'alarms stand: GAS-1; feed/x (handled)');
  assert.equal(gw.refusal({ refused: 'unheard_of' }), 'unheard_of');
  Object.assign(gw.page.texts, { 'refusal.alarm_latched': '{alarms}', 'role.admin': 'admin', 'role.gas_engineer': 'engineer',
    'alarm.named_latched': '{device} by {who}', 'alarm.named_latched_from': '{device} by {who} from {at}' });
  const latched = [{ device: 'GAS-1' }, { device: 'GAS-2', release_role: 'admin', releasable_at: '2026-11-22T02:00:00+00:00' }];
  assert.equal(gw.refusal({ refused: 'alarm_latched', alarms: latched }), 'GAS-1 by engineer; GAS-2 by admin from 11-22 10:00');
  assert.equal(await gw.problem({ status: 409, body: { current: { state: 'handled' } } }), 'now handled');
});

test('keys are new each time, a busy button does nothing twice', async () => {
  const { gw } = sender();
  const keys = new Set(Array.from({ length: 100 }, () => gw.newKey()));
  assert.equal(keys.size, 100);
  assert.ok([...keys].every(key => /^[0-9a-f]{32}$/.test(key)));
  const button = { dataset: {}, setAttribute: () => {}, removeAttribute: () => {} };
  let done = 0, finish;
  const first = gw.once(button, () => { done += 1; return new Promise(resolve => { finish = resolve; }); });
  await gw.once(button, async () => { done += 1; });
  finish();
  await first;
  assert.deepEqual([done, 'busy' in button.dataset], [1, false]);
  await assert.rejects(gw.once(button, async () => { throw new Error('no'); }));
  assert.equal('busy' in button.dataset, false);
});

/* A button of an action, pressed; gives the dialog that it opens. */
function pressed(fields, { incident = {}, live = {}, dataset = {} } = {}) {
  const { gw } = page({ scripts: ['shell/assets/send.js', 'shell/assets/actions.js'], texts: { 'map.off_duty': 'off', 'squad.open_count': '{n} open' } });
  const own = { id: 1, lon: 110, lat: 20, family: 'gas', ...incident };
  gw.live = { incidents: new Map([own, ...(live.incidents || [])].map(i => [i.id, i])), squads: new Map((live.squads || []).map(q => [q[0], q])) };
  let dialog = null;
  gw.dialog = asked => { dialog = asked; };
  const host = { dataset: { incident: '1', version: '3', title: 'a case' } };
  gw.act({ dataset: { action: 'dispatch', fields, ...dataset }, closest: () => host });
  return dialog;
}

test('an action asks for its fields, the starred ones must be filled', () => {
  const fields = pressed('squad* note reason* until').fields;
  assert.deepEqual(plain(fields.map(f => [f.name, f.type, f.required])), [['squad', 'select', true], ['note', 'long', false], ['reason', 'long', true], ['until', 'when', false]]);
});

test('what the button has chosen already is not asked for', () => {
  assert.deepEqual(plain(pressed('squad* note', { dataset: { squad: 'SQ-01' } }).fields.map(f => f.name)), ['note']);
});

test('squads on duty come first, the least busy of them before all', () => {
  const squad = (code, duty, open) => [code, code, code, 110, 20, duty, open, 'gas'];
  const { fields } = pressed('squad*', { live: { squads: [squad('off', 0, 0), squad('busy', 1, 4), squad('free', 1, 1)] } });
  assert.deepEqual(plain(fields[0].options.map(o => o[0])), ['free', 'busy', 'off']);
  assert.equal(fields[0].options[2][1], 'off · off · 0 open');
});

test('twins to merge with are the near ones of the same family, twenty at most', () => {
  const near = Array.from({ length: 25 }, (_, k) => ({ id: k + 10, lon: 110 + k / 1000, lat: 20, family: k % 2 ? 'gas' : 'lighting', number: 'N', title_en: '' }));
  const { fields } = pressed('into*', { live: { incidents: near } });
  const ids = plain(fields[0].options.map(o => Number(o[0])).slice(1));
  assert.equal(ids.length, 20);
  assert.deepEqual(ids.slice(0, 3), [11, 13, 15]);
  assert.ok(!ids.includes(1));
  assert.equal(ids[12], 10); // the nearest of another family comes behind all of the same one
});

test('settings find rows in which every word stands somewhere', () => {
  const { gw } = screen('settings');
  const rows = [{ values: { code: 'SQ-01', name_en: 'Gas North' } }, { values: { code: 'SQ-02', name_en: 'Road North' } }];
  const found = typed => gw.settingsFound(rows, typed).map(row => row.values.code);
  const cases = [['', ['SQ-01', 'SQ-02']], ['north', ['SQ-01', 'SQ-02']], ['NORTH gas', ['SQ-01']], ['sq-02 gas', []]];
  for (const [typed, codes] of cases) assert.deepEqual(found(typed), codes, typed);
});

test('settings say what of a row is not as it was', () => {
  const { gw } = screen('settings');
  assert.deepEqual(plain(gw.settingsDiff({ code: 'a', phone: '1' }, { code: 'a', phone: '2' })), [['phone', '1', '2']]);
  assert.deepEqual(plain(gw.settingsDiff(undefined, { code: 'a', phone: '' })), [['code', '', 'a']]);
  assert.deepEqual(plain(gw.settingsDiff({ code: 'a' }, null)), [['code', 'a', '']]);
});

test('settings say limits as people do', () => {
  const { gw } = screen('settings', { texts: { 'unit.minute': 'minutes', 'unit.work_hour': 'work hours', 'unit.urgent_hour': 'urgent hours', 'role.viewer': 'Viewer' } });
  const cases = [['limit', '0.166667 urgent_hour', '10 minutes'], ['limit', '0.5 work_hour', '0.5 work hours'], ['limit', '2 urgent_hour', '2 urgent hours'],
    ['limit', 'soon', 'soon'], ['role', 'viewer', 'Viewer'], ['phone', '1 2', '1 2']];
  for (const [name, value, text] of cases) assert.equal(gw.settingsWord(name, value), text);
});

test('settings say what the check says in the language of the page', () => {
  const { gw } = screen('settings');
  const known = [['must have {n} digits, not {m}', '{n} 位，不是 {m} 位'], ['must be a number and one of {units}', '数值加 {units}'], ['must be a number', '数值'], ['is no column of this file; it has {known}', '列：{known}']];
  const cases = [['must have 12 digits, not 11', '12 位，不是 11 位'], ['must be a number', '数值'], ['must be a number and one of a, b', '数值加 a, b'],
    ['is no column of this file; it has a.b', '列：a.b'], ['is something new', 'is something new']];
  for (const [problem, own] of cases) assert.equal(gw.settingsFault(problem, known), own);
});

test('an approval shows what goes and what comes, and a little around it', () => {
  const { gw } = screen('approvals');
  const before = 'a\nb\nc\nd\ne\nf\ng\n', after = 'a\nb\nc\nd\ne\nF\ng\nh\n';
  const signs = (old, now) => gw.approvalDiff(old, now).map(([sign, line]) => sign + line).join(' ');
  const cases = [[before, after, '…  d  e -f +F  g +h'], ['', 'x\n', '+x'], ['x\n', '', '-x'], ['x\n', 'x\n', '…']];
  for (const [old, now, said] of cases) assert.equal(signs(old, now), said);
});

test('rules and permits are found by every word, permits by the moment, the longest beside a device', () => {
  const { gw } = screen('rules');
  const rules = [{ code: 'gas-lel', title_zh: '', title_en: 'Gas', condition: 'gas', category: '05-02', metric: 'ch4_pct_lel', watch: 'reading', kinds: ['gas'] }, { code: 'lamp', title_zh: '灯', title_en: '', condition: 'lamp', category: '1', metric: '', watch: 'lamp', kinds: ['light'] }];
  for (const [typed, codes] of [['', ['gas-lel', 'lamp']], ['GAS ch4', ['gas-lel']], ['灯', ['lamp']], ['gas light', []]]) assert.deepEqual(gw.rulesFound(rules, typed).map(rule => rule.code), codes, typed);
  const proposal = text => gw.ruleProposal(new URLSearchParams(text));
  assert.equal(proposal('rule=gas-lel'), '');
  assert.equal(proposal('rule=gas-lel&clear_limit=9&level.on_delay_s=30'), '{"clear_limit":9,"level[0].on_delay_s":30}');
  assert.equal(proposal('rule=gas-lel&draft=code'), 'code');
  const desk = page({ scripts: ['screens/permits/script.js', 'screens/permits/onmap.js'] }).gw;
  const span = (code, from, until, devices) => ({ code, who: 'crew', why: '', made_by: 'li', devices, from_at: new Date(NOW + from).toISOString(), until_at: new Date(NOW + until).toISOString() });
  const permits = [span('WP-1', -1, 10, ['M-1']), span('WP-2', -1, 20, ['M-1', 'M-2']), span('WP-3', 5, 30, ['M-1']), span('WP-4', -9, 0, ['M-3'])];
  assert.deepEqual(permits.map(item => desk.permitState(item, NOW)), ['open', 'open', 'planned', 'over']);
  assert.deepEqual(plain([...desk.permitsByDevice(permits, NOW)].map(([code, item]) => [code, item.code])), [['M-1', 'WP-2'], ['M-2', 'WP-2']]);
  assert.deepEqual(desk.permitsFound(permits, 'crew m-2').map(item => item.code), ['WP-2']);
});

test('the fields of a permit become what the API takes', () => {
  const { gw } = screen('permits');
  assert.deepEqual(plain(gw.permitBody({ who: 'a', devices: 'M-1, M-2；M-3' })), { body: { who: 'a', devices: ['M-1', 'M-2', 'M-3'] } });
  assert.deepEqual(plain(gw.permitBody({ circle: '110.3，20 80' })), { body: { lon: 110.3, lat: 20, radius_m: 80 } });
  assert.deepEqual(plain(gw.permitBody({ polygon: '1 2; 3 4；5 6;' })), { body: { polygon: [[1, 2], [3, 4], [5, 6]] } });
  for (const [fields, problem] of [[{ circle: '110 20' }, 'permits.bad_circle'], [{ polygon: '1 2; 3' }, 'permits.bad_polygon']]) assert.equal(gw.permitBody(fields).problem, problem);
});

test('an inspection counts as the server does', () => {
  const { gw } = screen('registers');
  const items = [{ code: 'a', score: 25 }, { code: 'b', score: 25 }, { code: 'c', score: 20 }, { code: 'd', score: 15 }, { code: 'e', score: 15, critical: true }];
  const all = (word, other) => ({ ...Object.fromEntries(items.map(item => [item.code, word])), ...other });
  const cases = [
    [{}, { open: 5, applies: false, score: 0, passed: true }],
    [all('ok'), { open: 0, applies: true, score: 100, passed: true }],
    [all('ok', { c: 'fail' }), { open: 0, applies: true, score: 80, passed: true }],
    [all('ok', { a: 'fail' }), { open: 0, applies: true, score: 75, passed: false }],
    [all('ok', { d: 'na', c: 'fail' }), { open: 0, applies: true, score: 76.4, passed: false }],
    [all('ok', { e: 'fail' }), { open: 0, applies: true, score: 85, passed: false }],
    [all('na'), { open: 0, applies: false, score: 0, passed: true }],
  ];
  for (const [answers, expected] of cases) assert.deepEqual(plain(gw.inspectionScore(items, answers, 80)), expected);
});

test('earlier offences are told with their dates, and not where nobody knows whose', () => {
  const { gw } = screen('registers', { texts: { 'registers.first_offence': 'first', 'registers.earlier_offences': '{n}: {dates}', 'registers.no_party': 'unknown' } });
  const offences = [{ at: '2026-11-03T01:00:00Z' }, { at: '2026-10-01T01:00:00Z' }];
  assert.deepEqual([gw.offenceText([], true), gw.offenceText(offences, true), gw.offenceText([], false)], ['first', '2: 2026-11-03, 2026-10-01', 'unknown']);
});

test('a flood is gas by itself, then its causes with what they share', () => {
  const { gw } = page({ scripts: ['shell/assets/floods.js'], texts: { 'flood.kind_place': '{name}', 'flood.count': '{n} alarms', 'condition.cover': 'Cover' } });
  gw.deviceName = a => a.device;
  gw.live = { alarms: new Map([[1, { id: 1, severity: 1, reason: null, category: 'gas', device: 'G-1', announced: NOW, state: 'unacknowledged' }], [9, { id: 9, shelved: true }]]),
    kpi: { flood: { alone: [1, 9, 77], times: { 1: 4 }, causes_count: 1, causes: [{ kind: 'place', name: 'Haixiu', severity: 2, count: 3, times: 5, newest: NOW, alarms: [2, 3, 4], condition: 'cover' }] } } };
  const rows = plain(gw.floodRows(gw.flood()));
  assert.deepEqual(rows.map(r => [r.title, r.note, r.severity, r.times, r.gas]), [['gas', 'G-1', 1, 4, true], ['Haixiu · Cover', '3 alarms', 2, 1, false]]);
});

test('a measure is over its target or not, and nothing is said of nothing', () => {
  const { gw } = page({ scripts: ['screens/alarms/measures.js'] });
  const targets = { per_operator_hour: 6, per_operator_hour_max: 12, per_operator_10min: 1, per_operator_10min_max: 2, full_windows_pct: 1, flood_pct: 1, chattering: 0, stale: 5, standing: 10, high_pct: 5 };
  const load = { announced: 30, per_operator_hour: 15, per_operator_10min: 2.5, worst_10min: 12, windows: 12, full_windows: 1, flood_s: 600, floods: 1, period_s: 7200 };
  const m = { targets, load, raised: 20, by_severity: [1, 3, 6, 10], chattering: [], fleeting: 0, stale: 5, standing: 9 };
  const over = found => gw.measureFigures(found).filter(([, , , good]) => !good).map(([name]) => name);
  assert.deepEqual(plain(over(m)), ['hour', 'ten', 'full', 'flood', 'stale']);
  assert.deepEqual(plain(over({ ...m, load: { ...load, announced: 0, per_operator_hour: 0, per_operator_10min: 0, windows: 0, full_windows: 0, flood_s: 0 }, raised: 0, by_severity: [0, 0, 0, 0], stale: 0 })), []);
  assert.equal(gw.ruleLink('gas-lel', { clear_limit: { now: 10, proposed: 9 } }), '/rules?rule=gas-lel&clear_limit=9');
  Object.assign(gw.page.texts, { 'measures.operators_since': 'since {at}', 'measures.operators_never': 'never' });
  gw.el = (tag, name, text) => text;
  const period = { from: '2026-11-22T00:00:00Z', to: '2026-11-23T00:00:00Z' };
  const note = since => plain(gw.operatorsNote({ ...period, operators_since: since }));
  assert.deepEqual(['2026-11-21T00:00:00Z', '2026-11-22T02:00:00Z', '2026-11-24T00:00:00Z', null].map(note), [[], ['since 11-22 10:00'], ['never'], ['never']]);
});

test('what is likely late has a mark of its own', () => {
  const { gw } = screen('console');
  assert.deepEqual([0, 0.39, 0.4, 0.69, 0.7, 1].map(gw.riskOf), ['low', 'low', 'some', 'some', 'high', 'high']);
});

test('one key is one verdict on a video event', () => {
  const { gw } = screen('review');
  const cases = [['y', ['confirmed']], ['Y', ['confirmed']], ['1', ['dismissed', 'nothing_there']], ['6', ['dismissed', 'other']], ['7', null], ['0', null],
    ['m', ['merged']], ['s', ['skip']], ['u', ['undo']], ['Enter', null], ['x', null]];
  for (const [key, meant] of cases) assert.deepEqual(plain(gw.reviewKey(key)), meant, key);
});

test('the event that is shown stays while others come, and what was judged does not come back', () => {
  const { gw } = screen('review');
  const item = (id, stay = 1) => ({ event: { camera: 'C', event_id: id, stay } });
  const ids = (shown, fresh, judged) => plain(gw.reviewQueue(shown, fresh, new Set(judged))).map(i => i.event.event_id + i.event.stay);
  assert.deepEqual(ids(undefined, [item('a'), item('b')], []), ['a1', 'b1']);
  assert.deepEqual(ids(item('b'), [item('a'), item('b', 2), item('c')], []), ['b2', 'a1', 'c1']); // as it is now
  assert.deepEqual(ids(item('z'), [item('a')], []), ['z1', 'a1']);
  assert.deepEqual(ids(item('a'), [item('a'), item('b')], ['C/a']), ['b1']);
  assert.deepEqual(ids(undefined, [item('a')], ['C/a']), []);
});

test('a programme is a line from noon to noon, and its steps are what a person wrote', () => {
  const { gw } = screen('lighting');
  const steps = gw.parseSteps('sunset-10 100\n\n 23:30  60 workday \nsunrise+10 0\n25:00 bright');
  assert.deepEqual(plain(steps), [{ at: 'sunset-10', level: 100 }, { at: '23:30', level: 60, days: 'workday' }, { at: 'sunrise+10', level: 0 }, { at: '25:00', level: 'bright' }]);
  // Sunset at 18:00, sunrise at 06:00: 350, 690 and 1090 minutes after noon.
  assert.deepEqual(plain(gw.dimCurve(steps.slice(0, 3), 1080, 360)), [[0, 0], [350, 0], [350, 100], [690, 100], [690, 60], [1090, 60], [1090, 0], [1440, 0]]);
  assert.deepEqual(plain(gw.dimCurve([], 1080, 360)), []);
});

test('a lit rate of nothing is none, and what is unknown is in neither number', () => {
  const { gw } = screen('lighting', { texts: { 'value.none': '—' } });
  assert.equal(gw.litRate({ lit: 9, dark: 1, unknown: 90 }), '90.0%');
  assert.equal(gw.litRate({ lit: 0, dark: 0, unknown: 10 }), '—');
  const nights = [['a', { lit: 99, dark: 1 }], ['b', { lit: 0, dark: 0 }], ['c', { lit: 84, dark: 16 }]];
  const found = plain(gw.litTrend(nights));
  assert.deepEqual(found.rates.map(([night, rate]) => [night, rate]), [['a', 99], ['b', null], ['c', 84]]);
  assert.equal(found.low, 80);
  assert.equal(gw.litTrend(nights.slice(0, 2)).low, 90);
});

test('the form sends what its channel has and says what is missing', () => {
  const { gw } = page({ scripts: ['screens/intake/form.js'] });
  const values = { description: 'gone', category: '0101', at: [110.36, 20], caller: 'Lin', phone: '123', call_back: true, external_number: 'A-1', captured_on: '2026-07-15', polygon: '110 20; 111 20; 111 21' };
  assert.deepEqual(plain(gw.intakeBody(values, 'hotline_12345')).body, { channel: 'hotline_12345', description: 'gone', category: '0101', lon: 110.36, lat: 20, caller: 'Lin', phone: '123', call_back: true, external_number: 'A-1' });
  assert.deepEqual(plain(gw.intakeBody({ ...values, at: null, verify: true }, 'drone')).body, { channel: 'drone', description: 'gone', category: '0101', verify: true, captured_on: '2026-07-15', polygon: [[110, 20], [111, 20], [111, 21]] });
  assert.deepEqual(plain(gw.intakeBody(values, 'hotline_12319', 7)).body, { channel: 'hotline_12319', description: 'gone', joins: 7, caller: 'Lin', phone: '123', call_back: true, external_number: 'A-1' });
  const wrong = (more, channel) => gw.intakeBody({ ...values, ...more }, channel).problem;
  assert.equal(wrong({ description: '' }, 'patrol'), 'intake.no_description');
  assert.equal(wrong({ category: null }, 'patrol'), 'intake.no_category');
  assert.equal(wrong({ at: null }, 'patrol'), 'intake.no_place');
  assert.equal(wrong({ phone: '' }, 'hotline_12345'), 'intake.no_phone');
  assert.equal(wrong({ polygon: '110 20; x' }, 'satellite'), 'intake.bad_polygon');
});

test('a call is owed its reply first, then a call back, until it has both', () => {
  const { gw } = screen('intake');
  const call = { reply_due_at: '2026-07-15T00:00:00Z', replied_at: null, wants_call_back: true, call_back_due_at: '2026-07-16T00:00:00Z', called_back_at: null };
  const noon = Date.parse('2026-07-15T12:00:00Z');
  assert.deepEqual(plain(gw.promiseOf(call, noon)), { what: 'reply', due: call.reply_due_at, late: true });
  const replied = { ...call, replied_at: '2026-07-15T01:00:00Z' };
  assert.deepEqual(plain(gw.promiseOf(replied, noon)), { what: 'call_back', due: call.call_back_due_at, late: false });
  assert.deepEqual(plain(gw.promiseOf({ ...replied, call_back_due_at: null }, noon)), { what: 'call_back', due: null, late: false });
  assert.equal(gw.promiseOf({ ...replied, called_back_at: '2026-07-16T00:00:00Z' }, noon), null);
});

test('a collector is offered what is theirs, with a photo, and nothing of their own work', () => {
  const { gw } = screen('tasks');
  const zhao = { name: 'zhao', role: 'checker' }, wang = { name: 'wang', role: 'dispatcher' };
  const task = { clock: 'verify', state: 'verifying', collector: null, reported_by: 'wang', handled_by: null };
  const words = (more, user) => plain(gw.taskActions({ ...task, ...more }, user)).map(([action, fields]) => `${action} ${fields}`.trim());
  assert.deepEqual(words({}, zhao), ['assign collector*']);
  assert.deepEqual(words({ collector: 'zhao' }, zhao), ['file photo_before*', 'reject photo_before* reason*']);
  assert.deepEqual(words({ collector: 'qian' }, zhao), []);
  assert.deepEqual(words({ reported_by: 'zhao' }, zhao), []);
  assert.deepEqual(words({ clock: 'check', state: 'handled', handled_by: 'zhao' }, zhao), []);
  assert.deepEqual(words({ clock: 'check', state: 'handled', collector: 'zhao' }, zhao), ['check']);
  assert.deepEqual(words({ clock: 'check', state: 'checking', collector: 'zhao' }, zhao), ['close check_photo* note', 'rework check_photo reason*']);
  assert.deepEqual(words({}, wang), ['assign collector*', 'file photo_before', 'reject photo_before reason*']);
});
