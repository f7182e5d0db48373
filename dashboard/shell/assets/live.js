/* The live picture: one snapshot over HTTP, then deltas over SSE, kept here for every part of
   the page. Listeners get changes, never the whole: `gw.live.on(name, fn)` with
   snapshot | change {incidents, gone, alarms, alarmsGone, squads, kpi, kinds} | devices [...] | link | faults. */
(function () {
  'use strict';
  const gw = window.gw;
  const OFFSET_SAMPLES = 60;
  const HIDDEN_MS = 20000; // hidden longer than this: frames may have been frozen away, start anew
  const PLAIN_SILENCE_MS = 10000; // the server says something every 2 s: the line is dead
  const IN_USE_MS = 12 * 3600000; // a stream alone does not keep a session from being unused

  const live = (gw.live = {
    state: 'connecting', at: 0, ready: false, rev: 0, map: null, demo: false,
    devices: new Map(), incidents: new Map(), alarms: new Map(), squads: new Map(),
    kpi: null, latency: null, calls: [],
    faults: [], // what the server says does not go on: {code, since, old}
    heard: performance.now(), // the last word from the server, by a clock that nobody sets
  });
  const listeners = {};
  live.on = (name, fn) => { (listeners[name] = listeners[name] || []).push(fn); };
  function tell(name, value) { for (const fn of listeners[name] || []) fn(value); }

  /* Server clock. A message is under way for a while, so `now - arrival` is at most the true
     offset: the largest of the last samples is the best estimate. */
  const samples = [];
  function clockSample(now) {
    if (!now) return;
    samples.push(now - Date.now());
    if (samples.length > OFFSET_SAMPLES) samples.shift();
    gw.offset = Math.max(...samples);
  }

  function setLink(state) {
    if (live.state === state) return;
    live.state = state;
    document.documentElement.dataset.link = state;
    tell('link', state);
  }

  /* --- snapshot ------------------------------------------------------------------------ */
  let stream = 'connecting', loading = false, again = false, waiting = [], retryTimer = 0;

  async function getJson(url) {
    const answer = await fetch(url, { headers: { Accept: 'application/json' }, credentials: 'same-origin' });
    // A redirect to the sign-in page arrives as 200 and HTML.
    if (answer.status === 401 || answer.redirected) throw Object.assign(new Error('signed out'), { signedOut: true });
    if (!answer.ok) throw new Error('HTTP ' + answer.status);
    return answer.json();
  }

  /* A phone has its map only when somebody looks at it. */
  let mapWanted = false;
  live.takeMap = m => { live.map = m; tell('map', m); };
  live.wantMap = async function () {
    mapWanted = true;
    if (live.map) return;
    try { live.takeMap(await getJson('/live/map')); } catch { return; } // with the next picture
    if (live.ready) tell('snapshot', live);
  };

  async function load() {
    if (loading) { again = true; return; }
    loading = true;
    clearTimeout(retryTimer);
    try {
      if (!live.map && (mapWanted || !gw.page.map_scripts)) live.takeMap(await getJson('/live/map'));
      take(await getJson('/live/snapshot'));
      setLink(stream);
      if (stream === 'lost') retryTimer = setTimeout(load, 5000); // no stream: poll until it is back
    } catch (error) {
      setLink(error.signedOut ? 'signed_out' : 'lost');
      retryTimer = setTimeout(load, 3000 + Math.random() * 2000);
    }
    loading = false;
    if (again) { again = false; load(); }
  }

  /* The outline, the cells or the pipes are others: a wall hangs for months without a reload. */
  const MAP_KINDS = ['district.changed', 'unit_grid.changed', 'pipe.changed', 'area.added', 'area.changed', 'area.retired'];
  async function anotherMap() {
    if (!live.map) return;
    try { live.map = await getJson('/live/map'); } catch { live.map = null; load(); return; } // asked for with the next picture
    tell('map', live.map);
    tell('snapshot', live);
  }

  function take(s) {
    clockSample(s.now);
    live.rev = s.rev; live.demo = s.demo; live.at = gw.now(); live.ready = true;
    live.devices = new Map(s.devices.map(d => [d[0], d]));
    live.incidents = new Map(s.incidents.map(i => [i.id, i]));
    live.alarms = new Map(s.alarms.map(a => [a.id, a]));
    live.squads = new Map(s.squads.map(q => [q[0], q]));
    live.calls = s.calls; live.kpi = s.kpi; live.latency = s.latency;
    live.heard = performance.now();
    takeFaults(s.faults);
    tell('snapshot', live);
    // Device values pushed before the snapshot are in it; drawing them again would only look slow.
    const held = waiting.filter(f => f.t !== 'dev' || f.now > s.now);
    waiting = [];
    held.forEach(apply); // not `frame`: the load that this is the end of would make them wait for the next
  }
  live.reload = load;
  function takeFaults(faults) {
    const key = list => list.map(f => f.code + f.since).join();
    const changed = key(faults) !== key(live.faults);
    live.faults = faults;
    if (changed) tell('faults', faults);
  }

  /* --- frames -------------------------------------------------------------------------- */
  function frame(f) {
    clockSample(f.now);
    live.heard = performance.now();
    if (f.t === 'faults') takeFaults(f.faults); // also while nothing else can be read
    if (!live.ready || loading) { if (f.t !== 'now' && f.t !== 'faults') waiting.push(f); return; }
    apply(f);
  }
  function apply(f) {
    live.at = gw.now();
    if (f.t === 'dev') { for (const d of f.d) live.devices.set(d[0], d); tell('devices', f); }
    if (f.t === 'ev' && f.rev > live.rev) event(f);
    if (f.t === 'now' && (f.kpi || f.squads)) beside(f); // what changes without an event
  }
  function event(f) {
    live.rev = f.rev;
    for (const i of f.incidents || []) live.incidents.set(i.id, i);
    for (const id of f.gone || []) live.incidents.delete(id);
    for (const a of f.alarms || []) live.alarms.set(a.id, a);
    for (const id of f.alarms_gone || []) live.alarms.delete(id);
    if (f.calls) live.calls = f.calls;
    beside(f);
  }
  function beside(f) {
    for (const q of f.squads || []) live.squads.set(q[0], q);
    if (f.kpi) live.kpi = f.kpi;
    if ((f.kinds || []).some(kind => MAP_KINDS.includes(kind))) anotherMap();
    tell('change', { kinds: f.kinds || [], incidents: f.incidents || [], gone: f.gone || [],
      alarms: f.alarms || [], alarmsGone: f.alarms_gone || [], squads: f.squads || [], kpi: f.kpi });
  }

  function receive(message) {
    if (message.k === 'frame') frame(JSON.parse(message.v));
    if (message.k === 'resync') load();
    if (message.k === 'leave') location.reload();
    if (message.k === 'link') {
      stream = message.v;
      // Device values carry no revision: what was missed in a gap comes only with a snapshot.
      if (stream === 'live' || stream === 'lost') load();
      if (stream === 'lost' && live.state !== 'signed_out') setLink('lost');
    }
  }

  /* --- transport ----------------------------------------------------------------------- */
  function withWorker() {
    const worker = new SharedWorker(gw.page.worker, 'gridwarden');
    worker.port.onmessage = e => receive(e.data);
    worker.port.postMessage({ url: location.origin + '/events' });
    addEventListener('pagehide', () => worker.port.postMessage({ bye: 1 }));
    addEventListener('pageshow', e => { if (e.persisted) location.reload(); });
  }
  /* Phones often have no SharedWorker: the same stream, this page's own. */
  function withoutWorker() {
    let source = null, last = '', wait = 1000, heard = 0;
    function open() {
      heard = Date.now();
      source = new EventSource('/events' + (last ? '?last=' + encodeURIComponent(last) : ''));
      source.onopen = () => { wait = 1000; heard = Date.now(); receive({ k: 'link', v: 'live' }); };
      source.onmessage = e => { heard = Date.now(); last = e.lastEventId || last; receive({ k: 'frame', v: e.data }); };
      source.addEventListener('resync', () => receive({ k: 'resync' }));
      source.addEventListener('leave', () => { source.close(); receive({ k: 'leave' }); });
      source.onerror = () => { receive({ k: 'link', v: 'lost' }); if (source.readyState === 2) later(); };
    }
    function later() { source.close(); heard = Date.now() + wait; setTimeout(open, wait); wait = Math.min(wait * 2, 4000); }
    open();
    setInterval(() => { if (Date.now() - heard > PLAIN_SILENCE_MS) { receive({ k: 'link', v: 'lost' }); later(); } }, 2000);
  }

  live.start = function () {
    if (live.started) return;
    live.started = true;
    document.documentElement.dataset.link = live.state;
    if (window.SharedWorker) withWorker(); else withoutWorker();
    load();
    let hiddenAt = 0;
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) hiddenAt = Date.now();
      else if (Date.now() - hiddenAt > HIDDEN_MS) load();
    });
    addEventListener('online', load);
    setInterval(load, IN_USE_MS);
  };
})();
