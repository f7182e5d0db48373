/* The live picture and its line: shell/assets/live.js, live-worker.js, status.js, latency.js. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NOW, page, plain } from './page.mjs';

class Source {
  static all = [];
  constructor(url) { this.url = url; this.readyState = 0; this.on = {}; Source.all.push(this); }
  addEventListener(name, fn) { this.on[name] = fn; }
  close() { this.readyState = 2; this.closed = true; }
}
const settled = () => new Promise(resolve => { setImmediate(resolve); });
const SNAPSHOT = { now: NOW, rev: 10, demo: false, faults: [], devices: [[1, 1, 5]], alarms: [], squads: [], kpi: null, latency: null,
  incidents: [{ id: 1, severity: 2 }] };

/* A page with its own stream, as on a phone; `answers` are given to fetch by address. */
async function phone(answers = {}) {
  Source.all = [];
  const all = { '/live/map': { district: {} }, '/live/snapshot': SNAPSHOT, ...answers };
  const fetched = [];
  const fetch = async url => {
    fetched.push(url);
    const answer = all[url];
    if (answer instanceof Error) throw answer;
    return { ok: true, status: 200, redirected: false, json: async () => plain(answer) };
  };
  const opened = page({ scripts: ['shell/assets/live.js', 'shell/assets/status.js'], window: { fetch, EventSource: Source } });
  opened.gw.live.start();
  await settled();
  return { ...opened, live: opened.gw.live, source: Source.all[0], answers: all, fetched,
    say: frame => Source.all.at(-1).onmessage({ data: JSON.stringify(frame) }) };
}

test('a change is taken once, by its revision', async () => {
  const { live, say } = await phone();
  const told = [];
  live.on('change', c => told.push(c));
  say({ t: 'ev', rev: 10, now: NOW, gone: [1] }); // is in the snapshot already
  assert.equal(live.incidents.size, 1);
  say({ t: 'ev', rev: 11, now: NOW, incidents: [{ id: 2 }], gone: [1] });
  say({ t: 'ev', rev: 11, now: NOW, incidents: [{ id: 3 }] });
  assert.deepEqual([...live.incidents.keys()], [2]);
  assert.deepEqual(plain(told), [{ kinds: [], incidents: [{ id: 2 }], gone: [1], alarms: [], alarmsGone: [], squads: [] }]);
});

test('what arrives before the picture waits for it, and older values are not drawn again', async () => {
  const { live, say, source, answers, fetched } = await phone();
  const drawn = [];
  live.on('devices', f => drawn.push(f.d[0][2]));
  answers['/live/snapshot'] = { ...SNAPSHOT, rev: 12, now: NOW + 500 };
  source.onopen(); // the line stands: a new picture is on its way
  say({ t: 'dev', now: NOW + 400, d: [[1, 1, 6]] });
  say({ t: 'dev', now: NOW + 600, d: [[1, 1, 7]] });
  say({ t: 'ev', rev: 13, now: NOW + 600, incidents: [{ id: 5 }] });
  assert.deepEqual(drawn, []);
  await settled();
  assert.deepEqual(drawn, [7]);
  assert.deepEqual([...live.incidents.keys()], [1, 5]);
  assert.equal(live.rev, 13);
  assert.deepEqual(fetched.filter(url => url === '/live/map').length, 1);
});

test('the clock of the server is the least delayed of its messages', async () => {
  const { gw, say } = await phone();
  say({ t: 'now', now: NOW - 900 });
  say({ t: 'now', now: NOW + 40 });
  say({ t: 'now', now: NOW - 300 });
  assert.equal(gw.offset, 40);
  for (let k = 0; k < 60; k++) say({ t: 'now', now: NOW - 100 }); // a clock that was set back is believed in time
  assert.equal(gw.offset, -100);
});

test('signed out, lost and live are told apart', async () => {
  const { live, answers, source, timers } = await phone();
  source.onopen();
  await settled();
  assert.equal(live.state, 'live');
  answers['/live/snapshot'] = new Error('no network');
  live.reload();
  await settled();
  assert.equal(live.state, 'lost');
  const retry = timers.at(-1).ms;
  assert.ok(retry >= 3000 && retry < 5000, `${retry} ms`); // not all walls at one moment
});

test('without a stream the picture is asked for again and again', async () => {
  const { live, source, timers } = await phone();
  source.readyState = 0;
  source.onerror();
  await settled();
  assert.equal(live.state, 'lost');
  assert.ok(timers.some(t => t.ms === 5000));
});

test('a page waits longer for its stream each time, four seconds at most, and starts from where it was', async () => {
  const { timers, say, source } = await phone();
  source.onmessage({ data: '{"t":"now"}', lastEventId: '7' });
  const waits = [];
  for (let k = 0; k < 4; k++) {
    const now = Source.all.at(-1), before = timers.length;
    now.readyState = 2; // an HTTP error: the browser itself gives up
    now.onerror();
    const timer = timers.slice(before).find(t => Source.all.length === k + 1 && [1000, 2000, 4000].includes(t.ms));
    waits.push(timer.ms);
    timer.fn();
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 4000]);
  assert.equal(Source.all.at(-1).url, '/events?last=7');
  Source.all.at(-1).onopen();
  say({ t: 'now', now: NOW });
});

/* The shared worker: plain functions of its own global, no page. */
function worker() {
  Source.all = [];
  const opened = page({ bare: true, scripts: ['shell/assets/live-worker.js'], window: { EventSource: Source } });
  const heard = [];
  const port = { postMessage: m => heard.push(plain(m)), start: () => {} };
  opened.context.onconnect({ ports: [port] });
  return { ...opened, port, heard, watch: opened.timers.find(t => t.ms === 2000) };
}

