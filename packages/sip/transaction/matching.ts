import { tagOf } from '../message/build.ts';
import type { NameAddr, SipRequest, Via } from '../message/types.ts';
import { serializeUri } from '../message/uri.ts';
import { magicCookie } from '../message/via.ts';

/** Tag of a From or To value, empty where it has none (RFC 2543 peers). */
export const tagText = (party: NameAddr): string => tagOf(party) ?? '';

const defaultPort = (via: Via): number => (via.transport.toUpperCase().startsWith('TLS') ? 5061 : 5060);

/** True where the branch alone makes a transaction unique; a bare cookie does not (RFC 4475 §3.2.1). */
export function hasUniqueBranch(via: Via): boolean {
  const { branch } = via;
  return branch !== undefined && branch.length > magicCookie.length && branch.startsWith(magicCookie);
}

/**
 * Under which key the server transaction of a request is found, RFC 3261 §17.2.3.
 *
 * `method` is INVITE for an ACK, and for a CANCEL that looks for what it cancels. Call-ID is compared too, which
 * the RFC does not ask for: it keeps apart peers behind NATs that share a sent-by and a poor random source. The
 * separator is a character that no header field can hold.
 */
export function serverKey(request: SipRequest, method: string): string {
  const via = request.via[0] as Via;
  const sentBy = `${via.host}:${via.port ?? defaultPort(via)}`;
  if (hasUniqueBranch(via)) return `${via.branch}\n${sentBy}\n${method}\n${request.callId}`;
  const uri = serializeUri(request.uri);
  // RFC 2543: the To tag is compared by the caller, since that of an ACK comes from our response.
  return `2543\n${uri}\n${tagText(request.from)}\n${request.callId}\n${request.cseq.number}\n${sentBy}\n${via.branch ?? ''}\n${method}`;
}

/**
 * What two copies of one request share when they came over different ways, RFC 3261 §8.2.2.2.
 *
 * The user that is asked for counts too: a proxy that forks to two phones behind one back-to-back user agent sends it
 * two requests of one Call-ID and tag, and either phone has to ring.
 */
export function mergedKey(request: SipRequest): string {
  const { uri, callId, cseq } = request;
  const user = uri.scheme === 'sip' || uri.scheme === 'sips' ? (uri.user ?? '') : '';
  return `${callId}\n${tagText(request.from)}\n${cseq.number}\n${cseq.method}\n${user}`;
}

/** A To tag that is the same for every repetition of a request, for answers given without state (§8.2.7). */
export function statelessTag(key: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}
