// The configuration of oidc-provider: its clients, its people, its tokens.

import { X509Certificate, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import Provider, { errors } from 'oidc-provider';

import { PASSWORD, TOKEN_EXCHANGE, registerGrants } from './grant.mjs';
import { createMemory } from './memory.mjs';
import { createPerson } from './person.mjs';
import { createTokens } from './token.mjs';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const API_SCOPES = ['api:read', 'api:write'];

// Any port will do for these (RFC 8252 §7.3), the path has to match: no path is not `/`.
const LOOPBACK_REDIRECTS = ['127.0.0.1', '[::1]', 'localhost']
  .flatMap((host) => ['', '/', '/callback'].map((path) => `http://${host}${path}`));

function clients(serviceSecret, redirectUris, keys) {
  const redirect_uris = [...LOOPBACK_REDIRECTS, ...redirectUris];
  const confidential = {
    application_type: 'native',
    grant_types: [
      DEVICE_CODE, 'refresh_token', 'client_credentials', 'authorization_code', TOKEN_EXCHANGE, PASSWORD,
    ],
    redirect_uris,
  };
  const service = { client_secret: serviceSecret, ...confidential };
  const withKeys = {
    client_id: 'service-key',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: keys.map(({ pem, ...more }) => ({ ...createPublicKey(pem).export({ format: 'jwk' }), ...more })) },
    ...confidential,
  };
  return [
    {
      client_id: 'cli',
      client_name: 'The command line',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: [DEVICE_CODE, 'refresh_token', 'authorization_code', TOKEN_EXCHANGE, PASSWORD],
      redirect_uris,
    },
    { client_id: 'service', token_endpoint_auth_method: 'client_secret_basic', ...service },
    { client_id: 'service-post', token_endpoint_auth_method: 'client_secret_post', ...service },
    ...(keys.length > 0 ? [withKeys] : []),
  ];
}

/** Those who come with a certificate. */
function clientsWithCertificate({ registered }) {
  const client = {
    application_type: 'native',
    grant_types: [DEVICE_CODE, 'refresh_token', 'authorization_code'],
    redirect_uris: LOOPBACK_REDIRECTS,
    tls_client_certificate_bound_access_tokens: true,
  };
  const machine = { ...client, grant_types: [...client.grant_types, 'client_credentials'] };
  const certificate = new X509Certificate(readFileSync(registered));
  const jwk = { ...certificate.publicKey.export({ format: 'jwk' }), x5c: [certificate.raw.toString('base64')] };
  return [
    { client_id: 'cli-bound', token_endpoint_auth_method: 'none', ...client },
    {
      client_id: 'machine',
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_san_dns: 'machine.example',
      ...machine,
    },
    {
      client_id: 'machine-self-signed',
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [jwk] },
      ...machine,
    },
  ];
}

/** How the provider judges the certificate of a connection. */
const mutualTls = {
  enabled: true,
  certificateBoundAccessTokens: true,
  tlsClientAuth: true,
  selfSignedTlsClientAuth: true,
  getCertificate: ({ socket }) => socket.getPeerX509Certificate?.()?.toString(),
  certificateAuthorized: ({ socket }) => socket.authorized,
  certificateSubjectMatches: ({ socket }, property, expected) => property === 'tls_client_auth_san_dns'
    && socket.getPeerX509Certificate().subjectAltName === `DNS:${expected}`,
};

/** RFC 8705 §5: the endpoints that are on the other server too. */
const aliases = (origin, path) => Object.fromEntries(Object.entries({
  token_endpoint: '/token',
  device_authorization_endpoint: '/device/auth',
  pushed_authorization_request_endpoint: '/request',
  revocation_endpoint: '/token/revocation',
  userinfo_endpoint: '/me',
}).map(([name, route]) => [name, `${origin}${path}${route}`]));

