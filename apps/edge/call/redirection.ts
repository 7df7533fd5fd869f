import { parseNameAddrList } from '@ringfence/sip/message/name-addr.ts';
import type { SipResponse, Uri } from '@ringfence/sip/message/types.ts';

/** Contacts of one redirection that are looked at. */
export const mostContacts = 4;

const followed: ReadonlySet<number> = new Set([300, 301, 302]);

/**
 * Where a redirection sends a call, best first (RFC 3261 §8.1.3.4, `q` of §20.10); none where it is no redirection that
 * can be followed: 305 would name us another proxy, 380 leaves it to the caller.
 */
export function redirectedTo({ status, headers }: SipResponse): readonly Uri[] {
  if (!followed.has(status)) return [];
  const found: { readonly uri: Uri; readonly q: number }[] = [];
  for (const field of headers.all('Contact')) {
    const parsed = parseNameAddrList(field);
    if (!parsed.ok) continue;
    for (const { uri, params } of parsed.value) {
      if (found.length >= mostContacts) break;
      const q = Number(params.get('q') ?? 1);
      found.push({ uri, q: q >= 0 && q <= 1 ? q : 1 });
    }
  }
  return found.sort((a, b) => b.q - a.q).map(({ uri }) => uri);
}
