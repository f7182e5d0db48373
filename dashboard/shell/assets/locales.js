/* Words of the bundled libraries, from our own catalogue. Plotly is loaded lazily and takes what
   is queued here; Mantine's dates look for a dayjs locale under exactly this name and fall back to
   English without a word when it is missing. */
(function () {
  'use strict';
  const gw = window.gw, page = gw.page;
  if (page.lang !== 'zh') return;
  const dictionary = {};
  for (const key in page.texts) if (key.startsWith('plotly.')) dictionary[key.slice(7)] = page.texts[key];
  const weekdays = [0, 1, 2, 3, 4, 5, 6].map(k => gw.t('weekday.' + k));
  const short = weekdays.map(name => name.slice(-1));
  const months = Array.from({ length: 12 }, (_, k) => gw.t('time.month', { n: k + 1 }));
  (window.PlotlyLocales = window.PlotlyLocales || []).push({ moduleType: 'locale', name: 'zh-CN', dictionary,
    format: { days: weekdays, shortDays: short, months, shortMonths: months, date: '%Y-%m-%d' } });
  const same = text => text;
  window['dayjs_locale_zh-cn'] = { name: 'zh-cn', weekdays, weekdaysShort: short, weekdaysMin: short, months, monthsShort: months,
    ordinal: same, weekStart: 1, yearStart: 4, relativeTime: {}, meridiem: h => (h < 12 ? 'AM' : 'PM'),
    formats: { LT: 'HH:mm', LTS: 'HH:mm:ss', L: 'YYYY/MM/DD', LL: 'YYYY-MM-DD', LLL: 'YYYY-MM-DD HH:mm', LLLL: 'YYYY-MM-DD dddd HH:mm' } };
})();
