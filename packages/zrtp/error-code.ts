/** Error codes of RFC 6189 §5.9. */
export const errorCode = {
  malformed: 0x10,
  software: 0x20,
  version: 0x30,
  helloMismatch: 0x40,
  hash: 0x51,
  cipher: 0x52,
  keyAgreement: 0x53,
  authTag: 0x54,
  sas: 0x55,
  noSharedSecret: 0x56,
  badPublicValue: 0x61,
  badCommitment: 0x62,
  untrustedRelay: 0x63,
  badConfirm: 0x70,
  nonceReuse: 0x80,
  equalZids: 0x90,
  ssrcCollision: 0x91,
  unavailable: 0xa0,
  timeout: 0xb0,
  clearRefused: 0x100,
} as const;

export type ErrorCode = (typeof errorCode)[keyof typeof errorCode];

/** What each code means, in words for people; a code that is not of the table reads as its number. */
const meanings: Readonly<Record<number, string>> = {
  [errorCode.malformed]: 'a message with a wrong structure',
  [errorCode.software]: 'an error of the software',
  [errorCode.version]: 'a version of ZRTP that is not supported',
  [errorCode.helloMismatch]: 'a Commit that does not fit the Hello',
  [errorCode.hash]: 'a hash that is not supported',
  [errorCode.cipher]: 'a cipher that is not supported',
  [errorCode.keyAgreement]: 'a key agreement that is not supported',
  [errorCode.authTag]: 'an authentication tag of SRTP that is not supported',
  [errorCode.sas]: 'a rendering of the short authentication string that is not supported',
  [errorCode.noSharedSecret]: 'no shared secret; Diffie-Hellman is needed',
  [errorCode.badPublicValue]: 'a public value that nobody honest sends',
  [errorCode.badCommitment]: 'a public value that is not the one committed to',
  [errorCode.untrustedRelay]: 'a relayed short authentication string of somebody who is not trusted',
  [errorCode.badConfirm]: 'a Confirm that does not authenticate',
  [errorCode.nonceReuse]: 'a nonce that was used before',
  [errorCode.equalZids]: 'the ZID of the other side',
  [errorCode.ssrcCollision]: 'the SSRC of the other side',
  [errorCode.unavailable]: 'service not available',
  [errorCode.timeout]: 'no answer in time',
  [errorCode.clearRefused]: 'going clear is not allowed',
};

export const meaningOf = (code: number): string => meanings[code] ?? `error 0x${code.toString(16)}`;
