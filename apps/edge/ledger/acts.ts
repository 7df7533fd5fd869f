import type { KeyObject, X509Certificate } from 'node:crypto';
import { decodeHeader } from '@ringfence/ledger/entry.ts';
import { checkHead, type SignedHead } from '@ringfence/ledger/head.ts';
import { asRemovalAct, Removals } from '@ringfence/ledger/removal.ts';
import type { StoredEntry } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend } from './backend.ts';
import { checkStamp, type Stamp } from './stamp.ts';
import { imprintOf } from './timestamp.ts';
import { classWord } from './words.ts';

const slice = 1000;

/** A time stamp that holds, and the head that it is over. */
export interface StampedHead extends Stamp {
  readonly head: SignedHead;
}

/** What the ledger's own acts say, as far as verifying needs it. */
export interface LedgerActs {
  readonly removals: Removals;
  /** How many time stamps there are that hold, and the newest of them. */
  readonly stamps: number;
  readonly newest?: StampedHead;
  readonly badStamps: readonly { readonly sequence: number; readonly why: string }[];
}

export interface ActsOptions {
  readonly key: KeyObject;
  /** Certificates, one of which has to stand behind a time stamp. */
  readonly trusted: readonly X509Certificate[];
}

/** Bad ones that are named. */
const mostBad = 100;

/**
 * Reads the ledger's own acts, found by the index and, where that does not reach, by their headers. An act of retention
 * that the index hides makes damage of what it allowed, never the other way round; what acts say is checked with all
 * other entries.
 */
export async function readActs(
  backend: LedgerBackend,
  size: number,
  { key, trusted }: ActsOptions,
): Promise<LedgerActs> {
  const removals = new Removals();
  const badStamps: { sequence: number; why: string }[] = [];
  let stamps = 0;
  let newest: StampedHead | undefined;
  const take = ({ place, header, body }: StoredEntry): void => {
    const act = actOf(header, body);
    const removal = asRemovalAct(act);
    if (removal !== undefined) removals.add(removal);
    const stamped = stampedHead(backend.ledger, act);
    if (stamped === undefined) return;
    const { head, token } = stamped;
    const stamp = checkStamp(token, imprintOf(head), trusted);
    const why = stamp.ok
      ? trusted.length > 0 && !stamp.value.trusted
        ? `nobody that is trusted stands behind ${stamp.value.authority}`
        : checkHead(head, key)
          ? undefined
          : "the head that it is over is not signed by this ledger's key"
      : stamp.error;
    if (why !== undefined) {
      if (badStamps.length < mostBad) badStamps.push({ sequence: place, why });
    } else if (stamp.ok) {
      stamps += 1;
      if (newest === undefined || head.size > newest.head.size) newest = { ...stamp.value, head };
    }
  };
  const indexed = Math.min(size, await backend.indexed());
  for (let before = indexed; before > 0; ) {
    const found = await backend.search([classWord('ledger')], { from: 0, before }, slice);
    for (const row of await backend.some(found)) take(row);
    before = found.length < slice ? 0 : (found.at(-1) ?? 0);
  }
  for (let from = indexed; from < size; ) {
    const rows = await backend.ofClass('ledger', from, slice);
    for (const row of rows) take(row);
    from = rows.length < slice ? size : (rows.at(-1)?.place ?? size) + 1;
  }
  return { removals, stamps, badStamps, ...(newest === undefined ? {} : { newest }) };
}

/** Undefined where it is no act; that its content is not what was recorded will be told. */
function actOf(header: Uint8Array, body: Uint8Array | undefined): unknown {
  const read = decodeHeader(header);
  if (body === undefined || !read.ok || read.value.class !== 'ledger') return undefined;
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}

function stampedHead(ledger: string, act: unknown): { head: SignedHead; token: Buffer } | undefined {
  const fields = (act ?? {}) as Readonly<Record<string, unknown>>;
  const { size, root, time, signature, token } = fields;
  if (fields.act !== 'timestamp' || typeof size !== 'number' || typeof time !== 'number') return undefined;
  const octets = (text: unknown, encoding: BufferEncoding): Buffer =>
    Buffer.from(typeof text === 'string' ? text : '', encoding);
  const head = { ledger, size, time, root: octets(root, 'hex'), signature: octets(signature, 'base64') };
  return { head, token: octets(token, 'base64') };
}
