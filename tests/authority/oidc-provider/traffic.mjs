// What stands between the network and a server: it counts, holds and spoils requests.

import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';

const KIND_BY_ROUTE = {
  'POST /token': 'token',
  'POST /device/auth': 'device_authorization',
  'POST /token/revocation': 'revocation',
  'POST /request': 'pushed_authorization_request',
  // As glewlwyd calls them.
  'POST /device_authorization': 'device_authorization',
  'POST /revoke': 'revocation',
};
const KINDS = ['token', 'device_authorization', 'discovery', 'revocation', 'pushed_authorization_request'];
const FAULTS = ['status', 'hang', 'reset', 'lost', 'cut', 'garbage', 'large', 'delay', 'redirect', 'edit'];
/** How much is more than any client should take in? */
const LARGE_BYTES = 10 * 1024 * 1024;
const GRANT_PREFIX = 'urn:ietf:params:oauth:grant-type:';

function emptyCounts() {
  return {
    token: {}, device_authorization: 0, discovery: 0, revocation: 0, pushed_authorization_request: 0, other: {},
    total: 0, authentication: {}, answers: {},
  };
}

function increment(counts, { kind, grant, authentication, path }) {
  counts.total += 1;
  if (kind === 'token') {
    counts.token[grant] = (counts.token[grant] ?? 0) + 1;
    counts.authentication[authentication] = (counts.authentication[authentication] ?? 0) + 1;
  } else if (kind) {
    counts[kind] += 1;
  } else {
    counts.other[path] = (counts.other[path] ?? 0) + 1;
  }
}

/** As `token 400 invalid_grant`, or `token 400` where no error is named. */
function countAnswer({ answers }, { kind, path }, context) {
  let error;
  try {
    error = JSON.parse(bodyText(context)).error;
  } catch { /* An answer need not be JSON. */ }
  const answer = [kind ?? path, context.status, error].filter(Boolean).join(' ');
  answers[answer] = (answers[answer] ?? 0) + 1;
}

export class Traffic {
  /** A header that only our own player of the person sends: its page views are not the client's. */
  personMark = randomUUID();

  /** Requests that arrived, and those that were answered or dropped, since the last reset. */
  counts = { arrived: emptyCounts(), done: emptyCounts() };

  /** Emits `change` whenever something may have changed that a long poll waits for. */
  changes = new EventEmitter().setMaxListeners(0);

  waiting = 0;

  #faults = [];

  /** Set while token requests are held; resolved when they are let go. */
  #gate;

  #open;

  /** Settled when the provider is done with the token request before. */
  #turn = Promise.resolve();

  reset() {
    // New objects: a request still under way goes on counting in the old ones.
    this.counts = { arrived: emptyCounts(), done: emptyCounts() };
  }

  hold() {
    this.#gate ??= new Promise((resolve) => { this.#open = resolve; });
  }

  release() {
    this.#open?.();
    this.#gate = undefined;
    this.#open = undefined;
  }

  get faults() {
    return this.#faults;
  }

  addFaults(faults) {
    for (const fault of faults) {
      if (!KINDS.includes(fault.on)) throw new Error(`\`on\` is \`${fault.on}\`, not one of \`${KINDS.join('`, `')}\``);
      if (!FAULTS.includes(fault.fault)) throw new Error(`\`fault\` is \`${fault.fault}\`, not one of \`${FAULTS.join('`, `')}\``);
    }
    this.#faults.push(...faults.map((fault) => ({ times: 1, ...fault })));
  }

  clearFaults() {
    this.#faults = [];
  }

