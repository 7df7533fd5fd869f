import { parseNameAddr } from '../message/name-addr.ts';
import type { SipMessage, SipUri, Uri } from '../message/types.ts';
import { serializeUri } from '../message/uri.ts';

/** Most Record-Route values that a dialog takes; RFC 3261 has no bound, a peer must have one. */
export const maxRoutes = 32;

/** Record-Route values in the order of the message, undefined where one is no name-addr or there are too many. */
export function recordRoute(message: SipMessage): string[] | undefined {
  if (!message.headers.has('record-route')) return [];
  const routes = [...message.headers.values('record-route')];
  if (routes.length > maxRoutes) return undefined;
  return routes.every((route) => parseNameAddr(route).ok) ? routes : undefined;
}

/** URI of the only Contact of a message, undefined where it is missing, `*` or malformed. */
export function contactUri(message: SipMessage): Uri | undefined {
  const contact = message.headers.values('contact')[0];
  if (contact === undefined || contact === '*') return undefined;
  const parsed = parseNameAddr(contact);
  return parsed.ok ? parsed.value.uri : undefined;
}

/** What a URI keeps as Request-URI: no headers, no method parameter (RFC 3261 §19.1.1 table 1). */
export function asRequestUri(uri: Uri): Uri {
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips') return uri;
  if (uri.headers.size === 0 && !uri.params.has('method')) return uri;
  const params = new Map(uri.params);
  params.delete('method');
  return { ...(uri as SipUri), params, headers: new Map() };
}

/** Request-URI and Route of a request within a dialog, RFC 3261 §12.2.1.1. */
export function routeRequest(
  remoteTarget: Uri,
  routeSet: readonly string[],
): { readonly uri: Uri; readonly routes: readonly string[] } {
  const first = routeSet[0];
  const parsed = first === undefined ? undefined : parseNameAddr(first);
  if (parsed === undefined || !parsed.ok) return { uri: remoteTarget, routes: [] };
  const next = parsed.value.uri;
  // Without `lr` the next hop is a strict router of RFC 2543, which wants itself as Request-URI.
  const loose = (next.scheme === 'sip' || next.scheme === 'sips') && next.params.has('lr');
  if (loose) return { uri: remoteTarget, routes: routeSet };
  return { uri: asRequestUri(next), routes: [...routeSet.slice(1), `<${serializeUri(remoteTarget)}>`] };
}
