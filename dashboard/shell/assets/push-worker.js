/* Shows messages of the push channel, says that each has arrived, and opens its case. */
(function () {
  'use strict';

  self.addEventListener('push', event => {
    let told;
    try { told = event.data.json(); } catch { return; }
    const shown = self.registration.showNotification(told.title, {
      body: told.body, tag: told.token, lang: told.lang, silent: told.silent, requireInteraction: !told.silent,
      icon: '/assets/icon.svg', data: { url: told.url },
    });
    const arrived = fetch(`/m/${encodeURIComponent(told.token)}/arrived`, { method: 'POST' }).catch(() => null);
    event.waitUntil(Promise.all([shown, arrived]));
  });

  self.addEventListener('notificationclick', event => {
    event.notification.close();
    event.waitUntil(self.clients.openWindow(event.notification.data.url));
  });
})();