  #takeFault({ kind, grant }) {
    const fault = this.#faults.find(({ on, grant: only }) => on === kind && (only === undefined || only === grant));
    if (fault) {
      fault.times -= 1;
      this.#faults = this.#faults.filter(({ times }) => times > 0);
    }
    return fault;
  }

  middleware = async (context, next) => {
    if (context.get('x-person') === this.personMark) {
      await next();
      this.changes.emit('change');
      return;
    }
    const request = await describe(context);
    const { arrived, done } = this.counts;
    increment(arrived, request);
    context.res.once('close', () => {
      increment(done, request);
      this.changes.emit('change');
    });
    this.changes.emit('change');

    if (request.kind === 'token' && !await this.#passGate(context)) {
      context.respond = false;
      return;
    }
    await spoil(this.#takeFault(request), context, async () => {
      if (!context.req.isUnderIssuer) return;
      await (request.kind === 'token' ? this.#inTurn(next) : next());
      countAnswer(arrived, request, context);
    });
  };

  /**
   * One token request after the other, as a database's transactions would have it. The provider
   * looks whether a refresh token is spent and spends it later: of requests let go at the same
   * moment each would win.
   */
  #inTurn(next) {
    const turn = this.#turn.then(next);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Waits while requests are held; false when the client has gone meanwhile, and nothing is to be done for it. */
  async #passGate(context) {
    if (!this.#gate) return true;
    this.waiting += 1;
    this.changes.emit('change');
    const closed = once(context.res, 'close').then(() => false);
    const passed = await Promise.race([this.#gate.then(() => true), closed]);
    this.waiting -= 1;
    this.changes.emit('change');
    return passed;
  }
}

async function describe(context) {
  const { method, path } = context;
  const isDiscovery = method === 'GET' && path.includes('/.well-known/');
  const kind = isDiscovery ? 'discovery' : KIND_BY_ROUTE[`${method} ${path}`];
  if (kind !== 'token') return { kind, path };

  const chunks = [];
  for await (const chunk of context.req) chunks.push(chunk);
  // Where the provider looks when the stream is spent.
  context.req.body = Buffer.concat(chunks).toString();
  const parameters = new URLSearchParams(context.req.body);
  return {
    kind,
    path,
    grant: (parameters.get('grant_type') ?? 'absent').replace(GRANT_PREFIX, ''),
    authentication: authenticationMethod(context, parameters),
  };
}

function authenticationMethod(context, parameters) {
  if (context.get('authorization')) return 'client_secret_basic';
  if (parameters.has('client_secret')) return 'client_secret_post';
  if (parameters.has('client_assertion')) return 'private_key_jwt';
  return context.socket.getPeerX509Certificate?.() ? 'certificate' : 'none';
}

async function spoil(fault, context, serve) {
  const { req: { socket }, res: response } = context;
  const refuse = (status, body, headers = {}) => {
    context.status = status;
    context.body = body;
    context.set(headers);
  };

  switch (fault?.fault) {
    case undefined:
      await serve();
      return;
    case 'delay':
      await new Promise((resolve) => { setTimeout(resolve, fault.milliseconds ?? 1000); });
      await serve();
      return;
    case 'status':
      refuse(fault.status ?? 503, fault.body ?? '', fault.headers);
      return;
    case 'garbage':
      refuse(200, '<html>', { 'content-type': 'text/html' });
      return;
    case 'redirect':
      refuse(fault.status ?? 302, '', { location: fault.location ?? '/elsewhere' });
      return;
    case 'large': {
      const padding = 'x'.repeat(fault.bytes ?? LARGE_BYTES);
      refuse(200, { padding, access_token: 'large', token_type: 'Bearer' });
      return;
    }
    case 'hang':
      context.respond = false;
      if (!response.closed) await once(response, 'close');
      return;
    case 'reset':
      context.respond = false;
      socket.resetAndDestroy();
      return;
    case 'lost':
      await serve();
      context.respond = false;
      socket.destroy();
      return;
    case 'edit': {
      // The server keeps to what it has said; only the client hears otherwise.
      await serve();
      context.body = JSON.stringify({ ...JSON.parse(bodyText(context)), ...fault.members });
      return;
    }
    case 'cut': {
      await serve();
      context.respond = false;
      const body = Buffer.from(bodyText(context));
      response.writeHead(context.status, { 'content-type': 'application/json', 'content-length': body.length });
      response.write(body.subarray(0, body.length / 2), () => socket.destroy());
      return;
    }
    default:
      throw new Error(`BUG: the fault \`${fault.fault}\` was let in but is not handled`);
  }
}

function bodyText({ body }) {
  return typeof body === 'string' ? body : JSON.stringify(body ?? '');
}
