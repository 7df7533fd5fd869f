import { isEncrypted, type Transport } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import type { PinProblem } from './pins.ts';
import { type ScreeningFacts, screenedOut } from './screening.ts';
import { quarantined, type StandingFacts } from './standing.ts';
import type { Decision, Principal, Reason, RejectCause } from './types.ts';

/** What the caller's SDP offers, as far as policy cares. */
export interface MediaFacts {
  /** False: no SDP in the request. */
  readonly present: boolean;
  /** Some stream offers keys that we can use. */
  readonly srtp: boolean;
  /** Some stream would have to run unencrypted. */
  readonly plain: boolean;
  /** A stream asks for encryption of a kind that we do not have. */
  readonly unsupported: boolean;
  /** The media engine has no DTLS-SRTP. */
  readonly handshakes?: false;
  /** Streams that could be relayed at all. */
  readonly usable: number;
}

/** One request to be judged. */
export interface PolicyRequest {
  readonly method: string;
  readonly source: string;
  readonly transport: Transport;
  readonly dialled: string;
  readonly emergency: boolean;
  readonly media?: MediaFacts;
  /** The certificate of the connection is none of those that configuration has of the sender. */
  readonly pin?: PinProblem;
}

/** Where it would go, as routing found. */
export type RouteFacts =
  | { readonly kind: 'found'; readonly name: string }
  | { readonly kind: 'blocked'; readonly name: string; readonly why: string }
  | { readonly kind: 'offline'; readonly name: string }
  /** Our own INVITE, come back for the same number (RFC 5393). */
  | { readonly kind: 'loop'; readonly name: string }
  /** A sips URI over a transport that is not encrypted. */
  | { readonly kind: 'sips-over-plain'; readonly name: string }
  /** A sips URI, and nobody there who has sips (RFC 5630). */
  | { readonly kind: 'no-sips'; readonly name: string }
  | { readonly kind: 'none' };

/** A limit that has no place for this call. */
export interface LimitFacts {
  /** `trunk:carrier@example.test`, `domain:example.test`, `user:alice@example.test`. */
  readonly key: string;
  readonly what: 'calls' | 'rate';
  readonly threshold: number;
  readonly status: 480 | 486 | 503;
  /** Seconds. */
  readonly retryAfter: number;
}

/** Why a call that leaves by a trunk is refused for what it costs, or for where it goes. */
export interface FraudFacts {
  readonly action: string;
  readonly rule: string;
  readonly sentence: string;
  /** What the caller is told. */
  readonly told?: string;
  readonly account: string;
  readonly number: string;
}

/** The state of the world that the judgement depends on. */
export interface PolicyContext {
  readonly listener: string;
  readonly listenerEncryption: Encryption;
  readonly draining: boolean;
  /** More comes in than can be dealt with, and this sender's turn to be refused has come. */
  readonly overloaded?: boolean;
  /** By policy every call is recorded, and at the moment nothing can be. */
  readonly unrecorded?: boolean;
  readonly calls: number;
  readonly maximumCalls: number;
  readonly mediaAvailable: boolean;
  readonly route?: RouteFacts;
  /** What speaks against a call that leaves by a trunk. */
  readonly fraud?: FraudFacts;
  /** The first limit that is full. */
  readonly limit?: LimitFacts;
  /** What is held against the device, where it calls anybody but the help desk. */
  readonly standing?: StandingFacts;
  /** What the called user has against the caller. */
  readonly screened?: ScreeningFacts;
}

const rank: Readonly<Record<Encryption, number>> = { none: 0, preferred: 1, required: 2 };

/** The stricter of two demands holds. */
export const stricter = (a: Encryption, b: Encryption): Encryption => (rank[a] >= rank[b] ? a : b);

/** What protection the caller's leg must have: the listener's demand and the principal's, whichever is stricter. */
export const demandedOf = (principal: Principal, listenerEncryption: Encryption): Encryption =>
  principal.kind === 'unknown' ? listenerEncryption : stricter(principal.encryption, listenerEncryption);

const reason = (
  rule: string,
  text: string,
  evidence: Reason['evidence'],
  threshold?: string | number,
): Reason => (threshold === undefined ? { rule, text, evidence } : { rule, text, evidence, threshold });

function refuse(
  cause: RejectCause,
  status: number,
  phrase: string,
  why: Reason,
  more: { readonly warning?: string; readonly warningCode?: number; readonly retryAfter?: number } = {},
): Decision {
  return { verdict: 'refuse', cause, status, reason: phrase, reasons: [why], ...more };
}