test('one stream serves all tabs; a later tab is told how it stands', () => {
  const { port, heard, context } = worker();
  port.onmessage({ data: { url: 'http://wall/events' } });
  Source.all[0].onopen();
  const second = { heard: [], postMessage: m => second.heard.push(plain(m)), start: () => {} };
  context.onconnect({ ports: [second] });
  second.onmessage({ data: { url: 'http://wall/events' } });
  assert.equal(Source.all.length, 1);
  assert.deepEqual([heard, second.heard], [[{ k: 'link', v: 'live' }], [{ k: 'link', v: 'live' }]]);
  Source.all[0].onmessage({ data: 'x', lastEventId: '3' });
  port.onmessage({ data: { bye: 1 } });
  Source.all[0].onmessage({ data: 'y', lastEventId: '4' });
  assert.deepEqual([heard.length, second.heard.length], [2, 3]);
});

test('a line is dead after ten seconds of silence, not before, and is opened again after a growing wait', () => {
  const { port, heard, clock, timers, watch } = worker();
  port.onmessage({ data: { url: 'http://wall/events' } });
  Source.all[0].onopen();
  clock.ms += 10000;
  watch.fn();
  assert.deepEqual(heard, [{ k: 'link', v: 'live' }]);
  const waits = [];
  for (let k = 0; k < 4; k++) {
    clock.ms += 20000;
    watch.fn();
    waits.push(timers.at(-1).ms);
    watch.fn(); // it waits already: no second stream
    timers.at(-1).fn();
  }
  assert.deepEqual(waits.map(ms => Math.floor(ms / 1000) * 1000), [1000, 2000, 4000, 4000]);
  assert.ok(waits.every((ms, k) => ms - [1000, 2000, 4000, 4000][k] < 500));
  assert.equal(Source.all.length, 5);
  assert.deepEqual(heard.at(-1), { k: 'link', v: 'lost' });
});

test('a stream that ends because somebody else signed in begins anew', () => {
  const { port, heard } = worker();
  port.onmessage({ data: { url: 'http://wall/events' } });
  Source.all[0].onmessage({ data: 'x', lastEventId: '3' });
  Source.all[0].on.leave();
  assert.deepEqual(heard.at(-1), { k: 'leave' });
  port.onmessage({ data: { url: 'http://wall/events' } });
  assert.equal(Source.all[1].url, 'http://wall/events');
});

test('a silent server is a fault of the whole picture, whatever it said last', async () => {
  const { gw, clock, say, live } = await phone();
  say({ t: 'faults', now: NOW, faults: [{ code: 'not_judged', since: NOW - 9000, old: 'alarms' }] });
  assert.deepEqual(plain(gw.faults()).map(f => f.code), ['not_judged']);
  assert.deepEqual([gw.isOld('alarms'), gw.isOld('incidents')], [true, false]);
  clock.ms += 8000;
  assert.deepEqual(plain(gw.faults()).map(f => f.code), ['not_judged']);
  clock.ms += 1;
  assert.deepEqual(plain(gw.faults()), [{ code: 'server_away', since: live.at, old: 'all' }]);
  assert.ok(gw.isOld('incidents'));
  say({ t: 'now', now: NOW + 8001 });
  assert.deepEqual(plain(gw.faults()).map(f => f.code), ['not_judged']);
});

test('latencies are percentiles of what arrived; what was not measured is no zero', () => {
  const { gw, clock } = page({ scripts: ['shell/assets/latency.js'], texts: { 'value.none': '–' } });
  assert.equal(gw.latency.figures(), null);
  clock.ms = NOW + 100;
  for (let k = 1; k <= 100; k++) gw.latency.take({ pushed: NOW + 90, d: [[k, 1, 5, 'ch4_pct_lel', NOW + 100 - k, NOW + 50, NOW + 60]] });
  const figures = gw.latency.figures();
  assert.deepEqual([figures.n, figures.p50, figures.p99], [100, 51, 100]);
  assert.deepEqual(plain(figures.parts), [1, 10, 30, 10]);
  const back = page({ scripts: ['shell/assets/latency.js'] });
  back.gw.latency.take({ now: NOW, d: [[1, 1, 5, 'ch4_pct_lel', NOW - 20, NOW - 10, null], [2, 0, null, null, null]] });
  assert.deepEqual(plain(back.gw.latency.figures().parts), [10, null, null, 0]);
});

test('milliseconds are shown as a person reads them', () => {
  const { gw } = page({ scripts: ['shell/assets/latency.js'], texts: { 'value.none': '–', 'time.minutes': '{n} min' } });
  const cases = [[null, '–'], [-3, '0 ms'], [999.4, '999 ms'], [1500, '1.50 s'], [12345, '12.3 s'], [120000, '2 min']];
  for (const [ms, text] of cases) assert.equal(gw.millis(ms), text, String(ms));
});

test('what changes without an event reaches the screens, and a mere clock does not', async () => {
  const { live, say } = await phone();
  const told = [];
  live.on('change', c => told.push(c));
  say({ t: 'now', now: NOW });
  say({ t: 'now', now: NOW, kpi: { open: 3, flood: { since: NOW } }, squads: [['SQ-1', '', '']] });
  assert.equal(told.length, 1);
  assert.deepEqual([live.kpi.open, live.squads.has('SQ-1'), live.rev], [3, true, 10]);
});
