/* What the phone keeps: the last picture of the tasks, and what is not sent yet. IndexedDB, so that a
   reload, a killed page and a reboot lose nothing. */
(function () {
  'use strict';
  const gw = window.gw;
  const NAME = 'gridwarden-phone', VERSION = 1;
  let opened = null;

  function open() {
    opened = opened || new Promise((resolve, reject) => {
      const asked = indexedDB.open(NAME, VERSION);
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore('queue', { keyPath: 'seq', autoIncrement: true });
        asked.result.createObjectStore('kept');
      };
      asked.onsuccess = () => {
        const base = asked.result;
        base.onclose = () => { opened = null; };
        base.onversionchange = () => { base.close(); opened = null; };
        resolve(base);
      };
      asked.onerror = () => { opened = null; reject(asked.error); };
    });
    return opened;
  }

  /* Resolves when it is on the disk, not when it is on its way there. */
  async function work(name, mode, what) {
    const base = await open();
    return new Promise((resolve, reject) => {
      const turn = base.transaction(name, mode, { durability: 'strict' });
      const asked = what(turn.objectStore(name));
      turn.oncomplete = () => resolve(asked.result);
      turn.onabort = turn.onerror = () => reject(turn.error);
    });
  }

  gw.store = {
    add: item => work('queue', 'readwrite', s => s.add(item)),
    put: item => work('queue', 'readwrite', s => s.put(item)),
    remove: seq => work('queue', 'readwrite', s => s.delete(seq)),
    all: () => work('queue', 'readonly', s => s.getAll()),
    keep: (key, value) => work('kept', 'readwrite', s => s.put(value, key)),
    kept: key => work('kept', 'readonly', s => s.get(key)),
    forget: key => work('kept', 'readwrite', s => s.delete(key)),
  };
})();
