/* Work permits: what is open and planned, then what is over; made and ended by the desk. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/permits';
  const NAMED = 12; // devices that are named before they are counted
  const $ = id => document.getElementById(id);
  const when = text => gw.dayAndClock(Date.parse(text));
  const may = () => $('main').dataset.mayMake === 'yes';
  const button = (text, press, kind) => { const e = gw.el('button', 'gw-button ' + (kind || ''), text, { type: 'button' }); e.onclick = () => gw.once(e, press); return e; };
  let search = '', items = null;

  gw.screens.permits = async function () {
    gw.showStatus();
    gw.live.start();
    search = new URLSearchParams(location.search).get('device') || '';
    gw.live.on('change', news => { if (news.kinds.some(kind => kind.startsWith('permit.'))) show(); });
    gw.every(60_000, () => { if (items) draw(); });
    await show();
  };

  async function show() {
    const answer = await gw.send('GET', API + '?limit=500');
    items = answer.ok ? answer.body.items : null;
    if (!answer.ok) gw.notice(await gw.problem(answer), 'bad');
    draw();
  }

  /* How a permit stands at a moment, whatever the server said when it was read. */
  gw.permitState = (item, now) => (now < Date.parse(item.from_at) ? 'planned' : now < Date.parse(item.until_at) ? 'open' : 'over');
  /* Permits in which every word that was typed stands somewhere. */
  gw.permitsFound = function (all, typed) {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    return all.filter(item => {
      const text = [item.code, item.who, item.why, item.made_by, ...item.devices].join('\n').toLowerCase();
      return words.every(word => text.includes(word));
    });
  };

  function draw() {
    if (!items) {
      $('permits-body').replaceChildren(gw.el('section', 'gw-panel', [gw.el('p', 'gw-empty', gw.t('permits.not_read')), button(gw.t('retry'), show)]));
      return;
    }
    const focused = document.activeElement && document.activeElement.name === 'find';
    const find = gw.el('input', 'gw-input', null, { type: 'search', name: 'find', placeholder: gw.t('permits.search'), 'aria-label': gw.t('permits.search') });
    find.value = search;
    find.oninput = () => { search = find.value; draw(); };
    const found = gw.permitsFound(items, search), now = gw.now(), of = state => found.filter(item => gw.permitState(item, now) === state);
    const part = (name, list) => gw.el('section', 'gw-permits-part', [gw.el('h3', '', `${gw.t('permits.' + name)} (${list.length})`),
      ...(list.length ? list.map(card) : [gw.el('p', 'gw-empty', gw.t('permits.none_' + name))])], { 'data-part': name });
    $('permits-body').replaceChildren(
      gw.el('div', 'gw-permits-find', [find, gw.el('span', 'gw-push'), ...(may() ? [button(gw.t('permits.add'), add, 'primary')] : [])]),
      part('open', of('open')), part('planned', of('planned')), part('over', of('over')));
    if (focused) { find.focus(); find.setSelectionRange(search.length, search.length); }
  }

  function card(item) {
    const now = gw.now(), state = gw.permitState(item, now), until = Date.parse(item.until_at);
    const left = state === 'open' ? gw.t('permits.left', { age: gw.age(until - now) }) : state === 'planned' ? gw.t('permits.begins', { age: gw.age(Date.parse(item.from_at) - now) }) : '';
    const devices = item.devices.slice(0, NAMED).map(code => gw.el('a', '', code, { href: '/devices?device=' + encodeURIComponent(code) }));
    const more = item.devices.length > NAMED ? [gw.el('span', '', gw.t('permits.more', { n: gw.number(item.devices.length - NAMED) }))] : [];
    const noted = item.noted.map(note => gw.el('li', '', gw.t('permits.noted', { device: note.device, first: when(note.first_at), last: when(note.last_at) })));
    return gw.el('article', 'gw-panel', [
      gw.el('div', 'gw-panel-head', [gw.el('h4', '', [gw.el('b', '', item.code), ' ', item.who]), ...(state !== 'over' && may() ? [button(gw.t('permits.end'), () => end(item))] : [])]),
      gw.el('q', '', item.why),
      gw.el('p', '', [`${when(item.from_at)} – ${when(item.until_at)}`, ...(left ? [' · ', gw.el('b', '', left)] : [])]),
      gw.el('p', 'gw-permits-devices', [`${place(item)} · ${gw.t('permits.devices', { n: gw.number(item.devices.length) })}`, ...devices, ...more]),
      ...(noted.length ? [gw.el('ul', 'gw-permits-noted', noted)] : []),
      gw.el('p', 'gw-panel-note', gw.t('permits.made', { name: item.made_by === 'cli' ? gw.t('actor.system') : item.made_by, time: when(item.made_at) }) + (item.ended_by ? ' · ' + gw.t('permits.ended', { name: item.ended_by }) + ` “${item.ended_why}”` : '')),
    ], { 'data-permit': item.code, 'data-state': state });
  }

  function place(item) {
    if (item.place.radius_m) return gw.t('permits.circle', { n: gw.number(item.place.radius_m) });
    if (item.place.polygon) return gw.t('permits.polygon');
    if (item.place.street) return gw.t('permits.street', { code: item.place.street });
    return gw.t('permits.named');
  }

  // Made and ended

  const local = ms => { const d = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000); return d.toISOString().slice(0, 16); };
  function add() {
    const now = gw.now();
    gw.dialog({ title: gw.t('permits.add'), note: gw.t('permits.add_note'), fields: [
      { name: 'who', type: 'text', required: true, label: gw.t('permits.field_who') },
      { name: 'why', type: 'text', required: true, label: gw.t('permits.field_why') },
      { name: 'begin', type: 'when', required: true, label: gw.t('permits.field_begin'), value: local(now) },
      { name: 'until', type: 'when', required: true, label: gw.t('permits.field_until'), value: local(now + 2 * 3_600_000) },
      { name: 'devices', type: 'text', label: gw.t('permits.field_devices'), hint: gw.t('permits.hint_devices'), value: items && search && items.every(item => item.code !== search) ? search : '' },
      { name: 'circle', type: 'text', label: gw.t('permits.field_circle'), hint: gw.t('permits.hint_circle') },
      { name: 'polygon', type: 'text', label: gw.t('permits.field_polygon'), hint: gw.t('permits.hint_polygon') },
      { name: 'street', type: 'text', label: gw.t('permits.field_street') },
      { name: 'code', type: 'text', label: gw.t('permits.field_code'), hint: gw.t('permits.hint_code') },
    ], submit: async values => {
      const { body, problem } = gw.permitBody(values);
      if (problem) return gw.t(problem);
      const answer = await gw.send('POST', API, body, gw.newKey());
      if (!answer.ok) return why(answer);
      gw.notice(gw.t('permits.done', { code: answer.body.code, n: answer.body.devices.length }));
      await show();
      return '';
    } });
  }

  /* The fields of the dialog as the API takes them: {body} or {problem}, a key of the texts. */
  gw.permitBody = function (values) {
    const { devices, circle, polygon, ...rest } = values, body = { ...rest };
    if (devices) body.devices = devices.split(/[,，;；\s]+/).filter(Boolean);
    if (circle) {
      const [lon, lat, radius] = circle.split(/[,，\s]+/).filter(Boolean).map(Number);
      if (![lon, lat, radius].every(Number.isFinite)) return { problem: 'permits.bad_circle' };
      Object.assign(body, { lon, lat, radius_m: radius });
    }
    if (polygon) {
      body.polygon = polygon.split(/[;；]/).filter(part => part.trim()).map(part => part.trim().split(/[,，\s]+/).map(Number));
      if (!body.polygon.every(corner => corner.length === 2 && corner.every(Number.isFinite))) return { problem: 'permits.bad_polygon' };
    }
    return { body };
  };

  async function why(answer) {
    const body = answer.body || {}, field = gw.page.texts['permits.field_' + body.field] || body.field;
    if (answer.status === 422) return `${field}: ${gw.page.texts['permits.problem_' + body.field] || body.problem || body.detail}${body.value === null || body.value === undefined || body.field === 'place' ? '' : ` (${body.value})`}`;
    if (answer.status === 409) return gw.t('permits.changed') ;
    return gw.problem(answer);
  }

  function end(item) {
    gw.dialog({ title: `${gw.t('permits.end')} · ${item.code}`, note: gw.t('permits.end_note'), button: gw.t('permits.end'),
      fields: [{ name: 'why', type: 'long', required: true, label: gw.t('permits.field_why') }],
      submit: async values => {
        const answer = await gw.send('POST', `${API}/${encodeURIComponent(item.code)}/end`, { why: values.why, version: item.version }, gw.newKey());
        if (!answer.ok) { if (answer.status === 409) show(); return why(answer); }
        gw.notice(gw.t('permits.ended_now', { code: item.code }));
        await show();
        return '';
      } });
  }
})();
