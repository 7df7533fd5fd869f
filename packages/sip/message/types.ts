import type { HeaderList } from './header-list.ts';

/**
 * A URI parameter or header parameter list: names in lower case, `true` for a parameter without value.
 *
 * Header parameters keep the quotes of a quoted value (`unquote` of `quoted.ts` removes them), since
 * `+sip.instance="x"` and `+sip.instance=x` are not the same to every peer. URI parameters have escapes decoded.
 */
export type Params = ReadonlyMap<string, string | true>;

/** sip and sips URIs, RFC 3261 §19.1. Escapes are decoded in `user` and `password`; host is lower case. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  readonly user?: string;
  readonly password?: string;
  /** Host name, IPv4 address, or IPv6 address without brackets. */
  readonly host: string;
  readonly port?: number;
  readonly params: Params;
  readonly headers: ReadonlyMap<string, string>;
}

/** tel URI, RFC 3966: `number` without visual separators, with its leading `+` when global. */
export interface TelUri {
  readonly scheme: 'tel';
  readonly number: string;
  readonly params: Params;
}

/** A URI of another scheme, kept as written. */
export interface OtherUri {
  readonly scheme: 'other';
  readonly text: string;
}

export type Uri = SipUri | TelUri | OtherUri;

/** `name-addr` or `addr-spec` with header parameters: From, To, Contact, Route, Record-Route (RFC 3261 §20.10). */
export interface NameAddr {
  /** Display name with quoting and escapes removed. */
  readonly display?: string;
  readonly uri: Uri;
  readonly params: Params;
}

/** One Via value, RFC 3261 §20.42. */
export interface Via {
  /** As written, e.g. `UDP`, `TLS`. */
  readonly transport: string;
  readonly host: string;
  readonly port?: number;
  readonly branch?: string;
  /** All parameters but the branch. */
  readonly params: Params;
}

export interface CSeq {
  /** 0 to 2^31 - 1. */
  readonly number: number;
  /** Digits as received, only in `ParseError.respond` where they are beyond that range: the refusal echoes them. */
  readonly outOfRange?: string;
  readonly method: string;
}

/**
 * Fields common to both kinds. Whatever `parseMessage` returns has them valid; they hold exactly the mandatory
 * headers of RFC 3261 §8.1.1. All other header fields, known and unknown, are in `headers` in their order.
 */
interface MessageFields {
  /** Topmost first. Empty only in a request that has not been given to a transaction yet. */
  readonly via: readonly Via[];
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly callId: string;
  readonly cseq: CSeq;
  /** Every other header field. Header values never contain CR, LF or NUL. */
  readonly headers: HeaderList;
  /** Empty where there is none. */
  readonly body: Uint8Array;
}

export interface SipRequest extends MessageFields {
  readonly kind: 'request';
  readonly method: string;
  /** Request-URI. */
  readonly uri: Uri;
  /** Undefined where the header is missing. */
  readonly maxForwards: number | undefined;
}

export interface SipResponse extends MessageFields {
  readonly kind: 'response';
  /** 100 to 699. */
  readonly status: number;
  readonly reason: string;
}

export type SipMessage = SipRequest | SipResponse;

/**
 * Why bytes are not an acceptable SIP message.
 *
 * `respond` is present where RFC 3261 asks for an answer and the message holds enough to build one: a request
 * whose Via, From, To, Call-ID and CSeq could be read, if need be without their malformed part; never for ACK.
 * Everything else is dropped silently.
 */
export interface ParseError {
  /** Stable, kebab-case: `bad-start-line`, `bad-header`, `missing-header`, `duplicate-header`, `bad-content-length`, ... */
  readonly code: string;
  readonly detail: string;
  readonly respond?: { readonly status: number; readonly reason: string; readonly request: SipRequest };
}
