import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { type Algorithms, type Choice, defaultAlgorithms } from './algorithm.ts';
import { type ErrorCode, errorCode } from './error-code.ts';
import { Exchange, isDhMode, type Own } from './exchange.ts';
import { equal, plain } from './hash.ts';
import { HashChain, seal } from './hash-chain.ts';
import { makeKeyPair } from './key-agreement.ts';
import { presharedKey } from './key-derivation.ts';
import type { Master } from './master.ts';
import { type CommitMessage, decodeCommit } from './message/commit.ts';
import { type ConfirmContent, decodeConfirmContent, encodeConfirmContent } from './message/confirm.ts';
import { decodeDhPart, publicValueLength } from './message/dh-part.ts';
import { decodeEncrypted, encodeEncrypted } from './message/encrypted.ts';
import { messageTypeOf } from './message/frame.ts';
import { clientName, decodeHello, encodeHello } from './message/hello.ts';
import type { RelayContent } from './message/sas-relay.ts';
import {
  decodeError,
  decodePing,
  encodeAcknowledgement,
  encodeError,
  encodePingAck,
} from './message/short.ts';
import { checkCommit, choose, chooseKeyAgreement } from './negotiate.ts';
import { type FailureReason, reasonOf, type ZrtpOptions, type ZrtpOutput } from './options.ts';
import { securedOutput, srtpKeys, wasVerified } from './outcome.ts';
import { decodePacket, type Packet } from './packet.ts';
import { Peer } from './peer.ts';
import { findPreshared, type RetainedSecrets } from './retained-secret.ts';
import { goClearMessage, isPeersGoClear, SecureStream } from './secure-state.ts';
import { grace, helloSchedule, messageSchedule, patientHelloSchedule, silence } from './timers.ts';
import { Wire } from './wire.ts';
import { helloHashOf, zrtpVersion } from './zrtp-hash.ts';

/** RFC 6189 §3, figure 1, as each end goes through it. */
export type ZrtpState =
  | 'idle'
  /** Hellos go out until they are acknowledged; commits once both have been heard. */
  | 'discovery'
  /** Initiator: Commit sent, then DHPart2, then Confirm2. */
  | 'committed'
  | 'dh-part2-sent'
  | 'confirm2-sent'
  /** Responder: DHPart1 sent, then Confirm1. */
  | 'dh-part1-sent'
  | 'confirm1-sent'
  | 'secure'
  /** GoClear sent, not acknowledged yet. */
  | 'clearing'
  /** Gone clear by GoClear; Multistream may make it secure again. */
  | 'clear'
  | 'failed'
  | 'closed';

const forever = 0xffff_ffff;

/**
 * One end of one stream's key agreement, RFC 6189.
 *
 * Feed it (`start`, `receive`, `tick`), then `take` what came of it; `nextAt` is when `tick` wants to be called. What does
 * not belong to the peer's hash chain, or does not authenticate, is dropped without effect.
 * @throws MisuseError `zrtp-option` for a ZID that is not 12 octets or lists that fit no Hello.
 */
export class ZrtpSession {
  /** The Hello that is sent, for `a=zrtp-hash`. */
  readonly hello: Uint8Array;
  readonly helloHash: Uint8Array;
  readonly #options: ZrtpOptions;
  readonly #algorithms: Algorithms;
  readonly #wire: Wire;
  readonly #own: Own;
  #state: ZrtpState = 'idle';
  #peer: Peer | undefined;
  #held: RetainedSecrets | undefined;
  #exchange: Exchange | undefined;
  /** Of this stream, or handed in: what more streams and going secure again take their keys from. */
  #master: Master | undefined;
  #helloAcknowledged = false;
  /** What the peer has sent last in an exchange, and what we have answered: a repetition gets the same answer. */
  #answered: { readonly to: Uint8Array; readonly with: Uint8Array } | undefined;
  #commitment: CommitMessage | undefined;
  #confirm: ConfirmContent | undefined;
  #peersError: number | undefined;
  #badConfirm = false;
  #badHelloHash = false;
  #secure: SecureStream | undefined;

