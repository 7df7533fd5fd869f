import type { NgReply, NgRequest } from './exchange.ts';
import { asText } from './exchange.ts';

/** How one of rtpengine's parties is described to it, and what it shall offer the other. */
export interface NgOffer {
  readonly callId: string;
  readonly fromTag: string;
  readonly toTag: string;
  readonly sdp: string;
  /** Towards the other party: `RTP/AVP`, `RTP/SAVP`, `udptl`. */
  readonly transport: string;
  /** SDES suites that may be offered; all others that rtpengine knows are named as unwanted. */
  readonly suites: readonly string[];
  /** One port for RTP and RTCP towards the other party. */
  readonly mux: boolean;
  readonly family: 'IP4' | 'IP6';
  /** Names of interfaces: that of the party who offers, that of the other. */
  readonly direction?: readonly [string, string] | undefined;
  /** RTCP of each party ends there, and each gets reports of its own. */
  readonly endRtcp: boolean;
  /** DSCP code point of what is sent. */
  readonly dscp: number;
}

export type NgAnswer = Pick<NgOffer, 'callId' | 'fromTag' | 'toTag' | 'sdp' | 'mux' | 'direction'>;

/** Suites that rtpengine 10.5 offers unless told not to (its `daemon/crypto.c`). */
const knownSuites = [
  'AEAD_AES_256_GCM',
  'AEAD_AES_128_GCM',
  'AES_256_CM_HMAC_SHA1_80',
  'AES_256_CM_HMAC_SHA1_32',
  'AES_192_CM_HMAC_SHA1_80',
  'AES_192_CM_HMAC_SHA1_32',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
  'F8_128_HMAC_SHA1_80',
  'F8_128_HMAC_SHA1_32',
  'NULL_HMAC_SHA1_80',
  'NULL_HMAC_SHA1_32',
];

/**
 * Ports stay what they are when a remote address changes, and once a source was learned no other is heard. No ICE, no
 * DTLS: keys come by SDES alone.
 */
const common = { ICE: 'remove', DTLS: 'off', replace: ['origin', 'session-connection'] } as const;

export function offerRequest(offer: NgOffer): NgRequest {
  return {
    command: 'offer',
    'call-id': offer.callId,
    'from-tag': offer.fromTag,
    'to-tag': offer.toTag,
    sdp: offer.sdp,
    'transport-protocol': offer.transport,
    'address-family': offer.family,
    'rtcp-mux': [offer.mux ? 'require' : 'demux'],
    SDES: [
      'pad',
      ...knownSuites.filter((suite) => !offer.suites.includes(suite)).map((suite) => `no-${suite}`),
    ],
    TOS: offer.dscp << 2,
    ...(offer.endRtcp ? { 'generate RTCP': 'on' } : {}),
    // The one who offers sends from where it says: nothing is learned there.
    flags: ['strict-source', 'port-latching', 'asymmetric'],
    ...(offer.direction === undefined ? {} : { direction: offer.direction }),
    ...common,
  };
}

export function answerRequest(answer: NgAnswer): NgRequest {
  return {
    command: 'answer',
    'call-id': answer.callId,
    'from-tag': answer.fromTag,
    'to-tag': answer.toTag,
    sdp: answer.sdp,
    'rtcp-mux': [answer.mux ? 'accept' : 'demux'],
    flags: ['strict-source', 'port-latching'],
    ...(answer.direction === undefined ? {} : { direction: answer.direction }),
    ...common,
  };
}

export const queryRequest = (callId: string): NgRequest => ({ command: 'query', 'call-id': callId });

/** Gives the last statistics in its reply. */
export const deleteRequest = (callId: string, fromTag: string): NgRequest => ({
  command: 'delete',
  'call-id': callId,
  'from-tag': fromTag,
  'delete-delay': 0,
});

export const pingRequest: NgRequest = { command: 'ping' };

/** Why a request was refused, empty where it was not. */
export function refusalOf(reply: NgReply): string {
  const result = asText(reply.get('result'));
  if (result === 'ok' || result === 'pong') return '';
  return asText(reply.get('error-reason')) || result || 'no result';
}
