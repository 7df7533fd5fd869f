import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { Secret } from '@ringfence/bytes/secret.ts';
import { parseAuthParams, serializeAuthParams } from '../message/auth-params.ts';
import { type DigestAlgorithm, digestAlgorithm, digestAlgorithms, digestLength } from './algorithm.ts';
import { ha1 } from './ha1.ts';
import { digestResponse } from './response.ts';

export interface AnswerInput {
  readonly method: string;
  /** Request-URI as text. */
  readonly uri: string;
  readonly username: string;
  /** Either this or `ha1`. */
  readonly password?: string | Secret;
  /** HA1 for the realm of the challenge, by algorithm. */
  readonly ha1?: Partial<Readonly<Record<DigestAlgorithm, Uint8Array>>>;
  /** Fresh randomness, at least 64 bits. */
  readonly cnonce: string;
  /** How often this nonce was used, this time included: 1 at first. */
  readonly nc: number;
  /** Answers MD5 where nothing better is offered. Default false. */
  readonly allowMd5?: boolean;
  /** Answers challenges without `qop` (RFC 2069, no replay protection). Default: as `allowMd5`. */
  readonly allowNoQop?: boolean;
  /** The only realm to answer; a challenge of another is passed over. Default: any. */
  readonly realm?: string;
  /** Needed for `auth-int`. */
  readonly body?: Uint8Array;
}

export interface DigestAnswer {
  /** Value of Authorization or Proxy-Authorization. */
  readonly authorization: string;
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  /** The challenge says that only the nonce was too old. */
  readonly stale: boolean;
}

/** `no-challenge`: none that can be read; `not-allowed`: only algorithms, realms or forms that policy rules out. */
export type AnswerRefusal = 'no-challenge' | 'not-allowed';

interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: DigestAlgorithm;
  readonly name: string | undefined;
  readonly qop: 'auth' | 'auth-int' | undefined;
  readonly stale: boolean;
}

const noBody = new Uint8Array(0);
const bareQop: ReadonlySet<string> = new Set(['qop']);

function readChallenge(value: string): Challenge | undefined {
  const parsed = parseAuthParams(value);
  if (!parsed.ok || parsed.value.scheme !== 'digest') return undefined;
  const { params } = parsed.value;
  const realm = params.get('realm');
  const nonce = params.get('nonce');
  const name = params.get('algorithm');
  const algorithm = digestAlgorithm(name);
  if (realm === undefined || nonce === undefined || algorithm === undefined) return undefined;
  const offered = params.get('qop');
  const options = offered?.split(',').map((option) => option.trim().toLowerCase());
  const qop = options?.includes('auth') ? 'auth' : options?.includes('auth-int') ? 'auth-int' : undefined;
  if (offered !== undefined && qop === undefined) return undefined;
  const stale = params.get('stale')?.toLowerCase() === 'true';
  return { realm, nonce, opaque: params.get('opaque'), algorithm, name, qop, stale };
}

/** Answers the strongest of the challenges that policy allows, RFC 7616 §3.4 and RFC 8760 §2.4. */
export function answer(
  challenges: readonly string[],
  input: AnswerInput,
): Result<DigestAnswer, AnswerRefusal> {
  const allowMd5 = input.allowMd5 ?? false;
  const allowNoQop = input.allowNoQop ?? allowMd5;
  let best: Challenge | undefined;
  let readable = false;
  for (const value of challenges) {
    const challenge = readChallenge(value);
    if (challenge === undefined) continue;
    readable = true;
    if (challenge.algorithm === 'MD5' && !allowMd5) continue;
    if (challenge.qop === undefined && !allowNoQop) continue;
    if (input.realm !== undefined && challenge.realm !== input.realm) continue;
    if (input.password === undefined && input.ha1?.[challenge.algorithm] === undefined) continue;
    const rank = digestAlgorithms.indexOf(challenge.algorithm);
    if (best === undefined || rank < digestAlgorithms.indexOf(best.algorithm)) best = challenge;
  }
  if (best === undefined) return err(readable ? 'not-allowed' : 'no-challenge');
  return ok(respond(best, input));
}

function respond(challenge: Challenge, input: AnswerInput): DigestAnswer {
  const { realm, nonce, algorithm, qop, opaque, stale } = challenge;
  const { username, password } = input;
  const given = input.ha1?.[algorithm];
  const text = typeof password === 'string' ? password : (password?.revealText() ?? '');
  const secret = given ?? ha1(algorithm, username, realm, text);
  const nc = input.nc.toString(16).padStart(8, '0');
  const response = digestResponse({
    algorithm,
    ha1: secret,
    nonce,
    method: input.method,
    uri: input.uri,
    ...(qop === undefined
      ? {}
      : { qop: { name: qop, nc, cnonce: input.cnonce, body: input.body ?? noBody } }),
  });
  if (given === undefined) secret.fill(0, 0, digestLength[algorithm]);
  const params: [string, string][] = [
    ['username', username],
    ['realm', realm],
    ['nonce', nonce],
    ['uri', input.uri],
    ['response', response],
  ];
  if (challenge.name !== undefined) params.push(['algorithm', algorithm]);
  if (opaque !== undefined) params.push(['opaque', opaque]);
  if (qop !== undefined) params.push(['qop', qop], ['nc', nc], ['cnonce', input.cnonce]);
  return { authorization: serializeAuthParams('Digest', params, bareQop), realm, nonce, algorithm, stale };
}
