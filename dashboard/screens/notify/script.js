/* Messages: how one is reached, how the channels do, and who was told what. */
(function () {
  'use strict';
  const gw = window.gw;
  const PAGE = 50, WORKER = '/notify/push-worker.js', SCOPE = '/notify/';
  const STATES = ['queued', 'sent', 'delivered', 'seen', 'acknowledged', 'failed', 'withdrawn'];
  const TIMES = ['sent_at', 'delivered_at', 'seen_at', 'acknowledged_at', 'ended_at'];
  const $ = id => document.getElementById(id);
  const when = text => gw.dayAndClock(Date.parse(text));
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  let items = [], next = null, state = '', mine = '';

  gw.screens.notify = async function () {
    gw.showStatus();
    gw.live.start();
    gw.live.on('change', news => { if (news.kinds.some(kind => kind.startsWith('message.') || kind === 'incident.told')) refresh(); });
    gw.every(15_000, refresh);
    await Promise.all([own(), refresh()]);
  };

  async function refresh() { await Promise.all([channels(), list(false)]); }

  async function failed(answer) { gw.notice(await gw.problem(answer), 'bad'); }

  // One's own

  const field = (name, type, value) => {
    const input = gw.el('input', 'gw-input', null, { name, type, autocomplete: type });
    input.value = value;
    return gw.el('label', '', [gw.t('notify.' + name), input]);
  };

  function language(value) {
    const choice = gw.el('select', 'gw-input', ['zh', 'en'].map(code => gw.el('option', '', gw.t('notify.lang_' + code), { value: code })), { name: 'lang' });
    choice.value = value;
    return gw.el('label', '', [gw.t('notify.lang'), choice]);
  }

  async function own() {
    const answer = await gw.send('GET', '/api/v1/contact');
    if (!answer.ok) { $('notify-own').replaceChildren(gw.el('h3', '', gw.t('notify.own')), gw.el('p', 'gw-empty', gw.t('notify.not_read')), button(gw.t('retry'), own)); return; }
    await drawOwn(answer.body);
  }

  async function drawOwn(contact) {
    const form = gw.el('form', 'gw-notify-form', [
      field('email', 'email', contact.email), field('phone', 'tel', contact.phone), language(contact.lang),
      field('quiet_from', 'time', contact.quiet_from), field('quiet_to', 'time', contact.quiet_to),
      gw.el('button', 'gw-button primary', gw.t('notify.save'), { type: 'submit' }),
    ], { novalidate: '' });
    form.onsubmit = event => { event.preventDefault(); gw.once(event.submitter || form, () => save(form)); };
    const subscription = await current();
    mine = subscription ? subscription.endpoint : '';
    $('notify-own').replaceChildren(gw.el('h3', '', gw.t('notify.own')), form, gw.el('p', 'gw-panel-note', gw.t('notify.quiet_note')), ...browsers(contact));
  }

  async function save(form) {
    const answer = await gw.send('POST', '/api/v1/contact', Object.fromEntries(new FormData(form)), gw.newKey());
    if (!answer.ok) return failed(answer);
    gw.notice(gw.t('notify.saved'));
    await drawOwn(answer.body);
    return channels();
  }

  function browsers(contact) {
    const head = gw.el('h4', '', gw.t('notify.browser'));
    if (!contact.push_key) return [head, gw.el('p', 'gw-panel-note', gw.t('notify.push_off'))];
    const rows = contact.browsers.map(one => gw.el('li', '', [
      gw.el('div', '', [gw.el('span', '', one.browser + (one.endpoint === mine ? ` · ${gw.t('notify.this_browser')}` : '')), gw.el('small', '', when(one.created_at))]),
      button(gw.t('notify.unsubscribe'), () => unsubscribe(one.endpoint)),
    ]));
    const can = 'serviceWorker' in navigator && 'PushManager' in window;
    const here = contact.browsers.some(one => one.endpoint === mine);
    const more = !can ? gw.el('p', 'gw-panel-note', gw.t('notify.push_insecure')) : here ? null : button(gw.t('notify.subscribe'), () => subscribe(contact.push_key));
    return [head, rows.length ? gw.el('ul', 'gw-notify-lines', rows) : gw.el('p', 'gw-panel-note', gw.t('notify.no_browser')), ...(more ? [more] : [])];
  }

  async function current() {
    if (!('serviceWorker' in navigator)) return null;
    const registered = await navigator.serviceWorker.getRegistration(SCOPE).catch(() => null);
    return registered && registered.pushManager ? registered.pushManager.getSubscription().catch(() => null) : null;
  }

  async function subscribe(key) {
    try {
      const registered = await navigator.serviceWorker.register(WORKER, { scope: SCOPE });
      if (await Notification.requestPermission() !== 'granted') { gw.notice(gw.t('notify.push_denied'), 'bad'); return; }
      const made = (await registered.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })).toJSON();
      const body = { endpoint: made.endpoint, p256dh: made.keys.p256dh, auth: made.keys.auth, browser: gw.browserName(navigator.userAgent) };
      const answer = await gw.send('POST', '/api/v1/contact/browsers', body, gw.newKey());
      if (!answer.ok) { await failed(answer); return; }
      gw.notice(gw.t('notify.subscribed'));
      await drawOwn(answer.body);
      await channels();
    } catch (error) { gw.notice(gw.t('notify.push_failed', { why: error.message }), 'bad'); }
  }

  async function unsubscribe(endpoint) {
    const answer = await gw.send('POST', '/api/v1/contact/browsers/remove', { endpoint }, gw.newKey());
    if (!answer.ok) { await failed(answer); return; }
    const subscription = await current();
    if (subscription && subscription.endpoint === endpoint) await subscription.unsubscribe();
    gw.notice(gw.t('notify.unsubscribed'));
    await drawOwn(answer.body);
    await channels();
  }

  /* What a person knows a browser by. */
  gw.browserName = function (agent) {
    const name = ['Edg', 'Firefox', 'Chrome', 'Safari'].find(word => agent.includes(word + '/')) || 'Browser';
    const on = ['Android', 'iPhone', 'iPad', 'Windows', 'Macintosh', 'Linux'].find(word => agent.includes(word));
    return (name === 'Edg' ? 'Edge' : name) + (on ? ` · ${on}` : '');
  };

  // Channels

  async function channels() {
    const answer = await gw.send('GET', '/api/v1/channels');
    const head = gw.el('h3', '', gw.t('notify.channels'));
    if (!answer.ok) { $('notify-channels').replaceChildren(head, gw.el('p', 'gw-empty', gw.t('notify.not_read'))); return; }
    const rows = answer.body.items.map(channel);
    $('notify-channels').replaceChildren(head, rows.length ? gw.el('ul', 'gw-notify-lines', rows) : gw.el('p', 'gw-empty', gw.t('notify.no_channels')));
  }

  function channel(item) {
    const may = item.mode !== 'off' && (item.personal ? item.reaches_me : $('main').dataset.admin === 'yes');
    const waiting = !item.waiting ? [] : [item.oldest_at ? gw.t('notify.waiting_since', { n: item.waiting, age: gw.age(gw.now() - Date.parse(item.oldest_at)) }) : gw.t('notify.waiting', { n: item.waiting })];
    const facts = [gw.word('settings', 'word_' + item.kind), ...(item.mode === 'on' ? [] : [gw.word('settings', 'word_' + item.mode)]), ...(item.personal && !item.reaches_me ? [gw.t('notify.no_address')] : [])];
    return gw.el('li', '', [
      gw.el('div', '', [
        gw.el('b', '', item.name), gw.el('small', '', facts.join(' · ')),
        gw.el('small', '', [gw.t('notify.today', { sent: item.sent_24h, failed: item.failed_24h }), ...waiting].join(' · ')),
        ...(item.problem ? [gw.el('small', 'gw-notify-bad', gw.problemWord(item.problem))] : []),
      ]),
      ...(may ? [button(gw.t('notify.test'), () => test(item.name))] : []),
    ], { 'data-channel': item.name });
  }

  async function test(name) {
    const answer = await gw.send('POST', `/api/v1/channels/${encodeURIComponent(name)}/test`, {}, gw.newKey());
    if (!answer.ok) { await failed(answer); return; }
    gw.notice(gw.t('notify.tested'));
    await refresh();
  }

  // Who was told

  gw.problemWord = problem => gw.page.texts['told.problem.' + problem] || problem;

  async function list(more) {
    const query = new URLSearchParams({ limit: PAGE, ...(state && { state }), ...(more && next && { cursor: next }) });
    const answer = await gw.send('GET', '/api/v1/deliveries?' + query);
    const title = gw.el('h3', '', gw.t($('main').dataset.centre === 'yes' ? 'notify.list' : 'notify.list_own'));
    if (!answer.ok) { $('notify-list').replaceChildren(title, gw.el('p', 'gw-empty', gw.t('notify.not_read')), button(gw.t('retry'), refresh)); return; }
    if (!more && items.length > PAGE) { // a page further down is being read
      const fresh = new Map(answer.body.items.map(item => [item.id, item]));
      items = [...answer.body.items.filter(item => item.id > items[0].id), ...items.map(item => fresh.get(item.id) || item)];
    } else { items = more ? items.concat(answer.body.items) : answer.body.items; next = answer.body.next; }
    drawList(title);
  }

  function drawList(title) {
    const choice = gw.el('select', 'gw-input', [gw.el('option', '', gw.t('notify.all'), { value: '' }), ...STATES.map(one => gw.el('option', '', gw.t('told.state.' + one), { value: one }))], { name: 'state', 'aria-label': gw.t('notify.filter') });
    choice.value = state;
    choice.onchange = () => { state = choice.value; items = []; next = null; list(false); };
    const focused = document.activeElement && document.activeElement.name === 'state';
    const columns = ['step', 'who', 'channel', 'state', 'when'].map(name => gw.el('th', '', gw.t('notify.column_' + name), { scope: 'col' }));
    const table = gw.el('table', 'gw-notify-table', [gw.el('thead', '', gw.el('tr', '', columns)), gw.el('tbody', '', items.map(row))]);
    $('notify-list').replaceChildren(gw.el('div', 'gw-panel-head', [title, choice]), items.length ? table : gw.el('p', 'gw-empty', gw.t('notify.none')), ...(next ? [button(gw.t('notify.more'), () => list(true))] : []));
    if (focused) choice.focus();
  }

  function row(item) {
    const about = item.incident ? gw.el('a', '', item.title, { href: gw.page.user.role === 'squad_leader' ? '/squad' : '/console#' + item.incident }) : item.step === 'report' ? gw.el('a', '', item.title, { href: '/kpi' }) : gw.el('span', '', item.title);
    const who = item.person || (item.channel ? gw.t('notify.group') : '–');
    const more = [item.problem ? gw.problemWord(item.problem) : '', item.tries > 1 ? gw.t('notify.tries', { n: item.tries }) : '', item.due_at && item.tries ? gw.t('notify.next', { time: gw.clock(Date.parse(item.due_at)) }) : ''].filter(Boolean);
    return gw.el('tr', '', [
      gw.el('th', '', [gw.el('b', '', gw.word('told', 'step.' + item.step)), ' ', about], { scope: 'row' }),
      gw.el('td', '', [who, gw.el('small', '', item.to)]),
      gw.el('td', '', [item.channel || '–', ...(item.rings || !item.channel ? [] : [gw.el('small', '', gw.t('notify.quietly'))])]),
      gw.el('td', '', [gw.el('span', 'gw-told-state', gw.t('told.state.' + item.state), { 'data-state': item.state }), ...(more.length ? [gw.el('small', '', more.join(' · '))] : [])]),
      gw.el('td', '', gw.toldTimes(item).map(([name, at]) => gw.el('small', '', `${gw.t('told.state.' + name)} ${gw.dayAndClock(at)}`))),
    ], { 'data-delivery': item.id });
  }

  /* The times of a delivery in their order: [state, ms]. */
  gw.toldTimes = function (item) {
    const named = { sent_at: 'sent', delivered_at: 'delivered', seen_at: 'seen', acknowledged_at: 'acknowledged', ended_at: item.state };
    return [['queued', Date.parse(item.queued_at)], ...TIMES.filter(name => item[name]).map(name => [named[name], Date.parse(item[name])])];
  };
})();