/**
 * May they? The one function that decides on a request whose sender is known.
 *
 * Pure: the same arguments give the same decision, and every decision names its rule and what it was held against.
 * An emergency call of a known device or trunk is accepted before any other rule is read.
 */
export function decide(principal: Principal, request: PolicyRequest, context: PolicyContext): Decision {
  if (principal.kind === 'unknown')
    return {
      verdict: 'challenge',
      reasons: [
        reason('access.unknown', 'The sender has not proven who it is.', {
          source: request.source,
          method: request.method,
        }),
      ],
    };

  if (request.method !== 'INVITE')
    return { verdict: 'accept', reasons: [reason('access.known', 'The sender is known.', proof(principal))] };

  if (request.emergency)
    return (
      emergency(request, context) ??
      accept('emergency.first', 'Emergency calls go first.', request, principal)
    );

  if (context.standing !== undefined) return quarantined(context.standing, request.dialled);

  // Before it shows whether a phone is there.
  if (context.screened !== undefined) return screenedOut(context.screened);

  return (
    overload(request, context) ??
    protection(principal, request, context) ??
    destination(request, context) ??
    limited(request, context) ??
    tolled(request, context) ??
    accept('route.allowed', 'The sender is known and the destination is open to it.', request, principal)
  );
}

function accept(rule: string, text: string, request: PolicyRequest, principal: Principal): Decision {
  return {
    verdict: 'accept',
    reasons: [reason(rule, text, { dialled: request.dialled, ...proof(principal) })],
  };
}

const proof = (principal: Principal): Record<string, string> =>
  principal.kind === 'unknown' ? {} : { proof: principal.proof, domain: principal.domain };

/** Only where nothing could carry the call does an emergency call fail, and then it says so. */
function emergency(request: PolicyRequest, context: PolicyContext): Decision | undefined {
  const { route } = context;
  if (route?.kind === 'loop') return destination(request, context);
  if (route === undefined || route.kind === 'none')
    return refuse(
      'no-route',
      404,
      'Not Found',
      reason('emergency.no-trunk', 'There is no trunk that could carry an emergency call.', {
        dialled: request.dialled,
      }),
    );
  return noMedia(request, context) ?? usable(request, 'none');
}

function overload(request: PolicyRequest, context: PolicyContext): Decision | undefined {
  if (context.draining)
    return refuse(
      'overload',
      503,
      'Service Unavailable',
      reason('overload.draining', 'The edge is being stopped and takes no new calls.', {
        calls: context.calls,
      }),
      { retryAfter: 30 },
    );
  if (context.overloaded === true)
    return refuse(
      'overload',
      503,
      'Service Unavailable',
      reason('overload.load', 'The edge is overloaded (admission.busyPercent, lateMilliseconds).', {
        source: request.source,
      }),
      { retryAfter: 10 },
    );
  if (context.unrecorded === true)
    return refuse(
      'overload',
      503,
      'Service Unavailable',
      reason(
        'overload.unrecorded',
        'Nothing can be recorded, and no call may go unrecorded (ledger.onFailure).',
        { dialled: request.dialled },
      ),
      { retryAfter: 30 },
    );
  if (context.calls >= context.maximumCalls)
    return refuse(
      'overload',
      503,
      'Service Unavailable',
      reason(
        'overload.calls',
        'As many calls as configured are up.',
        { calls: context.calls, source: request.source },
        context.maximumCalls,
      ),
      { retryAfter: 5 },
    );
  return noMedia(request, context);
}

/** Without the media process no call can be heard, not even one for help; a phone may try again at once. */
function noMedia(request: PolicyRequest, context: PolicyContext): Decision | undefined {
  if (!context.mediaAvailable)
    return refuse(
      'media',
      503,
      'Service Unavailable',
      reason('media.unavailable', 'The media process is not running.', { source: request.source }),
      { retryAfter: 2 },
    );
  return undefined;
}

/** Encryption policy: 488 with a Warning that says what was missing (RFC 3261 §21.4.26, §20.43). */
function protection(
  principal: Principal,
  request: PolicyRequest,
  context: PolicyContext,
): Decision | undefined {
  if (request.pin !== undefined)
    return refuse(
      'policy',
      403,
      'Forbidden',
      reason(
        'signalling.certificate-pinned',
        'The certificate of the connection is none of those that are configured for the sender.',
        { seen: request.pin.seen, source: request.source },
        request.pin.pinned,
      ),
    );
  const demanded = demandedOf(principal, context.listenerEncryption);
  const media = request.media;
  if (demanded === 'required' && !isEncrypted(request.transport))
    return unacceptable(
      'signalling.encryption-required',
      'Encryption is required: signalling must use TLS',
      { transport: request.transport, listener: context.listener },
      demanded,
    );
  if (demanded === 'required' && media?.plain === true)
    return unacceptable(
      'media.encryption-required',
      'Encryption is required: offer RTP/SAVP with a=crypto, or DTLS-SRTP, for every stream',
      { srtp: media.srtp, plain: media.plain },
      demanded,
    );
  return usable(request, demanded);
}

