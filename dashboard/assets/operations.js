/* Operations: the server draws the page anew while somebody looks at it. */
(function () {
  'use strict';
  const gw = window.gw;
  const EVERY_MS = 10000;
  let n = 0;
  gw.screens.operations = function () {
    gw.showStatus();
    gw.live.start();
    setInterval(() => { if (!document.hidden) gw.setProp('operations-tick', ++n, 'data'); }, EVERY_MS);
  };
})();
