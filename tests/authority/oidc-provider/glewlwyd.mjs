// glewlwyd: a server in C, from Debian, configured over its own REST API. It counts nothing and
// spoils nothing, so it stands behind our traffic, which is its only address.

import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { createPerson } from './glewlwyd-person.mjs';
import { createProxy } from './proxy.mjs';

/** Where Debian's package puts the tables, with an administrator in them. */
const SCHEMA = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3';
const MODULES = '/usr/lib/glewlwyd';
const ADMINISTRATOR = { username: 'admin', password: 'password' };

/** The name of the plugin, and with it the path of the issuer. */
const PLUGIN = 'oidc';
export const GLEWLWYD_PATH = `/api/${PLUGIN}`;

/** How often may another process take the port that was free a moment ago? */
const ATTEMPTS = 5;
/** How long are the processors left to others between two looks whether it listens? */
const BETWEEN_LOOKS_MILLISECONDS = 5;

const OIDC_SCOPES = ['openid', 'offline_access', 'profile', 'email'];
const API_SCOPES = ['api:read', 'api:write'];
/** May ask what the server knows of any token. */
const INSPECT = 'inspect';

const PEOPLE = ['ada', 'bob', 'eve'];
const PERSON_PASSWORD = 'any will do';

export async function startGlewlwyd({ origin, issuer, options, serviceSecret, traffic }) {
  const inspector = { client_id: 'inspector', client_secret: randomBytes(18).toString('base64url') };
  const server = await startProcess(origin, (port) => configure(port, { issuer, options, serviceSecret, inspector }));

  const codes = new Map();
  const onAnswer = ({ method, path, status, body }) => {
    if (`${method} ${path}` !== 'POST /device_authorization' || status !== 200) return;
    const { user_code, expires_in } = JSON.parse(body);
    codes.set(user_code, Date.now() + expires_in * 1000);
  };
  const walk = createPerson({ origin, mark: traffic.personMark, password: PERSON_PASSWORD });
  return {
    application: createProxy({ port: server.port, traffic, onAnswer }),
    pendingUserCodes: () => [...codes].filter(([, end]) => end > Date.now()).map(([code]) => code),
    person: async (way) => {
      const { status, userCode } = await walk(way);
      codes.delete(userCode);
      return status;
    },
    tokens: createTokens({ port: server.port, inspector }),
    verificationUri: `${issuer}/device`,
    close: server.close,
  };
}

/** What glewlwyd itself knows of a token, asked as a client that may know of all. */
function createTokens({ port, inspector }) {
  const post = async (path, form, authorization) => {
    const response = await fetch(`http://127.0.0.1:${port}${GLEWLWYD_PATH}/${path}`, {
      method: 'POST', body: new URLSearchParams(form), headers: { authorization },
    });
    if (!response.ok) throw new Error(`glewlwyd answered \`${path}\` with ${response.status}`);
    return response;
  };
  const asInspector = async (path, form) => {
    const { client_id, client_secret } = inspector;
    const basic = `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`;
    const answer = await post('token', { grant_type: 'client_credentials', scope: INSPECT }, basic);
    const { access_token } = await answer.json();
    return post(path, form, `Bearer ${access_token}`);
  };
  return {
    introspect: async (token) => (await asInspector('introspect', { token })).json(),
    async revoke(token) {
      await asInspector('revoke', { token });
    },
  };
}

/** Starts the process on a free port, with a database of its own, and configures it. */
async function startProcess(externalUrl, configure, attempt = 1) {
  const directory = mkdtempSync(join(tmpdir(), 'glewlwyd-'));
  let child;
  const close = () => {
    process.off('exit', close);
    child?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.on('exit', close);
  try {
    const port = await findFreePort();
    await createDatabase(join(directory, 'database'));
    const file = join(directory, 'configuration');
    writeFileSync(file, configuration({ port, externalUrl, directory }));
    child = spawn('glewlwyd', ['--config-file', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    await untilListening(child, port);
    await configure(port);
    // Else it was another server that took the port, and all this.
    if (child.exitCode === null) return { port, close };
    throw new Error(`glewlwyd ended with ${child.exitCode}`);
  } catch (error) {
    close();
    if (attempt === ATTEMPTS || error.code === 'ENOENT') throw error;
    return startProcess(externalUrl, configure, attempt + 1);
  }
}

/** glewlwyd takes a number only: a free one may be taken before it comes to it. */
async function findFreePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function createDatabase(path) {
  const sqlite = execFile('sqlite3', [path]);
  // As one transaction: each statement alone would wait for the disk.
  sqlite.stdin.end(`BEGIN;\n${readFileSync(SCHEMA)}\n;COMMIT;\n`);
  const [code] = await once(sqlite, 'exit');
  if (code !== 0) throw new Error(`sqlite3 ended with ${code}`);
}

function configuration({ port, externalUrl, directory }) {
  return `
port = ${port}
bind_address = "127.0.0.1"
external_url = "${externalUrl}"
login_url = "login.html"
log_mode = "console"
log_level = "${process.env.DEBUG ? 'DEBUG' : 'ERROR'}"
cookie_secure = 0
hash_algorithm = "SHA256"
user_module_path = "${MODULES}/user"
client_module_path = "${MODULES}/client"
user_auth_scheme_module_path = "${MODULES}/scheme"
plugin_module_path = "${MODULES}/plugin"
database = { type = "sqlite3"; path = "${join(directory, 'database')}"; };
`;
}

/** Settled when it listens: it tells that it has started before it does. */
async function untilListening(child, port) {
  await once(child, 'spawn');
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      if (process.env.DEBUG) process.stderr.write(chunk);
      said += chunk;
    });
  }
  while (child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const isListening = await once(socket, 'connect').then(() => true, () => false);
    socket.destroy();
    if (isListening) return;
    await setTimeout(BETWEEN_LOOKS_MILLISECONDS);
  }
  throw new Error(`glewlwyd ended with ${child.exitCode}: ${said}`);
}

