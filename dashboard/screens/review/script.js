/* Review: one video event after the other. A verdict goes out while the next event is already
   shown; for some seconds it can be taken back, and only then does it hold. */
(function () {
  'use strict';
  const gw = window.gw;
  const EVENTS = '/api/v1/video-events', QUEUE = '/api/v1/video-review';
  const AHEAD = 3, TAKE_BACK_S = 8, HEARTBEAT_MS = 45000, SKIPPED_MAX = 50, ZOOM = 16.5;
  const REASONS = ['nothing_there', 'wrong_class', 'no_offence', 'permitted', 'unclear', 'other'];
  const HELD = ['permitted', 'low_confidence', 'short_stay', 'no_category'];
  const view = { items: [], counts: null, skipped: [], last: null, loading: null, failed: false, opened: {}, drawn: '' };
  const $ = id => document.getElementById(id);
  const name = item => item.event.camera + '/' + item.event.event_id;
  const path = event => `${EVENTS}/${encodeURIComponent(event.camera)}/${encodeURIComponent(event.event_id)}`;
  const pictureOf = item => (item.event.snapshot_state === 'stored' ? path(item.event) + '/snapshot' : '');
  const when = text => gw.dayAndClock(Date.parse(text));

  /* What a key means here; digits are the reasons to dismiss, in their order. */
  gw.reviewKey = function (key) {
    if (/^[1-9]$/.test(key)) { const reason = REASONS[key - 1]; return reason ? ['dismissed', reason] : null; }
    return { y: ['confirmed'], m: ['merged'], s: ['skip'], u: ['undo'] }[key.toLowerCase()] || null;
  };
  /* The events at hand: what is shown stays, what somebody has judged is gone, new ones follow. */
  gw.reviewQueue = function (shown, fresh, judged) {
    const key = item => item.event.camera + '/' + item.event.event_id;
    const rest = fresh.filter(item => !judged.has(key(item)));
    if (!shown || judged.has(key(shown))) return rest;
    const again = rest.find(item => key(item) === key(shown));
    return [again || shown, ...rest.filter(item => key(item) !== key(shown))];
  };

  const judged = new Set(); // until the server says so, too

  gw.screens.review = async function () {
    gw.showStatus();
    gw.showOnMap();
    gw.live.start();
    gw.live.on('change', news => { if (news.kinds.some(kind => kind.startsWith('video.'))) later(); });
    gw.live.on('snapshot', () => load());
    document.addEventListener('keydown', pressed);
    gw.every(HEARTBEAT_MS, () => { if (!document.hidden) load(); });
    addEventListener('pagehide', leave);
    draw();
    await load();
  };

  let asked = 0;
  function later() { clearTimeout(asked); asked = setTimeout(load, view.items.length ? 2500 : 250); }

  /* One request at a time: what is asked meanwhile is asked once more afterwards. */
  async function load() {
    if (view.loading) { view.again = true; return view.loading; }
    view.loading = (async () => {
      const sent = new Set(judged);
      const answer = await gw.send('POST', QUEUE + '/next', { count: AHEAD, skip: view.skipped });
      view.failed = !answer.ok;
      if (answer.ok) {
        view.counts = answer.body.counts;
        view.items = gw.reviewQueue(view.items[0], answer.body.items, judged);
        for (const item of sent) if (!answer.body.items.some(i => name(i) === item)) judged.delete(item);
        for (const item of view.items) preload(item);
      } else view.problem = await gw.problem(answer);
      draw();
    })();
    await view.loading;
    view.loading = null;
    if (view.again) { view.again = false; await load(); }
  }

  const pictures = new Map();
  function preload(item) {
    const url = pictureOf(item);
    if (!url || pictures.has(url)) return;
    const image = new Image();
    image.src = url;
    pictures.set(url, image);
    if (pictures.size > 12) pictures.delete(pictures.keys().next().value);
  }

  function leave() {
    fetch(QUEUE + '/leave', { method: 'POST', keepalive: true, credentials: 'same-origin', headers: { 'Content-Type': 'application/json', 'X-CSRFToken': gw.cookie('_csrf_token') } });
  }

  // Verdicts

  function pressed(event) {
    if (gw.started !== 'review' || event.ctrlKey || event.metaKey || event.altKey || event.repeat || gw.dialogOpen()) return;
    if (event.target.closest('input, textarea, select, .leaflet-container')) return;
    const meant = gw.reviewKey(event.key);
    if (!meant) return;
    event.preventDefault();
    act(...meant);
  }

  function act(what, reason) {
    if (what === 'undo') return undo();
    const item = view.items[0];
    if (!item) return;
    if (what === 'skip') return skip(item);
    if (what === 'confirmed' && !item.severity) return gw.notice(gw.t('review.no_category'), 'bad');
    const body = { verdict: what, take_back_s: TAKE_BACK_S };
    if (reason) body.reason = reason;
    if (what === 'merged') {
      const into = item.similar[Number(reason) || 0];
      delete body.reason;
      if (!into) return gw.notice(gw.t('review.nothing_similar'), 'bad');
      body.into = into.subject;
    }
    give(item, body);
  }

  function forward(item) {
    view.items = view.items.filter(other => other !== item);
    draw();
  }

  async function give(item, body) {
    judged.add(name(item));
    const given = { item, body, until: Date.now() + TAKE_BACK_S * 1000 };
    view.last = given;
    if (view.counts) view.counts.review = Math.max(0, view.counts.review - 1);
    forward(item);
    given.sent = gw.send('POST', path(item.event) + '/review', body, gw.newKey());
    const answer = await given.sent;
    if (answer.ok) { load(); return; }
    if (view.last === given) view.last = null;
    const current = (answer.body && answer.body.current) || {};
    const who = current.claimed_by || current.reviewed_by;
    gw.notice(who ? gw.t('review.somebody_else', { who }) : await gw.problem(answer), 'bad');
    if (!who) { // it is still this reviewer's to judge
      judged.delete(name(item));
      view.items = [item, ...view.items.filter(other => name(other) !== name(item))];
      draw();
    }
    load();
  }

  function skip(item) {
    view.skipped = [...view.skipped.filter(other => other !== name(item)), name(item)].slice(-SKIPPED_MAX);
    view.last = null;
    forward(item);
    load();
  }

  async function undo() {
    const given = view.last;
    if (!given || Date.now() >= given.until) return gw.notice(gw.t('review.too_late'), 'bad');
    view.last = null;
    await given.sent;
    const answer = await gw.send('POST', path(given.item.event) + '/take-back', {});
    if (!answer.ok) { gw.notice(answer.status === 409 ? gw.t('review.too_late') : await gw.problem(answer), 'bad'); return; }
    judged.delete(name(given.item));
    view.items = [given.item, ...view.items];
    gw.notice(gw.t('review.taken_back'));
    draw();
    load();
  }

  // The event

  function draw() {
    const item = view.items[0];
    document.querySelector('.gw-review-one').dataset.state = item ? 'full' : 'empty';
    drawButtons(item);
    const shown = JSON.stringify([item, view.failed, view.counts && [view.counts.review, view.counts.stay, view.counts.others, view.counts.held]]);
    if (shown === view.drawn) return;
    view.drawn = shown;
    drawPicture(item);
    drawFacts(item);
    drawMore();
    if (item) gw.map.focus({ kind: 'place', lon: item.event.lon, lat: item.event.lat }, ZOOM);
  }

  function drawPicture(item) {
    const host = $('review-picture');
    if (!item) { host.replaceChildren(); return; }
    const url = pictureOf(item), key = url || item.event.snapshot_state + name(item);
    if (host.dataset.shown === key) return;
    host.dataset.shown = key;
    if (!url) { host.replaceChildren(gw.el('div', 'gw-review-none', [gw.el('strong', '', gw.t('review.no_picture_' + (item.event.snapshot_state || 'none'))), gw.el('small', '', item.event.snapshot_problem)])); return; }
    const image = gw.el('img', '', null, { src: url, alt: gw.t('review.picture_of', { what: gw.pick(item, 'title'), camera: item.event.camera }) });
    const frame = gw.el('div', 'gw-review-frame', [image]);
    const shape = () => { if (image.naturalWidth) frame.style.setProperty('--ratio', image.naturalWidth / image.naturalHeight); };
    if (image.complete) shape(); else image.onload = shape;
    image.onerror = () => frame.replaceChildren(gw.el('strong', '', gw.t('review.no_picture_failed')));
    if (item.event.bbox) {
      const [x, y, w, h] = item.event.bbox, box = gw.el('i', 'gw-review-box', null, { 'aria-hidden': 'true' });
      Object.assign(box.style, { left: 100 * x + '%', top: 100 * y + '%', width: 100 * w + '%', height: 100 * h + '%' });
      frame.append(box);
    }
    host.replaceChildren(frame);
  }

  const fact = (label, value, note) => gw.el('div', '', [gw.el('dt', '', label), gw.el('dd', '', value), ...(note ? [gw.el('dd', 'note', note)] : [])]);

  function drawFacts(item) {
    const host = $('review-facts');
    if (!item) { host.replaceChildren(...empty()); return; }
    const e = item.event, percent = e.confidence === null ? '–' : Math.round(100 * e.confidence) + '%';
    host.replaceChildren(
      gw.el('div', 'gw-review-what', [
        ...(item.severity ? [gw.el('span', 'gw-sev', gw.word('severity_mark', item.severity), { 'data-severity': item.severity, title: gw.word('severity', String(item.severity)) })] : []),
        gw.el('h3', '', gw.pick(item, 'title')),
        gw.el('span', 'gw-review-left', gw.t('review.left', { n: gw.number(view.counts ? view.counts.review : 0) })),
      ]),
      gw.el('dl', 'gw-review-list', [
        fact(gw.t('review.camera'), e.camera_name || e.camera, e.camera_name && e.camera_name !== e.camera ? e.camera : ''),
        fact(gw.t('review.time'), when(e.start_at), gw.t('time.ago', { age: gw.age(gw.now() - Date.parse(e.start_at)) })),
        fact(gw.t('review.confidence'), percent, item.min_confidence === null ? '' : gw.t('review.at_least', { value: Math.round(100 * item.min_confidence) + '%' })),
        fact(gw.t('review.stay'), gw.age(1000 * e.stay_s), item.min_stay_s ? gw.t('review.at_least', { value: gw.age(1000 * item.min_stay_s) }) : e.phase === 'end' ? gw.t('review.over') : ''),
      ]),
      ...around(item), ...similar(item));
  }

  function around(item) {
    return item.areas.map(area => gw.el('p', 'gw-review-area', [
      gw.el('b', '', gw.word('area.kind', area.kind)), ' ', gw.pick(area, 'name'),
      ...(area.kind === 'stalls' ? [' · ' + gw.t(area.permits ? 'review.permits' : 'review.permits_other')] : []),
      ...(area.note ? [gw.el('small', '', area.note)] : []),
    ], { 'data-kind': area.kind }));
  }

  function similar(item) {
    if (!item.similar.length) return [];
    const rows = item.similar.slice(0, 4).map((one, n) => {
      const text = [one.number ? gw.t('review.case', { number: one.number }) : gw.t('review.event_of', { camera: one.camera }), gw.t('review.away', { m: one.distance_m }), when(one.start_at)];
      const press = gw.el('button', 'gw-button', [gw.t('review.merge_into'), ...(n ? [] : [gw.el('kbd', '', 'M')])], { type: 'button' });
      press.onclick = () => act('merged', n);
      return gw.el('li', '', [gw.el('span', '', text.join(' · ')), press]);
    });
    return [gw.el('div', 'gw-review-similar', [gw.el('h4', '', gw.t('review.similar')), gw.el('ul', '', rows)])];
  }

  function empty() {
    if (view.failed) {
      const again = gw.el('button', 'gw-button', gw.t('retry'), { type: 'button' });
      again.onclick = load;
      return [gw.el('div', 'gw-review-empty', [gw.el('strong', '', gw.t('review.not_read')), gw.el('p', '', view.problem || ''), again], { role: 'status' })];
    }
    if (!view.counts) return [gw.el('div', 'gw-review-empty', gw.t('review.loading'))];
    const notes = [view.counts.others ? gw.t('review.with_others', { n: view.counts.others }) : '', view.counts.stay ? gw.t('review.staying', { n: view.counts.stay }) : ''];
    return [gw.el('div', 'gw-review-empty', [gw.el('strong', '', gw.t('review.empty')), ...notes.filter(Boolean).map(note => gw.el('p', '', note))], { role: 'status' })];
  }

  // The buttons

  function keyed(text, letter, press, kind, more) {
    const e = gw.el('button', 'gw-button ' + (kind || ''), [gw.el('span', '', text), gw.el('kbd', '', letter)], { type: 'button', 'aria-keyshortcuts': letter, ...(more || {}) });
    e.onclick = press;
    return e;
  }

  let ticking = 0;
  function drawButtons(item) {
    clearTimeout(ticking);
    const left = view.last ? Math.ceil((view.last.until - Date.now()) / 1000) : 0;
    if (left > 0) ticking = setTimeout(() => drawButtons(view.items[0]), 1000);
    const undoable = left > 0 ? [keyed(gw.t('review.undo', { what: gw.word('review.said', view.last.body.verdict), s: left }), 'U', () => undo(), 'gw-review-undo')] : [];
    if (!item) { $('review-buttons').replaceChildren(...undoable); return; }
    const reasons = REASONS.map((reason, n) => keyed(gw.word('review.reason', reason), String(n + 1), () => act('dismissed', reason), '', { 'data-reason': reason }));
    $('review-buttons').replaceChildren(
      keyed(gw.t('review.confirm'), 'Y', () => act('confirmed'), 'primary', { 'data-verdict': 'confirmed' }),
      gw.el('div', 'gw-review-reasons', [gw.el('small', '', gw.t('review.dismiss')), ...reasons], { role: 'group', 'aria-label': gw.t('review.dismiss') }),
      gw.el('div', 'gw-review-rest', [
        keyed(gw.t('review.merge'), 'M', () => act('merged'), '', item.similar.length ? {} : { disabled: '' }),
        keyed(gw.t('review.skip'), 'S', () => act('skip'), ''),
        ...undoable,
      ]));
  }

  // What was held back, and how often the cameras were right

  function drawMore() {
    const counts = view.counts, host = $('review-more');
    if (!counts) { host.replaceChildren(); return; }
    const total = Object.values(counts.held).reduce((sum, n) => sum + n, 0);
    host.replaceChildren(
      part('held', gw.t('review.held', { n: gw.number(total) }), heldBody(counts)),
      part('precision', gw.t('review.precision'), gw.el('div', 'gw-review-precision')));
    if (view.opened.precision) precision();
    if (view.opened.held && view.opened.why) held(view.opened.why);
  }

  function part(id, title, body) {
    const box = gw.el('details', 'gw-panel', [gw.el('summary', '', title), body], { 'data-part': id, ...(view.opened[id] ? { open: '' } : {}) });
    box.ontoggle = () => {
      const was = view.opened[id];
      view.opened[id] = box.open;
      if (box.open && !was && id === 'precision') precision();
    };
    return box;
  }

  function heldBody(counts) {
    const buttons = HELD.map(why => {
      const e = gw.el('button', 'gw-button', [gw.word('review.why', why), ' ', gw.el('b', '', gw.number(counts.held[why] || 0))], { type: 'button', 'data-why': why });
      e.onclick = () => held(why);
      return e;
    });
    return gw.el('div', '', [gw.el('p', 'gw-panel-note', gw.t('review.held_note')), gw.el('div', 'gw-row-buttons', buttons), gw.el('div', 'gw-review-held')]);
  }

  async function held(why) {
    view.opened.why = why;
    const answer = await gw.send('GET', `${EVENTS}?review=pending&standing=held&held_why=${why}&limit=50`);
    const host = document.querySelector('.gw-review-held');
    if (!host) return;
    if (!answer.ok) { gw.notice(await gw.problem(answer), 'bad'); return; }
    if (!answer.body.items.length) { host.replaceChildren(gw.el('p', 'gw-empty', gw.t('review.none_held'))); return; }
    host.replaceChildren(gw.el('ul', '', answer.body.items.map(event => {
      const show = gw.el('button', 'gw-button', gw.t('review.judge'), { type: 'button' });
      show.onclick = () => gw.once(show, async () => {
        const done = await gw.send('POST', path(event) + '/queue', {});
        if (!done.ok) { gw.notice(await gw.problem(done), 'bad'); return; }
        await load();
        await held(why);
      });
      const parts = [event.camera_name || event.camera, when(event.start_at), event.confidence === null ? '' : Math.round(100 * event.confidence) + '%', gw.age(1000 * event.stay_s), event.held_area];
      return gw.el('li', '', [gw.el('span', '', [gw.el('b', '', gw.word('video_type', event.type)), ' ' + parts.filter(Boolean).join(' · ')]), ...(why === 'no_category' ? [] : [show])]);
    })));
  }

  async function precision() {
    const answer = await gw.send('GET', QUEUE + '/precision');
    const host = document.querySelector('.gw-review-precision');
    if (!host) return;
    if (!answer.ok) { host.replaceChildren(gw.el('p', 'gw-empty', await gw.problem(answer))); return; }
    const rows = answer.body.items;
    if (!rows.length) { host.replaceChildren(gw.el('p', 'gw-empty', gw.t('review.no_verdicts'))); return; }
    const percent = share => (share === null ? '–' : (100 * share).toFixed(0) + '%');
    const names = ['camera', 'class', 'right', 'wrong', 'neither', 'ratio', 'lower'];
    const head = gw.el('tr', '', names.map(column => gw.el('th', '', gw.t('review.column_' + column), { scope: 'col' })));
    const body = rows.map(row => gw.el('tr', '', [
      gw.el('th', '', row.camera_name || row.camera, { scope: 'row' }), gw.el('td', '', gw.word('video_type', row.type)),
      ...[row.right, row.wrong, row.neither].map(n => gw.el('td', '', gw.number(n))),
      gw.el('td', '', percent(row.ratio)), gw.el('td', '', gw.el('b', '', row.judged ? percent(row.lower) : '–')),
    ]));
    host.replaceChildren(gw.el('p', 'gw-panel-note', gw.t('review.precision_note')),
      gw.el('div', 'gw-table-scroll', gw.el('table', '', [gw.el('thead', '', head), gw.el('tbody', '', body)])));
  }
})();
