import { HeaderList } from './header-list.ts';
import { acceptCovers, parseMediaType } from './media-type.ts';
import { handlingOf } from './multipart.ts';
import { parseNameAddrList } from './name-addr.ts';
import { reasonPhrase } from './status.ts';
import type { SipRequest, SipResponse, Uri } from './types.ts';

export interface ScreenOptions {
  /** Methods that are served; no check if absent. Others get 405 if registered, else 501, both with Allow. */
  readonly supportedMethods?: ReadonlySet<string>;
  /** Schemes of the Request-URI in lower case. Default sip, sips, tel. Others get 416. */
  readonly supportedSchemes?: ReadonlySet<string>;
  /** Option tags for Require and Proxy-Require in lower case. Default none. Others get 420 with Unsupported. */
  readonly supportedExtensions?: ReadonlySet<string>;
  /** Media types of bodies; no check if absent. Others get 415 with Accept. A multipart type counts as a type. */
  readonly acceptableBodies?: ReadonlySet<string>;
  /** Media type of the answer to an INVITE; an Accept that rules it out gets 406. Default `application/sdp`. */
  readonly answerType?: string;
  /** Whether requests go on from here, so that Max-Forwards 0 gets 483. Default true. */
  readonly forwards?: boolean;
}

/** A refusal for `makeResponse(request, status, reason, { headers })`. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  /** What was wrong, for logs. */
  readonly detail: string;
  readonly headers: HeaderList;
}

const registeredMethods: ReadonlySet<string> = new Set(
  'ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE'.split(
    ' ',
  ),
);
const defaultSchemes: ReadonlySet<string> = new Set(['sip', 'sips', 'tel']);
const noNames: ReadonlySet<string> = new Set();

const refusal = (status: number, detail: string, name?: string, value?: string): Refusal => ({
  status,
  reason: reasonPhrase(status),
  detail,
  headers: new HeaderList(name === undefined || value === undefined ? [] : [[name, value]]),
});

/** Scheme of a URI in lower case, for foreign ones too. */
export const schemeOf = (uri: Uri): string =>
  uri.scheme === 'other' ? uri.text.slice(0, uri.text.indexOf(':')).toLowerCase() : uri.scheme;

const unsupportedTags = (tags: readonly string[], supported: ReadonlySet<string>): readonly string[] =>
  tags.filter((tag) => !supported.has(tag.toLowerCase()));

/** Headers that hold name-addr values and decide where later requests go. */
const addressHeaders: readonly string[] = ['contact', 'route', 'record-route'];

const checkAddresses = (request: SipRequest): Refusal | undefined => {
  for (const name of addressHeaders) {
    for (const value of request.headers.all(name)) {
      // §10.2.2: a lone star removes all bindings.
      if (value === '*' && name === 'contact' && request.method === 'REGISTER') continue;
      const list = parseNameAddrList(value);
      if (!list.ok) return refusal(400, `${name}: ${list.error}`);
    }
  }
  return undefined;
};

const checkBody = (request: SipRequest, options: ScreenOptions): Refusal | undefined => {
  const { headers, body } = request;
  if (body.length === 0 || options.acceptableBodies === undefined || handlingOf(headers) === 'optional') {
    return undefined;
  }
  const encoding = headers.get('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return refusal(415, 'encoded body', 'Accept-Encoding', 'identity');
  }
  const accept = [...options.acceptableBodies].join(', ');
  const type = headers.get('content-type');
  // §20.15: a body must have its Content-Type.
  if (type === undefined) return refusal(400, 'body without Content-Type');
  const media = parseMediaType(type);
  if (!media.ok) return refusal(400, `Content-Type: ${media.error}`);
  if (!options.acceptableBodies.has(media.value.type))
    return refusal(415, 'type of the body', 'Accept', accept);
  return undefined;
};

const checkAccept = (request: SipRequest, answerType: string): Refusal | undefined => {
  if (request.method !== 'INVITE' || !request.headers.has('accept')) return undefined;
  for (const member of request.headers.values('accept')) {
    const media = parseMediaType(member);
    if (media.ok && acceptCovers(media.value.type, answerType)) return undefined;
  }
  return refusal(406, `Accept rules out ${answerType}`);
};

/**
 * The refusal that RFC 3261 asks for before a well-formed request is looked at further, or `undefined`.
 *
 * In this order: method (§8.2.1), address headers (400), scheme of the Request-URI (§8.2.2.1), Max-Forwards (§16.3),
 * Require and Proxy-Require (§8.2.2.3, §16.3), body (§8.2.3), Accept of an INVITE (§21.4.7). ACK is never refused,
 * and CANCEL not for its Require. Says nothing about who may do what.
 */
export const screenRequest = (request: SipRequest, options: ScreenOptions = {}): Refusal | undefined => {
  if (request.method === 'ACK') return undefined;
  if (options.supportedMethods !== undefined && !options.supportedMethods.has(request.method)) {
    const status = registeredMethods.has(request.method) ? 405 : 501;
    return refusal(status, 'method', 'Allow', [...options.supportedMethods].join(', '));
  }
  const malformed = checkAddresses(request);
  if (malformed !== undefined) return malformed;

  const schemes = options.supportedSchemes ?? defaultSchemes;
  if (!schemes.has(schemeOf(request.uri))) return refusal(416, 'scheme of the Request-URI');
  if (request.method === 'REGISTER' && !schemes.has(schemeOf(request.to.uri))) {
    return refusal(400, 'scheme of the address of record');
  }
  if (request.maxForwards === 0 && (options.forwards ?? true)) return refusal(483, 'Max-Forwards is 0');

  if (request.method !== 'CANCEL') {
    const supported = options.supportedExtensions ?? noNames;
    const tags = [
      ...unsupportedTags(request.headers.values('require'), supported),
      ...unsupportedTags(request.headers.values('proxy-require'), supported),
    ];
    if (tags.length > 0) return refusal(420, 'option tags', 'Unsupported', tags.join(', '));
  }
  return checkBody(request, options) ?? checkAccept(request, options.answerType ?? 'application/sdp');
};

/**
 * Why a well-formed response must be dropped in silence, or `undefined`.
 *
 * §8.1.3.3: more than one Via means that it was not meant for us, and nothing is forwarded by Via here, so a
 * broadcast address in a lower one (RFC 4475 §3.3.10) never gets a packet.
 */
export const screenResponse = (
  response: SipResponse,
): { readonly code: string; readonly detail: string } | undefined =>
  response.via.length === 1 ? undefined : { code: 'not-ours', detail: 'more than one Via in a response' };
