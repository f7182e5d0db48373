/* A page without a browser: the scripts hang off `window.gw`, so they run in a context that has what
   they touch when they are loaded. What draws is not tried here but in a real browser. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const DASHBOARD = new URL('../../dashboard/', import.meta.url);
export const NOW = Date.UTC(2026, 10, 29, 4, 0, 0); // 12:00 in Shanghai

/* Load scripts, `shell/assets/0-base.js` first. `texts` are the words of the page, `window` what the
   browser has besides. Gives `gw`, the clock (`clock.ms`), what waits (`timers`) and who listens
   (`listeners`, by the name of the event). */
export function page({ scripts = [], texts = {}, lang = 'en', words = {}, window = {}, bare = false } = {}) {
  const clock = { ms: NOW };
  const timers = [];
  const listeners = {};
  const listen = (name, fn) => { (listeners[name] = listeners[name] || []).push(fn); };
  const document = {
    hidden: false, cookie: '', documentElement: { dataset: {} },
    getElementById: id => (id === 'gw-page' ? { textContent: JSON.stringify({ lang, theme: 'dark', texts, ...words }) } : null),
    querySelector: () => null, querySelectorAll: () => [], addEventListener: listen,
  };
  const wait = (fn, ms) => timers.push({ fn, ms });
  const context = vm.createContext({
    document, addEventListener: listen, location: { origin: 'http://wall', protocol: 'http:', hash: '', reload: () => {} },
    performance: { now: () => clock.ms - NOW }, setTimeout: wait, setInterval: wait, clearTimeout: () => {}, clearInterval: () => {},
    requestAnimationFrame: fn => fn(), crypto: globalThis.crypto, URLSearchParams, console, ...window, clock,
  });
  context.window = context;
  vm.runInContext('Date.now = () => clock.ms;', context);
  for (const script of [...(bare ? [] : ['shell/assets/0-base.js']), ...scripts]) {
    const path = fileURLToPath(new URL(script, DASHBOARD));
    vm.runInContext(readFileSync(path, 'utf-8'), context, { filename: path });
  }
  return { gw: context.gw, clock, timers, listeners, document, context };
}

/* Values of the page's own world are of other classes than ours: compare them as what they say. */
export const plain = value => JSON.parse(JSON.stringify(value));
