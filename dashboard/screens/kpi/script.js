/* The KPI board needs the live picture only to say whether the server is there. */
(function () {
  'use strict';
  const gw = window.gw;
  gw.screens.kpi = function () {
    gw.showStatus();
    gw.live.start();
  };
})();
