/* What came in: what is owed to callers, what the public sent, and the calls of the last days. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/intake', REPORTS = '/api/v1/reports', OWED_MS = 30_000;
  const SCORES = [100, 80, 50, 0, -100], REASONS = ['not_ours', 'not_found', 'known', 'unclear'];
  const $ = id => document.getElementById(id);
  const when = text => gw.dayAndClock(Date.parse(text));
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  const may = what => (document.getElementById('main').dataset.may || '').split(' ').includes(what);
  let owed = [], reports = [], calls = [], failed = false, part = 'owed';

  /* Whether a call waits for something, for what, and until when: the reply first. */
  gw.promiseOf = function (item, now) {
    const waits = item.reply_due_at && !item.replied_at;
    if (!waits && (!item.wants_call_back || item.called_back_at)) return null;
    const due = waits ? item.reply_due_at : item.call_back_due_at;
    return { what: waits ? 'reply' : 'call_back', due, late: !!due && Date.parse(due) < now };
  };

  /* The mark on the console: how many wait, and that one is late; it never goes by itself. */
  gw.showOwed = async function (link) {
    const [owing, waiting] = await Promise.all([gw.send('GET', API + '?owed=true&limit=1000'), link.dataset.may.includes('reports') ? gw.send('GET', REPORTS + '?state=waiting&limit=1000') : { ok: false }]);
    if (!owing.ok) return;
    const late = owing.body.items.filter(i => (gw.promiseOf(i, gw.now()) || {}).late).length;
    const sent = waiting.ok ? waiting.body.items.length : 0;
    link.hidden = !owing.body.items.length && !sent;
    link.dataset.late = late ? 'yes' : 'no';
    gw.setText(link, [owing.body.items.length ? gw.t(late ? 'intake.owed_late' : 'intake.owed_mark', { n: owing.body.items.length, late }) : '',
      sent ? gw.t('intake.sent_mark', { n: sent }) : ''].filter(Boolean).join(' · '));
  };

  gw.screens.intake = async function () {
    gw.showStatus();
    gw.live.start();
    part = location.hash.slice(1) || (may('answer') ? 'owed' : 'reports');
    gw.live.on('change', news => { if (news.kinds.some(kind => /^(report\.|incident\.(call|replied|closed|reopened|merged))/.test(kind))) show(); });
    document.addEventListener('click', e => { const tab = e.target.closest('[data-intake-tab]'); if (tab) { part = tab.dataset.intakeTab; history.replaceState(null, '', '#' + part); draw(); } });
    addEventListener('hashchange', () => { part = location.hash.slice(1) || part; draw(); });
    gw.every(OWED_MS, () => draw());
    await show();
  };

  async function show() {
    if (!$('intake-body')) return;
    const [a, b, c] = await Promise.all([gw.send('GET', API + '?owed=true&limit=1000'), gw.send('GET', REPORTS + '?limit=200'), gw.send('GET', API + '?limit=100')]);
    failed = !a.ok || !c.ok;
    owed = a.ok ? a.body.items : [];
    reports = b.ok ? b.body.items : [];
    calls = c.ok ? c.body.items : [];
    draw();
  }

  function draw() {
    const host = $('intake-body');
    if (!host || gw.dialogOpen()) return; // also called after a reply on the console
    if (failed) { host.replaceChildren(gw.el('p', 'gw-empty', gw.t('intake.not_read')), button(gw.t('retry'), show)); return; }
    const waiting = reports.filter(r => r.state === 'waiting'), done = reports.filter(r => r.state !== 'waiting');
    const counts = { owed: owed.length, reports: waiting.length, calls: calls.length };
    const tabs = gw.el('div', 'gw-tabs', Object.keys(counts).map(name => gw.el('button', '', [gw.t('intake.tab_' + name), gw.el('span', '', String(counts[name]))],
      { type: 'button', role: 'tab', 'data-intake-tab': name, 'aria-selected': String(name === part) })), { role: 'tablist' });
    const list = { owed: () => owed.map(call), calls: () => calls.map(call),
      reports: () => [...waiting.map(report), ...(done.length ? [gw.el('h3', '', gw.t('intake.decided')), ...done.map(report)] : [])] }[part] || (() => []);
    const rows = list();
    host.replaceChildren(tabs, gw.el('div', 'gw-intake-list', rows.length ? rows : [gw.el('p', 'gw-empty', gw.t('intake.none_' + part))], { 'data-list': part }));
  }

  function call(item) {
    const promise = gw.promiseOf(item, gw.now());
    const facts = [gw.word('channel', item.channel), item.external_number, when(item.received_at), item.received_by, item.joined ? gw.t('intake.joined') : ''].filter(Boolean);
    const told = [item.replied_at ? gw.t('intake.replied', { name: item.replied_by, time: when(item.replied_at) }) : '', item.called_back_at ? gw.t('intake.called_back', { name: item.called_back_by, time: when(item.called_back_at) }) : '',
      item.satisfaction === null ? '' : gw.word('satisfaction', String(item.satisfaction)), item.call_back_tries ? gw.t('intake.tries', { n: item.call_back_tries }) : ''].filter(Boolean);
    const tools = [];
    if (may('answer') && item.reply_due_at && !item.replied_at) tools.push(button(gw.t('intake.reply'), () => reply(item), 'primary'));
    if (may('answer') && item.wants_call_back && !item.called_back_at) tools.push(button(gw.t('intake.call'), () => callBack(item), promise && promise.what === 'call_back' ? 'primary' : ''));
    return gw.el('article', 'gw-panel', [
      gw.el('div', 'gw-panel-head', [gw.el('h4', '', [gw.el('a', '', gw.pick(item, 'title'), { href: '/console#' + item.incident_id }), ' ', gw.el('small', '', gw.word('state', item.state))]), gw.el('div', 'gw-actions', tools)]),
      ...(promise ? [gw.el('p', 'gw-intake-due', promise.due ? gw.t(promise.late ? 'intake.late_' + promise.what : 'intake.due_' + promise.what, { age: gw.age(Math.abs(Date.parse(promise.due) - gw.now())), time: when(promise.due) }) : gw.t('intake.call_after'), { 'data-late': promise.late ? 'yes' : 'no' })] : []),
      ...(item.caller || item.phone ? [gw.el('p', '', [item.caller, ' ', ...(item.phone ? [gw.el('a', '', item.phone, { href: 'tel:' + item.phone.replace(/[^\d+]/g, '') })] : [])])] : []),
      gw.el('q', '', item.said),
      ...(item.reply ? [gw.el('p', 'gw-panel-note', item.reply)] : []),
      gw.el('p', 'gw-panel-note', [...facts, ...told].join(' · ')),
    ], { 'data-intake': item.id });
  }

  /* A case from a hotline is over: whoever closed it is asked for the reply at once. */
  gw.askForReply = async function (incidentId) {
    if (!['admin', 'dispatcher'].includes(gw.page.user.role)) return;
    const answer = await gw.send('GET', `${API}?incident_id=${incidentId}`);
    const open = answer.ok ? answer.body.items.filter(i => i.reply_due_at && !i.replied_at) : [];
    if (open.length && !gw.dialogOpen()) { gw.notice(gw.t('intake.closed_reply')); reply(open[0]); }
  };
  function reply(item) {
    gw.dialog({ title: gw.t('intake.reply'), note: `${gw.word('channel', item.channel)} ${item.external_number} · ${gw.pick(item, 'title')}`, button: gw.t('intake.reply_done'),
      fields: [{ name: 'text', type: 'long', required: true, label: gw.t('intake.field_reply'), most: 4000 }],
      submit: values => send(`${API}/${item.id}/reply`, { text: values.text, version: item.version }, gw.t('intake.reply_kept')) });
  }

  function callBack(item) {
    gw.dialog({ title: gw.t('intake.call'), note: [item.caller, item.phone, gw.pick(item, 'title')].filter(Boolean).join(' · '), button: gw.t('intake.call_done'),
      fields: [
        { name: 'reached', type: 'select', required: true, label: gw.t('intake.field_reached'), options: [['yes', gw.t('intake.reached')], ['no', gw.t('intake.not_reached')]] },
        { name: 'satisfaction', type: 'select', label: gw.t('intake.field_satisfaction'), options: [['', ''], ...SCORES.map(s => [String(s), gw.word('satisfaction', String(s))])] },
        { name: 'note', type: 'long' }],
      submit: values => {
        const reached = values.reached === 'yes';
        const score = reached && values.satisfaction ? { satisfaction: Number(values.satisfaction) } : {};
        return send(`${API}/${item.id}/call-back`, { reached, version: item.version, note: values.note || '', ...score }, gw.t(reached ? 'intake.call_kept' : 'intake.call_again'));
      } });
  }

  async function send(url, body, done) {
    const answer = await gw.send('POST', url, body, gw.newKey());
    if (!answer.ok) { if (answer.status === 409) { setTimeout(show); return gw.t('intake.changed'); } return gw.problem(answer); }
    gw.notice(done);
    setTimeout(show); // once the dialog is gone
    return '';
  }

  // What the public sent

  function report(item) {
    const photos = item.photos.map(p => gw.el('figure', '', [
      gw.el('a', '', gw.el('img', '', null, { src: `${REPORTS}/${item.id}/photos/${p.ordinal}`, alt: gw.t('intake.photo', { n: p.ordinal }), loading: 'lazy' }), { href: `${REPORTS}/${item.id}/photos/${p.ordinal}`, target: '_blank', rel: 'noopener' }),
      gw.el('figcaption', p.metres_away > 200 ? 'gw-doubt' : '', [p.taken_at ? when(p.taken_at) : gw.t('intake.no_time'), p.metres_away === null ? gw.t('intake.no_position') : gw.t('intake.photo_away', { n: gw.number(p.metres_away) })].join(' · '))]));
    const open = item.state === 'waiting' && may('moderate');
    return gw.el('article', 'gw-panel', [
      gw.el('div', 'gw-panel-head', [gw.el('h4', '', [gw.word('plain_kind', item.kind), ' ', gw.el('small', '', `${item.code.slice(0, 5)}-${item.code.slice(5)} · ${when(item.received_at)}`)]),
        gw.el('div', 'gw-actions', open ? [button(gw.t('intake.accept'), () => accept(item), 'primary'), button(gw.t('intake.reject'), () => reject(item)), button(gw.t('intake.spam'), () => spam(item))]
          : [gw.el('span', 'gw-state', gw.word('report_state', item.state) + (item.reason && item.state === 'rejected' ? ` · ${gw.word('reject_reason', item.reason)}` : '')),
            ...(item.incident_id ? [gw.el('a', 'gw-button', gw.t('intake.to_case'), { href: '/console#' + item.incident_id })] : [])])]),
      gw.el('q', '', item.said),
      gw.el('p', '', [item.place_said, item.lon === null ? gw.t('intake.no_spot') : `${item.lat}, ${item.lon}`, item.phone].filter(Boolean).join(' · ')),
      ...(photos.length ? [gw.el('div', 'gw-photos', photos)] : []),
    ], { 'data-report': item.id });
  }

  async function accept(item) {
    const found = item.lon === null ? { ok: false } : await gw.send('GET', `${API}/around?lon=${item.lon}&lat=${item.lat}&category=`);
    const taken = item.photos.find(p => p.lon !== null);
    const at = item.lon !== null ? item : taken || { lon: null, lat: null };
    const near = [...gw.live.incidents.values()].filter(i => at.lon !== null && Math.hypot(i.lon - at.lon, i.lat - at.lat) < 0.002);
    gw.dialog({ title: gw.t('intake.accept'), note: [item.said, item.place_said, found.ok ? gw.place(found.body) : ''].filter(Boolean).join(' · '), button: gw.t('intake.accept_done'),
      fields: [
        { name: 'category', type: 'select', label: gw.t('intake.field_category'), options: gw.categories() },
        { name: 'joins', type: 'select', label: gw.t('intake.field_joins'), options: [['', ''], ...near.map(i => [String(i.id), `${i.number} ${gw.pick(i, 'title')}`])] },
        { name: 'next', type: 'select', label: gw.t('intake.field_next'), options: [['verify', gw.t('intake.next_verify')], ['report', gw.t('intake.next_report')]] },
        { name: 'lon', type: 'number', value: at.lon === null ? undefined : at.lon }, { name: 'lat', type: 'number', value: at.lat === null ? undefined : at.lat, hint: gw.t('report.location_hint') }],
      submit: values => {
        if (!values.joins && !values.category) return gw.t('intake.no_category');
        if (!values.joins && (values.lon === undefined || values.lat === undefined)) return gw.t('intake.no_place');
        const body = { version: item.version, verify: values.next !== 'report' };
        if (values.joins) body.joins = Number(values.joins);
        else Object.assign(body, { category: values.category, lon: values.lon, lat: values.lat });
        return send(`${REPORTS}/${item.id}/accept`, body, gw.t('intake.accepted'));
      } });
  }

  function reject(item) {
    gw.dialog({ title: gw.t('intake.reject'), note: gw.t('intake.reject_note'), button: gw.t('intake.reject'),
      fields: [{ name: 'reason', type: 'select', required: true, options: REASONS.map(r => [r, gw.word('reject_reason', r)]) }],
      submit: values => send(`${REPORTS}/${item.id}/reject`, { reason: values.reason, version: item.version }, gw.t('intake.rejected')) });
  }
  function spam(item) {
    gw.dialog({ title: gw.t('intake.spam'), note: gw.t('intake.spam_note'), button: gw.t('intake.spam'), fields: [],
      submit: () => send(`${REPORTS}/${item.id}/spam`, { version: item.version }, gw.t('intake.spammed')) });
  }
})();