  constructor(options: ZrtpOptions) {
    this.#options = options;
    this.#algorithms = { ...defaultAlgorithms, ...options.algorithms };
    if (options.zid.length !== 12) throw new MisuseError('zrtp-option', 'a ZID has 12 octets');
    if (Object.values(this.#algorithms).some((list) => list.length > 7))
      throw new MisuseError('zrtp-option', 'a Hello names at most seven algorithms of a kind');
    const clientId = options.clientId ?? 'Ringfence';
    if (clientId.length > 16) throw new MisuseError('zrtp-option', 'a client identifier has 16 characters');
    const chain = new HashChain(Uint8Array.from(options.chainNonce ?? options.random(32)));
    const { zid } = options;
    const random = (length: number): Uint8Array => plain(options.random(length));
    this.hello = encodeHello({
      ...this.#algorithms,
      version: zrtpVersion,
      clientId,
      h3: chain.h3,
      zid,
      signatures: false,
      mitm: options.mitm ?? false,
      passive: options.passive ?? false,
    });
    seal(this.hello, chain.h2);
    this.helloHash = helloHashOf(this.hello);
    this.#own = { zid, chain, hello: this.hello, random };
    this.#master = options.multistream;
    const sequence = random(2);
    this.#wire = new Wire(options.ssrc, sequence[0]! * 256 + sequence[1]!);
  }

  get state(): ZrtpState {
    return this.#state;
  }

  /** For further streams of the same call, once this one is secure. */
  get master(): Master | undefined {
    return this.#master;
  }

  /** When `tick` is to be called; Infinity where nothing waits. */
  get nextAt(): number {
    return this.#wire.nextAt;
  }

  /** What has come up since the last call, in its order. */
  take(): readonly ZrtpOutput[] {
    return this.#wire.take();
  }

  /** Begins to send Hellos. */
  start(now: number): void {
    if (this.#state !== 'idle') return;
    this.#state = 'discovery';
    this.#sendHello(now);
  }

  #sendHello(now: number): void {
    const known = this.#peer !== undefined || this.#options.helloHash !== undefined;
    this.#wire.repeat('T1', this.hello, known ? patientHelloSchedule : helloSchedule, now);
  }

  /** Runs what is due. */
  tick(now: number): void {
    for (let timer = this.#wire.due(now); timer !== undefined; timer = this.#wire.due(now)) {
      if (timer === 'T1' && !this.#wire.again('T1', now)) this.#hellosOver(now);
      if (timer === 'T2' && !this.#wire.again('T2', now)) this.#repeatsOver(now);
      if (timer === 'silence') this.#onSilence(now);
      if (timer === 'grace') this.#giveWay(now);
    }
  }

  #hellosOver(now: number): void {
    if (this.#peer !== undefined) this.#wire.start('silence', now + silence);
    else if (this.#badHelloHash) this.#fail(errorCode.helloMismatch, now);
    else this.#wire.tell({ kind: 'no-peer' });
  }

  #repeatsOver(now: number): void {
    if (this.#state === 'clearing') this.#becomeClear();
    else if (this.#state !== 'secure') {
      if (this.#state !== 'failed' && this.#state !== 'clear') this.#failInTime(now);
    } else this.#secure?.onRepeatsOver();
  }

  #onSilence(now: number): void {
    if (this.#peersError !== undefined) this.#giveWay(now);
    else if (this.#peer === undefined) this.#hellosOver(now);
    else this.#failInTime(now);
  }

  /** The peer's Error was its last word; what we have seen ourselves says more than that. */
  #giveWay(now: number): void {
    if (this.#badConfirm) this.#failInTime(now);
    else this.#end(this.#peersError ?? errorCode.timeout, true);
  }

  #failInTime(now: number): void {
    this.#fail(this.#badConfirm ? errorCode.badConfirm : errorCode.timeout, now);
  }

  /** Takes a datagram of the peer; what is not ZRTP, or is damaged, is dropped without a word (§5). */
  receive(datagram: Uint8Array, now: number): void {
    if (this.#state === 'idle' || this.#state === 'closed') return;
    const decoded = decodePacket(datagram);
    if (!decoded.ok) return;
    const packet = decoded.value;
    const type = messageTypeOf(packet.message);
    if (type === 'Hello   ') return this.#onHello(packet, now);
    if (packet.ssrc === this.#options.ssrc) return this.#wire.suspect('reflected');
    if (type === 'Ping    ') return this.#onPing(packet);
    if (type === 'Error   ') return this.#onError(packet.message, now);
    if (type === 'ErrorACK') return this.#onErrorAck();
    const peer = this.#peer;
    if (peer === undefined || this.#state === 'failed') {
      if (type === 'HelloACK') this.#onHelloAck(now);
      return;
    }
    this.#handle(type, packet.message, peer, now);
  }

  #handle(type: string, message: Uint8Array, peer: Peer, now: number): void {
    if (this.#answered !== undefined && equal(this.#answered.to, message)) {
      if (this.#wire.runs('silence')) this.#wire.start('silence', now + silence);
      return this.#wire.reply(type, this.#answered.with);
    }
    if (type === 'HelloACK') this.#onHelloAck(now);
    else if (type === 'Commit  ') this.#onCommit(message, peer, now);
    else if (type === 'DHPart1 ') this.#onDhPart1(message, peer, now);
    else if (type === 'DHPart2 ') this.#onDhPart2(message, peer, now);
    else if (type === 'Confirm1') this.#onConfirm1(message, peer, now);
    else if (type === 'Confirm2') this.#onConfirm2(message, peer, now);
    else if (type === 'Conf2ACK') this.#onConf2Ack();
    else if (type === 'ClearACK') this.#onClearAck();
    else this.#handleSecure(type, message, now);
  }

  /** What only means something once both ends have confirmed. */
  #handleSecure(type: string, message: Uint8Array, now: number): void {
    const known = type === 'GoClear ' || type === 'SASrelay' || type === 'RelayACK';
    if (!known) return this.#wire.suspect('malformed');
    const secure = this.#secure;
    if (this.#state !== 'secure' || secure === undefined) return;
    if (type === 'GoClear ') this.#onGoClear(message, secure, now);
    else if (type === 'SASrelay') secure.onSasRelay(message);
    else secure.onRelayAck();
  }

  /** §4.1: what a Hello may do without being authenticated is to be the first one. */
  #onHello({ message, ssrc }: Packet, now: number): void {
    const hello = decodeHello(message);
    if (hello === undefined) return this.#wire.suspect('malformed');
    if (equal(hello.h3, this.#own.chain.h3)) return this.#wire.suspect('reflected');
    if (this.#options.helloHash !== undefined && !Peer.fits(message, this.#options.helloHash)) {
      this.#badHelloHash = true;
      return this.#wire.suspect('hello-hash');
    }
    if (this.#peer !== undefined) {
      if (!equal(this.#peer.helloBytes, message)) return this.#wire.suspect('other-hello');
      if (this.#state !== 'failed') this.#wire.reply('HelloACK', encodeAcknowledgement('HelloACK'));
      return;
    }
    if (this.#state !== 'discovery') return;
    this.#wire.reply('HelloACK', encodeAcknowledgement('HelloACK'));
    // §4.1.1: three characters count; higher versions are for the peer to come down from.
    const version = hello.version.slice(0, 3);
    if (version > zrtpVersion.slice(0, 3)) return;
    if (version < zrtpVersion.slice(0, 3)) return this.#fail(errorCode.version, now);
    if (equal(hello.zid, this.#own.zid)) return this.#fail(errorCode.equalZids, now);
    if (ssrc === this.#options.ssrc) return this.#fail(errorCode.ssrcCollision, now);
    this.#meet(new Peer(hello, message), now);
  }

  #meet(peer: Peer, now: number): void {
    this.#peer = peer;
    const { zid, mitm } = peer.hello;
    this.#wire.tell({ kind: 'discovered', zid, clientId: clientName(peer.hello), mitm });
    // §4.4.3: all streams of a call are of one pair of ZIDs.
    const first = this.#options.multistream?.peerZid;
    if (first !== undefined && !equal(first, zid)) return this.#fail(errorCode.helloMismatch, now);
    this.#wire.stop('silence');
    this.#held = this.#options.retained?.(zid);
    if (this.#helloAcknowledged) return this.#commitIfActive(now);
    if (this.#wire.runs('T1')) this.#wire.prolong('T1', patientHelloSchedule);
    else this.#sendHello(now);
  }

  #onHelloAck(now: number): void {
    if (this.#state !== 'discovery' || this.#helloAcknowledged) return;
    this.#helloAcknowledged = true;
    this.#wire.stop('T1');
    if (this.#peer !== undefined) this.#commitIfActive(now);
    else this.#wire.start('silence', now + silence);
  }

  /** §5.4: a Commit goes out once both Hellos have arrived. */
  #commitIfActive(now: number): void {
    const preshared =
      this.#options.preshared === true &&
      this.#held?.rs1 !== undefined &&
      this.#held.verified &&
      this.#held.expired !== true &&
      this.#peer!.hello.keyAgreements.includes('Prsh');
    if (this.#options.passive === true) this.#wire.start('silence', now + silence);
    else if (this.#options.multistream !== undefined) this.#commitMultistream(this.#options.multistream, now);
    else if (preshared) this.#commitPreshared(now);
    else this.#commitDh(now);
  }

  #commitDh(now: number): void {
    const peer = this.#peer!;
    const keyAgreement = chooseKeyAgreement(this.#algorithms, peer.hello);
    const choice = choose(this.#algorithms, peer.hello, keyAgreement);
    const pair = makeKeyPair(keyAgreement, this.#own.random);
    this.#sendCommit(Exchange.initiate(this.#own, peer, choice, pair, this.#held), now);
  }

  #commitMultistream(master: Master, now: number): void {
    const nonce = this.#own.random(16);
    if (!master.useNonce(nonce)) return this.#fail(errorCode.unavailable, now);
    const choice: Choice = { ...master.choice, keyAgreement: 'Mult' };
    this.#sendCommit(Exchange.initiateWith(this.#own, this.#peer!, choice, nonce, undefined), now);
  }

  #commitPreshared(now: number): void {
    const choice = choose(this.#algorithms, this.#peer!.hello, 'Prsh');
    const key = this.#presharedKey(choice);
    const nonce = this.#own.random(16);
    this.#sendCommit(Exchange.initiateWith(this.#own, this.#peer!, choice, nonce, this.#held, key), now);
    key.fill(0);
  }

  #presharedKey(choice: Choice): Uint8Array {
    return presharedKey(choice.hash, this.#held!.rs1!, this.#held!.aux, this.#held!.pbx);
  }

  #sendCommit(exchange: Exchange, now: number): void {
    this.#exchange = exchange;
    this.#state = 'committed';
    this.#answered = undefined;
    this.#wire.stop('silence');
    this.#wire.repeat('T2', exchange.commit, messageSchedule, now);
  }

  #onCommit(message: Uint8Array, peer: Peer, now: number): void {
    const commit = decodeCommit(message);
    if (commit === undefined) return this.#wire.suspect('malformed');
    if (!peer.belongs(2, commit.h2)) return this.#wire.suspect('hash-image');
    const again = this.#state === 'clear' && commit.keyAgreement === 'Mult';
    if (this.#state === 'discovery' || again || (this.#state === 'committed' && this.#yields(commit, now)))
      this.#accept(commit, message, peer, now);
  }

  /** Two Commits have crossed: whether ours is the one to be discarded, RFC 6189 §4.2. */
  #yields(commit: CommitMessage, now: number): boolean {
    const ours = decodeCommit(this.#exchange!.commit)!;
    if ((ours.keyAgreement === 'Mult') !== (commit.keyAgreement === 'Mult')) {
      this.#fail(errorCode.software, now);
      return false;
    }
    const theirsIsDh = isDhMode(commit.keyAgreement);
    if (isDhMode(ours.keyAgreement) !== theirsIsDh) return theirsIsDh;
    const mitm = this.#options.mitm ?? false;
    if (commit.keyAgreement === 'Prsh' && mitm !== this.#peer!.hello.mitm) return mitm;
    return Buffer.compare(ours.commitment, commit.commitment) < 0;
  }

  #accept(commit: CommitMessage, message: Uint8Array, peer: Peer, now: number): void {
    if (!equal(commit.zid, peer.zid)) return this.#fail(errorCode.helloMismatch, now);
    if (peer.show(2, commit.h2) !== 'ok') return this.#fail(errorCode.helloMismatch, now);
    const choice = checkCommit(commit, this.#algorithms, peer.hello);
    if (!choice.ok) return this.#fail(choice.error, now);
    const { keyAgreement } = choice.value;
    // §4.4.3: a stream that joins a call has no other way; one that starts it has no key for this one.
    if (this.#options.multistream !== undefined && keyAgreement !== 'Mult')
      return this.#fail(errorCode.software, now);
    const held = keyAgreement === 'Mult' ? undefined : this.#held;
    const exchange = new Exchange(this.#own, peer, 'responder', choice.value, message, held);
    const before = this.#exchange;
    this.#helloAcknowledged = true;
    this.#wire.stop('T1');
    if (keyAgreement === 'Mult') {
      if (this.#master === undefined) return this.#fail(errorCode.noSharedSecret, now);
      if (!this.#master.useNonce(commit.commitment)) return this.#fail(errorCode.nonceReuse, now);
      exchange.deriveFrom('Mult', this.#master.key);
    } else if (keyAgreement === 'Prsh') {
      const found = findPreshared(choice.value.hash, held, commit.keyId!);
      if (found === undefined && this.#options.passive === true)
        return this.#fail(errorCode.noSharedSecret, now);
      // §4.4.2.3: a Commit of our own with DH, which goes before theirs.
      if (found === undefined) return this.#commitDh(now);
      if (found.withPbx) exchange.shared = { s3: held?.pbx };
      exchange.deriveFrom('Prsh', found.key);
      found.key.fill(0);
    }
    peer.await('commit', message);
    this.#wire.stop('T2');
    this.#exchange = exchange;
    this.#commitment = commit;
    if (!isDhMode(keyAgreement)) return this.#sendConfirm1(message, now);
    // §4.2: the pair of our own discarded Commit serves if it is of the same kind.
    const pair = before?.pair?.type === keyAgreement ? before.pair : undefined;
    if (pair === undefined) before?.wipe();
    this.#answer(message, exchange.respond(pair ?? makeKeyPair(keyAgreement, this.#own.random)), now);
    this.#state = 'dh-part1-sent';
  }

  /** As responder: the answer is sent, and sent again for each repetition of what asked for it. */
  #answer(to: Uint8Array, answer: Uint8Array, now: number): void {
    this.#answered = { to, with: answer };
    this.#wire.send(answer);
    this.#alive(now);
    this.#wire.start('silence', now + silence);
  }

  /** The exchange goes on: an Error that came in between was not the peer's last word. */
  #alive(now: number): void {
    this.#peersError = undefined;
    this.#wire.stop('grace');
    if (this.#wire.runs('silence')) this.#wire.start('silence', now + silence);
  }

  #onDhPart1(message: Uint8Array, peer: Peer, now: number): void {
    const exchange = this.#exchange;
    if (this.#state !== 'committed' || exchange === undefined || !isDhMode(exchange.choice.keyAgreement))
      return;
    const part = decodeDhPart('DHPart1 ', message);
    if (part === undefined) return this.#wire.suspect('malformed');
    if (!peer.belongs(1, part.h1)) return this.#wire.suspect('hash-image');
    if (part.publicValue.length !== publicValueLength[exchange.choice.keyAgreement])
      return this.#fail(errorCode.malformed, now);
    if (peer.show(1, part.h1) !== 'ok') return this.#fail(errorCode.helloMismatch, now);
    if (!exchange.deriveFromDh(part, message)) return this.#fail(errorCode.badPublicValue, now);
    peer.await('dhPart', message);
    this.#alive(now);
    this.#state = 'dh-part2-sent';
    this.#wire.repeat('T2', exchange.dhPart!, messageSchedule, now);
  }

  #onDhPart2(message: Uint8Array, peer: Peer, now: number): void {
    const exchange = this.#exchange;
    if (this.#state !== 'dh-part1-sent' || exchange === undefined) return;
    const part = decodeDhPart('DHPart2 ', message);
    if (part === undefined) return this.#wire.suspect('malformed');
    if (!peer.belongs(1, part.h1)) return this.#wire.suspect('hash-image');
    if (peer.show(1, part.h1) !== 'ok') return this.#fail(errorCode.software, now, 'authentication');
    if (!exchange.fitsCommitment(this.#commitment!.commitment, message))
      return this.#fail(errorCode.badCommitment, now);
    if (!exchange.deriveFromDh(part, message)) return this.#fail(errorCode.badPublicValue, now);
    peer.await('dhPart', message);
    this.#sendConfirm1(message, now);
  }

  #sendConfirm1(to: Uint8Array, now: number): void {
    this.#answer(to, this.#makeConfirm('Confirm1'), now);
    this.#state = 'confirm1-sent';
  }

  #makeConfirm(type: 'Confirm1' | 'Confirm2'): Uint8Array {
    const exchange = this.#exchange!;
    const content = encodeConfirmContent({
      h0: this.#own.chain.h0,
      enrollment: this.#offersEnrollment,
      verified: wasVerified(exchange),
      allowClear: this.#allowsClear,
      disclosure: this.#options.disclosure ?? false,
      cacheSeconds: this.#cacheSeconds,
    });
    return encodeEncrypted(type, exchange.own.message, this.#own.random(16), content);
  }

  /** Whoever has enrolled before, and still knows it, is not asked again: both would come to hold different secrets. */
  get #offersEnrollment(): boolean {
    const { mitm, offerEnrollment } = this.#options;
    return mitm === true && offerEnrollment === true && this.#exchange?.shared.s3 === undefined;
  }

  /** §7.3.1: E implies not A. */
  get #allowsClear(): boolean {
    return this.#options.dangerouslyAllowClear === true && !this.#offersEnrollment;
  }

  /** §4.9: Multistream keeps nothing and says so with the largest number; §4.9.1: who keeps nothing says 0. */
  get #cacheSeconds(): number {
    if (this.#exchange?.choice.keyAgreement === 'Mult') return forever;
    return this.#options.retained === undefined ? 0 : (this.#options.cacheSeconds ?? forever);
  }

  #onConfirm1(message: Uint8Array, peer: Peer, now: number): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    const short = this.#state === 'committed' && !isDhMode(exchange.choice.keyAgreement);
    if (this.#state !== 'dh-part2-sent' && !short) return;
    if (exchange.keys === undefined) this.#deriveShort(exchange);
    if (!this.#openConfirm(exchange, message, peer, now)) return;
    this.#alive(now);
    this.#state = 'confirm2-sent';
    this.#wire.repeat('T2', this.#makeConfirm('Confirm2'), messageSchedule, now);
    this.#wire.tell({ kind: 'receivable', keys: srtpKeys(exchange) });
  }

  /** Multistream and Preshared as initiator: all that goes into the keys is there with our own Commit. */
  #deriveShort(exchange: Exchange): void {
    if (exchange.choice.keyAgreement === 'Mult') return exchange.deriveFrom('Mult', this.#master!.key);
    const key = this.#presharedKey(exchange.choice);
    exchange.deriveFrom('Prsh', key);
    exchange.shared = { s3: this.#held?.pbx };
    key.fill(0);
  }

  #onConfirm2(message: Uint8Array, peer: Peer, now: number): void {
    const exchange = this.#exchange;
    if (this.#state !== 'confirm1-sent' || exchange === undefined) return;
    if (!this.#openConfirm(exchange, message, peer, now)) return;
    const acknowledgement = encodeAcknowledgement('Conf2ACK');
    this.#becomeSecure(exchange, peer);
    this.#answered = { to: message, with: acknowledgement };
    this.#wire.send(acknowledgement);
  }

  /** A Confirm that does not authenticate has no effect; where no better one comes, it is the reason of the failure. */
  #openConfirm(exchange: Exchange, message: Uint8Array, peer: Peer, now: number): boolean {
    const opened = decodeEncrypted(message, exchange.theirs.message);
    if (!opened.ok) {
      if (opened.error === 'mac') this.#badConfirm = true;
      this.#wire.suspect(opened.error === 'mac' ? 'confirm-mac' : 'malformed');
      return false;
    }
    const content = decodeConfirmContent(opened.value);
    if (content === undefined) this.#fail(errorCode.malformed, now);
    else if (peer.show(0, content.h0) !== 'ok') this.#fail(errorCode.badConfirm, now);
    else this.#confirm = content;
    return content !== undefined && this.#state !== 'failed';
  }

  #onConf2Ack(): void {
    if (this.#state === 'confirm2-sent') this.#becomeSecure(this.#exchange!, this.#peer!);
  }

  /** A packet of SRTP has authenticated under the key of `receivable`: as good as a Conf2ACK, §4.6. */
  mediaAuthenticated(): void {
    this.#onConf2Ack();
  }

  #becomeSecure(exchange: Exchange, peer: Peer): void {
    this.#wire.stopAll();
    this.#state = 'secure';
    this.#master = exchange.master ?? this.#master;
    const offered = this.#offersEnrollment ? this.#master?.enrollmentSecret() : undefined;
    // An offer that the peer did not take leaves a secret with us alone: that of the next one replaces it.
    const pbx = exchange.shared.s3 ?? offered ?? exchange.held?.pbx;
    const output = securedOutput(exchange, peer, this.#confirm!, this.#cacheSeconds, pbx);
    this.#secure = new SecureStream(this.#wire, exchange, peer, this.#confirm!, output, pbx);
    this.#wire.tell(output);
    exchange.own.srtp.fill(0);
    exchange.theirs.srtp.fill(0);
  }

  /** People have compared the short authentication string, and it was the same: what is kept is verified now, §7.1. */
  confirmSas(): void {
    this.#secure?.confirmSas();
  }

  /** It was not the same: somebody is in the middle, and nothing of this session is worth keeping. */
  denySas(): void {
    this.#secure?.denySas();
  }

  /** A person wants to trust the PBX that has offered it; never without being asked, §7.3.1. */
  enroll(): void {
    this.#secure?.enroll(this.#master);
  }

  /**
   * As PBX: tells the peer the SAS of whoever is behind us. One that has not enrolled gets the rendering alone.
   * @throws MisuseError `zrtp-relay` where we have not declared ourselves as such, or nothing is secure yet.
   */
  relaySas(content: RelayContent, now: number): void {
    if (this.#secure === undefined || this.#state !== 'secure' || this.#options.mitm !== true)
      throw new MisuseError('zrtp-relay', 'a SAS is relayed by a PBX whose stream is secure');
    this.#secure.relaySas(content, this.#own.random(16), now);
  }

  /**
   * Asks the peer to go on without encryption: no SRTP may be sent from here on.
   * @throws MisuseError `zrtp-clear` where the peer does not allow it.
   */
  goClear(now: number): void {
    const { exchange, confirm } = this.#secure ?? {};
    if (this.#state !== 'secure' || exchange === undefined || confirm?.allowClear !== true)
      throw new MisuseError('zrtp-clear', 'the peer does not allow to go clear');
    this.#state = 'clearing';
    this.#wire.repeat('T2', goClearMessage(exchange.own), messageSchedule, now);
  }

  #onGoClear(message: Uint8Array, secure: SecureStream, now: number): void {
    if (!isPeersGoClear(message, secure.exchange.theirs)) return this.#wire.suspect('clear-mac');
    if (!this.#allowsClear) {
      if (this.#wire.runs('T2')) return;
      this.#wire.tell({ kind: 'clear-refused' });
      return this.#wire.repeat('T2', encodeError(errorCode.clearRefused), messageSchedule, now);
    }
    const answer = encodeAcknowledgement('ClearACK');
    this.#answered = { to: message, with: answer };
    this.#wire.send(answer);
    this.#becomeClear();
  }

  #onClearAck(): void {
    if (this.#state === 'clearing') this.#becomeClear();
  }

  /** §4.7.2.1: all keys go, but for a ZRTPSess that the old one cannot be had from. */
  #becomeClear(): void {
    this.#wire.stopAll();
    this.#exchange?.wipe();
    this.#exchange = undefined;
    this.#secure = undefined;
    this.#master?.renew();
    this.#state = 'clear';
    this.#wire.tell({ kind: 'cleared' });
  }

  /** Encrypts again after a GoClear, by Multistream mode (§4.7.2). */
  goSecure(now: number): void {
    if (this.#state === 'clear' && this.#master !== undefined) this.#commitMultistream(this.#master, now);
  }

  #onPing({ message, ssrc }: Packet): void {
    const ping = decodePing(message);
    if (ping === undefined) return this.#wire.suspect('malformed');
    const own = this.#options.endpointHash ?? this.#own.zid.subarray(0, 8);
    this.#wire.reply('PingACK', encodePingAck(own, ping.endpointHash, ssrc));
  }

  /** An Error does not authenticate (§4.7.1): it ends an exchange only if that shows no more life. */
  #onError(message: Uint8Array, now: number): void {
    const code = decodeError(message);
    if (code === undefined) return this.#wire.suspect('malformed');
    this.#wire.reply('ErrorACK', encodeAcknowledgement('ErrorACK'));
    const settled: readonly ZrtpState[] = ['secure', 'clearing', 'clear', 'failed'];
    if (settled.includes(this.#state) || this.#wire.runs('grace')) return;
    this.#peersError = code;
    this.#wire.start('grace', now + grace);
  }

  #onErrorAck(): void {
    if (this.#state === 'failed' || (this.#state === 'secure' && this.#secure?.relaying === false))
      this.#wire.stop('T2');
  }

  /** Ends the exchange and tells the peer, again and again until it acknowledges. */
  #fail(code: ErrorCode, now: number, reason?: FailureReason): void {
    this.#end(code, false, reason);
    this.#wire.repeat('T2', encodeError(code), messageSchedule, now);
  }

  /** §4.7.1: nothing is kept of an exchange that failed. */
  #end(code: number, byPeer: boolean, reason: FailureReason = reasonOf(code)): void {
    this.#wire.stopAll();
    this.#state = 'failed';
    this.#wipe();
    // Whatever the peer makes of it: its Hello was never the one that signalling named.
    const stranger = this.#badHelloHash && this.#peer === undefined;
    this.#wire.tell({ kind: 'failed', code, reason: stranger ? 'hello-hash' : reason, byPeer });
  }

  #wipe(): void {
    this.#exchange?.wipe();
    this.#exchange = undefined;
    this.#secure = undefined;
    this.#answered = undefined;
    this.#own.chain.wipe();
    if (this.#master !== this.#options.multistream) this.#master?.wipe();
    this.#master = undefined;
  }

  /** The call is over: overwrites what is secret and sends nothing more. */
  close(): void {
    this.#wire.stopAll();
    this.#wipe();
    this.#state = 'closed';
  }
}
