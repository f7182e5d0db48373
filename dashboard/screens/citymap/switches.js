/* The layers of the map that a person can switch; a browser remembers them. */
(function () {
  'use strict';
  const gw = window.gw, KEY = 'gw-map-layers';

  function remembered() {
    try { return JSON.parse(localStorage.getItem(KEY)) || {}; } catch { return {}; } // shut, or written by somebody else
  }
  function remember(layers) {
    try { localStorage.setItem(KEY, JSON.stringify(layers)); } catch { /* then until the page is left */ }
  }

  const show = () => {
    for (const e of document.querySelectorAll('[data-map-layer]')) e.setAttribute('aria-pressed', String(gw.map.layers[e.dataset.mapLayer]));
  };
  /* Once a map is there: as it was left. */
  gw.showLayerSwitches = function () {
    const chosen = remembered();
    for (const name of Object.keys(gw.map.layers)) if (typeof chosen[name] === 'boolean') gw.map.layers[name] = chosen[name];
    show();
  };

  document.addEventListener('click', event => {
    const button = event.target.closest('[data-map-layer]');
    if (!button) return;
    const name = button.dataset.mapLayer;
    gw.map.setLayer(name, !gw.map.layers[name]);
    remember(gw.map.layers);
    show();
  });
})();
