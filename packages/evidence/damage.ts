/**
 * What is wrong with a bundle.
 *
 * truncated: its end is missing. edited, dropped, added, reordered: so of one part. unsigned: the signature does not fit
 * the manifest. other-key: it was signed, but not with the key that was asked for. unreadable: it is no bundle.
 * unproven: a part says what the ledger's proofs do not.
 */
export const damageKinds = [
  'unreadable',
  'truncated',
  'edited',
  'dropped',
  'added',
  'reordered',
  'unsigned',
  'other-key',
  'unproven',
] as const;
export type DamageKind = (typeof damageKinds)[number];

export interface Damage {
  readonly kind: DamageKind;
  /** Name of the part; empty for the file as a whole. */
  readonly part: string;
  /** One sentence for people. */
  readonly text: string;
}

/** So many are named; a hostile file must not make more. */
export const mostDamages = 100;
