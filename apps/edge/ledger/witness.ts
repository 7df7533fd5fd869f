import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { encodeHead, type SignedHead } from '@ringfence/ledger/head.ts';
import { readCertificates } from './keys.ts';
import { checkStamp } from './stamp.ts';
import { imprintOf, timestampRequest, timestampToken } from './timestamp.ts';

/** Somebody outside who keeps heads, so that an end that was cut off can be shown. */
export interface WitnessOptions {
  /** Heads are appended here, one JSON line each; best on another machine. */
  readonly file?: string;
  /** Heads are sent here by POST, as `application/json`. */
  readonly url?: string;
  /** A time-stamping authority (RFC 3161), asked over HTTP. */
  readonly timestamps?: string;
  /** File with certificates that its stamps must lead to. */
  readonly timestampCa?: string;
  readonly everyMinutes: number;
}

const patienceMs = 10_000;
const mostOctets = 65_536;

/** Tells all witnesses; gives what went wrong with each, and the token of the authority where there is one. */
export async function tellWitnesses(
  head: SignedHead,
  { file, url, timestamps, timestampCa }: WitnessOptions,
  nonce: Uint8Array,
): Promise<{ readonly problems: readonly string[]; readonly token?: Uint8Array }> {
  const problems: string[] = [];
  let token: Uint8Array | undefined;
  const line = encodeHead(head);
  const attempt = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  if (file !== undefined)
    await attempt(file, async () => {
      mkdirSync(dirname(file), { recursive: true });
      appendFileSync(file, `${line}\n`);
    });
  if (url !== undefined)
    await attempt(url, async () => {
      await post(url, 'application/json', line);
    });
  if (timestamps !== undefined)
    await attempt(timestamps, async () => {
      const body = await post(timestamps, 'application/timestamp-query', timestampRequest(head, nonce));
      const read = timestampToken(body, head, nonce);
      if (!read.ok) throw new Error(read.error);
      const trusted = timestampCa === undefined ? [] : readCertificates(timestampCa);
      const stamp = checkStamp(read.value, imprintOf(head), trusted);
      if (!stamp.ok) throw new Error(`its time stamp is not good: ${stamp.error}`);
      if (trusted.length > 0 && !stamp.value.trusted)
        throw new Error(`no certificate of ${timestampCa} stands behind ${stamp.value.authority}`);
      token = read.value;
    });
  return { problems, ...(token === undefined ? {} : { token }) };
}

async function post(url: string, type: string, body: string | Uint8Array): Promise<Uint8Array> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': type },
    body: typeof body === 'string' ? body : new Uint8Array(body),
    signal: AbortSignal.timeout(patienceMs),
    // What is asked for is here, or nowhere: a witness that sends us elsewhere is none.
    redirect: 'error',
  });
  if (!response.ok) throw new Error(`answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > mostOctets) throw new Error(`answers with more than ${mostOctets} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
