// Verifies a proof of DPoP by another hand than ours: what it says, where its signature is good.
//
//     node verify-proof.mjs <<<'{"proof": "..."}'

import { text } from 'node:stream/consumers';

import { EmbeddedJWK, calculateJwkThumbprint, jwtVerify } from 'jose';

const { proof } = JSON.parse(await text(process.stdin));
const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { algorithms: ['ES256'], typ: 'dpop+jwt' });
const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk);
process.stdout.write(JSON.stringify({ claims: payload, header: protectedHeader, thumbprint }));
