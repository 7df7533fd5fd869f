import { makeRequest, withTag } from '@ringfence/sip/message/build.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { noParams } from '@ringfence/sip/message/params.ts';
import type { NameAddr, SipRequest, SipUri, Uri } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';

/** URI parameters that say what is wanted, RFC 3261 §19.1.1; all others are the phone's own affair. */
const uriParams = new Set(['user', 'transport']);

/**
 * The Request-URI of a phone as its PBX sees it: the same, since the phone's digest is computed over it, but without
 * parameters and headers that nobody asked for. A sips URI becomes a sip one where the way on is not encrypted.
 */
export function passedUri(uri: Uri, domain: string, flow: Flow): SipUri {
  if (uri.scheme === 'tel') return sipUri({ user: uri.number, host: domain });
  if (uri.scheme === 'other') return sipUri({ host: domain });
  const params = new Map([...uri.params].filter(([name]) => uriParams.has(name)));
  return sipUri({
    scheme: isEncrypted(flow.transport) ? uri.scheme : 'sip',
    host: uri.host,
    params,
    ...(uri.user === undefined ? {} : { user: uri.user }),
    ...(uri.port === undefined ? {} : { port: uri.port }),
  });
}

/** User part of From or To, or of a tel URI; empty where there is none. */
export const userOf = (uri: Uri): string =>
  uri.scheme === 'tel' ? uri.number : uri.scheme === 'other' ? '' : (uri.user ?? '');

/** The same person in the domain as its PBX knows it; addresses of the outside stay outside. */
export const partyIn = (domain: string, party: NameAddr): NameAddr => ({
  ...(party.display === undefined ? {} : { display: party.display }),
  uri: sipUri({ user: userOf(party.uri), host: domain }),
  params: noParams,
});

/** A request that begins anew on the other side: own tag, Call-ID and CSeq, and only the headers given. */
export const passedRequest = (
  request: SipRequest,
  fields: {
    readonly uri: Uri;
    readonly from: NameAddr;
    readonly to: NameAddr;
    readonly tag: string;
    readonly callId: string;
    readonly cseq: number;
    readonly headers: HeaderList;
    readonly body?: Uint8Array;
  },
): SipRequest =>
  makeRequest({
    method: request.method,
    uri: fields.uri,
    from: withTag(fields.from, fields.tag),
    to: fields.to,
    callId: fields.callId,
    cseq: fields.cseq,
    maxForwards: Math.min(request.maxForwards ?? 70, 70) - 1,
    headers: fields.headers,
    ...(fields.body === undefined ? {} : { body: fields.body }),
  });
