/* The manual asks for nothing; its header still says whether the picture of the city is live. */
(function () {
  'use strict';
  const gw = window.gw;

  gw.screens.manual = function () {
    gw.live.start();
  };
})();
