import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import {
  type Algorithms,
  authTagTypes,
  type Choice,
  cipherTypes,
  type DhType,
  dhTypes,
  hashTypes,
  type KeyAgreementType,
  keyAgreementTypes,
  mandatory,
  sasTypes,
} from './algorithm.ts';
import { type ErrorCode, errorCode } from './error-code.ts';
import type { CommitMessage } from './message/commit.ts';

/** Type blocks as they stand in a Hello, known or not. */
export interface OfferedBlocks {
  readonly hashes: readonly string[];
  readonly ciphers: readonly string[];
  readonly authTags: readonly string[];
  readonly keyAgreements: readonly string[];
  readonly sasTypes: readonly string[];
}

const kinds = ['hashes', 'ciphers', 'authTags', 'keyAgreements', 'sasTypes'] as const;

/** Adds what each end can do without saying so, RFC 6189 §5.2. */
export function withMandatory(offered: OfferedBlocks): OfferedBlocks {
  const whole = { ...offered };
  for (const kind of kinds) {
    const implied = (mandatory[kind] as readonly string[]).filter((block) => !offered[kind].includes(block));
    whole[kind] = [...offered[kind], ...implied];
  }
  return whole;
}

/** Fastest first: RFC 6189 §4.1.2, and X255 where bzrtp puts it. */
const fastest: readonly DhType[] = ['DH2k', 'X255', 'EC25', 'DH3k', 'EC38'];

const isDh = (block: string): block is DhType => (dhTypes as readonly string[]).includes(block);

const common = <T extends string>(ours: readonly T[], theirs: readonly string[]): T[] =>
  ours.filter((block) => theirs.includes(block));

/**
 * The key agreement that both ends arrive at by themselves, RFC 6189 §4.1.2: the faster of the two first choices.
 *
 * One departure: DH2k is never what we come to, since DH3k is common to all; a peer that commits to it is followed.
 */
export function chooseKeyAgreement(ours: Algorithms, theirs: OfferedBlocks): DhType {
  const peer = withMandatory(theirs);
  // §5.1.5: EC38 goes with SHA-384 alone.
  const usable = (block: string): block is DhType =>
    isDh(block) &&
    block !== 'DH2k' &&
    (block !== 'EC38' || (ours.hashes.includes('S384') && peer.hashes.includes('S384')));
  const own = withMandatory(ours).keyAgreements.filter(usable);
  const ourFirst = common(own, peer.keyAgreements)[0] ?? 'DH3k';
  const theirFirst = common(peer.keyAgreements.filter(usable), own)[0] ?? 'DH3k';
  return fastest.indexOf(theirFirst) < fastest.indexOf(ourFirst) ? theirFirst : ourFirst;
}

/** What the initiator commits to: our first of what is common, with the hash that the key agreement asks for. */
export function choose(ours: Algorithms, theirs: OfferedBlocks, keyAgreement: KeyAgreementType): Choice {
  const own = withMandatory(ours) as Algorithms;
  const peer = withMandatory(theirs);
  const hash = common(own.hashes, peer.hashes);
  return {
    hash: keyAgreement === 'EC38' ? 'S384' : (hash[0] ?? 'S256'),
    cipher: common(own.ciphers, peer.ciphers)[0] ?? 'AES1',
    authTag: common(own.authTags, peer.authTags)[0] ?? 'HS80',
    keyAgreement,
    sas: common(own.sasTypes, peer.sasTypes)[0] ?? 'B32 ',
  };
}

const known = <T extends string>(block: string, all: readonly T[], ours: readonly string[]): block is T =>
  (all as readonly string[]).includes(block) && ours.includes(block);

/**
 * Whether a Commit stays within what both Hellos named: ours bounds what may be asked of us, the peer's own what it may
 * ask for, so that a Hello which was shortened on its way is noticed.
 */
export function checkCommit(
  commit: CommitMessage,
  ours: Algorithms,
  theirs: OfferedBlocks,
): Result<Choice, ErrorCode> {
  const own = withMandatory(ours);
  const peer = withMandatory(theirs);
  if (!known(commit.hash, hashTypes, own.hashes)) return err(errorCode.hash);
  if (!known(commit.cipher, cipherTypes, own.ciphers)) return err(errorCode.cipher);
  if (!known(commit.authTag, authTagTypes, own.authTags)) return err(errorCode.authTag);
  if (!known(commit.keyAgreement, keyAgreementTypes, own.keyAgreements)) return err(errorCode.keyAgreement);
  // §4.4.3.1: Multistream has no SAS, what it names is not looked at.
  const sas = commit.keyAgreement === 'Mult' ? 'B32 ' : commit.sas;
  if (!known(sas, sasTypes, own.sasTypes)) return err(errorCode.sas);
  if (commit.keyAgreement === 'EC38' && commit.hash !== 'S384') return err(errorCode.hash);
  const within =
    peer.hashes.includes(commit.hash) &&
    peer.ciphers.includes(commit.cipher) &&
    peer.authTags.includes(commit.authTag) &&
    peer.keyAgreements.includes(commit.keyAgreement) &&
    peer.sasTypes.includes(sas);
  if (!within) return err(errorCode.helloMismatch);
  return ok({
    hash: commit.hash,
    cipher: commit.cipher,
    authTag: commit.authTag,
    keyAgreement: commit.keyAgreement,
    sas,
  });
}
