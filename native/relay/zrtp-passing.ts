import { decodeCommit } from '@ringfence/zrtp/message/commit.ts';
import { decodeDhPart } from '@ringfence/zrtp/message/dh-part.ts';
import { messageTypeOf } from '@ringfence/zrtp/message/frame.ts';
import { decodeHello } from '@ringfence/zrtp/message/hello.ts';
import { decodePacket } from '@ringfence/zrtp/packet.ts';
import { Peer } from '@ringfence/zrtp/peer.ts';

/** What has become clear of one end of a ZRTP that passes. */
export interface Observed {
  readonly zid: Uint8Array;
  /** The Hello is that of its `a=zrtp-hash`; undefined where signalling named none. */
  readonly helloMatches: boolean | undefined;
  /** Both ends have confirmed. */
  readonly confirmed: boolean;
}

/**
 * Watches what one end sends while ZRTP goes from end to end.
 *
 * Nothing that does not belong to the hash chain of its Hello counts (RFC 6189 §9), and nothing else than the Hello of
 * signalling where that named one.
 */
export class PassingWatch {
  readonly #helloHash: Uint8Array | undefined;
  #peer: Peer | undefined;
  #matches: boolean | undefined;
  #confirmed = false;

  constructor(helloHash: Uint8Array | undefined) {
    this.#helloHash = helloHash;
  }

  /** What is new with this datagram; undefined: nothing. */
  receive(datagram: Uint8Array): Observed | undefined {
    const packet = decodePacket(datagram);
    if (!packet.ok) return undefined;
    const { message } = packet.value;
    const type = messageTypeOf(message);
    if (type === 'Hello   ') return this.#onHello(message);
    const peer = this.#peer;
    if (peer === undefined || this.#confirmed) return undefined;
    if (type === 'Commit  ') this.#onPreimage(peer, 2, decodeCommit(message)?.h2, message);
    if (type === 'DHPart1 ') this.#onPreimage(peer, 1, decodeDhPart('DHPart1 ', message)?.h1, message);
    if (type === 'DHPart2 ') this.#onPreimage(peer, 1, decodeDhPart('DHPart2 ', message)?.h1, message);
    // Confirm2 answers the other end's Confirm1, Conf2ACK its Confirm2: whoever sends one of them has seen both sides.
    if (type !== 'Confirm2' && type !== 'Conf2ACK') return undefined;
    this.#confirmed = true;
    return this.#observed(peer);
  }

  #onHello(message: Uint8Array): Observed | undefined {
    const hello = decodeHello(message);
    if (hello === undefined) return undefined;
    const matches = this.#helloHash && Peer.fits(message, this.#helloHash);
    // The first one counts; one that signalling has named counts before any other.
    if (this.#peer !== undefined && (matches !== true || this.#matches === true)) return undefined;
    this.#peer = new Peer(hello, message);
    this.#matches = matches;
    return this.#observed(this.#peer);
  }

  /** A message whose MAC does not fit was changed on its way: the Hello is as good as another one. */
  #onPreimage(peer: Peer, level: 1 | 2, preimage: Uint8Array | undefined, message: Uint8Array): void {
    if (preimage === undefined || !peer.belongs(level, preimage)) return;
    if (peer.show(level, preimage) !== 'ok') this.#matches = false;
    else if (level === 2) peer.await('commit', message);
  }

  #observed(peer: Peer): Observed {
    return { zid: peer.zid.slice(), helloMatches: this.#matches, confirmed: this.#confirmed };
  }
}