/** Makes scopes, people, clients and the plugin, as the administrator. */
async function configure(port, { issuer, options, serviceSecret, inspector }) {
  let cookie = '';
  const post = async (path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/${path}/`, {
      method: 'POST', body: JSON.stringify(body), headers: { cookie, 'content-type': 'application/json' },
    });
    if (!response.ok) throw new Error(`glewlwyd answered \`${path}\` with ${response.status}: ${await response.text()}`);
    cookie ||= response.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
  };

  await post('auth', ADMINISTRATOR);
  for (const name of [...OIDC_SCOPES.slice(1), ...API_SCOPES, INSPECT]) {
    await post('scope', { name, display_name: name, password_required: false, scheme: {} });
  }
  for (const username of PEOPLE) {
    await post('user', {
      username, email: `${username}@example.test`, password: PERSON_PASSWORD, enabled: true,
      scope: [...OIDC_SCOPES, ...API_SCOPES],
    });
  }
  for (const client of clients(serviceSecret, inspector)) {
    await post('client', { name: client.client_id, enabled: true, redirect_uri: options.redirectUris, ...client });
  }
  await post('mod/plugin', { module: 'oidc', name: PLUGIN, display_name: PLUGIN, parameters: plugin(issuer, options) });
}

function clients(serviceSecret, inspector) {
  const PERSON = ['device_authorization', 'code', 'refresh_token'];
  return [
    { client_id: 'cli', confidential: false, authorization_type: PERSON, scope: [] },
    {
      client_id: 'service', confidential: true, client_secret: serviceSecret, scope: API_SCOPES,
      authorization_type: [...PERSON, 'client_credentials'],
      token_endpoint_auth_method: ['client_secret_basic', 'client_secret_post'],
    },
    {
      ...inspector, confidential: true, scope: [INSPECT], authorization_type: ['client_credentials'],
      token_endpoint_auth_method: ['client_secret_basic'],
    },
  ];
}

function plugin(issuer, options) {
  // Made at every start: nothing that looks like a secret lies in the source.
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    iss: issuer,
    'jwt-type': 'ecdsa',
    'jwt-key-size': '256',
    key: privateKey.export({ type: 'sec1', format: 'pem' }),
    cert: publicKey.export({ type: 'spki', format: 'pem' }),
    'subject-type': 'public',
    'allowed-scope': [...OIDC_SCOPES, ...API_SCOPES],
    'email-claim': 'mandatory',
    claims: [{ name: 'preferred_username', 'user-property': 'email', type: 'string', mandatory: true }],
    'access-token-duration': options.accessTokenTtl,
    'refresh-token-duration': options.refreshTokenTtl,
    'refresh-token-one-use': options.rotate ? 'always' : 'never',
    'refresh-token-rolling': true,
    'code-duration': 60,
    'pkce-allowed': true,
    'pkce-required': true,
    'device-authorization-expiration': options.deviceCodeTtl,
    'device-authorization-interval': options.interval,
    'allow-non-oidc': true,
    'auth-type-code-enabled': true,
    'auth-type-token-enabled': false,
    'auth-type-none-enabled': false,
    'auth-type-password-enabled': false,
    'auth-type-client-enabled': true,
    'auth-type-device-enabled': true,
    'auth-type-refresh-enabled': true,
    'introspection-revocation-allowed': true,
    'introspection-revocation-allow-target-client': true,
    'introspection-revocation-auth-scope': [INSPECT],
  };
}
