import { parseAuthParams } from '@ringfence/sip/message/auth-params.ts';
import { parseNameAddr, parseNameAddrList, serializeNameAddr } from '@ringfence/sip/message/name-addr.ts';
import type { SipResponse, SipUri } from '@ringfence/sip/message/types.ts';

/** What a registrar has granted. */
export interface Grant {
  /** Seconds; 0 where our contact is not among those that it keeps. */
  readonly seconds: number;
  /** RFC 3608: where requests outside of dialogs are to go through, topmost first. */
  readonly serviceRoute: readonly string[];
  /** RFC 3327: what stands between us and the registrar, as it says. */
  readonly path: readonly string[];
}

/** Entries of a list that a registrar can make us keep. */
const mostEntries = 8;
const longestSeconds = 86_400;

/** Reads a 200 to our REGISTER, RFC 3261 §10.2.4: the expiry of our own contact among all of the address of record. */
export function readGrant(response: SipResponse, token: string, asked: number): Grant {
  const fallback = seconds(response.headers.get('Expires')) ?? asked;
  let granted = 0;
  for (const text of response.headers.values('Contact').slice(0, 64)) {
    const contact = parseNameAddr(text);
    if (!contact.ok || !('user' in contact.value.uri) || contact.value.uri.user !== token) continue;
    const own = contact.value.params.get('expires');
    granted = (typeof own === 'string' ? seconds(own) : undefined) ?? fallback;
  }
  return {
    seconds: Math.min(granted, longestSeconds),
    serviceRoute: routes(response, 'Service-Route'),
    path: routes(response, 'Path'),
  };
}

function routes(response: SipResponse, name: string): readonly string[] {
  return response.headers
    .values(name)
    .slice(0, mostEntries)
    .flatMap((text) => {
      const parsed = parseNameAddr(text);
      return parsed.ok && 'host' in parsed.value.uri ? [serializeNameAddr(parsed.value)] : [];
    });
}

/** Delta-seconds; undefined where it is anything else. */
export function seconds(text: string | undefined): number | undefined {
  const digits = text?.trim().split(/[ ;(]/, 1)[0] ?? '';
  return digits.length > 0 && digits.length <= 9 && /^[0-9]+$/.test(digits) ? Number(digits) : undefined;
}

/** A challenge says that only its nonce was too old (RFC 7616 §3.3). */
export const isStale = (response: SipResponse): boolean =>
  [...response.headers.all('WWW-Authenticate'), ...response.headers.all('Proxy-Authenticate')].some(
    (value) => {
      const parsed = parseAuthParams(value);
      return parsed.ok && parsed.value.params.get('stale')?.toLowerCase() === 'true';
    },
  );

/** The new place of a registrar that has moved (301, 302); undefined where it names none. */
export function movedTo(response: SipResponse): SipUri | undefined {
  for (const value of response.headers.all('Contact')) {
    const list = parseNameAddrList(value);
    const uri = list.ok ? list.value[0]?.uri : undefined;
    if (uri !== undefined && (uri.scheme === 'sip' || uri.scheme === 'sips')) return uri;
  }
  return undefined;
}
