/* Several cases at once: which are marked, and one request that has an answer for each. */
(function () {
  'use strict';
  const gw = window.gw;
  const LISTED = 6; // refused cases that are told by their number; of the rest how many

  /* Ids between two rows, both with them, as the list shows them now. */
  gw.between = (rows, from, to) => {
    const a = rows.indexOf(from), b = rows.indexOf(to);
    return a < 0 || b < 0 ? [to] : rows.slice(Math.min(a, b), Math.max(a, b) + 1);
  };

  /* What became of each: those done, and the refused ones in words. */
  gw.togetherText = async function (items) {
    const refused = items.filter(i => i.status !== 200), done = items.length - refused.length;
    const why = [];
    for (const item of refused.slice(0, LISTED)) {
      const text = await gw.problem({ status: item.status, body: item.problem });
      why.push(`${item.number || item.id} ${text}`);
    }
    if (refused.length > LISTED) why.push('…');
    return [done ? gw.t('together.done', { n: done }) : '', refused.length ? gw.t('together.refused', { n: refused.length, why: why.join('; ') }) : ''].filter(Boolean).join(' · ');
  };

  gw.makeTogether = function ({ bar, repaint }) {
    const marked = new Set();
    let sending = null; // the same key until an answer came: a lost one does not become a second change
    function changed(ids) {
      bar.hidden = !marked.size || !bar.dataset.may;
      gw.setText(bar.querySelector('.gw-together-count'), gw.t('together.count', { n: marked.size }));
      sending = null;
      repaint(ids);
    }
    function mark(id, on = !marked.has(id)) {
      if (!bar.dataset.may || marked.has(id) === on) return;
      if (on) marked.add(id); else marked.delete(id);
      changed([id]);
    }
    function clear() {
      const before = [...marked];
      marked.clear();
      if (before.length) changed(before);
    }
    function forget(ids) {
      if (ids.filter(id => marked.delete(id)).length) changed([]);
    }
    function act(button) {
      const action = button.dataset.together, cases = [...marked].map(id => gw.live.incidents.get(id)).filter(Boolean);
      if (action === 'clear') { clear(); return; }
      if (!cases.length) return;
      const fields = gw.fieldsOf(button, cases[0], new Set(cases.map(i => i.id)));
      const numbers = cases.map(i => i.number).join('、');
      // The versions are those that the person sees now, not those of a later moment.
      const incidents = cases.map(i => ({ id: i.id, version: i.version }));
      gw.dialog({ title: button.firstChild.textContent, note: gw.t('together.note', { n: cases.length, numbers }), fields,
        submit: async values => {
          const body = { action, incidents, ...values, ...(values.into && { into: Number(values.into) }) };
          sending = sending || gw.newKey();
          const answer = await gw.send('POST', '/api/v1/incidents/actions', body, sending);
          if (answer.status !== 0) sending = null;
          if (!answer.ok) return gw.problem(answer);
          const items = answer.body.items, refused = items.filter(i => i.status !== 200);
          gw.notice(await gw.togetherText(items), refused.length ? 'bad' : undefined);
          for (const item of items) if (item.status === 200) mark(item.id, false);
          if (gw.actionDone) gw.actionDone();
          return '';
        } });
    }
    bar.addEventListener('click', e => { const b = e.target.closest('[data-together]'); if (b) act(b); });
    function press(key) {
      const wanted = 'Shift+' + key.toUpperCase();
      const button = [...bar.querySelectorAll('[aria-keyshortcuts]')].find(b => b.getAttribute('aria-keyshortcuts') === wanted);
      if (button) button.click();
      return !!button;
    }
    return { marked, mark, clear, forget, press };
  };
})();
