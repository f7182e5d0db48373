/* Brings the parts of the detail panel to life: running clocks and the device's last hour. */
(function () {
  'use strict';
  const gw = window.gw;
  const HOUR_MS = 3600000, W = 480, H = 96, PAD = 4;

  /* Called after every drawing of the panel. The mutation of a spark's own inside is no new drawing. */
  gw.hydrate = function (host) {
    for (const e of host.querySelectorAll('[data-spark]')) {
      const key = [e.dataset.spark, e.dataset.metric].join('|');
      if (e.shown === key && e.firstChild && Date.now() - e.shownAt < 15000) continue;
      e.shown = key; e.shownAt = Date.now();
      spark(e);
    }
    gw.tickDue();
  };

  /* Whoever was told says that they know: nothing wakes them for this case any more. */
  document.addEventListener('click', event => {
    const button = event.target.closest('[data-known]');
    if (!button) return;
    gw.once(button, async () => {
      const answer = await gw.send('POST', `/api/v1/incidents/${button.dataset.known}/known`, {}, gw.newKey());
      gw.notice(answer.ok ? gw.t('told.known') : await gw.problem(answer), answer.ok ? '' : 'bad');
      if (answer.ok && gw.actionDone) gw.actionDone();
    });
  });

  /* Standings that run: "处置中 04:31" counts down where it stands. */
  gw.tickDue = function () {
    const now = gw.now();
    for (const e of document.querySelectorAll('[data-due]')) {
      const due = Date.parse(e.dataset.due);
      if (!due) continue;
      const late = due < now;
      if (late && e.dataset.standing !== 'overdue') e.dataset.standing = 'overdue';
      gw.setText(e, late ? gw.t('wall.overdue_by', { age: gw.countdown(now - due) }) : gw.countdown(due - now));
    }
  };

  /* One-minute buckets, drawn by their maximum: a short peak is what raised the alarm. */
  async function spark(host) {
    const to = gw.now(), from = to - HOUR_MS, { spark: device, metric } = host.dataset;
    const url = `/api/v1/devices/${encodeURIComponent(device)}/readings?metric=${metric}&from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}&bucket=1m`;
    const answer = await gw.send('GET', url);
    if (!host.isConnected) return;
    const limit = host.dataset.limit === '' ? NaN : Number(host.dataset.limit);
    const points = ((answer.body || {}).items || []).map(i => [Date.parse(i.ts), i.max]).filter(p => isFinite(p[0]) && isFinite(p[1])).sort((a, b) => a[0] - b[0]);
    if (!answer.ok || !points.length) { host.replaceChildren(gw.el('p', 'gw-empty', gw.t(answer.ok ? 'spark.no_readings' : 'spark.not_read'))); return; }
    host.replaceChildren(caption(metric, points, limit), plot(points, limit, from, to, metric));
  }

  function caption(metric, points, limit) {
    const values = points.map(p => p[1]), say = v => gw.value(metric, v);
    return gw.el('p', 'gw-spark-note', [gw.el('b', '', `${gw.word('metric', metric)} · ${gw.t('spark.last_hour')}`), ' ',
      gw.t('spark.range', { low: say(Math.min(...values)), high: say(Math.max(...values)), last: say(values[values.length - 1]) }),
      isFinite(limit) ? ' · ' + gw.t('spark.limit', { limit: say(limit) }) : '']);
  }

  const svg = (tag, attributes) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const name in attributes) e.setAttribute(name, attributes[name]);
    return e;
  };

  /* Where the line lies in its box: path, its end, height of the limit. A flat one runs in the middle. */
  gw.sparkShape = function (points, limit, from, to) {
    const values = points.map(p => p[1]).concat(isFinite(limit) ? [limit] : []);
    let low = Math.min(...values), high = Math.max(...values);
    if (high === low) { high += 1; low -= 1; }
    const x = t => PAD + (W - 2 * PAD) * (t - from) / (to - from), y = v => H - PAD - (H - 2 * PAD) * (v - low) / (high - low);
    const last = points[points.length - 1];
    return { d: points.map((p, k) => (k ? 'L' : 'M') + x(p[0]).toFixed(1) + ' ' + y(p[1]).toFixed(1)).join(''),
      end: [x(last[0]), y(last[1])], limit: isFinite(limit) ? y(limit) : null };
  };

  function plot(points, limit, from, to, metric) {
    const shape = gw.sparkShape(points, limit, from, to);
    const picture = svg('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', preserveAspectRatio: 'none', 'aria-label': gw.word('metric', metric) });
    if (shape.limit !== null) picture.append(svg('line', { x1: 0, x2: W, y1: shape.limit, y2: shape.limit, class: 'gw-spark-limit' }));
    picture.append(svg('path', { d: shape.d, class: 'gw-spark-line' }));
    picture.append(svg('circle', { cx: shape.end[0], cy: shape.end[1], r: 3.5, class: 'gw-spark-dot' }));
    return picture;
  }

  /* A step of the checklist: its values and a note, kept with who and when. */
  document.addEventListener('click', event => {
    const button = event.target.closest('[data-check-step]');
    if (!button) return;
    const host = button.closest('[data-incident]'), measures = JSON.parse(button.dataset.checkMeasures), key = gw.newKey();
    gw.dialog({ title: button.dataset.checkTitle, button: gw.t('card.answer'),
      fields: [...measures.map(m => ({ name: m.metric, label: `${gw.word('metric', m.metric)} (${m.unit})`, type: 'number', required: true })), { name: 'note', type: 'text' }],
      submit: async values => {
        const measured = Object.fromEntries(measures.map(m => [m.metric, Number(values[m.metric])]));
        if (gw.keepStep) return gw.keepStep(button, measures, measured, values.note || ''); // a phone keeps it first
        const answer = await gw.send('POST', `/api/v1/incidents/${host.dataset.incident}/checklist`,
          { step: button.dataset.checkStep, version: Number(host.dataset.version), measured, note: values.note || '' }, key);
        if (!answer.ok) return gw.problem(answer);
        const step = answer.body.card.steps.find(s => s.code === button.dataset.checkStep);
        gw.notice(gw.t(step.passed ? 'card.done' : 'card.failed'), step.passed ? '' : 'bad');
        return '';
      } });
  });
})();
