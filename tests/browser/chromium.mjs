// A person at a real browser: opens an authorization URL in Chromium, signs in and agrees on the
// pages that come, and writes down where it ended and what was shown there: JSON, in the file `seen`
// of the current directory.
//
//     node chromium.mjs URL [deny]
//
// The browser is told what to do over a pipe (`--remote-debugging-pipe`): no port, and its end is
// the browser's. Nothing but loopback has a name for it.

import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How long may all of it take on a machine that runs every test at once? Alone it takes 3 s. */
const PATIENCE_MILLISECONDS = 60_000;

const [, , start, decision] = process.argv;
const authority = new URL(start).origin;
const chromium = spawn('chromium', [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe',
  '--no-first-run', '--no-default-browser-check', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-proxy-server',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1',
  `--user-data-dir=${join(process.cwd(), 'chromium')}`,
], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
const ended = once(chromium, 'exit');

function end(seen) {
  writeFileSync('seen.part', `${JSON.stringify(seen)}\n`);
  renameSync('seen.part', 'seen');
  process.exit();
}
function fail(error) {
  chromium.kill('SIGKILL');
  end({ error: error.stack });
}
process.on('uncaughtException', fail);
setTimeout(() => fail(new Error('it took too long')), PATIENCE_MILLISECONDS);

const [, , , toBrowser, fromBrowser] = chromium.stdio;
const events = new EventEmitter();
const calls = new Map();
let rest = '';
fromBrowser.setEncoding('utf8').on('data', (text) => {
  const messages = (rest + text).split('\0');
  rest = messages.pop();
  for (const message of messages.map((line) => JSON.parse(line))) {
    if (message.method) events.emit(message.method, message.params);
    calls.get(message.id)?.(message);
    calls.delete(message.id);
  }
});

let session;
let lastCall = 0;
async function call(method, params = {}) {
  lastCall += 1;
  const answered = new Promise((resolve) => { calls.set(lastCall, resolve); });
  toBrowser.write(`${JSON.stringify({ id: lastCall, method, params, sessionId: session })}\0`);
  const { result, error } = await answered;
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

/** What a function says in the page that is shown. */
async function ask(question) {
  const { result, exceptionDetails } = await call('Runtime.evaluate', {
    expression: `(${question})()`, returnByValue: true,
  });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
({ sessionId: session } = await call('Target.attachToTarget', { targetId, flatten: true }));
await call('Page.enable');
const pages = [];
let seen;
let loaded = once(events, 'Page.loadEventFired');
await call('Page.navigate', { url: start });
while (!seen) {
  await loaded;
  loaded = once(events, 'Page.loadEventFired');
  const page = await ask(() => ({
    origin: location.origin,
    address: location.origin + location.pathname,
    parameters: [...new URLSearchParams(location.search).keys()],
    shows: document.body.innerText.trim(),
    heading: document.querySelector('h1')?.innerText,
    asksWho: document.querySelector('input[name=login]') !== null,
    hasButton: document.querySelector('button[type=submit]') !== null,
  }));
  if (page.origin !== authority) {
    seen = { pages, ...page };
    continue;
  }
  pages.push(page.heading);
  if (decision === 'deny') {
    await ask(() => document.querySelector('a[href$="/abort"]').click());
    continue;
  }
  if (page.asksWho) {
    for (const [name, text] of [['login', 'ada'], ['password', 'any will do']]) {
      await call('Runtime.evaluate', { expression: `document.querySelector('input[name=${name}]').focus()` });
      await call('Input.insertText', { text });
    }
  }
  // A page without one goes on by itself, as that of `form_post` does.
  if (page.hasButton) await ask(() => document.querySelector('button[type=submit]').click());
}
session = undefined;
await call('Browser.close');
await ended;
end(seen);
