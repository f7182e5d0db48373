/* What a change would have done: tried by a process of its own while the page shows how far it is,
   then put in force with a reason, or handed to a second person. */
(function () {
  'use strict';
  const gw = window.gw, desk = (gw.rules = gw.rules || {});
  const LOOK_MS = 700;
  const $ = id => document.getElementById(id);
  let at = 0; // number of the trial that the page shows

  /* Below the editor: the change as it stands, and the button that tries it. */
  desk.offer = function ({ answer, form, text }) {
    at = 0;
    const box = $('rules-trial'), newest = answer && answer.versions[0];
    const before = newest && answer.rule.state !== 'retired' ? newest.text : '';
    const same = before === form.text, refused = form.fault || form.remarks.some(remark => remark.grade === 'error');
    const lines = same ? [] : gw.approvalDiff(before, form.text);
    const seen = newest ? newest.version : form.known;
    const go = desk.button(gw.t('rules.try'), () => start({ text: text(), seen }, answer), 'primary');
    go.disabled = !!(same || refused);
    box.replaceChildren(
      gw.el('div', 'gw-panel-head', [gw.el('h3', '', gw.t('rules.change')), gw.el('div', 'gw-row-buttons', go)]),
      gw.el('p', 'gw-panel-note', gw.t(same ? 'rules.no_change' : refused ? 'rules.faulty' : form.gas ? 'rules.try_note_gas' : 'rules.try_note')),
      ...(newest && !same && answer.rule.code !== form.code ? [gw.el('p', 'gw-rules-warning', gw.t('rules.other_code', { code: form.code || '–' }))] : []),
      ...(lines.length ? [desk.diff(lines)] : []), gw.el('div', '', null, { id: 'rules-tried' }));
  };

  desk.tryRetirement = async function (answer) {
    desk.view.busy = true;
    $('rules-body').replaceChildren(gw.el('section', 'gw-panel', [
      gw.el('div', 'gw-panel-head', [gw.el('h3', '', gw.t('rules.retire_title', { code: answer.rule.code })), gw.el('div', 'gw-row-buttons', desk.button(gw.t('rules.back'), () => desk.go('?rule=' + encodeURIComponent(answer.rule.code))))]),
      gw.el('p', 'gw-panel-note', gw.t('rules.retire_note')), gw.el('div', '', null, { id: 'rules-tried' })]));
    await start({ retire: answer.rule.code, seen: answer.rule.version }, answer);
  };

  async function start(body, answer) {
    const begun = await gw.send('POST', desk.API + '/rule-trials', body, gw.newKey());
    if (!begun.ok) { fail(begun, answer); return; }
    at = begun.body.id;
    follow(begun.body, answer);
  }

  async function fail(answer, rule) {
    const current = (answer.body && answer.body.current) || {};
    if (current.refused === 'stale') return stale(current.changed, rule);
    $('rules-tried').replaceChildren(gw.el('p', 'gw-form-error', await why(answer), { role: 'alert' }));
  }

  async function why(answer) {
    const body = answer.body || {};
    if (answer.status === 422) return `${desk.label((body.field || '').replace(/^rule: /, ''))}: ${gw.settingsFault(body.problem || '', JSON.parse($('main').dataset.faults))}`;
    if (answer.status === 409 && body.detail) return (body.current && gw.page.texts['rules.refused_' + body.current.refused]) || body.detail;
    return gw.problem(answer);
  }

  /* Who changed what meanwhile, each with its difference to what this change was made on. */
  function stale(changed, answer) {
    const texts = answer ? new Map(answer.versions.map(version => [version.version, version.text])) : new Map();
    $('rules-tried').replaceChildren(gw.el('div', 'gw-rules-warning', [
      gw.el('b', '', gw.t('rules.stale')),
      ...desk.moved(changed).flatMap((line, n) => {
        const one = changed[n], known = one.text && answer && one.code === answer.rule.code ? texts.get(answer.rule.version) : '';
        return [gw.el('p', '', line), ...(known ? [desk.diff(gw.approvalDiff(known, one.text))] : [])];
      }),
      desk.button(gw.t('rules.look_again'), () => desk.go(answer ? '?rule=' + encodeURIComponent(answer.rule.code) : '')),
    ], { role: 'alert' }));
  }

  async function follow(trial, answer) {
    show(trial, answer);
    while (at === trial.id && (trial.state === 'waiting' || trial.state === 'running')) {
      await new Promise(done => setTimeout(done, LOOK_MS));
      const found = await gw.send('GET', `${desk.API}/rule-trials/${trial.id}`);
      if (at !== trial.id || !$('rules-tried')) return;
      if (found.ok) { trial = found.body; show(trial, answer); }
    }
  }

  function show(trial, answer) {
    const going = trial.state === 'waiting' || trial.state === 'running', result = trial.result;
    const nodes = [];
    if (going) nodes.push(gw.el('div', 'gw-rules-going', [
      gw.el('progress', 'gw-progress', null, { max: 1, value: trial.share, 'aria-label': gw.t('rules.trying') }),
      gw.el('span', '', trial.state === 'waiting' ? gw.t('rules.trial_waiting') : gw.t('rules.trial_running', { n: Math.round(100 * trial.share) }), { role: 'status' }),
      desk.button(gw.t('cancel_dialog'), async () => { await gw.send('POST', `${desk.API}/rule-trials/${trial.id}/cancel`, {}); }),
    ]));
    if (trial.state === 'cancelled' || trial.state === 'failed') nodes.push(gw.el('p', 'gw-form-error', gw.t('rules.trial_' + trial.state, { why: trial.problem })));
    if (result) nodes.push(...alarms(result.alarms), ...(trial.state === 'done' ? [...ends(result.ends), ...desk.remarks(result.remarks), ...applying(trial, answer)] : []));
    $('rules-tried').replaceChildren(...nodes);
  }

  function alarms(found) {
    const n = gw.number, days = gw.number(found.days);
    const span = one => `${gw.word('severity', one.severity)} · ${one.condition} · ${desk.when(one.began)} – ${one.ended ? desk.when(one.ended) : gw.t('approvals.now')}`;
    const more = (count, shown) => (count > shown.length ? [gw.el('li', '', gw.t('approvals.more', { n: n(count - shown.length) }))] : []);
    const named = (sign, items, count, tail) => [...items.map(one => gw.el('li', '', `${sign} ${span(one)} · ${tail(one)}`)), ...more(count, items)];
    const figures = [['gained', found.gained_count], ['lost', found.lost_count], ['levels', found.levels_count], ['before', found.before_count], ['after', found.after_count]];
    const rows = found.devices.map(device => gw.el('tr', '', [gw.el('th', '', device.device, { scope: 'row' }), ...['gained', 'lost', 'levels'].map(how => gw.el('td', '', device[how] ? n(device[how]) : ''))]));
    const head = gw.el('tr', '', ['', 'gained', 'lost', 'levels'].map(how => gw.el('th', '', how ? gw.t('rules.trial_' + how) : gw.t('rules.device'), { scope: 'col' })));
    return [
      gw.el('h4', '', gw.t('rules.trial_days', { n: days })),
      gw.el('dl', 'gw-rules-figures', figures.map(([name, count]) => gw.el('div', '', [gw.el('dt', '', gw.t('rules.trial_' + name)), gw.el('dd', '', n(count))]))),
      ...(found.not_judged.length ? [gw.el('p', 'gw-panel-note', gw.t('approvals.blind', { rules: found.not_judged.join(', ') }))] : []),
      ...(rows.length ? [gw.el('details', '', [gw.el('summary', '', gw.t('rules.by_device', { n: n(found.devices_count) })), gw.el('div', 'gw-table-scroll', gw.el('table', '', [gw.el('thead', '', head), gw.el('tbody', '', rows)]))])] : []),
      ...(found.gained_count + found.lost_count + found.levels_count ? [gw.el('details', '', [gw.el('summary', '', gw.t('rules.one_by_one')), gw.el('ul', 'gw-rules-lines', [
        ...named('+', found.gained, found.gained_count, () => gw.t('approvals.gained')),
        ...named('−', found.lost, found.lost_count, () => gw.t('approvals.lost')),
        ...named('~', found.levels, found.levels_count, one => gw.t('approvals.level', { severity: gw.word('severity', one.severity_before) })),
      ])])] : []),
    ];
  }

  const ends = items => desk.list(gw.t('approvals.ends'), items.map(end => gw.el('li', '', `${gw.word('severity', end.severity)} · ${end.condition} · ${desk.when(end.since)}${end.gas ? ' · ' + gw.t('rules.gas') : ''}`)));

  function applying(trial, answer) {
    const asked = trial.result.remarks.filter(remark => remark.grade === 'ask').length, waits = trial.result.gas && trial.result.four_eyes;
    const reason = gw.el('textarea', 'gw-input', '', { name: 'why', rows: 2, maxlength: 2000, 'aria-required': 'true' });
    const tick = gw.el('input', '', null, { type: 'checkbox', name: 'accept' });
    const error = gw.el('div', '', null, { role: 'alert' });
    const key = gw.newKey();
    const go = desk.button(gw.t(waits ? 'rules.ask_second' : 'rules.apply'), async () => {
      if (!reason.value.trim()) { reason.setAttribute('aria-invalid', ''); reason.focus(); error.replaceChildren(gw.el('p', 'gw-form-error', gw.t('error.missing', { field: gw.t('rules.why') }))); return; }
      if (asked && !tick.checked) { tick.focus(); error.replaceChildren(gw.el('p', 'gw-form-error', gw.t('rules.tick_missing'))); return; }
      const done = await gw.send('POST', `${desk.API}/rule-trials/${trial.id}/apply`, { why: reason.value, accept: tick.checked }, key);
      if (!done.ok) {
        const current = (done.body && done.body.current) || {};
        if (current.refused === 'stale') stale(current.changed, answer);
        else error.replaceChildren(gw.el('p', 'gw-form-error', await why(done)));
        return;
      }
      at = 0;
      const { approval, rules } = done.body;
      gw.notice(approval ? gw.t('rules.waits_now', { n: approval }) : gw.t('rules.done', { rules: rules.join(', ') }));
      const code = Object.keys(trial.put)[0] || trial.retire[0];
      await desk.go('?rule=' + encodeURIComponent(code));
    }, 'primary');
    return [gw.el('div', 'gw-rules-apply', [
      ...(waits ? [gw.el('p', 'gw-panel-note', gw.t('rules.second_note'))] : []),
      gw.el('label', 'gw-field', [gw.el('span', '', gw.t('rules.why') + ' *'), reason]),
      ...(asked ? [gw.el('label', 'gw-rules-tick', [tick, gw.el('span', '', gw.t('rules.tick', { n: asked }))])] : []),
      error, go])];
  }
})();
