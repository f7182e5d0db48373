/* The true latency of this screen: each reading carries when it was sensed, received and
   committed, each frame when it was pushed; painting is measured here, after the frame that
   drew it. Nothing is modelled: the figures are percentiles of what really arrived. */
(function () {
  'use strict';
  const gw = window.gw;
  const KEEP = 2000; // readings; about a minute of a busy district

  const ring = [];
  let at = 0, last = 0;

  gw.latency = {
    /* Take a frame of device values; call it before painting. */
    take: function (frame) {
      const rows = frame.d.filter(d => d[4]);
      if (!rows.length) return;
      // After the next frame has been presented: one rAF runs before the paint, the second after it.
      requestAnimationFrame(() => requestAnimationFrame(() => {
        const painted = gw.now();
        for (const [, , , , sensed, received, committed] of rows) {
          const pushed = frame.pushed || frame.now;
          // Read back from the database a value has no time of its commit: not measured, not zero.
          const stored = committed || NaN;
          ring[at] = [painted - sensed, received - sensed, stored - received, pushed - stored, painted - pushed];
          at = (at + 1) % KEEP;
          last = Math.max(last, sensed);
        }
      }));
    },
    figures: function () {
      if (!ring.length) return null;
      const column = k => ring.map(r => r[k]).filter(isFinite).sort((a, b) => a - b);
      const pick = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
      const whole = column(0);
      return { n: ring.length, last, p50: pick(whole, .5), p99: pick(whole, .99),
        parts: [1, 2, 3, 4].map(k => { const c = column(k); return c.length ? pick(c, .5) : null; }) };
    },
  };

  gw.millis = function (ms) {
    if (ms === null || ms === undefined) return gw.t('value.none');
    const v = Math.max(0, ms); // two clocks may disagree by a few milliseconds
    return v < 1000 ? Math.round(v) + ' ms' : v < 60000 ? (v / 1000).toFixed(v < 10000 ? 2 : 1) + ' s' : gw.age(v);
  };

  gw.showLatency = function (host) {
    const f = gw.latency.figures();
    if (!f) { gw.setText(host, gw.t('latency.label') + ' · ' + gw.t('latency.waiting')); return; }
    const parts = ['receive', 'commit', 'push', 'paint'].map((name, k) =>
      gw.el('span', 'gw-lat-part', [gw.t('latency.' + name) + ' ', gw.el('b', '', gw.millis(f.parts[k]))]));
    host.replaceChildren(
      gw.el('span', 'gw-lat-title', gw.t('latency.title')),
      gw.el('span', 'gw-lat-main', gw.t('latency.p50', { v: gw.millis(f.p50) })),
      gw.el('span', 'gw-lat-main', gw.t('latency.p99', { v: gw.millis(f.p99) })),
      ...parts,
      gw.el('span', 'gw-lat-quiet', gw.t('latency.samples', { n: f.n }) + ' · ' + gw.t('latency.last', { time: gw.clock(f.last) })));
  };
})();
