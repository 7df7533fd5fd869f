import { HeaderList } from './header-list.ts';
import { reasonPhrase } from './status.ts';
import type { CSeq, NameAddr, SipRequest, SipResponse, Uri, Via } from './types.ts';

const noBody = new Uint8Array(0);

/** Header fields to put into a new message; a `HeaderList` is copied. */
export type HeaderSource = Iterable<readonly [name: string, value: string]>;

/** Max-Forwards of a new request (RFC 3261 §8.1.1.6). */
export const initialMaxForwards = 70;

/**
 * A request without Via: the transaction adds its own by `withVia`.
 *
 * `maxForwards` is 70 by default; `cseq` is the number, its method being that of the request.
 */
export const makeRequest = (parts: {
  readonly method: string;
  readonly uri: Uri;
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly callId: string;
  readonly cseq: number | CSeq;
  readonly maxForwards?: number;
  readonly headers?: HeaderSource;
  readonly body?: Uint8Array;
}): SipRequest => ({
  kind: 'request',
  method: parts.method,
  uri: parts.uri,
  via: [],
  from: parts.from,
  to: parts.to,
  callId: parts.callId,
  cseq: typeof parts.cseq === 'number' ? { number: parts.cseq, method: parts.method } : parts.cseq,
  maxForwards: parts.maxForwards ?? initialMaxForwards,
  headers: new HeaderList(parts.headers),
  body: parts.body ?? noBody,
});

/** Tag of a From or To value. */
export const tagOf = (value: NameAddr): string | undefined => {
  const tag = value.params.get('tag');
  return typeof tag === 'string' ? tag : undefined;
};

/** The value with that tag in place of its own, if any. */
export const withTag = (value: NameAddr, tag: string): NameAddr => {
  const params = new Map(value.params);
  params.set('tag', tag);
  return { ...value, params };
};

/** §12.1.1: responses that make a dialog carry the route set of the request. */
const makesDialog = (method: string, status: number): boolean =>
  status > 100 &&
  status < 300 &&
  (method === 'INVITE' || method === 'SUBSCRIBE' || method === 'NOTIFY' || method === 'REFER');

/**
 * The response to a request (RFC 3261 §8.2.6): Via, From, To, Call-ID and CSeq are those of the request.
 *
 * `toTag` is put into To unless the request had a tag there; give none for 100. 101 to 299 to INVITE, SUBSCRIBE,
 * NOTIFY and REFER also copy Record-Route (§12.1.1), and a 100 copies Timestamp (§8.2.6.1). The reason defaults
 * to the registered phrase.
 */
export const makeResponse = (
  request: SipRequest,
  status: number,
  reason?: string,
  options: { readonly toTag?: string; readonly headers?: HeaderSource; readonly body?: Uint8Array } = {},
): SipResponse => {
  const headers = new HeaderList();
  if (makesDialog(request.method, status)) {
    for (const route of request.headers.all('record-route')) headers.add('Record-Route', route);
  }
  if (status === 100) {
    const timestamp = request.headers.get('timestamp');
    if (timestamp !== undefined) headers.add('Timestamp', timestamp);
  }
  if (options.headers !== undefined) for (const [name, value] of options.headers) headers.add(name, value);
  const { to } = request;
  return {
    kind: 'response',
    status,
    reason: reason ?? reasonPhrase(status),
    via: request.via,
    from: request.from,
    to: options.toTag === undefined || to.params.has('tag') ? to : withTag(to, options.toTag),
    callId: request.callId,
    cseq: request.cseq,
    headers,
    body: options.body ?? noBody,
  };
};

/** The request with that Via on top. */
export const withVia = (request: SipRequest, via: Via): SipRequest => ({
  ...request,
  via: [via, ...request.via],
});
