/* Dialogs with fields, built outside React so that a live update never takes a half-written form away.
   A native <dialog> brings focus trap, Escape and inertness of the page behind it. */
(function () {
  'use strict';
  const gw = window.gw;

  /* fields: [{name, type: text|long|select|many|when|number|password|photo, required, options: [[value, text]], value, hint}]
     submit(values, progress) resolves to '' when done, or to the words that say why not. */
  gw.dialog = function ({ title, note, fields, button, plain, submit }) {
    const opener = document.activeElement;
    const controls = new Map();
    const rows = fields.map(field => row(field, controls));
    const error = gw.el('p', 'gw-form-error', '', { role: 'alert' });
    const bar = gw.el('progress', 'gw-progress', null, { max: 1, value: 0, 'aria-label': gw.t('sending') });
    bar.hidden = true;
    const go = gw.el('button', 'gw-button primary', button || title, { type: 'submit' });
    const back = gw.el('button', 'gw-button', gw.t('cancel_dialog'), { type: 'button' });
    back.hidden = !!plain; // nothing to send: one button is enough
    const form = gw.el('form', 'gw-form', [gw.el('h2', '', title), ...(note ? [gw.el('p', 'gw-form-note', note)] : []),
      ...rows, bar, error, gw.el('div', 'gw-form-buttons', [back, go])], { novalidate: '' });
    const box = gw.el('dialog', 'gw-dialog', form, { 'aria-label': title });
    document.body.append(box);
    const shut = () => { box.close(); };
    box.onclose = () => { box.remove(); if (opener && opener.isConnected) opener.focus(); gw.dialogClosed && gw.dialogClosed(); };
    back.onclick = shut;
    form.onsubmit = event => {
      event.preventDefault();
      gw.once(go, async () => {
        const values = read(fields, controls, error);
        if (!values) return;
        error.textContent = ''; go.textContent = gw.t('sending');
        const problem = await submit(values, share => { bar.hidden = false; bar.value = share; });
        bar.hidden = true;
        go.textContent = problem ? gw.t('retry') : (button || title);
        if (problem) error.textContent = problem; else shut();
      });
    };
    box.showModal();
    const first = form.querySelector('input:not([type=file]), select, textarea');
    if (first) first.focus(); else go.focus();
    return box;
  };
  gw.dialogOpen = () => !!document.querySelector('dialog[open]');

  function control(f) {
    const named = { name: f.name, 'aria-required': f.required ? 'true' : 'false' };
    if (f.type === 'long') return gw.el('textarea', 'gw-input', f.value || '', { ...named, rows: f.rows || 3, maxlength: f.most || 2000 });
    if (f.type === 'many') { // the value is a list, empty where nothing is chosen
      const chosen = new Set(f.value || []);
      return gw.el('select', 'gw-input gw-many', f.options.map(([value, text]) =>
        gw.el('option', '', text, { value, ...(chosen.has(value) ? { selected: '' } : {}) })), { ...named, multiple: '', size: 6 });
    }
    if (f.type === 'select') {
      const e = gw.el('select', 'gw-input', f.options.map(([value, text]) => gw.el('option', '', text, { value })), named);
      if (f.value) e.value = f.value;
      return e;
    }
    if (f.type === 'photo') return gw.el('input', 'gw-input', null, { ...named, type: 'file', accept: 'image/*,.heic,.heif,video/mp4' });
    const type = { when: 'datetime-local', number: 'number', password: 'password' }[f.type] || 'text';
    const e = gw.el('input', 'gw-input', null, { ...named, type, ...(type === 'number' ? { step: 'any' } : { maxlength: 300 }), ...(type === 'password' ? { autocomplete: 'new-password' } : {}) });
    if (f.value !== undefined) e.value = f.value;
    return e;
  }

  function row(f, controls) {
    const e = control(f);
    controls.set(f.name, e);
    const label = f.label || gw.word('field', f.name);
    const parts = [gw.el('span', '', label + (f.required ? ' *' : '')), e];
    if (f.type === 'photo') parts.splice(1, 1, photoButton(e)); // a bare file field speaks the browser's language, not ours
    if (f.hint) parts.push(gw.el('small', '', f.hint));
    if (f.type === 'photo') parts.push(preview(e));
    return gw.el('label', 'gw-field', parts);
  }

  function photoButton(input) {
    const name = gw.el('span', 'gw-photo-name', '');
    input.classList.add('gw-hidden-input');
    input.addEventListener('change', () => gw.setText(name, input.files[0] ? input.files[0].name : ''));
    return gw.el('span', 'gw-photo-line', [input, gw.el('span', 'gw-button', gw.t('photo.take')), name]);
  }

  function preview(input) {
    const img = gw.el('img', 'gw-preview', null, { alt: '' });
    img.hidden = true;
    input.addEventListener('change', () => {
      if (img.src) URL.revokeObjectURL(img.src);
      img.hidden = !input.files[0];
      if (input.files[0]) img.src = URL.createObjectURL(input.files[0]);
    });
    return img;
  }

  function read(fields, controls, error) {
    const values = {};
    for (const f of fields) {
      if (f.type === 'many') {
        values[f.name] = [...controls.get(f.name).selectedOptions].map(option => option.value);
        continue;
      }
      const e = controls.get(f.name), value = f.type === 'photo' ? e.files[0] : f.type === 'password' ? e.value : e.value.trim();
      e.toggleAttribute('aria-invalid', !!(f.required && !value));
      if (f.required && !value) {
        error.textContent = gw.t('error.missing', { field: f.label || gw.word('field', f.name) });
        e.focus();
        return null;
      }
      if (!value) continue;
      values[f.name] = f.type === 'number' ? Number(value) : f.type === 'when' ? new Date(value).toISOString() : value;
    }
    return values;
  }
})();
