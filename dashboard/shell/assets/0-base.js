/* What all scripts of the screens share: texts, DOM building, time and numbers.
   Loaded first (assets load in alphabetical order). Everything hangs off `window.gw`. */
(function () {
  'use strict';
  const node = document.getElementById('gw-page');
  const page = node ? JSON.parse(node.textContent) : { lang: 'zh', theme: 'dark', texts: {} };
  const gw = (window.gw = { page, screens: {} });

  gw.t = function (key, gaps) {
    let text = page.texts[key];
    if (text === undefined) return key;
    if (gaps) text = text.replace(/\{(\w+)\}/g, (_, name) => (gaps[name] ?? ''));
    return text;
  };
  gw.word = (area, code) => (code ? page.texts[area + '.' + code] ?? String(code) : '');
  gw.pick = (row, name) => row[name + '_' + page.lang] || row[name + (page.lang === 'zh' ? '_en' : '_zh')] || '';

  /* Element with class, attributes and children; text is always a text node, never HTML. */
  gw.el = function (tag, className, content, attributes) {
    const e = document.createElement(tag);
    if (className) e.className = className;
    for (const c of content === undefined || content === null ? [] : [].concat(content))
      e.append(c instanceof Node ? c : String(c));
    for (const name in attributes || {}) e.setAttribute(name, attributes[name]);
    return e;
  };
  /* Writing the same text again would cost a layout and make screen readers repeat it. */
  gw.setText = function (element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  };

  /* Dash-owned elements: React must not find text it did not write. */
  gw.setProp = function (id, value, prop) {
    window.dash_clientside.set_props(id, { [prop || 'children']: value });
  };

  gw.cookie = function (name) {
    const found = document.cookie.split('; ').find(c => c.startsWith(name + '='));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : '';
  };
  gw.setCookie = function (name, value) {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; SameSite=Lax` +
      (location.protocol === 'https:' ? '; Secure' : '');
  };

  gw.css = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  gw.rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  gw.calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

  /* Times. The city's clock is the server's: `gw.now()` is corrected by live.js. */
  gw.offset = 0;
  gw.now = () => Date.now() + gw.offset;
  const zone = page.timezone || 'Asia/Shanghai';
  const parts = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric',
    day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', weekday: 'short' });
  const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
  gw.parts = function (ms) {
    const p = {};
    for (const { type, value } of parts.formatToParts(ms)) p[type] = value;
    p.weekdayIndex = WEEKDAYS.indexOf(p.weekday);
    return p;
  };
  gw.clock = ms => { const p = gw.parts(ms); return `${p.hour}:${p.minute}:${p.second}`; };
  gw.dayAndClock = ms => { const p = gw.parts(ms); return `${p.month}-${p.day} ${p.hour}:${p.minute}`; };
  gw.date = function (ms) {
    const p = gw.parts(ms);
    return gw.t('time.date', { y: p.year, m: p.month, d: p.day });
  };

  /* Two units at most: "3 天 4 小时", "12 分", "8 秒". */
  gw.age = function (ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    const two = (a, na, b, nb) => gw.t('time.' + a, { n: na }) + (nb ? ' ' + gw.t('time.' + b, { n: nb }) : '');
    if (s < 60) return gw.t('time.seconds', { n: s });
    if (s < 3600) return two('minutes', Math.floor(s / 60), 'seconds', s < 600 ? s % 60 : 0);
    if (s < 86400) return two('hours', Math.floor(s / 3600), 'minutes', Math.floor((s % 3600) / 60));
    return two('days', Math.floor(s / 86400), 'hours', Math.floor((s % 86400) / 3600));
  };
  /* Countdown of fixed width: 04:31, 2:04:31; above a day in words, after ten days in days alone. */
  gw.countdown = function (ms) {
    const s = Math.floor(Math.abs(ms) / 1000), two = n => String(n).padStart(2, '0');
    if (s >= 864000) return gw.t('time.days', { n: Math.floor(s / 86400) });
    if (s >= 86400) return gw.age(s * 1000);
    const hours = Math.floor(s / 3600);
    return (hours ? hours + ':' : '') + two(Math.floor((s % 3600) / 60)) + ':' + two(s % 60);
  };

  /* How an incident's clock stands right now; the server says from when it counts as due soon. */
  gw.standing = function (incident, now) {
    if (!incident.due || !incident.clock) return 'none';
    if (incident.standing === 'paused') return 'paused';
    if (incident.due < now) return 'overdue';
    return incident.standing === 'due_soon' || (incident.warn && incident.warn <= now) ? 'due_soon' : 'running';
  };
  gw.countdownText = function (incident, now) {
    const standing = gw.standing(incident, now);
    if (standing === 'none') return gw.t('wall.no_clock');
    if (standing === 'paused') return gw.t('wall.paused');
    const left = gw.countdown(incident.due - now);
    return standing === 'overdue' ? gw.t('wall.overdue_by', { age: left }) : left;
  };

  gw.number = function (value) {
    if (value === null || value === undefined || !isFinite(value)) return gw.t('value.none');
    const size = Math.abs(value);
    return Number(value).toLocaleString('en-US', { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : 2 });
  };
  /* A ratio of nothing is no ratio: "—", never 100 %. */
  gw.percent = ratio => (ratio && ratio.den ? (100 * ratio.num / ratio.den).toFixed(1) + '%' : gw.t('value.none'));

  /* Units come from the metric's own words; yes/no metrics have none. */
  gw.value = function (metric, value) {
    const unit = (page.units || {})[metric] || '';
    if (unit === '0/1') return gw.t(value ? 'value.yes' : 'value.no');
    return gw.number(value) + (unit && unit !== '1' ? ' ' + unit : '');
  };
  /* Why an alarm was raised, in words; the same keys as `dashboard.shell.components.reason_text`. */
  gw.reason = function (reason) {
    if (!reason || !reason.code) return '';
    const facts = reason.facts || {}, gaps = Object.assign({}, facts, { title: gw.pick(facts, 'title'), shown: gw.pick(facts, 'shown'),
      count: gw.number(reason.value), metric: gw.word('metric', reason.metric),
      value: gw.value(reason.metric, reason.value), limit: gw.value(reason.metric, reason.limit) });
    const key = 'reason.' + reason.code;
    if (page.texts[key]) return gw.t(key, gaps) + (page.texts['likely_cause.' + facts.likely_cause] || '');
    return gaps.title || (reason.metric ? `${gaps.metric} ${gaps.value}` : reason.code);
  };

  /* Names without the words that every name ends with ("… residents' committee"). */
  const endings = new RegExp('(' + (page.texts['place.endings'] || '$') + ')$');
  gw.placeName = name => (name || '').replace(endings, '');
  gw.place = r => [gw.placeName(r.street_name), gw.placeName(r.community_name)].filter(Boolean).join(' ') || r.unit_grid || '';

  /* Worst first, then what is due first (a paused clock waits), then the newest. */
  gw.dueMoment = i => (i.clock && i.due && i.standing !== 'paused' ? i.due : Number.MAX_SAFE_INTEGER);
  gw.byUrgency = (a, b) => a.severity - b.severity || gw.dueMoment(a) - gw.dueMoment(b) || b.opened - a.opened;

  gw.every = function (ms, work) { work(); return setInterval(() => { if (!document.hidden) work(); }, ms); };

  /* Dash has put the screen into the page: its script may start. */
  window.dash_clientside = Object.assign(window.dash_clientside || {}, {
    gw: { start: function (screen) {
      const start = gw.screens[screen];
      if (start && gw.started !== screen) { gw.started = screen; start(); }
      return screen;
    } },
  });

  document.addEventListener('click', function (event) {
    const target = event.target.closest('[data-switch]');
    if (!target) return;
    const kind = target.dataset.switch;
    if (kind === 'lang') gw.setCookie('lang', page.lang === 'zh' ? 'en' : 'zh');
    if (kind === 'theme') gw.setCookie('theme', page.theme === 'dark' ? 'light' : 'dark');
    location.reload();
  });

  /* The rest of the navigation closes when somebody looks elsewhere. */
  const menus = () => document.querySelectorAll('.gw-nav-more[open]');
  document.addEventListener('click', e => { for (const menu of menus()) if (!menu.contains(e.target)) menu.open = false; });
  document.addEventListener('keydown', e => {
    if (e.key === 'Escape') for (const menu of menus()) { menu.open = false; menu.querySelector('summary').focus(); }
  });
})();
