// What oidc-provider itself knows of a token, and the administrator's way to take one back.

import { importJWK, jwtVerify } from 'jose';

export function createTokens(provider, publicKey) {
  async function find(token) {
    for (const model of [provider.AccessToken, provider.ClientCredentials, provider.RefreshToken]) {
      const found = await model.find(token, { ignoreExpiration: true });
      if (found) return found;
    }
    return undefined;
  }

  return {
    async introspect(token) {
      const found = await find(token);
      if (!found) return introspectJwt(token, provider.issuer, publicKey);
      const grant = found.grantId && await provider.Grant.find(found.grantId);
      return {
        active: found.isValid && (!found.grantId || Boolean(grant)),
        kind: found.kind,
        client_id: found.clientId,
        sub: found.accountId,
        scope: found.scope,
        aud: found.aud,
        iat: found.iat,
        exp: found.exp,
        consumed: Boolean(found.consumed),
        x5t: found['x5t#S256'],
        jkt: found.jkt,
        rotations: found.rotations,
      };
    },

    async revoke(token) {
      const found = await find(token);
      if (!found) throw new Error('no such token is stored: unknown, dead already, or a JWT');
      await found.destroy();
      if (found.kind !== 'RefreshToken') return;
      // The sign-in as a whole, as an administrator takes it back.
      await provider.AccessToken.revokeByGrantId(found.grantId);
      await provider.RefreshToken.revokeByGrantId(found.grantId);
      await provider.Grant.adapter.destroy(found.grantId);
    },
  };
}

/** A JWT is not stored: it is active until it expires, if it is signed by the server, whatever has been revoked. */
async function introspectJwt(token, issuer, publicKey) {
  try {
    const { payload } = await jwtVerify(token, await importJWK(publicKey, 'ES256'), { issuer });
    return { active: true, kind: 'jwt', ...payload };
  } catch {
    return { active: false };
  }
}
