/* Rules for scripts of pages: no module, everything in a function of its own, all that is shared
   hangs off `window.gw`. */
import js from '@eslint/js';
import globals from 'globals';

const LIBRARIES = { L: 'readonly', React: 'readonly', dash_ag_grid: 'readonly' }; // brought by Dash
const WORKERS = ['dashboard/shell/assets/live-worker.js', 'dashboard/screens/squad/worker.js'];

const rules = {
  ...js.configs.recommended.rules,
  'array-callback-return': 'error',
  'default-case-last': 'error',
  eqeqeq: 'error',
  'no-constant-binary-expression': 'error',
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-new-func': 'error',
  'no-shadow': ['error', { builtinGlobals: false, hoist: 'functions' }],
  'no-throw-literal': 'error',
  'no-unused-vars': ['error', { args: 'after-used', caughtErrors: 'none' }],
  'no-use-before-define': ['error', { functions: false, variables: false }],
  'no-var': 'error',
  'prefer-const': ['error', { destructuring: 'all' }],
  // Text of people and devices is a text node, never HTML.
  'no-restricted-properties': ['error', ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'write', 'writeln']
    .map(property => ({ property, message: 'Use gw.el: text is a text node.' }))],
};

export default [
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['dashboard/**/*.js'],
    ignores: WORKERS,
    languageOptions: { ecmaVersion: 2022, sourceType: 'script', globals: { ...globals.browser, ...LIBRARIES } },
    rules: { ...rules, strict: ['error', 'function'], 'no-implicit-globals': 'error' },
  },
  {
    files: WORKERS,
    languageOptions: { ecmaVersion: 2022, sourceType: 'script', globals: { ...globals.worker, ...globals.serviceworker, onconnect: 'writable' } },
    rules: { ...rules, strict: ['error', 'global'] },
  },
  {
    files: ['tests/javascript/**/*.mjs'],
    languageOptions: { ecmaVersion: 2022, sourceType: 'module', globals: globals.node },
    rules,
  },
];
