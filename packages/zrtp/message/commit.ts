import { asciiOf, beginMessage, bodyOf, textOf } from './frame.ts';

/** Commit, RFC 6189 §5.4, in its three forms. */
export interface CommitMessage {
  readonly type: 'Commit  ';
  readonly h2: Uint8Array;
  readonly zid: Uint8Array;
  readonly hash: string;
  readonly cipher: string;
  readonly authTag: string;
  readonly keyAgreement: string;
  readonly sas: string;
  /** DH: 32 octets of hash over DHPart2 and the responder's Hello. Multistream and Preshared: the nonce of 16. */
  readonly commitment: Uint8Array;
  /** Preshared alone: which secret is meant, 8 octets. */
  readonly keyId?: Uint8Array;
  readonly mac: Uint8Array;
}

/** Words of the message: the forms differ in what stands for hvi. */
const words = { dh: 29, Mult: 25, Prsh: 27 } as const;
const formOf = (keyAgreement: string): keyof typeof words =>
  keyAgreement === 'Mult' || keyAgreement === 'Prsh' ? keyAgreement : 'dh';

export function decodeCommit(message: Uint8Array): CommitMessage | undefined {
  const body = bodyOf(message);
  if (body === undefined || message.length < words.Mult * 4) return undefined;
  const h2 = body.bytes(32)!;
  const zid = body.bytes(12)!;
  const [hash, cipher, authTag, keyAgreement, sas] = Array.from({ length: 5 }, () => textOf(body.bytes(4)!));
  const form = formOf(keyAgreement!);
  if (message.length !== words[form] * 4) return undefined;
  const commitment = body.bytes(form === 'dh' ? 32 : 16)!;
  const keyId = form === 'Prsh' ? body.bytes(8)! : undefined;
  return {
    type: 'Commit  ',
    h2,
    zid,
    hash: hash!,
    cipher: cipher!,
    authTag: authTag!,
    keyAgreement: keyAgreement!,
    sas: sas!,
    commitment,
    ...(keyId !== undefined && { keyId }),
    mac: body.bytes(8)!,
  };
}

/** The message with a MAC of zeros, which `seal` of the hash chain fills in. */
export function encodeCommit(commit: Omit<CommitMessage, 'type' | 'mac'>): Uint8Array {
  const message = beginMessage('Commit  ', words[formOf(commit.keyAgreement)])
    .bytes(commit.h2)
    .bytes(commit.zid);
  for (const block of [commit.hash, commit.cipher, commit.authTag, commit.keyAgreement, commit.sas])
    message.bytes(asciiOf(block));
  message.bytes(commit.commitment);
  if (commit.keyId !== undefined) message.bytes(commit.keyId);
  return message.zeros(8).finish();
}