/** Whoever signs in exists. */
const accounts = (groups) => function findAccount(_context, login) {
  return {
    accountId: login,
    claims: () => ({
      sub: login,
      preferred_username: `${login}@example.test`,
      name: `${login[0].toUpperCase()}${login.slice(1)} Example`,
      email: `${login}@example.test`,
      email_verified: true,
      groups,
    }),
  };
};

export function startOidcProvider({ issuer, tlsOrigin, options, serviceSecret, traffic }) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const memory = createMemory(options);
  const groups = options.claimBytes ? 'g'.repeat(options.claimBytes) : undefined;
  const findAccount = accounts(groups);

  const provider = new Provider(issuer, {
    adapter: memory.MemoryAdapter,
    clients: [
      ...clients(serviceSecret, options.redirectUris, options.clientKeys),
      ...(options.mutualTls ? clientsWithCertificate(options.mutualTls) : []),
    ],
    clientAuthMethods: [
      'none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt',
      ...(options.mutualTls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
    ],
    discovery: tlsOrigin ? { mtls_endpoint_aliases: aliases(tlsOrigin, options.path) } : {},
    enabledJWA: { clientAuthSigningAlgValues: options.clientSigningAlgorithms },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    // Made at every start: nothing that looks like a secret lies in the source.
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    findAccount,
    claims: {
      openid: ['sub'],
      profile: ['preferred_username', 'name', 'groups'],
      email: ['email', 'email_verified'],
    },
    scopes: ['openid', 'offline_access', 'profile', 'email', ...API_SCOPES],
    // Claims by scope stand in the ID token, not only in the answer of the userinfo endpoint.
    conformIdTokenClaims: false,
    extraTokenClaims: () => (groups ? { groups } : undefined),
    rotateRefreshToken: options.rotate,
    // A life of one second is to be one second: the default forgives 15.
    clockTolerance: 0,
    ttl: {
      AccessToken: options.accessTokenTtl,
      ClientCredentials: options.accessTokenTtl,
      RefreshToken: options.refreshTokenTtl,
      DeviceCode: options.deviceCodeTtl,
      AuthorizationCode: 60,
      IdToken: 3600,
      Interaction: 3600,
      Session: 14 * 24 * 3600,
      Grant: Math.max(14 * 24 * 3600, options.refreshTokenTtl),
    },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => options.dpopNonce },
      ...(options.mutualTls && { mTLS: mutualTls }),
      revocation: { enabled: options.revocation },
      pushedAuthorizationRequests: {
        enabled: true,
        requirePushedAuthorizationRequests: options.requirePushedRequests,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_context, _client, oneOf) => (oneOf ? oneOf[0] : options.defaultResource ?? undefined),
        useGrantedResource: () => options.useGrantedResource,
        getResourceServerInfo(_context, resource) {
          if (!options.resources.includes(resource)) throw new errors.InvalidTarget();
          return {
            scope: API_SCOPES.join(' '),
            audience: resource,
            accessTokenFormat: options.jwt ? 'jwt' : 'opaque',
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
  });

  registerGrants(provider, findAccount);
  provider.silent = !process.env.DEBUG;
  // oidc-provider has no setting for it.
  provider.on('device_authorization.success', (_context, body) => {
    if (options.interval !== null) body.interval = options.interval;
  });
  // Never a test's wish, always a defect in this folder: said whatever DEBUG is.
  provider.on('server_error', (_context, error) => process.stderr.write(`oidc-provider: ${error.stack}\n`));

  /** The device codes that no person has decided on yet, oldest first. */
  const pendingUserCodes = () => [...memory.rows('DeviceCode').values()]
    .filter((code) => !code.accountId && !code.error && !code.inFlight && !code.consumed
      && code.exp > Date.now() / 1000)
    .map((code) => code.userCode);
  provider.use(traffic.middleware);
  return {
    application: provider,
    pendingUserCodes,
    person: createPerson({ issuer, mark: traffic.personMark }),
    tokens: createTokens(provider, publicKey.export({ format: 'jwk' })),
    verificationUri: provider.urlFor('code_verification'),
  };
}
