// Makes a key for each way of signing, and a JWT with each, with jose. Prints `set`, the public keys as RFC 7517 has
// them, and `tokens`, by the name of the way, which is the key's name too.

import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const WAYS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'];

const made = await Promise.all(WAYS.map(async (alg) => {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const token = await new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg, kid: alg }).sign(privateKey);
  return { key: { ...(await exportJWK(publicKey)), kid: alg, use: 'sig' }, token };
}));
process.stdout.write(JSON.stringify({
  set: { keys: made.map(({ key }) => key) },
  tokens: Object.fromEntries(made.map(({ key, token }) => [key.kid, token])),
}));
