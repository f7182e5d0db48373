/* Operations: the server draws the page anew while somebody looks at it. */
(function () {
  'use strict';
  const gw = window.gw;
  const EVERY_MS = 10000;
  let n = 0;
  const tick = () => gw.setProp('operations-tick', ++n, 'data');
  gw.screens.operations = function () {
    gw.showStatus();
    gw.live.start();
    document.addEventListener('click', event => {
      const button = event.target.closest('[data-alarm]');
      if (button) gw.once(button, () => gw.acknowledge(Number(button.dataset.alarm)).then(tick));
    });
    setInterval(() => { if (!document.hidden) tick(); }, EVERY_MS);
  };
})();
