import type { DatabaseSync } from 'node:sqlite';
import type { Sealer, SecretPlace } from './seal.ts';
import { StoreError } from './store-error.ts';

/** What is kept of the ZRTP of a device or trunk (RFC 6189 §4.9). */
export interface ZrtpPeer {
  /** `device:alice@example.test/desk` */
  readonly party: string;
  /** 12 octets. */
  readonly zid: Uint8Array;
  /** Retained secrets, 32 octets each; empty where there are none. */
  readonly rs1: Uint8Array;
  readonly rs2: Uint8Array;
  /** Of an enrolment with the edge as trusted PBX (§7.3.1), 32 octets; absent or empty where there is none. */
  readonly pbx?: Uint8Array;
  /** A person has compared the short authentication string. */
  readonly verified: boolean;
}

const secretLength = 32;
/** Bits of the first octet of a row; secrets follow: rs1, rs2, pbx. */
const flags = { verified: 1, pbx: 2 } as const;

/** Sealed for its row alone: a secret that was moved to another party or another ZID opens there no more. */
const placeOf = (party: string, zid: Uint8Array): SecretPlace => ({
  kind: 'zrtp',
  domain: '',
  name: party,
  algorithm: Buffer.from(zid).toString('hex'),
});

/** One row a party; the one before is replaced. */
export function putZrtpPeer(database: DatabaseSync, sealer: Sealer, peer: ZrtpPeer): void {
  const { party, zid, rs1, rs2, pbx = new Uint8Array(0), verified } = peer;
  const bits = (verified ? flags.verified : 0) | (pbx.length === 0 ? 0 : flags.pbx);
  const plaintext = Buffer.concat([Uint8Array.of(bits), rs1, rs2, pbx]);
  try {
    const sealed = sealer.seal(placeOf(party, zid), plaintext);
    database.prepare('INSERT OR REPLACE INTO zrtp_peers VALUES (?,?,?)').run(party, zid, sealed);
  } finally {
    plaintext.fill(0);
    rs1.fill(0);
    rs2.fill(0);
    pbx.fill(0);
  }
}

/** All of them; a row that does not open is left out, as if its peer had never called. */
export function listZrtpPeers(database: DatabaseSync, sealer: Sealer): ZrtpPeer[] {
  const peers: ZrtpPeer[] = [];
  for (const row of database.prepare('SELECT party, zid, sealed FROM zrtp_peers').all()) {
    const party = String(row.party);
    const zid = row.zid as Uint8Array;
    try {
      const bytes = sealer.open(placeOf(party, zid), row.sealed as Uint8Array);
      const bits = bytes[0] ?? 0;
      const end = bytes.length - ((bits & flags.pbx) === 0 ? 0 : secretLength);
      const length = end === 1 + 2 * secretLength ? secretLength : 0;
      peers.push({
        party,
        zid: Uint8Array.from(zid),
        rs1: Uint8Array.from(bytes.subarray(1, end - length)),
        rs2: Uint8Array.from(bytes.subarray(end - length, end)),
        ...(end === bytes.length ? {} : { pbx: Uint8Array.from(bytes.subarray(end)) }),
        verified: (bits & flags.verified) !== 0,
      });
      bytes.fill(0);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
  return peers;
}
