// Real OAuth authorization servers on loopback for the end-to-end tests.
//
//     node server.mjs <<<'{"accessTokenTtl": 5}'
//
// Each line on stdin is the options of a new server, answered by one line on stdout when that is
// ready: `issuer`, `control`, `serviceSecret`, or `error`. `POST {control}/close` ends a server.
// All of them share this process, since its start costs more than a whole test with a server.
// It ends when its standard input does, so that a killed test leaves no orphan.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createInterface } from 'node:readline';
import { inspect } from 'node:util';

import { createControl } from './control.mjs';
import { GLEWLWYD_PATH, startGlewlwyd } from './glewlwyd.mjs';
import { Traffic } from './traffic.mjs';

// oidc-provider tells of its development defaults through the console, and half of that on
// stdout, where only the ready line may stand. Hence before the provider is loaded.
for (const method of ['log', 'info', 'warn', 'error', 'debug']) {
  console[method] = (...words) => {
    if (process.env.DEBUG) {
      process.stderr.write(`${words.map((word) => (typeof word === 'string' ? word : inspect(word))).join(' ')}\n`);
    }
  };
}
const { startOidcProvider } = await import('./provider.mjs');

const DEFAULTS = {
  /** Whose: `oidc-provider`, or `glewlwyd`, which takes no other option than `GLEWLWYD_OPTIONS`. */
  server: 'oidc-provider',
  /** Seconds an access token lives, opaque or JWT, a person's or a client's own. */
  accessTokenTtl: 3600,
  /** Seconds a refresh token lives; each rotation starts it anew. */
  refreshTokenTtl: 14 * 24 * 3600,
  /** Seconds a person has for the device code. */
  deviceCodeTtl: 600,
  /** Seconds between polls, as the device answer says; null leaves the member out (RFC 8628: then 5). */
  interval: 1,
  /** Every refresh gives a new refresh token, and the use of an old one kills the family. */
  rotate: true,
  /** For how many seconds it takes an old one all the same, as some servers do that know of lost answers. */
  forgives: 0,
  /** Access tokens are JWTs for a resource. */
  jwt: false,
  /** How long a claim of no use is that stands in every JWT and every ID token. */
  claimBytes: 0,
  /** What `resource` may name; anything else is `invalid_target`. */
  resources: ['https://api.example.test/'],
  /** The resource of a request that names none; by default the first of `resources` with `jwt`, else none. */
  defaultResource: undefined,
  /** A token request without `resource` gets the granted one, even with the scope `openid`; by default as `jwt`. */
  useGrantedResource: undefined,
  /** There is a revocation endpoint. */
  revocation: true,
  /** An authorization request has to be pushed first (RFC 9126); else it may be. */
  requirePushedRequests: false,
  /** Where a browser may come back to, besides any port of loopback, which only oidc-provider takes. */
  redirectUris: [],
  /**
   * Public keys of the client `service-key`, which proves itself by `private_key_jwt`: `pem`, a key or a
   * certificate, and what else its JWK says, such as `kid` or `alg`.
   */
  clientKeys: [],
  /** How clients may sign their assertions, as the metadata list it. */
  clientSigningAlgorithms: ['RS256', 'PS256', 'ES256', 'ES384'],
  /** A proof of DPoP (RFC 9449) needs a nonce of the server's. */
  dpopNonce: false,
  /** Path of the issuer, such as `/realms/x`. */
  path: '',
  /**
   * An https server beside the other, named by `mtls_endpoint_aliases`, for clients with certificates: PEM files
   * `ca` (of theirs), `certificate`, `key` and `registered` (of the client `machine-self-signed`).
   */
  mutualTls: null,
};

const GLEWLWYD_OPTIONS = ['server', 'accessTokenTtl', 'refreshTokenTtl', 'deviceCodeTtl', 'interval', 'rotate', 'redirectUris'];

function parseOptions(text) {
  const given = JSON.parse(text || '{}');
  const isGlewlwyd = given.server === 'glewlwyd';
  const known = isGlewlwyd ? GLEWLWYD_OPTIONS : Object.keys(DEFAULTS);
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`unknown option \`${unknown.join('`, `')}\`; there are \`${known.join('`, `')}\``);
  }
  const options = { ...DEFAULTS, ...given };
  if (isGlewlwyd) options.path = GLEWLWYD_PATH;
  options.path = options.path.replace(/\/+$/, '');
  if (options.defaultResource === undefined) options.defaultResource = options.jwt ? options.resources[0] : null;
  if (options.useGrantedResource === undefined) options.useGrantedResource = options.jwt;
  return options;
}

async function start(options) {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const origin = `http://127.0.0.1:${server.address().port}`;
  const issuer = `${origin}${options.path}`;
  const tlsServer = options.mutualTls && await startTlsServer(options.mutualTls);
  const tlsOrigin = tlsServer && `https://127.0.0.1:${tlsServer.address().port}`;

  // Every character that Basic (RFC 6749 §2.3.1), a form or a URL could spoil; the rest is
  // random, so that no secret lies in the source and a leak in some output can be found.
  const serviceSecret = `+a/b:c%d&e=f~${randomBytes(18).toString('base64url')}`;

  const traffic = new Traffic();
  const startServer = options.server === 'glewlwyd' ? startGlewlwyd : startOidcProvider;
  const backend = await startServer({ origin, tlsOrigin, issuer, options, serviceSecret, traffic });
  const serveBackend = backend.application.callback();
  const serveControl = createControl({ ...backend, traffic });

  const serve = (request, response) => {
    if (request.url === '/control/close') {
      for (const one of [server, tlsServer]) {
        one?.close();
        one?.closeAllConnections();
      }
      backend.close?.();
      return;
    }
    if (request.url.startsWith('/control/')) {
      serveControl(request, response);
      return;
    }
    // As Express mounts an application: oidc-provider learns its path from the difference.
    request.originalUrl = request.url;
    request.isUnderIssuer = request.url.startsWith(`${options.path}/`);
    if (request.isUnderIssuer) request.url = request.url.slice(options.path.length);
    serveBackend(request, response);
  };
  server.on('request', serve);
  tlsServer?.on('request', serve);
  return { issuer, control: `${origin}/control`, serviceSecret };
}

async function startTlsServer({ ca, certificate, key }) {
  const server = createTlsServer({
    ca: readFileSync(ca),
    cert: readFileSync(certificate),
    key: readFileSync(key),
    requestCert: true,
    // The provider judges what is presented.
    rejectUnauthorized: false,
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return server;
}

for await (const line of createInterface({ input: process.stdin })) {
  const ready = await Promise.resolve(line).then(parseOptions).then(start).catch((error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}
process.exit(0);
