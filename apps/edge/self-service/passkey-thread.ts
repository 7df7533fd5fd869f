import { parentPort } from 'node:worker_threads';
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { KeptPasskey, PasskeyReply, PasskeyRequest } from './passkeys.ts';

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, 'base64url'));

type Transports = NonNullable<Parameters<typeof verifyAuthenticationResponse>[0]['credential']['transports']>;

const listed = (known: readonly KeptPasskey[]): { id: string; transports: Transports }[] =>
  known.map(({ credential, transports }) => ({ id: credential, transports: [...transports] as Transports }));

/** EdDSA, ES256, RS256 (RFC 9053, RFC 8812). */
const algorithms = [-8, -7, -257];
const timeout = 120_000;

async function answer(request: PasskeyRequest): Promise<PasskeyReply> {
  const { site, challenge } = request;
  switch (request.kind) {
    case 'create-options': {
      const options = await generateRegistrationOptions({
        rpName: 'Ringfence',
        rpID: site.id,
        userName: request.account,
        userID: bytesOf(request.userId),
        challenge: bytesOf(challenge),
        timeout,
        attestationType: 'none',
        excludeCredentials: listed(request.known),
        authenticatorSelection: { residentKey: 'discouraged', userVerification: 'preferred' },
        supportedAlgorithmIDs: algorithms,
      });
      return { kind: 'options', options };
    }
    case 'created': {
      const { verified, registrationInfo } = await verifyRegistrationResponse({
        response: request.response as RegistrationResponseJSON,
        expectedChallenge: challenge,
        expectedOrigin: site.origin,
        expectedRPID: site.id,
        requireUserVerification: false,
        supportedAlgorithmIDs: algorithms,
      });
      if (!verified) return { kind: 'refused', detail: 'not verified' };
      const { id, publicKey, counter, transports = [] } = registrationInfo.credential;
      return {
        kind: 'created',
        passkey: {
          credential: id,
          publicKey: Buffer.from(publicKey).toString('base64url'),
          counter,
          transports: transports.filter((one) => typeof one === 'string').slice(0, 8),
        },
      };
    }
    case 'get-options': {
      const options = await generateAuthenticationOptions({
        rpID: site.id,
        challenge: bytesOf(challenge),
        timeout,
        allowCredentials: listed(request.known),
        userVerification: 'preferred',
      });
      return { kind: 'options', options };
    }
    case 'got': {
      const { credential, publicKey, counter, transports } = request.known;
      // WebAuthn §7.2 step 22: a counter that does not go on is refused by the library.
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response: request.response as AuthenticationResponseJSON,
        expectedChallenge: challenge,
        expectedOrigin: site.origin,
        expectedRPID: site.id,
        requireUserVerification: false,
        credential: {
          id: credential,
          publicKey: bytesOf(publicKey),
          counter,
          transports: [...transports] as Transports,
        },
      });
      return verified
        ? { kind: 'got', counter: authenticationInfo.newCounter }
        : { kind: 'refused', detail: 'the signature does not hold' };
    }
  }
}

// Loaded outside a thread, to be compiled, it does nothing.
parentPort?.on(
  'message',
  ({ id, request }: { readonly id: number; readonly request: PasskeyRequest }) =>
    void answer(request)
      // The library throws for whatever a browser sends wrongly.
      .catch((error: unknown): PasskeyReply => ({ kind: 'refused', detail: String(error).slice(0, 200) }))
      .then((reply) => parentPort?.postMessage({ id, reply })),
);
