/* One EventSource per browser, shared by its tabs: over HTTP/1.1 every tab's own stream would
   hold one of six connections and the seventh tab would not load. Not a page script: the app
   excludes it from what Dash puts on the page. */
'use strict';
const SILENCE_MS = 10000; // the server says something every 2 s: the line is dead
const RETRY_MOST_MS = 4000; // a server that is back should be seen within seconds
const ports = new Set();
let source = null, last = '', retry = 1000, heard = 0, url = '', state = 'connecting';

function post(message) { for (const port of ports) port.postMessage(message); }
function say(value) { state = value; post({ k: 'link', v: value }); }

function open() {
  heard = Date.now();
  source = new EventSource(url + (last ? '?last=' + encodeURIComponent(last) : ''));
  source.onopen = () => { retry = 1000; heard = Date.now(); say('live'); };
  source.onmessage = e => { heard = Date.now(); last = e.lastEventId || last; post({ k: 'frame', v: e.data }); };
  source.addEventListener('resync', () => { heard = Date.now(); post({ k: 'resync' }); });
  // Who this browser is signed in as has changed: the pages load anew and open the next stream.
  source.addEventListener('leave', () => { source.close(); source = null; last = ''; post({ k: 'leave' }); });
  // By the standard an EventSource gives up for good after an HTTP error status: open it again.
  source.onerror = () => { say('lost'); if (source.readyState === 2) again(); };
}
function again() {
  source.close();
  const wait = retry + Math.random() * 500;
  retry = Math.min(retry * 2, RETRY_MOST_MS);
  heard = Date.now() + wait;
  setTimeout(open, wait);
}
setInterval(() => { if (source && Date.now() - heard > SILENCE_MS) { say('lost'); again(); } }, 2000);

onconnect = event => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = m => {
    if (m.data.bye) ports.delete(port);
    else if (m.data.url && !source) { url = m.data.url; open(); }
    else port.postMessage({ k: 'link', v: state });
  };
  port.start();
};
