import { meaningOf } from '@ringfence/zrtp/error-code.ts';
import type { SrtpKeys, ZrtpOutput, ZrtpSecuredOutput } from '@ringfence/zrtp/options.ts';
import type { RetainedSecrets } from '@ringfence/zrtp/retained-secret.ts';
import { ZrtpSession } from '@ringfence/zrtp/session.ts';
import { zrtpVersion } from '@ringfence/zrtp/zrtp-hash.ts';
import type { Secured, Unsecured, ZrtpConfig, ZrtpRetained } from './handshake.ts';
import type { Arrived, Door, Participating, RelayableSas, ZrtpParticipant } from './uplink.ts';
import { PassingWatch } from './zrtp-passing.ts';

/** What the media process has and a session has not. */
export interface ZrtpSurroundings {
  /** ms of a clock that never goes back. */
  readonly now: () => number;
  readonly random: (octets: number) => Uint8Array;
  /** One for all calls of this edge, RFC 6189 §10. */
  readonly zid: Uint8Array;
}

/** How long a Hello that signalling did not name may be followed by the right one. */
const strangerMs = 1500;

const equal = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;

/**
 * ZRTP of one endpoint: with `end` the session of `@ringfence/zrtp` between the uplink and the keys of its media, with
 * `pass` a look at what its peer sends to the far end.
 *
 * The Hello is made with the endpoint and stays, so that what signalling has said of it stays true.
 */
