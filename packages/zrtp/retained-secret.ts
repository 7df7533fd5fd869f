import type { HashType } from './algorithm.ts';
import { equal, mac } from './hash.ts';
import { presharedKey, presharedKeyId, type SharedSecrets } from './key-derivation.ts';
import type { SecretIds } from './message/dh-part.ts';
import { asciiOf } from './message/frame.ts';

/** What is kept of a peer between calls, by its ZID: RFC 6189 §4.3 and §4.9. */
export interface RetainedSecrets {
  /** 32 octets each. */
  readonly rs1?: Uint8Array;
  readonly rs2?: Uint8Array;
  /** pbxsecret: one end has enrolled at the other, §7.3.1. */
  readonly pbx?: Uint8Array;
  /** auxsecret: agreed elsewhere, §4.3. */
  readonly aux?: Uint8Array;
  /** A person has compared the short authentication string. */
  readonly verified: boolean;
  /** The time that both ends had agreed on is over: the peer may have forgotten, which is no mismatch then. */
  readonly expired?: boolean;
}

type Role = 'initiator' | 'responder';

const labels: Readonly<Record<Role, Uint8Array>> = {
  initiator: asciiOf('Initiator'),
  responder: asciiOf('Responder'),
};

const idOf = (
  hash: HashType,
  secret: Uint8Array | undefined,
  over: Uint8Array,
  filler: () => Uint8Array,
): Uint8Array => (secret === undefined ? filler() : mac(hash, secret, over).slice(0, 8));

/** The IDs that an end in that role sends; random octets stand for what it does not hold, RFC 6189 §4.3.1. */
export const secretIds = (
  hash: HashType,
  held: RetainedSecrets | undefined,
  role: Role,
  senderH3: Uint8Array,
  random: (length: number) => Uint8Array,
): SecretIds => {
  const filler = (): Uint8Array => random(8);
  return {
    rs1: idOf(hash, held?.rs1, labels[role], filler),
    rs2: idOf(hash, held?.rs2, labels[role], filler),
    aux: idOf(hash, held?.aux, senderH3, filler),
    pbx: idOf(hash, held?.pbx, labels[role], filler),
  };
};

/** What both ends hold, RFC 6189 §4.3: s1 is the initiator's rs1 or else its rs2, whichever the responder has. */
export function matchSecrets(
  hash: HashType,
  held: RetainedSecrets | undefined,
  role: Role,
  peer: SecretIds,
  peerH3: Uint8Array,
): SharedSecrets {
  if (held === undefined) return {};
  const other: Role = role === 'initiator' ? 'responder' : 'initiator';
  const fits = (secret: Uint8Array | undefined, over: Uint8Array, id: Uint8Array): boolean =>
    secret !== undefined && equal(mac(hash, secret, over).subarray(0, 8), id);
  const retained = [held.rs1, held.rs2];
  // Ours in our order where we are the initiator; the peer's in the peer's order where it is.
  const s1 =
    role === 'initiator'
      ? retained.find((secret) => [peer.rs1, peer.rs2].some((id) => fits(secret, labels[other], id)))
      : [peer.rs1, peer.rs2]
          .map((id) => retained.find((secret) => fits(secret, labels[other], id)))
          .find((secret) => secret !== undefined);
  return {
    s1,
    s2: fits(held.aux, peerH3, peer.aux) ? held.aux : undefined,
    s3: fits(held.pbx, labels[other], peer.pbx) ? held.pbx : undefined,
  };
}

/** Finds what a Preshared Commit means, trying with and without each of the other secrets, RFC 6189 §4.4.2.3. */
export function findPreshared(
  hash: HashType,
  held: RetainedSecrets | undefined,
  keyId: Uint8Array,
): { readonly key: Uint8Array; readonly withPbx: boolean } | undefined {
  if (held?.rs1 === undefined) return undefined;
  for (const aux of held.aux === undefined ? [undefined] : [held.aux, undefined])
    for (const pbx of held.pbx === undefined ? [undefined] : [held.pbx, undefined]) {
      const key = presharedKey(hash, held.rs1, aux, pbx);
      if (equal(presharedKeyId(hash, key), keyId)) return { key, withPbx: pbx !== undefined };
      key.fill(0);
    }
  return undefined;
}
