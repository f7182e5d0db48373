/* The one form for what comes in beside alarms: on the right of the console, with the map beside it
   to click on. What may be the same matter, and what is near, stands below before it is saved. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/intake', TYPING_MS = 200;
  const CHANNELS = ['hotline_12345', 'hotline_12319', 'patrol', 'leader', 'drone', 'satellite', 'platform'];
  const HOTLINES = ['hotline_12345', 'hotline_12319'], ORDERS = [...HOTLINES, 'platform'], PATCHES = ['drone', 'satellite'];
  /* Which parts of the form a channel has. */
  gw.intakeParts = channel => ({ caller: HOTLINES.includes(channel), order: ORDERS.includes(channel), patch: PATCHES.includes(channel), verify: channel !== 'leader' });
  /* What is sent: nothing of a part that the channel does not have. {body} or {problem}, a key. */
  gw.intakeBody = function (values, channel, joins) {
    const parts = gw.intakeParts(channel), body = { channel, description: values.description };
    if (!values.description) return { problem: 'intake.no_description', field: 'description' };
    if (joins) body.joins = joins;
    else {
      if (!values.category) return { problem: 'intake.no_category', field: 'category' };
      body.category = values.category;
      if (values.at) [body.lon, body.lat] = values.at;
      else if (!(parts.patch && values.polygon)) return { problem: 'intake.no_place', field: 'where' };
      if (parts.verify && values.verify) body.verify = true;
    }
    if (parts.caller) {
      if (values.call_back && !values.phone) return { problem: 'intake.no_phone', field: 'phone' };
      if (values.caller) body.caller = values.caller;
      if (values.phone) body.phone = values.phone;
      if (values.call_back) body.call_back = true;
    }
    if (parts.order && values.external_number) body.external_number = values.external_number;
    if (parts.order && values.reply_due_at) body.reply_due_at = new Date(values.reply_due_at).toISOString();
    if (parts.patch && values.captured_on) body.captured_on = values.captured_on;
    if (parts.patch && values.polygon) {
      body.polygon = values.polygon.split(/[;；\n]/).filter(t => t.trim()).map(t => t.trim().split(/[,，\s]+/).map(Number));
      if (!body.polygon.every(c => c.length === 2 && c.every(Number.isFinite))) return { problem: 'intake.bad_polygon', field: 'polygon' };
    }
    return { body };
  };

  let form = null; // the open one
  gw.intakeOpen = () => !!form;

  gw.openIntake = function () {
    if (form) { form.querySelector('select').focus(); return; }
    const opener = document.activeElement, key = gw.newKey();
    let category = null, at = null, joins = null, marker = null;
    const label = (name, control, hint) => gw.el('label', 'gw-field', [gw.el('span', '', gw.t('intake.field_' + name)), control, ...(hint ? [gw.el('small', '', hint)] : [])], { 'data-part': name });
    const input = (name, more) => gw.el('input', 'gw-input', null, { name, maxlength: 100, autocomplete: 'off', ...more });
    const tick = name => gw.el('label', 'gw-intake-tick', [gw.el('input', '', null, { type: 'checkbox', name }), gw.el('span', '', gw.t('intake.field_' + name))], { 'data-part': name });
    const file = (name) => gw.el('input', 'gw-input', null, { name, type: 'file', accept: 'image/*,.heic,.heif' });

    const channel = gw.el('select', 'gw-input', CHANNELS.map(c => gw.el('option', '', gw.word('channel', c), { value: c })), { name: 'channel' });
    const what = combobox('category', gw.t('intake.hint_category'), async q => {
      const answer = await gw.send('GET', `${API}/categories?q=${encodeURIComponent(q)}`);
      return answer.ok ? answer.body.items.map(i => ({ text: gw.pick(i, 'name'), note: i.code, value: i })) : [];
    }, chosen => { category = chosen && chosen.code; look(); }, true);
    const where = combobox('where', gw.t('intake.hint_where'), async q => {
      if (q.length < 2) return [];
      const answer = await gw.send('GET', `${API}/places?q=${encodeURIComponent(q)}`);
      return answer.ok ? answer.body.items.map(i => ({ text: i.name, note: `${gw.word('place_kind', i.kind)} ${i.code}`, value: i })) : [];
    }, chosen => { if (chosen) place(chosen.lon, chosen.lat, true); });
    const said = gw.el('textarea', 'gw-input', '', { name: 'description', rows: 3, maxlength: 4000 });
    const spot = gw.el('p', 'gw-intake-spot', gw.t('intake.no_spot'), { role: 'status' });
    const beside = gw.el('div', 'gw-intake-beside', null, { 'aria-live': 'polite' });
    const error = gw.el('p', 'gw-form-error', '', { role: 'alert' });
    const go = gw.el('button', 'gw-button primary', gw.t('intake.save'), { type: 'submit' });
    const back = gw.el('button', 'gw-button', gw.t('cancel_dialog'), { type: 'button' });
    form = gw.el('form', 'gw-intake-form', [
      gw.el('h2', '', gw.t('intake.new')),
      label('channel', channel), label('category', what.box), label('where', where.box), spot, label('description', said),
      label('caller', input('caller'), gw.t('report.reporter_hint')), label('phone', input('phone', { type: 'tel', maxlength: 30 })),
      label('external_number', input('external_number')), label('reply_due_at', input('reply_due_at', { type: 'datetime-local' }), gw.t('intake.hint_reply_due')),
      tick('call_back'),
      label('captured_on', input('captured_on', { type: 'date' })), label('polygon', gw.el('textarea', 'gw-input', '', { name: 'polygon', rows: 2, maxlength: 20000 }), gw.t('intake.hint_polygon')),
      label('patch_before', file('patch_before')), label('patch_after', file('patch_after')), label('photo_before', file('photo_before')),
      tick('verify'), beside, gw.el('div', 'gw-form-buttons', [error, back, go]),
    ], { novalidate: '', 'aria-label': gw.t('intake.new') });

    const fit = () => {
      const parts = gw.intakeParts(channel.value);
      const shown = { caller: parts.caller, phone: parts.caller, call_back: parts.caller, external_number: parts.order, reply_due_at: parts.order,
        captured_on: parts.patch, polygon: parts.patch, patch_before: parts.patch, patch_after: parts.patch, photo_before: !parts.patch && !parts.order,
        verify: parts.verify && !joins, category: !joins, where: !joins };
      for (const part of form.querySelectorAll('[data-part]')) part.hidden = shown[part.dataset.part] === false;
      spot.hidden = !!joins;
    };
    channel.onchange = fit;

    function place(lon, lat, show) {
      at = [Number(lon.toFixed(6)), Number(lat.toFixed(6))];
      if (marker) marker.remove();
      marker = gw.map && window.L ? L.circleMarker([lat, lon], { radius: 9, color: gw.css('accent'), weight: 3, fillOpacity: 0.25 }).addTo(gw.map.leaflet) : null;
      gw.setText(spot, `${at[1]}, ${at[0]}`);
      if (show && gw.map) gw.map.focus({ kind: 'place', lon, lat });
      look();
    }
    let asked = 0;
    async function look() {
      if (!at || joins) { if (!joins) beside.replaceChildren(); return; }
      const mine = ++asked;
      const answer = await gw.send('GET', `${API}/around?lon=${at[0]}&lat=${at[1]}&category=${encodeURIComponent(category || '')}`);
      if (mine !== asked || !form || joins || !answer.ok) return;
      gw.setText(spot, [gw.place(answer.body), answer.body.unit_grid, `${at[1]}, ${at[0]}`].filter(Boolean).join(' · '));
      beside.replaceChildren(...around(answer.body, join));
    }
    function join(item) {
      joins = item ? item.id : null;
      fit();
      beside.replaceChildren(...(item ? [gw.el('p', 'gw-intake-joined', [gw.t('intake.joins', { number: item.number, title: gw.pick(item, 'title') }), ' ', press(gw.t('intake.not_same'), () => join(null))])] : []));
      if (!item) look();
      go.textContent = gw.t(item ? 'intake.save_joined' : 'intake.save');
      go.focus();
    }

    const onMap = e => place(e.latlng.lng, e.latlng.lat, false);
    const onMapKey = e => { if (e.key === 'Enter' && e.target.closest('.leaflet-container')) { e.preventDefault(); const c = gw.map.leaflet.getCenter(); place(c.lng, c.lat, false); said.focus(); } };
    function shut() {
      gw.map.leaflet.off('click', onMap);
      document.removeEventListener('keydown', onMapKey, true);
      gw.map.leaflet.getContainer().classList.remove('gw-picking');
      if (marker) marker.remove();
      form.remove();
      form = null; gw.picking = false;
      if (opener && opener.isConnected) opener.focus();
    }
    back.onclick = shut;
    form.onkeydown = e => {
      if (e.key === 'Escape' && !e.defaultPrevented) { e.preventDefault(); shut(); }
      if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) form.requestSubmit();
      e.stopPropagation(); // the console's own keys are letters, too
    };
    form.onsubmit = e => {
      e.preventDefault();
      gw.once(go, save);
    };
    async function save() {
      const values = { at, category };
      for (const e of form.elements) if (e.name && e.type !== 'file') values[e.name] = e.type === 'checkbox' ? e.checked : e.value.trim();
      values.category = category;
      const { body, problem, field } = gw.intakeBody(values, channel.value, joins);
      error.textContent = problem ? gw.t(problem) : '';
      if (problem) { const e = form.querySelector(`[name=${field}]`); if (e) e.focus(); return; }
      const answer = await gw.send('POST', API, body, key);
      if (!answer.ok) { error.textContent = await why(answer); return; }
      const { incident_id: id, number, is_new: isNew } = answer.body;
      for (const e of form.querySelectorAll('input[type=file]')) {
        if (!e.files[0] || e.closest('[hidden]')) continue;
        const sent = await gw.upload(`/api/v1/incidents/${id}/evidence`, { stage: e.name, file: e.files[0] }, gw.newKey());
        if (!sent.ok) gw.notice(await gw.problem(sent, id), 'bad');
      }
      gw.notice(gw.t(!isNew ? 'intake.known' : joins ? 'intake.done_joined' : 'intake.done', { number }));
      shut();
      gw.select(id, 'report');
    }
    async function why(answer) {
      const body = answer.body || {}, field = gw.page.texts['intake.field_' + body.field];
      return answer.status === 422 && field ? gw.t('error.field', { field, problem: body.problem || '' }) : gw.problem(answer);
    }

    fit();
    gw.picking = true; // a click on the map is a place now, no case
    document.querySelector('.gw-console-right').append(form);
    gw.map.leaflet.on('click', onMap);
    gw.map.leaflet.getContainer().classList.add('gw-picking');
    document.addEventListener('keydown', onMapKey, true);
    channel.focus();
  };

  const press = (text, act) => { const b = gw.el('button', 'gw-button', text, { type: 'button' }); b.onclick = act; return b; };

  function around(found, join) {
    const cases = found.cases.map(c => gw.el('li', '', [
      gw.el('span', 'gw-sev', gw.word('severity_mark', c.severity), { 'data-severity': c.severity, title: gw.word('severity', c.severity) }),
      gw.el('div', '', [gw.el('b', '', gw.pick(c, 'title')), gw.el('small', '', [c.number, gw.word('state', c.state), gw.t('intake.metres', { n: c.distance_m })].join(' · '))]),
      press(gw.t('intake.same'), () => join(c)),
    ], { 'data-case': c.id }));
    const devices = found.devices.map(d => gw.el('li', d.alarm ? 'gw-intake-loud' : '', [
      gw.el('span', '', d.name || d.code), gw.el('small', '', [gw.word('kind', d.kind), d.code, gw.t('intake.metres', { n: d.distance_m }), d.alarm ? gw.word('severity', d.alarm) : ''].filter(Boolean).join(' · '))]));
    return [
      ...(cases.length ? [gw.el('h3', '', gw.t('intake.cases')), gw.el('ul', 'gw-intake-cases', cases)] : [gw.el('p', 'gw-empty', gw.t('intake.no_cases'))]),
      ...(devices.length ? [gw.el('h3', '', gw.t('intake.devices')), gw.el('ul', 'gw-intake-devices', devices)] : []),
    ];
  }

  /* A text field with a list below it: what is typed is looked up, arrows and Enter choose. */
  let made = 0;
  function combobox(name, hint, find, choose, whenEmpty) {
    const id = `gw-combo-${++made}`;
    const input = gw.el('input', 'gw-input', null, { name, role: 'combobox', 'aria-expanded': 'false', 'aria-controls': id, 'aria-autocomplete': 'list', autocomplete: 'off', placeholder: hint, maxlength: 60 });
    const list = gw.el('ul', 'gw-combo-list', null, { id, role: 'listbox', 'aria-label': hint });
    let items = [], active = -1, timer = 0, turn = 0;
    list.hidden = true;
    const close = () => { list.hidden = true; active = -1; input.setAttribute('aria-expanded', 'false'); input.removeAttribute('aria-activedescendant'); };
    const mark = to => {
      active = Math.max(0, Math.min(items.length - 1, to));
      [...list.children].forEach((e, k) => e.setAttribute('aria-selected', String(k === active)));
      const e = list.children[active];
      if (e) { input.setAttribute('aria-activedescendant', e.id); e.scrollIntoView({ block: 'nearest' }); }
    };
    const take = item => { input.value = item.text; close(); choose(item.value); };
    async function search() {
      const mine = ++turn, q = input.value.trim();
      if (!q && !whenEmpty) { close(); return; }
      const found = await find(q);
      if (mine !== turn || document.activeElement !== input) return;
      items = found.slice(0, 30);
      list.replaceChildren(...items.map((item, k) => {
        const e = gw.el('li', '', [gw.el('span', '', item.text), gw.el('small', '', item.note)], { role: 'option', id: `${id}-${k}`, 'aria-selected': 'false' });
        e.onpointerdown = event => { event.preventDefault(); take(item); };
        return e;
      }), ...(items.length ? [] : [gw.el('li', 'gw-empty', gw.t('intake.nothing'))]));
      list.hidden = false;
      input.setAttribute('aria-expanded', 'true');
      if (items.length) mark(0);
    }
    input.oninput = () => { choose(null); clearTimeout(timer); timer = setTimeout(search, TYPING_MS); };
    input.onblur = close;
    input.onkeydown = e => {
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') { e.preventDefault(); if (list.hidden) search(); else mark(active + (e.key === 'ArrowDown' ? 1 : -1)); }
      else if (e.key === 'Enter' && !e.ctrlKey && !e.metaKey) { e.preventDefault(); if (!list.hidden && items[active]) take(items[active]); }
      else if (e.key === 'Tab' && !list.hidden && items[active]) take(items[active]);
      else if (e.key === 'Escape' && !list.hidden) { e.preventDefault(); close(); }
    };
    return { box: gw.el('span', 'gw-combo', [input, list]), input };
  }
})();
