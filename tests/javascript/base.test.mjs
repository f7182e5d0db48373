/* Texts, times, numbers and the order of incidents: shell/assets/0-base.js. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NOW, page, plain } from './page.mjs';

const TEXTS = {
  'time.seconds': '{n} s', 'time.minutes': '{n} min', 'time.hours': '{n} h', 'time.days': '{n} d', 'time.date': '{y}-{m}-{d}',
  'value.none': '–', 'value.yes': 'yes', 'value.no': 'no', 'wall.no_clock': 'no clock', 'wall.paused': 'paused', 'wall.overdue_by': 'late by {age}',
  'reason.limit_high': '{metric} {value} over {limit}', 'metric.ch4_pct_lel': 'methane', 'place.endings': ' committee',
};
const UNITS = { ch4_pct_lel: '%LEL', cover_open: '0/1', power_factor: '1' };
const base = () => page({ texts: TEXTS, words: { units: UNITS } });
const { gw } = base();
const S = 1000, MIN = 60 * S, HOUR = 60 * MIN, DAY = 24 * HOUR;

test('an age has two units at most', () => {
  const cases = [
    [-5 * S, '0 s'], [0, '0 s'], [59.4 * S, '59 s'], [59.6 * S, '1 min'], [61 * S, '1 min 1 s'],
    [9 * MIN + 59 * S, '9 min 59 s'], [10 * MIN + 5 * S, '10 min'], // seconds count below ten minutes only
    [HOUR, '1 h'], [HOUR + 5 * MIN, '1 h 5 min'], [DAY - S, '23 h 59 min'], [3 * DAY + 4 * HOUR + 59 * MIN, '3 d 4 h'],
  ];
  for (const [ms, text] of cases) assert.equal(gw.age(ms), text, `${ms} ms`);
});

test('a countdown keeps its width until it is days', () => {
  const cases = [[0, '00:00'], [-271 * S, '04:31'], [4 * MIN + 31.9 * S, '04:31'], [2 * HOUR + 4 * MIN + 31 * S, '2:04:31'], [DAY, '1 d']];
  for (const [ms, text] of cases) assert.equal(gw.countdown(ms), text, `${ms} ms`);
});

test('how a clock stands is judged now, not when it was sent', () => {
  const incident = { clock: 'handle', due: NOW + 10 * MIN, warn: NOW + 5 * MIN, standing: 'running' };
  assert.equal(gw.standing(incident, NOW), 'running');
  assert.equal(gw.standing(incident, NOW + 5 * MIN), 'due_soon');
  assert.equal(gw.standing(incident, NOW + 10 * MIN), 'due_soon');
  assert.equal(gw.standing(incident, NOW + 10 * MIN + 1), 'overdue');
  assert.equal(gw.standing({ ...incident, standing: 'paused' }, NOW + DAY), 'paused');
  assert.equal(gw.standing({ ...incident, clock: '' }, NOW), 'none');
  assert.equal(gw.countdownText(incident, NOW), '10:00');
  assert.equal(gw.countdownText(incident, NOW + 11 * MIN), 'late by 01:00');
});

test('numbers have as many places as they deserve', () => {
  const cases = [[0, '0'], [1.234, '1.23'], [12.34, '12.3'], [123.4, '123'], [1234567, '1,234,567'], [-0.125, '-0.13'], [null, '–'], [undefined, '–'], [NaN, '–'], [Infinity, '–']];
  for (const [value, text] of cases) assert.equal(gw.number(value), text, String(value));
});

test('a ratio of nothing is no ratio', () => {
  assert.equal(gw.percent({ num: 1, den: 3 }), '33.3%');
  assert.equal(gw.percent({ num: 0, den: 0 }), '–');
  assert.equal(gw.percent(null), '–');
});

test('a value has the unit of its metric', () => {
  assert.equal(gw.value('ch4_pct_lel', 62.5), '62.5 %LEL');
  assert.equal(gw.value('cover_open', 1), 'yes');
  assert.equal(gw.value('cover_open', 0), 'no');
  assert.equal(gw.value('power_factor', 0.91), '0.91');
  assert.equal(gw.value('unheard_of', 2), '2');
});

test('a reason without a sentence of its own says what was measured', () => {
  const measured = { metric: 'ch4_pct_lel', value: 62.5, limit: 20 };
  assert.equal(gw.reason({ code: 'limit_high', ...measured }), 'methane 62.5 %LEL over 20 %LEL');
  assert.equal(gw.reason({ code: 'unheard_of', ...measured }), 'methane 62.5 %LEL');
  assert.equal(gw.reason({ code: 'unheard_of', facts: { title_zh: '井盖' } }), '井盖');
  assert.equal(gw.reason({ code: 'unheard_of' }), 'unheard_of');
  assert.equal(gw.reason(null), '');
});

test('a text without a gap filled has nothing there, an unknown one is its own key', () => {
  assert.equal(gw.t('wall.overdue_by', {}), 'late by ');
  assert.equal(gw.t('nobody.wrote'), 'nobody.wrote');
  assert.equal(gw.word('metric', 'unheard_of'), 'unheard_of');
  assert.equal(gw.word('metric', null), '');
  assert.equal(gw.pick({ name_en: '', name_zh: '海甸' }, 'name'), '海甸');
});

test('times are of the city, wherever the screen hangs', () => {
  assert.equal(gw.clock(NOW), '12:00:00');
  assert.equal(gw.dayAndClock(NOW), '11-29 12:00');
  assert.match(gw.date(Date.UTC(2026, 11, 31, 16, 0)), /^2027-0?1-0?1$/); // browsers differ in the zero
  assert.equal(gw.parts(NOW).weekdayIndex, 0);
});

test('the clock of the screen is corrected to the server', () => {
  const own = base();
  own.gw.offset = -250;
  assert.equal(own.gw.now(), NOW - 250);
});

test('a place is said without the words that all places end with', () => {
  assert.equal(gw.place({ street_name: 'North', community_name: 'Harbour committee' }), 'North Harbour');
  assert.equal(gw.place({ unit_grid: '460107001' }), '460107001');
  assert.equal(gw.place({}), '');
});

test('the worst comes first, then what is due first, a paused clock last, then the newest', () => {
  const running = (id, severity, due) => ({ id, severity, clock: 'handle', due, standing: 'running', opened: 0 });
  const rows = [
    { ...running('paused', 2, 5), standing: 'paused', opened: 9 }, running('later', 2, 20), running('sooner', 2, 10),
    { id: 'no clock, older', severity: 2, opened: 1 }, { id: 'no clock, newer', severity: 2, opened: 2 }, running('red', 1, 99),
  ];
  assert.deepEqual(rows.sort(gw.byUrgency).map(r => r.id), ['red', 'sooner', 'later', 'paused', 'no clock, newer', 'no clock, older']);
});

test('a cookie is found by its whole name', () => {
  const own = base();
  own.document.cookie = 'slang=zh; lang=en; other=%E6%B5%B7';
  assert.deepEqual(plain([own.gw.cookie('lang'), own.gw.cookie('other'), own.gw.cookie('ang')]), ['en', '海', '']);
});
