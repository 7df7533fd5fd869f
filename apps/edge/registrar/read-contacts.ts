import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseNameAddrList } from '@ringfence/sip/message/name-addr.ts';
import type { NameAddr, SipRequest } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Configuration } from '../config/schema.ts';
import { bindingKey, readInstance, readRegistration } from './outbound.ts';

type Limits = Configuration['registrar'];

/** What a REGISTER asks for one contact. */
export interface Wish {
  readonly key: string;
  readonly contact: string;
  readonly seconds: number;
  /** It has an instance and a reg-id (RFC 5626 §4.2). */
  readonly outbound: boolean;
}

const maximumContactsInRequest = 16;

/** What a REGISTER asks for, RFC 3261 §10.2. */
export type Wishes =
  | { readonly kind: 'all' }
  | { readonly kind: 'list'; readonly list: readonly Wish[] }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly reason: string;
      readonly headers: HeaderList;
    };

/** Reads the Contacts and their expiry, RFC 3261 §10.3 steps 6 and 7. */
export function readWishes(request: SipRequest, limits: Limits): Wishes {
  const values = request.headers.values('Contact');
  const expires = readExpires(request.headers.get('Expires'));
  if (values.length === 0) return { kind: 'list', list: [] };
  if (values.some((value) => value.trim() === '*')) {
    // §10.2.2: the star stands alone and only with Expires: 0.
    if (values.length !== 1 || expires !== 0) return bad('Invalid Contact');
    return { kind: 'all' };
  }
  if (values.length > maximumContactsInRequest) return bad('Too Many Contacts');
  const list: Wish[] = [];
  for (const value of values) {
    const parsed = parseNameAddrList(value);
    if (!parsed.ok) return bad('Invalid Contact');
    for (const contact of parsed.value) {
      const wish = readWish(contact, expires, limits);
      if (wish === undefined) return bad('Invalid Contact');
      // §10.3 step 7: shorter than we like, but not a removal.
      if (wish.seconds > 0 && wish.seconds < limits.minimumExpires)
        return {
          kind: 'refused',
          status: 423,
          reason: 'Interval Too Brief',
          headers: new HeaderList().add('Min-Expires', String(limits.minimumExpires)),
        };
      list.push(wish);
    }
  }
  return { kind: 'list', list };
}

const bad = (reason: string): Wishes => ({
  kind: 'refused',
  status: 400,
  reason,
  headers: new HeaderList(),
});

function readWish(contact: NameAddr, expires: number | undefined, limits: Limits): Wish | undefined {
  const { uri, params } = contact;
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips') return undefined;
  const own = params.get('expires');
  const asked = (typeof own === 'string' ? readExpires(own) : undefined) ?? expires ?? limits.maximumExpires;
  const text = serializeUri({ ...uri, headers: new Map() });
  if (text.length > 512) return undefined;
  const instance = readInstance(params.get('+sip.instance'));
  // RFC 5626 §6: a reg-id without an instance counts for nothing.
  const registration = instance === undefined ? undefined : readRegistration(params.get('reg-id'));
  return {
    key: bindingKey(text, instance, registration),
    contact: text,
    seconds: Math.min(asked, limits.maximumExpires),
    outbound: registration !== undefined,
  };
}

/** delta-seconds, RFC 3261 §20.19; anything else counts as not given. */
function readExpires(text: string | undefined): number | undefined {
  if (text === undefined || text.length === 0 || text.length > 10) return undefined;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return undefined;
  }
  return Number(text);
}
