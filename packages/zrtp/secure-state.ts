import type { Exchange } from './exchange.ts';
import { equal, mac } from './hash.ts';
import type { DirectionKeys } from './key-derivation.ts';
import type { Master } from './master.ts';
import type { ConfirmContent } from './message/confirm.ts';
import { decodeEncrypted, encodeEncrypted } from './message/encrypted.ts';
import { asciiOf } from './message/frame.ts';
import { decodeRelayContent, encodeRelayContent, type RelayContent } from './message/sas-relay.ts';
import { decodeGoClear, encodeAcknowledgement, encodeGoClear } from './message/short.ts';
import type { ZrtpSecuredOutput } from './options.ts';
import { nextRetained } from './outcome.ts';
import type { Peer } from './peer.ts';
import type { RetainedSecrets } from './retained-secret.ts';
import { renderSas } from './sas.ts';
import { messageSchedule } from './timers.ts';
import type { Wire } from './wire.ts';

const goClear = asciiOf('GoClear ');
const clearMac = (keys: DirectionKeys): Uint8Array =>
  mac(keys.message.hash, keys.message.mac, goClear).slice(0, 8);

/** GoClear with the MAC of our role, RFC 6189 §4.7.2. */
export const goClearMessage = (own: DirectionKeys): Uint8Array => encodeGoClear(clearMac(own));

/** Whether a GoClear is the peer's. */
export function isPeersGoClear(message: Uint8Array, peer: DirectionKeys): boolean {
  const sent = decodeGoClear(message);
  return sent !== undefined && equal(sent, clearMac(peer));
}

/** One stream from when both ends have confirmed: what people say of its SAS, what is kept of its peer, SASrelay. */
export class SecureStream {
  readonly exchange: Exchange;
  readonly confirm: ConfirmContent;
  /** A SASrelay of ours is not acknowledged yet. */
  relaying = false;
  readonly #wire: Wire;
  readonly #peer: Peer;
  readonly #pbx: Uint8Array | undefined;
  /** What is kept of the peer now; undefined: as it was before this call. */
  #kept: RetainedSecrets | undefined;
  #keeps: boolean;
  #relayed: Uint8Array | undefined;

  constructor(
    wire: Wire,
    exchange: Exchange,
    peer: Peer,
    confirm: ConfirmContent,
    output: ZrtpSecuredOutput,
    pbx: Uint8Array | undefined,
  ) {
    this.#wire = wire;
    this.exchange = exchange;
    this.#peer = peer;
    this.confirm = confirm;
    this.#kept = output.retained;
    this.#keeps = output.cacheSeconds > 0;
    this.#pbx = pbx;
  }

  confirmSas(): void {
    this.#retain({ verified: true });
  }

  denySas(): void {
    this.#wire.tell({ kind: 'forget', peerZid: this.#peer.zid });
    this.#keeps = false;
  }

  enroll(master: Master | undefined): void {
    if (this.confirm.enrollment && this.#peer.hello.mitm && master !== undefined)
      this.#retain({ pbx: master.enrollmentSecret() });
  }

  /** §4.6.1.1: after a mismatch only the comparison of the SAS lets anything be kept. */
  #retain(change: Pick<RetainedSecrets, 'pbx'> & { readonly verified?: boolean }): void {
    if (!this.#keeps || (this.#kept === undefined && change.verified !== true)) return;
    const next = this.#kept ?? nextRetained(this.exchange, false, this.#pbx);
    if (next === undefined) return;
    this.#kept = { ...next, ...change };
    this.#wire.tell({ kind: 'retain', peerZid: this.#peer.zid, retained: this.#kept });
  }

  /** What a PBX tells of the other party, RFC 6189 §7.3, sent until it is acknowledged. */
  relaySas(content: RelayContent, vector: Uint8Array, now: number): void {
    this.relaying = true;
    // §5.13: somebody who does not trust us gets the rendering alone.
    const sasHash = this.#enrolled ? content.sasHash : new Uint8Array(32);
    const plain = encodeRelayContent({ ...content, sasHash });
    const message = encodeEncrypted('SASrelay', this.exchange.own.message, vector, plain);
    this.#wire.repeat('T2', message, messageSchedule, now);
  }

  onRelayAck(): void {
    if (!this.relaying) return;
    this.relaying = false;
    this.#wire.stop('T2');
    this.#wire.tell({ kind: 'sas-relay-done', delivered: true });
  }

  onRepeatsOver(): void {
    if (!this.relaying) return;
    this.relaying = false;
    this.#wire.tell({ kind: 'sas-relay-done', delivered: false });
  }

  /**
   * Takes a SASrelay: it is acknowledged if it authenticates, and its SAS is told only where its sender is a PBX that was
   * enrolled with, RFC 6189 §5.13 and §7.3. A repetition is acknowledged and not told again.
   */
  onSasRelay(message: Uint8Array): void {
    const opened = decodeEncrypted(message, this.exchange.theirs.message);
    const content = opened.ok ? decodeRelayContent(opened.value) : undefined;
    if (content === undefined)
      return this.#wire.suspect(!opened.ok && opened.error === 'mac' ? 'relay-mac' : 'malformed');
    this.#wire.reply('RelayACK', encodeAcknowledgement('RelayACK'));
    if (this.#relayed !== undefined && equal(this.#relayed, message)) return;
    this.#relayed = message;
    const trusted = this.#peer.hello.mitm && this.#enrolled;
    const sas = trusted ? renderSas(content.sasHash, content.sasType) : undefined;
    const { sasType, verified, disclosure } = content;
    this.#wire.tell({ kind: 'sas-relayed', sasType, ...(sas && { sas }), verified, disclosure });
  }

  /** Both hold the secret of an enrolment, and it has gone into the keys. */
  get #enrolled(): boolean {
    return this.exchange.shared.s3 !== undefined;
  }
}
