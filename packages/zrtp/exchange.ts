import type { Choice, DhType } from './algorithm.ts';
import { equal, hash } from './hash.ts';
import { type HashChain, seal } from './hash-chain.ts';
import type { KeyPair } from './key-agreement.ts';
import {
  derivedSecret,
  dhSecret,
  kdfContext,
  presharedKeyId,
  type SharedSecrets,
  type StreamKeys,
  sessionSecrets,
  streamKeys,
  wipeDirection,
  type Zids,
} from './key-derivation.ts';
import { Master } from './master.ts';
import { encodeCommit } from './message/commit.ts';
import { type DhPartMessage, encodeDhPart } from './message/dh-part.ts';
import type { Peer } from './peer.ts';
import { matchSecrets, type RetainedSecrets, secretIds } from './retained-secret.ts';

export type Role = 'initiator' | 'responder';

/** What is ours in every exchange of a session. */
export interface Own {
  readonly zid: Uint8Array;
  readonly chain: HashChain;
  readonly hello: Uint8Array;
  readonly random: (length: number) => Uint8Array;
}

/** One key agreement, from its Commit to its keys: what is computed, without when. */
export class Exchange {
  readonly role: Role;
  readonly choice: Choice;
  /** The Commit that counts, of whichever end. */
  readonly commit: Uint8Array;
  readonly held: RetainedSecrets | undefined;
  /** Our DHPart, whole; with the initiator it is there before the Commit, which commits to it. */
  dhPart: Uint8Array | undefined;
  pair: KeyPair | undefined;
  keys: StreamKeys | undefined;
  shared: SharedSecrets = {};
  master: Master | undefined;
  sasHash: Uint8Array | undefined;
  rs1: Uint8Array | undefined;
  readonly #own: Own;
  readonly #peer: Peer;

  constructor(
    own: Own,
    peer: Peer,
    role: Role,
    choice: Choice,
    commit: Uint8Array,
    held: RetainedSecrets | undefined,
  ) {
    this.#own = own;
    this.#peer = peer;
    this.role = role;
    this.choice = choice;
    this.commit = commit;
    this.held = held;
  }

  /** DH mode as initiator: DHPart2 first, since the Commit is a hash over it, RFC 6189 §4.4.1.1. */
  static initiate(
    own: Own,
    peer: Peer,
    choice: Choice,
    pair: KeyPair,
    held: RetainedSecrets | undefined,
  ): Exchange {
    const dhPart = makeDhPart('DHPart2 ', own, choice, 'initiator', pair, held);
    const commitment = hash(choice.hash, dhPart, peer.helloBytes).subarray(0, 32);
    const commit = makeCommit(own, choice, commitment);
    const exchange = new Exchange(own, peer, 'initiator', choice, commit, held);
    exchange.dhPart = dhPart;
    exchange.pair = pair;
    return exchange;
  }

  /** Multistream or Preshared mode as initiator: a nonce in place of the commitment. */
  static initiateWith(
    own: Own,
    peer: Peer,
    choice: Choice,
    nonce: Uint8Array,
    held: RetainedSecrets | undefined,
    key?: Uint8Array,
  ): Exchange {
    const keyId = key && presharedKeyId(choice.hash, key);
    return new Exchange(own, peer, 'initiator', choice, makeCommit(own, choice, nonce, keyId), held);
  }

  /** DH mode as responder: makes DHPart1. */
  respond(pair: KeyPair): Uint8Array {
    this.pair = pair;
    this.dhPart = makeDhPart('DHPart1 ', this.#own, this.choice, 'responder', pair, this.held);
    return this.dhPart;
  }

  /** hvi as the responder computes it from what came, RFC 6189 §4.4.1.2. */
  fitsCommitment(commitment: Uint8Array, dhPart2: Uint8Array): boolean {
    const computed = hash(this.choice.hash, dhPart2, this.#own.hello).subarray(0, 32);
    return equal(computed, commitment);
  }

  /** Derives all keys from the peer's DHPart; false where its public value is one that nobody honest sends. */
  deriveFromDh(part: DhPartMessage, bytes: Uint8Array): boolean {
    const result = this.pair?.agree(part.publicValue);
    if (result === undefined) return false;
    const { hash: type } = this.choice;
    this.shared = matchSecrets(type, this.held, this.role, part.ids, this.#peer.h3);
    const parts = this.role === 'initiator' ? [bytes, this.dhPart!] : [this.dhPart!, bytes];
    const totalHash = hash(type, this.#responderHello, this.commit, ...parts);
    const s0 = dhSecret(type, result, this.#zids, totalHash, this.shared);
    result.fill(0);
    this.pair?.wipe();
    this.pair = undefined;
    this.#derive(s0, totalHash, true);
    return true;
  }

  /** Derives the keys of a mode without DH from what both ends hold already. */
  deriveFrom(mode: 'Prsh' | 'Mult', key: Uint8Array): void {
    const totalHash = hash(this.choice.hash, this.#responderHello, this.commit);
    const context = kdfContext(this.#zids, totalHash);
    this.#derive(derivedSecret(mode, this.choice.hash, key, context), totalHash, mode === 'Prsh');
  }

  get own(): StreamKeys['initiator'] {
    return this.keys![this.role];
  }

  get theirs(): StreamKeys['initiator'] {
    return this.keys![this.role === 'initiator' ? 'responder' : 'initiator'];
  }

  wipe(): void {
    this.pair?.wipe();
    if (this.keys !== undefined) {
      wipeDirection(this.keys.initiator);
      wipeDirection(this.keys.responder);
    }
    this.rs1?.fill(0);
  }

  get #zids(): Zids {
    const [own, peer] = [this.#own.zid, this.#peer.zid];
    return this.role === 'initiator'
      ? { initiator: own, responder: peer }
      : { initiator: peer, responder: own };
  }

  get #responderHello(): Uint8Array {
    return this.role === 'initiator' ? this.#peer.helloBytes : this.#own.hello;
  }

  /** Only a first stream makes ZRTPSess, SAS and retained secret, RFC 6189 §4.5.2; s0 is gone after this (§4.6.1). */
  #derive(s0: Uint8Array, totalHash: Uint8Array, first: boolean): void {
    const context = kdfContext(this.#zids, totalHash);
    this.keys = streamKeys(this.choice, s0, context);
    if (first) {
      const secrets = sessionSecrets(this.choice.hash, s0, context);
      this.sasHash = secrets.sasHash;
      this.rs1 = secrets.rs1;
      this.master = new Master(this.choice, secrets.zrtpSession, this.#zids, this.#peer.zid);
    }
    s0.fill(0);
  }
}

const makeDhPart = (
  type: DhPartMessage['type'],
  own: Own,
  choice: Choice,
  role: Role,
  pair: KeyPair,
  held: RetainedSecrets | undefined,
): Uint8Array => {
  const ids = secretIds(choice.hash, held, role, own.chain.h3, own.random);
  const part = encodeDhPart({ type, h1: own.chain.h1, ids, publicValue: pair.publicValue });
  return seal(part, own.chain.h0);
};

const makeCommit = (own: Own, choice: Choice, commitment: Uint8Array, keyId?: Uint8Array): Uint8Array => {
  const fields = { ...choice, h2: own.chain.h2, zid: own.zid, commitment, ...(keyId && { keyId }) };
  return seal(encodeCommit(fields), own.chain.h1);
};

/** Whether a key agreement is one with Diffie-Hellman. */
export const isDhMode = (keyAgreement: string): keyAgreement is DhType =>
  keyAgreement !== 'Mult' && keyAgreement !== 'Prsh';
