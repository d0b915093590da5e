// Grants that oidc-provider leaves to whoever configures it: token exchange (RFC 8693) and the password
// (RFC 6749 §4.3).

import { errors } from 'oidc-provider';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const PASSWORD = 'password';

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Every character that a form could spoil. */
export const passwordOf = (login) => `the p+ss:w%rd & =/ of ${login}`;

export function registerGrants(provider, findAccount) {
  const { AccessToken, RefreshToken, Grant, IdToken } = provider;

  /** Tokens for somebody, as the device flow gives them. */
  async function issue(context, accountId, gty) {
    const { client, params } = context.oidc;
    const scope = params.scope ?? 'openid';
    const grant = new Grant({ accountId, clientId: client.clientId });
    grant.addOIDCScope(scope);
    const own = { accountId, client, scope, grantId: await grant.save(), gty };
    const accessToken = new AccessToken(own);
    const answer = {
      access_token: await accessToken.save(),
      token_type: 'Bearer',
      expires_in: accessToken.expiration,
      scope,
    };
    const scopes = scope.split(' ');
    if (scopes.includes('offline_access')) {
      answer.refresh_token = await new RefreshToken({ ...own, rotations: 0 }).save();
    }
    if (scopes.includes('openid')) {
      const account = findAccount(context, accountId);
      const idToken = new IdToken(account.claims(), { ctx: context });
      idToken.scope = scope;
      answer.id_token = await idToken.issue({ use: 'idtoken' });
    }
    return answer;
  }

  async function exchange(context) {
    const { params } = context.oidc;
    for (const [name, type] of [['subject_token', params.subject_token_type], ['actor_token', params.actor_token_type]]) {
      if (params[name] === undefined && name === 'actor_token') continue;
      if (type !== ACCESS_TOKEN) throw new errors.InvalidRequest(`\`${name}_type\` is not that of an access token`);
      const found = await AccessToken.find(params[name] ?? '');
      // RFC 8693 §2.2.2.
      if (!found) throw new errors.InvalidRequest(`the \`${name}\` is of no use`);
      params[name] = found.accountId;
    }
    const answer = await issue(context, params.subject_token, 'token_exchange');
    context.body = { ...answer, issued_token_type: ACCESS_TOKEN };
  }

  async function signIn(context) {
    const { username, password } = context.oidc.params;
    const [login] = (username ?? '').split('@');
    if (password !== passwordOf(login)) throw new errors.InvalidGrant('the password is wrong');
    context.body = await issue(context, login, 'password');
  }

  const exchanged = ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'scope', 'audience'];
  provider.registerGrantType(TOKEN_EXCHANGE, exchange, exchanged);
  provider.registerGrantType(PASSWORD, signIn, ['username', 'password', 'scope']);
}
