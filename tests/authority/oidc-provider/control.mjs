// The tests' own door to the server: JSON over HTTP under `/control/`, never counted.

import { once } from 'node:events';

/** How long may a test wait for something that should happen at once on a busy machine? */
const PATIENCE_MILLISECONDS = 20_000;

export function createControl({ verificationUri, pendingUserCodes, tokens, traffic, person }) {
  /** Answers once `condition` holds; throws when it does not in time. */
  async function until(condition, wanted, actual) {
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    while (!condition()) {
      await once(traffic.changes, 'change', { signal }).catch(() => {
        throw new Error(`waited ${PATIENCE_MILLISECONDS / 1000} s for ${wanted}, there is ${JSON.stringify(actual())}`);
      });
    }
  }

  const actual = () => ({
    ...traffic.counts.done, pending_codes: pendingUserCodes().length, waiting: traffic.waiting,
  });

  function hasHappened(wanted, there) {
    return Object.entries(wanted).every(([name, value]) => {
      const found = there[name] ?? 0;
      if (typeof value === 'object') return hasHappened(value, found);
      const count = typeof found === 'object' ? Object.values(found).reduce((sum, one) => sum + one, 0) : found;
      return count >= value;
    });
  }

  const routes = {
    'GET /control/requests': () => traffic.counts.arrived,
    'POST /control/requests/reset': () => traffic.reset(),

    'POST /control/hold': () => traffic.hold(),
    'POST /control/release': () => traffic.release(),
    'GET /control/waiting': () => traffic.waiting,

    'GET /control/faults': () => traffic.faults,
    'POST /control/faults': (faults) => traffic.addFaults(faults),
    'DELETE /control/faults': () => traffic.clearFaults(),

    async 'POST /control/wait'(wanted) {
      const unknown = Object.keys(wanted).filter((name) => !(name in actual()));
      if (unknown.length > 0) throw new Error(`nothing is called \`${unknown.join('`, `')}\``);
      await until(() => hasHappened(wanted, actual()), JSON.stringify(wanted), actual);
    },

    async 'POST /control/person'({ user_code, verification_uri_complete, authorization_url, login, decision, copies }) {
      let userCode = user_code;
      if (!userCode && !verification_uri_complete && !authorization_url) {
        await until(() => pendingUserCodes().length > 0, 'a pending user code', actual);
        userCode = pendingUserCodes().at(-1);
      }
      const start = verification_uri_complete ?? authorization_url ?? verificationUri;
      const status = await person({ start, userCode, login, decision, copies });
      return { ok: true, status };
    },

    'POST /control/introspect': ({ token }) => tokens.introspect(token),
    'POST /control/revoke': ({ token }) => tokens.revoke(token),
  };

  return async function serveControl(request, response) {
    const answer = (status, body) => {
      const text = JSON.stringify(body ?? { ok: true });
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    };
    try {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const route = routes[`${request.method} ${request.url}`];
      if (!route) throw new Error(`no control \`${request.method} ${request.url}\`; there are \`${Object.keys(routes).join('`, `')}\``);
      answer(200, await route(text ? JSON.parse(text) : {}));
    } catch (error) {
      answer(400, { error: error.message });
    }
  };
}
