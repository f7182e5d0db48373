/* The service worker of the squad's phone, for /squad alone. It keeps the last page that was whole
   and exactly the files which that page names: a file's address changes with its content, so a page
   and its files always fit each other, whatever has been deployed since. */
'use strict';
const PAGES = 'gw-phone-pages', FILES = 'gw-phone-files', PAGE = '/squad';
const PATIENCE_MS = 4000; // a bar of signal may let a request hang for a minute
const NAMED = /\/assets\/[\w.-]+\?v=[0-9a-f]+/g;

async function keep(answer) {
  const text = await answer.clone().text();
  if (!text.includes('id="gw-phone"')) return;
  const named = [...new Set(text.match(NAMED) || [])], files = await caches.open(FILES);
  const missing = [];
  for (const address of named) if (!(await files.match(address))) missing.push(address);
  await files.addAll(missing); // all of them or none: the page before stays
  await (await caches.open(PAGES)).put(PAGE, answer);
  const wanted = new Set(named.map(address => new URL(address, self.location.origin).href));
  for (const old of await files.keys()) if (!wanted.has(old.url)) await files.delete(old);
}

async function page(event) {
  const kept = await (await caches.open(PAGES)).match(PAGE);
  const fresh = fetch(event.request).then(answer => {
    if (answer.ok && answer.type === 'basic' && !answer.redirected) event.waitUntil(keep(answer.clone()).catch(() => {}));
    return answer;
  });
  if (!kept) return fresh;
  const late = new Promise(resolve => { setTimeout(() => resolve(kept), PATIENCE_MS); });
  return Promise.race([fresh.then(answer => (answer.status >= 500 ? kept : answer)).catch(() => kept), late]);
}

self.addEventListener('install', event => {
  self.skipWaiting(); // nothing of the worker's own is in what it keeps
  event.waitUntil(fetch(PAGE, { credentials: 'same-origin' }).then(answer => (answer.ok && !answer.redirected ? keep(answer) : undefined)));
});
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', event => {
  const asked = new URL(event.request.url);
  if (event.request.method !== 'GET' || asked.origin !== self.location.origin) return;
  if (event.request.mode === 'navigate') {
    if (asked.pathname === PAGE) event.respondWith(page(event));
  } else if (asked.pathname.startsWith('/assets/')) {
    event.respondWith(caches.open(FILES).then(files => files.match(event.request)).then(found => found || fetch(event.request)));
  }
});

/* Signed out: what was shown to one person is not shown to the next. */
self.addEventListener('message', event => {
  if (event.data === 'forget') event.waitUntil(caches.delete(PAGES).then(() => { if (event.ports[0]) event.ports[0].postMessage('done'); }));
});
