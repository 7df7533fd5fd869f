import { Secret } from '@ringfence/bytes/secret.ts';
import type { ZrtpRetained } from '@ringfence/relay/handshake.ts';
import type { ZrtpPeer } from '../store/zrtp-rows.ts';

interface Known {
  readonly zid: Uint8Array;
  readonly rs1: Secret;
  readonly rs2: Secret;
  /** Of an enrolment; empty where there is none. */
  readonly pbx: Secret;
  readonly verified: boolean;
}

/** Parties that are remembered, some 300 octets each; beyond it whoever has called longest ago is forgotten. */
export const mostZrtpPeers = 100_000;

const nothing = new Uint8Array(0);
const wipe = ({ rs1, rs2, pbx }: Known): void => {
  for (const secret of [rs1, rs2, pbx]) secret.wipe();
};
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/**
 * ZIDs and retained secrets of devices and trunks (RFC 6189 §4.9), in memory and in the store. A party's name holds
 * its domain, so what one tenant's phone has shown says nothing of another's.
 */
export class ZrtpPeers {
  readonly #known = new Map<string, Known>();
  readonly #put: (peer: ZrtpPeer) => void;

  constructor(peers: readonly ZrtpPeer[], put: (peer: ZrtpPeer) => void) {
    this.#put = put;
    for (const { party, zid, rs1, rs2, pbx = nothing, verified } of peers)
      this.#known.set(party, {
        zid,
        rs1: new Secret(rs1),
        rs2: new Secret(rs2),
        pbx: new Secret(pbx),
        verified,
      });
  }

  /** A copy for the media process; undefined where there is no secret. The receiver wipes it. */
  retained(party: string): ZrtpRetained | undefined {
    const known = this.#known.get(party);
    if (known === undefined || known.rs1.reveal().length === 0) return undefined;
    const rs2 = known.rs2.reveal();
    const pbx = known.pbx.reveal();
    return {
      zid: known.zid.slice(),
      rs1: known.rs1.reveal().slice(),
      ...(rs2.length === 0 ? {} : { rs2: rs2.slice() }),
      ...(pbx.length === 0 ? {} : { pbx: pbx.slice() }),
      verified: known.verified,
    };
  }

  /**
   * Keeps what a call has shown, and gives the ZID that this party had before where it is another one now. Without
   * secrets in it, those that are known of the same ZID stay. `shown` is the caller's to wipe.
   */
  keep(party: string, shown: ZrtpRetained): Uint8Array | undefined {
    const before = this.#known.get(party);
    const moved = before !== undefined && !same(before.zid, shown.zid);
    if (before !== undefined && !moved) {
      const unchanged =
        shown.rs1.length === 0 ||
        (same(before.rs1.reveal(), shown.rs1) &&
          same(before.pbx.reveal(), shown.pbx ?? nothing) &&
          before.verified === shown.verified);
      if (unchanged) return undefined;
    }
    if (before !== undefined) wipe(before);
    const { zid, rs1, rs2 = nothing, pbx = nothing, verified } = shown;
    const known = {
      zid: zid.slice(),
      rs1: new Secret(rs1.slice()),
      rs2: new Secret(rs2.slice()),
      pbx: new Secret(pbx.slice()),
      verified,
    };
    // Whoever has called last stands last.
    this.#known.delete(party);
    this.#known.set(party, known);
    if (this.#known.size > mostZrtpPeers) this.#forgetOldest();
    const copies = { rs1: rs1.slice(), rs2: rs2.slice(), pbx: pbx.slice() };
    this.#put({ party, zid: known.zid.slice(), ...copies, verified });
    return moved ? before.zid : undefined;
  }

  /** The secrets of a party are worth nothing any more: its ZID alone stays known. */
  forget(party: string): void {
    const known = this.#known.get(party);
    if (known === undefined || known.rs1.reveal().length === 0) return;
    wipe(known);
    this.#known.set(party, {
      zid: known.zid,
      rs1: new Secret(nothing),
      rs2: new Secret(nothing),
      pbx: new Secret(nothing),
      verified: false,
    });
    this.#put({ party, zid: known.zid.slice(), rs1: nothing, rs2: nothing, verified: false });
  }

  #forgetOldest(): void {
    const [oldest] = this.#known;
    if (oldest === undefined) return;
    const [party, known] = oldest;
    wipe(known);
    this.#known.delete(party);
  }
}