/** Something of the offer can be relayed. */
function usable({ media }: PolicyRequest, demanded: Encryption): Decision | undefined {
  // The called side makes the offer then, and is held to the same (RFC 3261 §13.2.1).
  if (media === undefined || !media.present || media.usable > 0) return undefined;
  return unacceptable(
    media.unsupported ? 'media.encryption-unsupported' : 'media.nothing-usable',
    media.unsupported
      ? `No usable key exchange or crypto suite: offer a=crypto with AEAD_AES_256_GCM or AES_CM_128_HMAC_SHA1_80${media.handshakes === false ? '; this media engine has no DTLS-SRTP' : ', or DTLS-SRTP'}`
      : 'No stream of the offer can be relayed',
    { srtp: media.srtp, plain: media.plain },
    demanded,
  );
}

const unacceptable = (
  rule: string,
  warning: string,
  evidence: Reason['evidence'],
  demanded: Encryption,
): Decision =>
  refuse('media', 488, 'Not Acceptable Here', reason(rule, `${warning}.`, evidence, demanded), { warning });

function destination(request: PolicyRequest, context: PolicyContext): Decision | undefined {
  const route = context.route;
  const evidence = { dialled: request.dialled };
  if (route === undefined || route.kind === 'none')
    return refuse(
      'no-route',
      404,
      'Not Found',
      reason('route.none', 'No user and no route matches the dialled number or name.', evidence),
    );
  if (route.kind === 'blocked')
    return refuse(
      'policy',
      403,
      'Forbidden',
      reason('route.blocked', `A route blocks this destination: ${route.why}.`, {
        ...evidence,
        route: route.name,
      }),
    );
  if (route.kind === 'loop')
    return refuse(
      'no-route',
      482,
      'Loop Detected',
      reason('route.loop', 'The call has come back to us as we sent it.', { ...evidence, route: route.name }),
    );
  if (route.kind === 'sips-over-plain')
    return refuse(
      'policy',
      416,
      'Unsupported URI Scheme',
      reason('route.sips-over-plain', 'A sips URI came over a connection that is not encrypted.', {
        ...evidence,
        route: route.name,
      }),
      { warning: 'sips needs TLS on every hop' },
    );
  if (route.kind === 'no-sips')
    return refuse(
      'policy',
      480,
      'Temporarily Unavailable',
      reason('route.no-sips', 'The called side has no sips, and a sips call is never downgraded.', {
        ...evidence,
        route: route.name,
      }),
      // RFC 5630 §6.1
      { warning: 'SIPS Not Allowed', warningCode: 380 },
    );
  if (route.kind === 'offline')
    return refuse(
      'no-route',
      480,
      'Temporarily Unavailable',
      reason('route.offline', 'The called user has no phone registered.', { ...evidence, route: route.name }),
    );
  return undefined;
}

const phrases = { 480: 'Temporarily Unavailable', 486: 'Busy Here', 503: 'Service Unavailable' } as const;

/** As many calls, or as many new ones, as a trunk, a domain or a user may have. */
function limited({ dialled }: PolicyRequest, { limit }: PolicyContext): Decision | undefined {
  if (limit === undefined) return undefined;
  const { key, what, threshold, status, retryAfter } = limit;
  return refuse(
    'rate',
    status,
    phrases[status],
    reason(
      what === 'calls' ? 'limit.calls' : 'limit.rate',
      what === 'calls' ? 'As many calls as allowed are up.' : 'New calls come faster than allowed.',
      { dialled, limited: key },
      threshold,
    ),
    { retryAfter },
  );
}

/** Where it may not go, or nobody may pay for; what is watched passes, and says so in its record. */
function tolled({ dialled }: PolicyRequest, { fraud }: PolicyContext): Decision | undefined {
  if (fraud === undefined || fraud.action === 'pass' || fraud.action === 'watch') return undefined;
  const { rule, sentence, account, number, told = 'This call is refused for suspected fraud' } = fraud;
  return refuse('fraud', 403, 'Forbidden', reason(rule, sentence, { dialled, account, number }), {
    warning: told,
  });
}