class ZrtpStream implements ZrtpParticipant {
  readonly #id: number;
  readonly #door: Door;
  readonly #surroundings: ZrtpSurroundings;
  readonly #nonce: Uint8Array;
  readonly #ssrc: number;
  #hello: Uint8Array | undefined;
  #config: ZrtpConfig | undefined;
  #retained: ZrtpRetained | undefined;
  #lent: ZrtpRetained | undefined;
  #session: ZrtpSession | undefined;
  #watch: PassingWatch | undefined;
  #secured: ZrtpSecuredOutput | undefined;
  /** What is kept of the peer as of now, once there are keys. */
  #kept: { readonly next: RetainedSecrets | undefined; readonly verified: boolean } | undefined;
  /** The string that is on its way to the peer, and the one that it has acknowledged. */
  #relaying: string | undefined;
  #relayed: string | undefined;
  #keyed = false;
  #stranger: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(endpoint: Participating, door: Door, surroundings: ZrtpSurroundings) {
    this.#id = endpoint.id;
    this.#door = door;
    this.#surroundings = surroundings;
    this.#nonce = Uint8Array.from(surroundings.random(32));
    this.#ssrc = Buffer.from(surroundings.random(4)).readUInt32BE(0);
  }

  get hello(): { readonly version: string; readonly helloHash: Uint8Array } {
    this.#hello ??= this.#helloHash();
    return { version: zrtpVersion, helloHash: this.#hello };
  }

  #helloHash(): Uint8Array {
    const session = this.#make();
    session.close();
    return session.helloHash;
  }

  configure(config: ZrtpConfig): void {
    const former = this.#config;
    // What came up is overwritten behind us.
    const helloHash = config.helloHash?.slice();
    this.#config = {
      mode: config.mode,
      demanded: config.demanded,
      ...(helloHash && { helloHash }),
      ...(config.enrol && { enrol: config.enrol }),
    };
    if (config.retained) this.#keepRetained(config.retained);
    const samePeer = former?.mode === config.mode && equal(former.helloHash, helloHash);
    if (config.mode === 'pass') {
      this.#endSession();
      if (!samePeer || this.#watch === undefined) this.#watch = new PassingWatch(helloHash);
      return;
    }
    this.#watch = undefined;
    const { state, nextAt } = this.#session ?? { state: 'closed', nextAt: 0 };
    const over = state === 'closed' || state === 'failed';
    const unheard = state === 'discovery' && nextAt === Number.POSITIVE_INFINITY;
    if (samePeer && !over && !unheard) return;
    this.#endSession();
    this.#session = this.#make();
    this.#session.start(this.#surroundings.now());
    this.#settle();
  }

  receive({ bytes, passing }: Arrived): void {
    if (passing) {
      const observed = this.#watch?.receive(bytes);
      if (observed === undefined) return;
      this.#door.tell({ kind: 'zrtp-passed', endpoint: this.#id, ...observed });
      if (observed.confirmed && observed.helloMatches !== false) this.#door.passMedia(this.#id);
      return;
    }
    this.#session?.receive(bytes, this.#surroundings.now());
    this.#settle();
  }

  confirmSas(): void {
    this.#session?.confirmSas();
    this.#settle();
  }

  get relayable(): RelayableSas | undefined {
    const { sas, sasHash, choice } = this.#secured ?? {};
    if (sas === undefined || sasHash === undefined || choice === undefined) return undefined;
    return { sas, sasType: choice.sas, sasHash };
  }

  /** §7.3: to whoever has enrolled alone; nobody else would show it, and who has not asked for it is not troubled. */
  relaySas({ sas, sasType, sasHash }: RelayableSas): void {
    const session = this.#session;
    if (this.#secured?.enrolled !== true || session?.state !== 'secure') return;
    if ((this.#relaying ?? this.#relayed) === sas) return;
    this.#relaying = sas;
    // Whether those behind us have compared anything is not ours to vouch for: V stays unset.
    const content = { sasType, sasHash, verified: false, allowClear: false, disclosure: false };
    session.relaySas(content, this.#surroundings.now());
    this.#settle();
  }

  close(): void {
    this.#closed = true;
    this.#endSession();
    this.#nonce.fill(0);
    if (this.#retained) wipeRetained(this.#retained);
  }

  #make(): ZrtpSession {
    const { zid, random } = this.#surroundings;
    const helloHash = this.#config?.helloHash;
    return new ZrtpSession({
      zid,
      ssrc: this.#ssrc,
      random,
      chainNonce: this.#nonce,
      mitm: true,
      retained: (peerZid) => this.#retainedOf(peerZid),
      ...(helloHash && { helloHash }),
      ...(this.#config?.enrol && { offerEnrollment: true }),
    });
  }

  #retainedOf(peerZid: Uint8Array): RetainedSecrets | undefined {
    if (this.#retained === undefined || !equal(this.#retained.zid, peerZid)) return undefined;
    // The session has its own: another configuration may come while it agrees on keys.
    this.#lent = copyOf(this.#retained);
    const { rs1, rs2, pbx, verified } = this.#lent;
    return { rs1, ...(rs2 && { rs2 }), ...(pbx && { pbx }), verified };
  }

  #keepRetained(retained: ZrtpRetained): void {
    if (this.#retained) wipeRetained(this.#retained);
    this.#retained = retained.rs1.length === 0 ? undefined : copyOf(retained);
  }

  #endSession(): void {
    clearTimeout(this.#timer);
    this.#session?.close();
    this.#session = undefined;
    if (this.#lent) wipeRetained(this.#lent);
    this.#lent = undefined;
    this.#secured = undefined;
    this.#kept = undefined;
    this.#relaying = undefined;
    this.#relayed = undefined;
    this.#stranger = undefined;
    this.#keyed = false;
  }

  /** Does what the session wants done, and sets the timer for when it wants to be called again. */
  #settle(): void {
    const session = this.#session;
    if (session === undefined) return;
    for (const output of session.take()) this.#do(output);
    clearTimeout(this.#timer);
    const at = Math.min(session.nextAt, this.#stranger ?? Number.POSITIVE_INFINITY);
    if (this.#closed || at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(this.#tick, Math.max(1, at - this.#surroundings.now()));
  }

  readonly #tick = (): void => {
    const now = this.#surroundings.now();
    if (this.#stranger !== undefined && now >= this.#stranger) {
      this.#stranger = undefined;
      this.#unsecured('hello-hash', 'the Hello is not the one that signalling named');
    }
    this.#session?.tick(now);
    this.#settle();
  };

  #do(output: ZrtpOutput): void {
    if (output.kind === 'send') this.#door.send(this.#id, 1, undefined, output.bytes);
    else if (output.kind === 'discovered') this.#stranger = undefined;
    else if (output.kind === 'receivable') this.#install(output.keys);
    else if (output.kind === 'secured') this.#onSecured(output);
    else if (output.kind === 'retain') this.#onRetain(output.retained);
    else if (output.kind === 'sas-relay-done') this.#onRelayDone(output.delivered);
    else if (output.kind === 'no-peer') this.#unsecured('timeout', 'nobody there speaks ZRTP');
    else if (output.kind === 'failed') {
      const by = output.byPeer ? 'the peer says: ' : '';
      this.#unsecured(output.reason, `${by}${meaningOf(output.code)}`);
    } else if (output.kind === 'suspicious' && output.what === 'hello-hash')
      this.#stranger ??= this.#surroundings.now() + strangerMs;
  }

  #install({ suite, send, receive }: SrtpKeys): void {
    if (!this.#keyed) this.#door.secure(this.#id, suite, send, receive);
    this.#keyed = true;
    send.fill(0);
    receive.fill(0);
  }

  #onSecured(output: ZrtpSecuredOutput): void {
    this.#install(output.keys);
    this.#secured = output;
    this.#tellSecured(output, output.retained, output.verified);
  }

  #onRetain(retained: RetainedSecrets): void {
    if (this.#secured) this.#tellSecured(this.#secured, retained, retained.verified);
  }

  /** What was acknowledged is what it shows from now on; a peer that does not answer shows what it did before. */
  #onRelayDone(delivered: boolean): void {
    if (delivered) this.#relayed = this.#relaying;
    this.#relaying = undefined;
    if (delivered && this.#secured && this.#kept)
      this.#tellSecured(this.#secured, this.#kept.next, this.#kept.verified);
  }

  #tellSecured(output: ZrtpSecuredOutput, next: RetainedSecrets | undefined, verified: boolean): void {
    const { choice, continuity, peerZid } = output;
    this.#kept = { next, verified };
    const event: Secured = {
      kind: 'secured',
      endpoint: this.#id,
      by: 'zrtp',
      version: `ZRTP ${output.version}`,
      suite: output.keys.suite,
      group: output.group,
      cipher: `${choice.hash} ${choice.cipher} ${choice.authTag.trim()}`,
      zrtp: {
        peerZid: peerZid.slice(),
        sas: output.sas ?? '',
        sasType: choice.sas,
        continuity,
        verified,
        ...(output.enrolled && { enrolled: true }),
        ...(this.#relayed !== undefined && { relayed: this.#relayed }),
        retained: this.#toKeep(peerZid, next, continuity),
      },
    };
    this.#door.tell(event);
  }

  /** After a mismatch what was kept stays as it was, RFC 6189 §4.6.1.1; the receiver of an event wipes its copy. */
  #toKeep(
    zid: Uint8Array,
    next: RetainedSecrets | undefined,
    continuity: ZrtpSecuredOutput['continuity'],
  ): ZrtpRetained {
    if (next?.rs1) {
      const { rs1, rs2, pbx, verified } = next;
      return copyOf({ zid, rs1, ...(rs2 && { rs2 }), ...(pbx && { pbx }), verified });
    }
    if (continuity === 'mismatch' && this.#retained) return copyOf(this.#retained);
    return { zid: zid.slice(), rs1: new Uint8Array(0), verified: false };
  }

  #unsecured(reason: Unsecured['reason'], detail: string): void {
    this.#door.tell({ kind: 'unsecured', endpoint: this.#id, by: 'zrtp', reason, detail });
  }
}

const copyOf = ({ zid, rs1, rs2, pbx, verified }: ZrtpRetained): ZrtpRetained => ({
  zid: zid.slice(),
  rs1: rs1.slice(),
  ...(rs2 && { rs2: rs2.slice() }),
  ...(pbx && { pbx: pbx.slice() }),
  verified,
});

function wipeRetained({ rs1, rs2, pbx }: ZrtpRetained): void {
  rs1.fill(0);
  rs2?.fill(0);
  pbx?.fill(0);
}

export const zrtpParticipants =
  (surroundings: ZrtpSurroundings) =>
  (endpoint: Participating, door: Door): ZrtpParticipant =>
    new ZrtpStream(endpoint, door, surroundings);
