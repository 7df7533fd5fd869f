import { createPublicKey, type KeyObject } from 'node:crypto';
import { keyId, keyName, type OpenedBundle, openBundle } from '@ringfence/evidence/bundle.ts';
import { type Damage, mostDamages } from '@ringfence/evidence/damage.ts';
import { checkHead, decodeHead } from '@ringfence/ledger/head.ts';
import { agrees, readProof, type Shown, type Strictness } from './proof-line.ts';

/** A bundle is read as a whole: no larger than this. */
export const mostBundleOctets = 512 * 1024 * 1024;

export const headPart = 'ledger-head.json';
export const proofsPart = 'proofs.jsonl';
/** Parts that hold entries of the ledger. */
const provenParts: Readonly<Record<string, Strictness>> = {
  'events.jsonl': {},
  'decisions.jsonl': { other: true },
  'custody.jsonl': {},
  'versions.jsonl': { redacted: true },
};

export interface CheckedBundle extends OpenedBundle {
  /** Entries that are shown to be in the ledger. */
  readonly proven: number;
}

/**
 * Everything that can be checked without the edge: each octet against the manifest, the manifest against the key, each
 * entry against the signed head of the ledger, and what the parts say against the entries.
 */
export function checkBundle(bytes: Uint8Array, key?: KeyObject): CheckedBundle {
  const opened = openBundle(bytes, key);
  const { manifest, parts, signedBy } = opened;
  const damages: Damage[] = [...opened.damages];
  const damage = (part: string, text: string): void => {
    if (damages.length < mostDamages) damages.push({ kind: 'unproven', part, text });
  };
  const shown = new Map<number, Shown>();
  const done = (): CheckedBundle => ({ ...opened, damages, proven: shown.size });
  if (manifest === undefined || signedBy === undefined || manifest.ledger === '') return done();
  const text = (name: string): string => Buffer.from(parts.get(name) ?? []).toString('utf8');
  const head = decodeHead(text(headPart).trimEnd());
  const signer = keyOf(signedBy, key, parts.get(keyName));
  if (
    !head.ok ||
    signer === undefined ||
    head.value.ledger !== manifest.ledger ||
    !checkHead(head.value, signer)
  ) {
    damage(headPart, `${headPart} is no head of the ledger ${manifest.ledger} that the key has signed`);
    return done();
  }
  const lines = (name: string): string[] =>
    text(name)
      .split('\n')
      .filter((line) => line !== '');
  lines(proofsPart).forEach((line, i) => {
    const read = readProof(line, head.value);
    if (read === undefined) damage(proofsPart, `line ${i + 1} of ${proofsPart} shows no entry of the ledger`);
    else shown.set(read.sequence, read.shown);
  });
  for (const [name, strictness] of Object.entries(provenParts))
    lines(name).forEach((line, i) => {
      if (!agrees(line, shown, strictness))
        damage(name, `line ${i + 1} of ${name} says what the ledger does not`);
    });
  return done();
}

function keyOf(id: string, key: KeyObject | undefined, pem: Uint8Array | undefined): KeyObject | undefined {
  if (key !== undefined && keyId(key) === id) return key;
  try {
    const own = createPublicKey(Buffer.from(pem ?? []).toString('latin1'));
    return keyId(own) === id ? own : undefined;
  } catch {
    return undefined;
  }
}
