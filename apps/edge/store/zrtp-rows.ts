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
  /** A person has compared the short authentication string. */
  readonly verified: boolean;
}

const secretLength = 32;

/** Sealed for its row alone: a secret that was moved to another party or another ZID opens there no more. */
const placeOf = (party: string, zid: Uint8Array): SecretPlace => ({
  kind: 'zrtp',
  domain: '',
  name: party,
  algorithm: Buffer.from(zid).toString('hex'),
});

/** One row a party; the one before is replaced. */
export function putZrtpPeer(database: DatabaseSync, sealer: Sealer, peer: ZrtpPeer): void {
  const { party, zid, rs1, rs2, verified } = peer;
  const plaintext = Buffer.concat([Uint8Array.of(verified ? 1 : 0), rs1, rs2]);
  try {
    const sealed = sealer.seal(placeOf(party, zid), plaintext);
    database.prepare('INSERT OR REPLACE INTO zrtp_peers VALUES (?,?,?)').run(party, zid, sealed);
  } finally {
    plaintext.fill(0);
    rs1.fill(0);
    rs2.fill(0);
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
      const length = bytes.length === 1 + 2 * secretLength ? secretLength : 0;
      peers.push({
        party,
        zid: Uint8Array.from(zid),
        rs1: Uint8Array.from(bytes.subarray(1, bytes.length - length)),
        rs2: Uint8Array.from(bytes.subarray(bytes.length - length)),
        verified: bytes[0] === 1,
      });
      bytes.fill(0);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
  return peers;
}
