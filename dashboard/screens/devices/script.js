/* The device registry: tabs, forms for strangers and devices, import of files. Tables come from Dash. */
(function () {
  'use strict';
  const gw = window.gw;
  const API = '/api/v1/';
  const NEEDED = ['code', 'kind', 'name', 'lon', 'lat'];
  const OPTIONAL = ['district', 'model', 'format', 'external_id', 'gas', 'report_interval_s', 'attributes', 'datum'];
  const DATUMS = { wgs84: 'WGS-84', cgcs2000: 'CGCS2000', gcj02: 'GCJ-02', bd09: 'BD-09' };
  const ASKED_MS = 10000; // after that nobody waits for the list any more
  const CLOSE_S = 2; // a clock this close is right
  const OUT_DAYS = 7; // what the form proposes; people change it
  const path = code => API + 'devices/' + encodeURIComponent(code);

  gw.screens.devices = function () {
    gw.showStatus();
    gw.live.start();
    buildImport(document.getElementById('devices-import'));
    showTab(location.hash.slice(1));
    showAsked();
    namePageSteps(document.querySelector('[data-device-panel=registry]'));
  };

  /* The arrows of the pager are pictures only; they are drawn again with every other number of pages. */
  function namePageSteps(panel) {
    const name = () => {
      const steps = [...panel.querySelectorAll('.gw-devices-pages button')].filter(button => button.querySelector('svg') && !button.innerText);
      steps.forEach((button, k) => button.setAttribute('aria-label', gw.t(k ? 'devices.page_after' : 'devices.page_before')));
    };
    name();
    new MutationObserver(name).observe(panel, { childList: true, subtree: true });
  }

  /* Other pages lead here with one device or one stranger. */
  function showAsked() {
    const asked = new URLSearchParams(location.search), device = asked.get('device'), stranger = asked.get('discovered');
    if (device) gw.setProp('devices-search', device, 'value');
    if (!stranger) return;
    showTab('waiting');
    const look = new MutationObserver(() => {
      const card = [...document.querySelectorAll('[data-discovered]')].find(c => `${c.dataset.format}/${c.dataset.identity}` === stranger);
      if (!card) return;
      look.disconnect();
      card.classList.add('gw-asked');
      card.scrollIntoView({ block: 'center' });
    });
    look.observe(document.getElementById('devices-waiting'), { childList: true, subtree: true });
    setTimeout(() => look.disconnect(), ASKED_MS);
  }

  /* Tabs keep their place in the address, so that a reload comes back to it. */
  function showTab(name) {
    const tabs = [...document.querySelectorAll('[data-device-tab]')];
    const chosen = tabs.some(tab => tab.dataset.deviceTab === name) ? name : 'registry';
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', String(tab.dataset.deviceTab === chosen));
      tab.tabIndex = tab.dataset.deviceTab === chosen ? 0 : -1;
    }
    for (const panel of document.querySelectorAll('[data-device-panel]')) panel.hidden = panel.dataset.devicePanel !== chosen;
  }
  window.addEventListener('hashchange', () => { if (gw.started === 'devices') { showTab(location.hash.slice(1)); refresh(); } });
  document.addEventListener('click', event => {
    const tab = event.target.closest('[data-device-tab]');
    if (!tab) return;
    history.replaceState(null, '', '#' + tab.dataset.deviceTab);
    showTab(tab.dataset.deviceTab);
    refresh();
  });
  document.addEventListener('keydown', event => {
    const tab = event.target.closest && event.target.closest('[data-device-tab]');
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) return;
    const tabs = [...document.querySelectorAll('[data-device-tab]')];
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.click(); next.focus();
  });

  const refresh = () => gw.setProp('devices-tick', Date.now(), 'data');

  async function problem(answer) {
    if (answer.status === 409) { refresh(); return gw.t('devices.conflict'); }
    if (answer.status === 404) { refresh(); return gw.t('devices.gone'); }
    return gw.problem(answer);
  }

  /* One dialog, one change: the same key again is the same change. */
  function ask({ title, button, note, fields, url, body, done }) {
    const key = gw.newKey();
    gw.dialog({ title, note, fields, button, submit: async values => {
      const answer = await gw.send('POST', url, { ...body, ...values }, key);
      if (!answer.ok) return problem(answer);
      refresh();
      done(answer.body);
      return '';
    } });
  }

  const words = name => JSON.parse(document.getElementById('main').dataset.words)[name];
  const none = () => ['', gw.t('devices.none_chosen')];
  const choice = (names, area) => names.map(name => [name, area ? gw.word(area, name) : name]);

  const STEPS = {
    out: row => ask({ button: gw.t('devices.step_out'), title: `${gw.t('devices.step_out')} · ${row.device}`, note: gw.t('devices.out_note'), url: path(row.device) + '/out-of-service',
      body: { version: Number(row.version) }, fields: outFields(), done: body => gw.notice(gw.t('devices.done_out', { code: body.code })) }),
    extend: row => STEPS.out(row),
    return: row => ask({ button: gw.t('devices.step_return'), title: `${gw.t('devices.step_return')} · ${row.device}`, note: gw.t('devices.return_note'), url: path(row.device) + '/return',
      body: { version: Number(row.version) }, fields: [], done: body => gw.notice(gw.t('devices.done_return', { code: body.code })) }),
    replace: row => ask({ button: gw.t('devices.step_replace'), title: `${gw.t('devices.step_replace')} · ${row.device}`, note: gw.t('devices.replace_note'), url: path(row.device) + '/replace',
      body: { version: Number(row.version) }, fields: [
        { name: 'external_id', hint: gw.t('devices.replace_identity_hint') },
        { name: 'format', type: 'select', required: true, options: choice(words('formats')), value: row.format },
        { name: 'model', type: 'select', options: [none(), ...choice(words('models'))], value: row.model },
        { name: 'reason', type: 'text', required: true },
      ], done: body => { gw.notice(gw.t('devices.done_replace', { code: body.device.code })); offerReplay(body); } }),
    approve: row => ask({ title: gw.t('devices.step_approve'), note: gw.t('devices.approve_note', row), url: `${API}discovered/${row.discovered}/approve`,
      body: {}, fields: approveFields(row), done: body => { gw.notice(gw.t('devices.done_approve', { code: body.device.code })); offerReplay(body); } }),
    ignore: row => ask({ button: gw.t('devices.step_ignore'), title: `${gw.t('devices.step_ignore')} · ${row.identity}`, note: gw.t('devices.ignore_note'), url: `${API}discovered/${row.discovered}/ignore`,
      body: undefined, fields: [], done: () => gw.notice(gw.t('devices.done_ignore')) }),
    history: row => showHistory(row),
    rename: row => change(row, 'rename', [{ name: 'name', required: true, value: row.name }]),
    move: row => change(row, 'move', [{ name: 'lon', type: 'number', required: true, value: row.lon }, { name: 'lat', type: 'number', required: true, value: row.lat },
      { name: 'datum', type: 'select', options: Object.keys(DATUMS).map(value => [value, DATUMS[value]]), value: 'wgs84' }]),
    correct: row => change(row, 'correct', [{ name: 'model', type: 'select', options: [none(), ...choice(words('models'))], value: row.model },
      { name: 'gas', type: 'select', options: [none(), ...choice(words('gases'), 'gas')], value: row.gas },
      { name: 'report_interval_s', type: 'number', value: row.report_interval_s }]),
    retire: row => change(row, 'retire', []),
    revive: row => change(row, 'revive', []),
  };

  /* What is done to a registered device with a reason, and stands in its history. */
  function change(row, step, fields) {
    ask({ button: gw.t('devices.step_' + step), title: `${gw.t('devices.step_' + step)} · ${row.device}`, note: gw.t(`devices.${step}_note`), url: `${path(row.device)}/${step}`,
      body: { version: Number(row.version) }, fields: [...fields, { name: 'reason', type: 'text', required: true }],
      done: body => gw.notice(gw.t('devices.done_' + step, { code: body.code })) });
  }

  document.addEventListener('click', event => {
    const button = event.target.closest('[data-device-step]');
    if (!button) return;
    const host = button.closest('[data-device], [data-discovered]');
    STEPS[button.dataset.deviceStep]({ ...host.dataset, ...button.dataset });
  });

  function outFields() {
    const due = new Date(Date.now() + OUT_DAYS * 86400e3);
    const two = n => String(n).padStart(2, '0');
    const value = `${due.getFullYear()}-${two(due.getMonth() + 1)}-${two(due.getDate())}T18:00`;
    return [{ name: 'reason', type: 'text', required: true }, { name: 'return_due_at', type: 'when', required: true, value }];
  }

  function approveFields(row) {
    const code = /^[^/+#$\s]{1,64}$/.test(row.identity) ? row.identity : '';
    return [
      { name: 'code', required: true, value: code },
      { name: 'name', required: true },
      { name: 'kind', type: 'select', required: true, options: [['', ''], ...choice(words('kinds'), 'kind')], value: row.kind },
      { name: 'lon', type: 'number', required: true },
      { name: 'lat', type: 'number', required: true, hint: gw.t('devices.place_hint') },
      { name: 'model', type: 'select', options: [none(), ...choice(words('models'))], hint: gw.t('devices.model_hint') },
      { name: 'gas', type: 'select', options: [none(), ...choice(words('gases'), 'gas')] },
      { name: 'report_interval_s', type: 'number', hint: gw.t('devices.interval_hint') },
    ];
  }

  /* What it sent before anybody knew it may come in now, some hundreds at a time. */
  function offerReplay(answer) {
    const code = answer.device.code, sum = { replayed: 0, refused: 0, last: 0 };
    if (!answer.rejects_waiting) return;
    setTimeout(() => gw.dialog({ title: gw.t('devices.replay_title'), note: gw.t('devices.replay_note', { code, n: answer.rejects_waiting }),
      fields: [], button: gw.t('devices.replay_button'), submit: async () => {
        for (let more = 1; more;) {
          const found = await gw.send('POST', path(code) + '/replay', { after: sum.last });
          if (!found.ok) return problem(found);
          sum.replayed += found.body.replayed; sum.refused += found.body.refused; sum.last = found.body.last;
          more = found.body.remaining;
          if (more) gw.notice(gw.t('devices.replay_more', { n: more }));
        }
        refresh();
        gw.notice(gw.t('devices.replayed', { code, ...sum }));
        return '';
      } }), 0);
  }

  const part = title => gw.el('b', 'gw-history-part', title);
  const ago = at => gw.t('time.ago', { age: gw.age(gw.now() - Date.parse(at)) });
  const gatewayOf = condition => condition.replace(/^gateway\/[^/]*\//, '').replace(/^feed\//, '');

  /* The ways its messages come, and the silence that one of them explains. */
  function gatewayParts(device) {
    const explained = device.inhibitions.map(i => gw.el('span', 'gw-behind', gw.t('devices.behind',
      { gateway: gatewayOf(i.by_condition), at: gw.dayAndClock(Date.parse(i.since)), age: gw.age(gw.now() - Date.parse(i.since)) })));
    if (!device.gateways.length) return explained;
    const lines = device.gateways.map(way => gw.el('span', 'gw-history-line', [
      gw.el('b', '', way.name || way.identity),
      gw.el('span', '', gw.word('gateway_kind', way.kind)),
      gw.el('span', '', [gw.t('devices.way_heard', { ago: ago(way.heard_at) }), ...signal(way)].join(' · ')),
      ...(way.online === false ? [gw.el('span', '', gw.t('devices.way_offline'))] : []),
    ]));
    return [...explained, part(gw.t('devices.ways')), ...lines];
  }

  /* What it measured last, how far that may be trusted, and how its clock goes. */
  function valueParts(device) {
    if (!device.latest.length) return [];
    const lines = device.latest.map(value => gw.el('span', 'gw-history-value', [
      gw.el('span', '', gw.word('metric', value.metric)), gw.el('b', '', gw.value(value.metric, value.value)),
      gw.el('span', '', [age(value), ...value.trust.filter(word => word !== 'good').map(word => gw.word('quality', word))].join(' · ')),
    ]));
    const clock = clockText(device.clock);
    return [part(gw.t('devices.column_latest')), ...lines, ...(clock ? [gw.el('span', 'gw-history-line', clock)] : [])];
  }

  /* As `dashboard.screens.devices.trust.age_text`. */
  const age = value => value.age_s < -CLOSE_S ? gw.t('quality.in_future', { age: gw.age(-value.age_s * 1000) }) : ago(value.ts);

  /* How the clock of a device goes: ahead, behind, right, or not known. */
  function clockText(clock) {
    if (!clock) return '';
    if (clock.lag_s === null || clock.least_s === null) return gw.t('quality.clock_none');
    const by = gw.age(Math.abs(clock.least_s) * 1000);
    if (clock.least_s < -CLOSE_S) return gw.t('quality.clock_ahead', { by });
    return clock.least_s > CLOSE_S ? gw.t('quality.clock_behind', { by }) : gw.t('quality.clock_right');
  }

  gw.deviceWords = { age, clock: clockText, gateway: gatewayOf };

  const signal = way => [...(way.rssi_dbm === null ? [] : [`RSSI\u00a0${Math.round(way.rssi_dbm)}\u00a0dBm`]), ...(way.snr_db === null ? [] : [`SNR\u00a0${way.snr_db.toFixed(1)}\u00a0dB`])];

  /* Who changed what of it, when and why, newest first; it began when it was registered. */
  function changeLines(told) {
    const sent = told.sent_since_retired.messages;
    return [...(sent ? [gw.el('span', 'gw-behind', gw.t('devices.sent_since_retired', { n: sent }))] : []),
      ...told.items.map(item => gw.el('span', 'gw-history-line', [
        gw.el('b', '', gw.word('event', 'device.' + item.what)),
        ...gw.differences(item).map(text => gw.el('span', '', text)),
        gw.el('span', '', [gw.dayAndClock(Date.parse(item.at)), item.actor, item.reason].filter(Boolean).join(' · ')),
      ])),
      gw.el('span', 'gw-history-line', [gw.el('b', '', gw.t('devices.began')), gw.el('span', '', gw.dayAndClock(Date.parse(told.created_at)))])];
  }

  /* "Name: Gate → North gate", a line for each thing that is different. */
  gw.differences = function (item) {
    const say = value => value === null || value === undefined || value === '' ? '—' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    const names = [...new Set([...Object.keys(item.before), ...Object.keys(item.after)])].filter(name => say(item.before[name]) !== say(item.after[name]));
    return names.map(name => `${gw.word('field', name)}: ${say(item.before[name])} → ${say(item.after[name])}`);
  };

  async function showHistory(row) {
    const [device, answer, told, permits] = await Promise.all([gw.send('GET', path(row.device)), gw.send('GET', path(row.device) + '/identities'),
      gw.send('GET', path(row.device) + '/history'), gw.permitsOfDevice(row.device)]);
    const failed = [device, answer, told].find(one => !one.ok);
    if (failed) { gw.notice(await problem(failed), 'bad'); return; }
    const lines = answer.body.items.map(item => gw.el('span', 'gw-history-line', [
      gw.el('b', '', `${item.format} · ${item.identity}`),
      gw.el('span', '', `${gw.t('devices.history_model')} ${item.model || '—'}`),
      gw.el('span', '', `${gw.date(Date.parse(item.from))} – ${item.to ? gw.date(Date.parse(item.to)) : gw.t('devices.history_present')}`),
      ...(item.reason ? [gw.el('span', '', `${item.reason} · ${item.replaced_by}`)] : []),
    ]));
    gw.dialog({ title: gw.t('devices.history_title', { code: row.device }), note: gw.el('span', 'gw-history', [...valueParts(device.body), ...permits, ...gatewayParts(device.body),
      part(gw.t('devices.changes')), ...changeLines(told.body), part(gw.t('devices.hardware')), ...lines]), fields: [],
      button: gw.t('close_dialog'), plain: true, submit: async () => '' });
  }

  /* Import: choose, try, import. The report stands below, a line a fault. */
  function buildImport(host) {
    if (!host || host.firstChild) return;
    const input = gw.el('input', 'gw-hidden-input', null, { type: 'file', accept: '.csv,.txt,.geojson,.json', 'aria-label': gw.t('devices.import_choose'), name: 'file' });
    const name = gw.el('span', 'gw-photo-name', gw.t('devices.import_none'));
    const chooser = gw.el('span', 'gw-photo-line', [input, gw.el('span', 'gw-button', gw.t('devices.import_choose')), name]);
    const attempt = gw.el('button', 'gw-button', gw.t('devices.import_try'), { type: 'button', 'data-import': 'try' });
    const go = gw.el('button', 'gw-button primary', gw.t('devices.import_go'), { type: 'button', 'data-import': 'go' });
    const template = gw.el('a', '', gw.t('devices.import_template'), { download: 'devices.csv',
      href: URL.createObjectURL(new Blob(['\ufeff' + [...NEEDED, ...OPTIONAL].join(',') + '\r\n'], { type: 'text/csv' })) });
    const datum = gw.el('select', 'gw-import-datum', [gw.el('option', '', gw.t('devices.datum_unsaid'), { value: '' }),
      ...Object.keys(DATUMS).map(value => gw.el('option', '', gw.t('devices.datum_' + value), { value }))], { name: 'datum', 'aria-label': gw.t('devices.datum') });
    const why = gw.el('input', 'gw-input gw-import-why', null, { type: 'text', name: 'why', maxlength: 200, placeholder: gw.t('devices.import_why'), 'aria-label': gw.t('devices.import_why') });
    const report = gw.el('div', 'gw-import-report', null, { role: 'status' });
    const bar = gw.el('progress', 'gw-progress', null, { max: 1, value: 0, 'aria-label': gw.t('sending') });
    bar.hidden = true;
    attempt.disabled = go.disabled = datum.disabled = true;
    input.addEventListener('change', () => {
      gw.setText(name, input.files[0] ? input.files[0].name : gw.t('devices.import_none'));
      attempt.disabled = go.disabled = datum.disabled = !input.files[0];
      datum.value = ''; // what was said of another file
      report.replaceChildren();
    });
    const send = (button, dryRun) => gw.once(button, async () => {
      const file = input.files[0];
      bar.hidden = false;
      const said = (datum.value && '&datum=' + datum.value) + (why.value.trim() && '&why=' + encodeURIComponent(why.value.trim()));
      const answer = await gw.upload(`${API}devices/import?dry_run=${dryRun}${said}`, { file }, gw.newKey(), share => { bar.value = share; });
      bar.hidden = true;
      const question = gw.datumQuestion(answer), reply = value => { datum.value = value; send(button, dryRun); };
      report.replaceChildren(...(answer.ok ? reportParts(answer.body) : question ? questionParts(question, reply)
        : [gw.el('p', 'gw-form-error', await gw.problem(answer), { role: 'alert' })]));
      if (answer.ok && !dryRun) refresh();
    });
    attempt.onclick = () => send(attempt, true);
    go.onclick = () => send(go, false);
    host.append(gw.el('p', '', gw.t('devices.import_note')),
      gw.el('p', 'gw-devices-note', [gw.t('devices.import_columns', { needed: NEEDED.join(', '), optional: OPTIONAL.join(', ') }), ' · ', template]),
      gw.el('div', 'gw-import-tools', [chooser, datum, why, attempt, go]), bar, report);
  }

  /* What the server asks instead of an answer, or null. */
  gw.datumQuestion = answer => (answer.status === 409 && answer.body && answer.body.current && answer.body.current.datum_question) || null;

  /* Positions that look shifted: why, and the two answers a person can give. */
  function questionParts(question, reply) {
    const label = DATUMS[question.suspected];
    const button = (value, text, kind) => {
      const made = gw.el('button', 'gw-button ' + kind, text, { type: 'button', 'data-datum': value });
      made.onclick = () => reply(value);
      return made;
    };
    return [gw.el('div', 'gw-import-question', [
      gw.el('p', 'gw-import-sum', gw.t('devices.datum_asked', { datum: label, offset: question.offset_m })),
      gw.el('ul', '', question.evidence.map(e => gw.el('li', '', gw.t('devices.datum_' + e.kind, e)))),
      gw.el('p', 'gw-devices-note', gw.t('devices.datum_nothing_done')),
      gw.el('div', 'gw-import-tools', [button(question.suspected, gw.t('devices.datum_convert', { datum: label }), 'primary'),
        button('wgs84', gw.t('devices.datum_believe'), '')]),
    ], { role: 'alert' })];
  }

  function faultText(fault) {
    const key = 'fault.' + fault.code;
    return gw.page.texts[key] ? gw.t(key, fault.facts) : fault.problem;
  }

  function reportParts(body) {
    const sum = { rows: body.rows, imported: body.imported, faulty: body.faulty_rows };
    const parts = [gw.el('p', 'gw-import-sum', gw.t(body.dry_run ? 'devices.import_would' : 'devices.import_did', sum))];
    if (body.changed || body.unchanged) parts.push(gw.el('p', '', gw.t(body.dry_run ? 'devices.import_would_change' : 'devices.import_changed', body)));
    if (body.encoding !== 'utf-8') parts.push(gw.el('p', '', gw.t('devices.import_encoding', { encoding: body.encoding.toUpperCase() })));
    if (body.datums.length) parts.push(gw.el('p', 'gw-devices-note', gw.t('devices.datum_read', { datums: body.datums.map(name => DATUMS[name]).join(', ') })));
    if (!body.faults.length) return parts;
    const head = ['row', 'field', 'value', 'problem'].map(name => gw.el('th', '', gw.t('devices.import_' + name), { scope: 'col' }));
    const rows = body.faults.map(f => gw.el('tr', '', [gw.el('th', '', f.row, { scope: 'row' }), gw.el('td', '', gw.word('field', f.field)),
      gw.el('td', 'gw-import-value', f.value), gw.el('td', '', faultText(f))]));
    parts.push(gw.el('table', 'gw-import-faults', [gw.el('thead', '', gw.el('tr', '', head)), gw.el('tbody', '', rows)]));
    if (body.faults_left_out) parts.push(gw.el('p', 'gw-devices-note', gw.t('devices.import_more', { n: body.faults_left_out })));
    return parts;
  }
})();
