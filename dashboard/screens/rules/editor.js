/* The editor of a rule: its form and its text side by side. The server's parser reads both: a value
   of the form is put into the text there, a text that is typed comes back as the form. */
(function () {
  'use strict';
  const gw = window.gw, desk = (gw.rules = gw.rules || {});
  const TYPED_MS = 400;
  const GROUPS = [
    ['what', ['code', 'title_zh', 'title_en', 'condition', 'category', 'category_attribute', 'opens_incident']],
    ['scope', ['watch', 'kind', 'metric', 'comparison', 'gas', 'baseline_attribute']],
    ['clearing', ['off_delay_s', 'clear_limit', 'clear_share', 'clear_needs_reading', 'max_age_s']],
    ['help', ['help.minutes', 'help.cause_zh', 'help.cause_en', 'help.consequence_zh', 'help.consequence_en', 'help.action_zh', 'help.action_en']],
    ['source', ['source', 'valid_from']],
  ];
  const OF_LEVEL = ['severity', 'limit', 'limit_attribute', 'on_delay_s', 'clear_limit'];
  const edit = { answer: null, form: null, fields: [], turn: 0, typing: 0 };
  const $ = id => document.getElementById(id);
  const LEVEL = /^level\[(\d+)\]\.(.+)$/;

  desk.edit = async function (answer, text) {
    desk.view.busy = true;
    Object.assign(edit, { answer, form: null, fields: [], turn: edit.turn + 1 });
    const area = gw.el('textarea', 'gw-input gw-rules-area', text, { id: 'rules-text', spellcheck: 'false', wrap: 'off', 'aria-label': gw.t('rules.text') });
    area.value = text;
    area.oninput = () => { clearTimeout(edit.typing); edit.typing = setTimeout(() => send({ text: area.value }), TYPED_MS); };
    const title = answer ? `${gw.pick(answer.rule, 'title')} · ${answer.rule.code}` : gw.t('rules.add');
    $('rules-body').replaceChildren(
      gw.el('section', 'gw-panel', [
        gw.el('div', 'gw-panel-head', [gw.el('h3', '', title), gw.el('div', 'gw-row-buttons', [
          desk.button(gw.t('rules.back'), () => desk.go(answer ? '?rule=' + encodeURIComponent(answer.rule.code) : ''))])]),
        gw.el('p', 'gw-panel-note', gw.t('rules.editor_note')),
        gw.el('div', 'gw-rules-editor', [gw.el('div', 'gw-rules-form', null, { id: 'rules-form' }), gw.el('div', 'gw-rules-source', [gw.el('h4', '', gw.t('rules.text')), area, gw.el('p', 'gw-form-error', '', { id: 'rules-fault', role: 'alert' })])]),
        gw.el('div', '', null, { id: 'rules-remarks' }),
      ]),
      gw.el('section', 'gw-panel', null, { id: 'rules-trial' }));
    scrollTo(0, 0);
    await send({ text });
  };

  async function send(body) {
    const turn = ++edit.turn;
    const answer = await gw.send('POST', desk.API + '/rules/form', body);
    if (turn !== edit.turn || !$('rules-form')) return; // something newer was asked
    if (!answer.ok) { gw.setText($('rules-fault'), await gw.problem(answer)); return; }
    edit.form = answer.body;
    show(body.put ? 'form' : 'text');
  }

  function put(name, value) {
    clearTimeout(edit.typing);
    return send({ text: $('rules-text').value, put: { [name]: value } });
  }

  /* What the parser said, in the language of the page. */
  const said = problem => gw.settingsFault(problem, JSON.parse($('main').dataset.faults));

  function show(from) {
    const form = edit.form, area = $('rules-text');
    if (from === 'form' && area.value !== form.text) area.value = form.text;
    if (form.fields.length && (!form.fault || !edit.fields.length || form.fields.length >= edit.fields.length)) edit.fields = form.fields;
    $('rules-form').toggleAttribute('inert', form.values === null);
    if (form.values !== null) drawForm(form);
    const line = fault => `${fault.field ? desk.label(fault.field) + ': ' : ''}${said(fault.problem)}${fault.value ? ` (${fault.value.slice(0, 80)})` : ''}`;
    $('rules-fault').replaceChildren(...form.faults.map(fault => gw.el('span', '', line(fault))));
    area.toggleAttribute('aria-invalid', form.faults.length > 0);
    $('rules-remarks').replaceChildren(...desk.remarks(form.remarks));
    desk.offer({ answer: edit.answer, form, text: () => $('rules-text').value });
  }

  // The form

  function drawForm(form) {
    const names = new Set(edit.fields.map(field => field.name));
    for (const name of Object.keys(form.values)) if (!names.has(name)) edit.fields = [...edit.fields, { name, kind: 'unknown', required: false, default: null, choices: [] }];
    const shown = edit.fields.filter(field => !LEVEL.test(field.name) || Number(LEVEL.exec(field.name)[1]) < levelsOf(form));
    const grouped = new Set(GROUPS.flatMap(([, members]) => members));
    const groups = GROUPS.map(([name, members]) => [name, members.map(member => shown.find(field => field.name === member)).filter(Boolean)]);
    groups[1][1].push(...shown.filter(field => !grouped.has(field.name) && !LEVEL.test(field.name)));
    const focused = document.activeElement && document.activeElement.closest('[data-field]');
    const kept = focused && $('rules-form').contains(focused) ? focused.dataset.field : '';
    const blocks = groups.filter(([, fields]) => fields.length).map(([name, fields]) => gw.el('fieldset', '', [gw.el('legend', '', gw.t('rules.group_' + name)), ...fields.map(field => row(field, form))]));
    blocks.splice(2, 0, drawLevels(shown, form));
    $('rules-form').replaceChildren(...blocks);
    const again = kept && document.querySelector(`[data-field="${CSS.escape(kept)}"] :is(input, select)`);
    if (again) again.focus();
  }

  const levelsOf = form => { let n = 0; for (const name of Object.keys(form.values)) { const part = LEVEL.exec(name); if (part) n = Math.max(n, Number(part[1]) + 1); } return n; };

  function drawLevels(shown, form) {
    const count = levelsOf(form), cards = [];
    for (let n = 0; n < count; n++) {
      const fields = shown.filter(field => { const part = LEVEL.exec(field.name); return part && Number(part[1]) === n && (n || part[2] !== 'clear_limit' || field.name in form.values); });
      const place = field => { const at = OF_LEVEL.indexOf(LEVEL.exec(field.name)[2]); return at < 0 ? OF_LEVEL.length : at; };
      fields.sort((a, b) => place(a) - place(b));
      cards.push(gw.el('div', 'gw-rules-level', [gw.el('b', '', gw.t('rules.level', { n: n + 1 })), ...fields.map(field => row(field, form)),
        ...(count > 1 ? [desk.button(gw.t('rules.level_remove'), () => put(`level[${n}]`, null))] : [])]));
    }
    const worst = form.values[`level[${count - 1}].severity`], order = ['blue', 'yellow', 'orange', 'red'], worse = order[order.indexOf(worst) + 1];
    const limit = form.values[`level[${count - 1}].limit`];
    const add = worse && count ? [desk.button(gw.t('rules.level_add'), () => put(`level[${count}]`, { severity: worse, ...(typeof limit === 'number' ? { limit } : {}), on_delay_s: 0 }))] : [];
    return gw.el('fieldset', '', [gw.el('legend', '', gw.t('rules.group_levels')), ...cards, ...add]);
  }

  function row(field, form) {
    const given = field.name in form.values, value = given ? form.values[field.name] : null, short = field.name.replace(LEVEL, '$2');
    const control = input(field, value), fault = form.faults.find(one => one.field === field.name) || null;
    control.onchange = () => put(field.name, read(field, control));
    control.toggleAttribute('aria-invalid', !!fault);
    const hint = gw.page.texts['rules.hint_' + short];
    return gw.el('label', 'gw-field', [
      gw.el('span', '', (gw.page.texts['rules.field_' + short] || short) + (field.required ? ' *' : '')), control,
      ...(fault ? [gw.el('small', 'gw-rules-fault', `${said(fault.problem)}${fault.value ? ` (${fault.value.slice(0, 80)})` : ''}`, { role: 'alert' })] : hint ? [gw.el('small', '', hint)] : []),
    ], { 'data-field': field.name, ...(given ? {} : { 'data-absent': '' }) });
  }

  const word = (name, value) => {
    const short = name.replace(LEVEL, '$2');
    if (short === 'metric') return `${gw.word('metric', value)}${gw.page.texts['metric.' + value] ? ` (${value})` : ''}`;
    if (short === 'severity') return gw.word('severity', { red: 1, orange: 2, yellow: 3, blue: 4 }[value] || value);
    return gw.page.texts[`rules.${short}_${value}`] || gw.page.texts[`rules.${short}.${value}`] || value;
  };

  function input(field, value) {
    const named = { name: field.name };
    if (field.kind === 'choice' || field.kind === 'flag') {
      const words = field.kind === 'flag' ? ['true', 'false'] : field.choices, own = value === null ? '' : String(value);
      const options = [...(own && field.required ? [] : ['']), ...words, ...(own && !words.includes(own) ? [own] : [])];
      const text = option => (option === '' ? '–' : field.kind === 'flag' ? gw.t(option === 'true' ? 'value.yes' : 'value.no') : word(field.name, option));
      const e = gw.el('select', 'gw-input', options.map(option => gw.el('option', '', text(option), { value: option })), named);
      e.value = own;
      return e;
    }
    const number = field.kind === 'number' || field.kind === 'seconds';
    const e = gw.el('input', 'gw-input', null, { ...named, type: 'text', ...(number ? { inputmode: 'decimal' } : {}), ...(field.default !== null && field.default !== '' && !Array.isArray(field.default) ? { placeholder: String(field.default) } : {}) });
    e.value = value === null ? '' : Array.isArray(value) ? value.join(', ') : String(value);
    return e;
  }

  /* What was entered, as the text has it; what is no number stays a text, and the parser says so. */
  function read(field, control) {
    const text = control.value.trim();
    if (!text) return null;
    if (field.kind === 'flag') return text === 'true';
    if (field.kind === 'texts') return text.split(/[,，\s]+/).filter(Boolean);
    if (field.kind === 'number' || field.kind === 'seconds' || field.kind === 'unknown') { const number = Number(text); return Number.isFinite(number) ? number : text; }
    return text;
  }
})();
