/* Feeds the map from the live picture. Every screen with a map calls `gw.showOnMap()` once. */
(function () {
  'use strict';
  const gw = window.gw;

  /* A cell wears the worst severity of its live alarms and open incidents. */
  function cellStates() {
    const worst = new Map();
    const add = (code, severity) => { if (code && severity) worst.set(code, Math.min(severity, worst.get(code) || 9)); };
    for (const i of incidents()) add(i.unit_grid, i.severity);
    for (const a of gw.live.alarms.values()) if (!a.shelved) add(a.unit_grid, a.severity);
    return worst;
  }

  let keep = () => true; // a phone shows its own squad's incidents only
  const incidents = () => [...gw.live.incidents.values()].filter(keep);

  let shown = new Map();
  function cells(whole) {
    const now = cellStates();
    if (whole) gw.map.setCells([...now], true);
    else {
      const changed = [...now].filter(([code, s]) => shown.get(code) !== s);
      for (const code of shown.keys()) if (!now.has(code)) changed.push([code, 0]);
      gw.map.setCells(changed);
    }
    shown = now;
  }

  gw.isGas = function (alarm) {
    const k = gw.map.deviceIndex.get(alarm.device_id), incident = gw.live.incidents.get(alarm.incident_id);
    return (k !== undefined && gw.map.devices[k].kind === 'gas') || (incident && incident.family === 'gas') ? 1 : 0;
  };

  const stands = a => (a.state === 'unacknowledged' ? 1 : 0);

  /* Standing before returned, gas first, then the newest: red alarms that nobody has acknowledged.
     Shelved ones are left out; one whose cause is gone stays named, but only a standing one pulses. */
  gw.critical = () => [...gw.live.alarms.values()]
    .filter(a => a.severity === 1 && !a.shelved && a.state.endsWith('unacknowledged'))
    .sort((a, b) => stands(b) - stands(a) || gw.isGas(b) - gw.isGas(a) || b.raised - a.raised);

  function pulses() {
    gw.map.setPulses(gw.critical().filter(stands).slice(0, 30).map(a => ({ lon: a.lon, lat: a.lat, severity: a.severity, text: gw.reason(a.reason) })));
  }

  function drawMap(m) {
    // dash-leaflet's GeoJSON wants a collection: a bare geometry throws inside it.
    const collection = geometry => ({ type: 'FeatureCollection', features: geometry ? [{ type: 'Feature', properties: {}, geometry }] : [] });
    gw.setProp('map-outline', collection(m.district.outline), 'data');
    if (m.streets) gw.setProp('map-streets', m.streets, 'data');
    if (m.pipes) gw.setProp('map-pipes', m.pipes, 'data');
    gw.map.load(m);
  }
  function everything() {
    gw.map.setDevices([...gw.live.devices.values()], true);
    gw.map.setIncidents(incidents());
    gw.map.setSquads([...gw.live.squads.values()]);
    cells(true);
    pulses();
  }

  gw.showOnMap = function (filter) {
    if (filter) keep = filter;
    gw.showLayerSwitches();
    gw.live.on('map', drawMap);
    gw.live.on('snapshot', everything);
    gw.live.on('devices', f => gw.map.setDevices(f.d));
    gw.live.on('change', c => {
      if (c.incidents.length || c.gone.length) gw.map.setIncidents(incidents());
      if (c.squads.length) gw.map.setSquads([...gw.live.squads.values()]);
      if (c.incidents.length || c.gone.length || c.alarms.length || c.alarmsGone.length) { cells(false); pulses(); }
    });
    if (gw.live.map) drawMap(gw.live.map);
    if (gw.live.ready) everything();
  };
})();
