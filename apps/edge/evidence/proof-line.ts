import { canonicalJson } from '@ringfence/ledger/canonical-json.ts';
import { contentHash, decodeHeader, hashLength } from '@ringfence/ledger/entry.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import { leafHash } from '@ringfence/ledger/merkle.ts';
import { checkInclusion } from '@ringfence/ledger/merkle-proof.ts';
import type { ProvenEntry } from './from-ledger.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/**
 * A proof as one line of JSON. `withoutContent`: the entry holds something that must not leave; then it is shown that
 * there is such an entry, at that time and of that class, and not what it says.
 */
export const proofLine = ({ row, path }: ProvenEntry, withoutContent: boolean): string =>
  canonicalJson({
    sequence: row.place,
    header: base64(row.header),
    path: path.map(base64),
    ...(withoutContent || row.body === undefined || row.sealed === undefined
      ? {}
      : { body: base64(row.body), sealed: base64(row.sealed) }),
  });

/** What an entry says that was shown to be in the ledger. */
export interface Shown {
  readonly time: number;
  readonly class: string;
  readonly tenant: string;
  /** Canonical JSON; undefined where it is not in the proof. */
  readonly body: string | undefined;
}

/** Undefined where the line shows nothing. */
export function readProof(line: string, head: SignedHead): { sequence: number; shown: Shown } | undefined {
  const fields = parse(line);
  const { sequence, header, path, body, sealed } = fields;
  if (!Number.isSafeInteger(sequence) || typeof header !== 'string' || !Array.isArray(path)) return undefined;
  const steps = (path as unknown[]).map((one) => Buffer.from(typeof one === 'string' ? one : '', 'base64'));
  if (steps.length > 64 || steps.some(({ length }) => length !== hashLength)) return undefined;
  const octets = Buffer.from(header, 'base64');
  const read = decodeHeader(octets);
  if (!read.ok || read.value.sequence !== sequence) return undefined;
  if (!checkInclusion(leafHash(octets), sequence as number, head.size, steps, head.root)) return undefined;
  const { time, class: entryClass, tenant, content } = read.value;
  const shown = { time, class: entryClass, tenant };
  if (body === undefined && sealed === undefined)
    return { sequence: sequence as number, shown: { ...shown, body: undefined } };
  if (typeof body !== 'string' || typeof sealed !== 'string') return undefined;
  const said = Buffer.from(body, 'base64');
  if (Buffer.compare(contentHash(said, Buffer.from(sealed, 'base64')), content) !== 0) return undefined;
  return { sequence: sequence as number, shown: { ...shown, body: said.toString('utf8') } };
}

/** `other`: lines that are no entries of the ledger may stand between them. `redacted`: of some only their place is shown. */
export interface Strictness {
  readonly other?: true;
  readonly redacted?: true;
}

/** Whether a line of another part says what the proof shows. */
export function agrees(
  line: string,
  shown: ReadonlyMap<number, Shown>,
  { other, redacted }: Strictness,
): boolean {
  const { sequence, time, class: entryClass, tenant, body } = parse(line);
  if (sequence === undefined) return other === true;
  const one = shown.get(sequence as number);
  if (one === undefined || one.time !== time || one.class !== entryClass || one.tenant !== tenant)
    return false;
  if (one.body === undefined) return redacted === true || body === undefined;
  try {
    return canonicalJson(body) === one.body;
  } catch {
    return false;
  }
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return { sequence: -1 };
  }
}
