// Verifies a JWT with jose, which signed nothing here:
//
//     node verify.mjs PUBLIC-KEY-OR-CERTIFICATE ALGORITHM AUDIENCE ISSUER <JWT
//
// Prints `header` and `payload`.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { jwtVerify } from 'jose';

const [pem, algorithm, audience, issuer] = process.argv.slice(2);
const key = createPublicKey(readFileSync(pem));
const options = {
  algorithms: [algorithm], audience, issuer, subject: issuer, clockTolerance: 0, maxTokenAge: '10 minutes',
  requiredClaims: ['exp', 'iat', 'nbf', 'jti'],
};
const { protectedHeader, payload } = await jwtVerify(readFileSync(0, 'utf8'), key, options);
process.stdout.write(JSON.stringify({ header: protectedHeader, payload }));
