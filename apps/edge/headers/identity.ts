import { assertedIdentities } from '@ringfence/sip/headers/asserted-identity.ts';
import { type PrivacyValue, parsePrivacy, serializePrivacy } from '@ringfence/sip/headers/privacy.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { serializeNameAddr } from '@ringfence/sip/message/name-addr.ts';
import { noParams } from '@ringfence/sip/message/params.ts';
import type { NameAddr, SipRequest, Uri } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';

/** Who calls, as proven or as a trusted trunk says, and whether the called side may know. */
export interface CallerIdentity {
  /** For phones of the tenant. */
  readonly name: NameAddr;
  /** For trunks. */
  readonly number: NameAddr;
  /** The caller wants to be nobody to those who are not trusted (RFC 3323 §4.1, RFC 3325 §7). */
  readonly hidden: boolean;
  /** What a trusted side is asked to do the same for. */
  readonly privacy: ReadonlySet<PrivacyValue>;
}

/** From and the header fields that tell a called side who calls. */
export interface Presented {
  readonly from: NameAddr;
  readonly headers?: HeaderList;
}

/** RFC 3323 §4.1.1.3 and RFC 3261 §8.1.1.3. */
export const anonymous: NameAddr = {
  display: 'Anonymous',
  uri: sipUri({ user: 'anonymous', host: 'anonymous.invalid' }),
  params: noParams,
};

const nothing: ReadonlySet<PrivacyValue> = new Set();

/**
 * Reads who calls, RFC 3325 §5 and §6.
 *
 * A device is its user, whatever it writes; P-Preferred-Identity may choose between the user's name and its number and
 * nothing else. Of a trunk P-Asserted-Identity counts where the trunk is trusted, From where it is not. Privacy is
 * every caller's right; an emergency call has none, so that help finds its way.
 */
export function identify(
  directory: DomainDirectory,
  principal: Principal,
  request: Pick<SipRequest, 'from' | 'headers'>,
  emergency: boolean,
): CallerIdentity {
  const { headers } = request;
  const privacy = headers.has('Privacy') ? privacyOf(headers) : nothing;
  const wanted = !privacy.has('none') && (privacy.has('id') || privacy.has('user') || privacy.has('header'));
  const hidden = !emergency && (wanted || (privacy.size === 0 && isAnonymous(request.from.uri)));
  const at = (user: string, display: string | undefined): NameAddr => ({
    ...(display === undefined || display === '' ? {} : { display }),
    uri: sipUri({ user, host: directory.name }),
    params: noParams,
  });
  if (principal.kind === 'device') {
    const user = directory.users.get(principal.user.toLowerCase());
    const number = at(user?.number ?? principal.user, user?.displayName);
    const preferred = headers.has('P-Preferred-Identity') ? headers.all('P-Preferred-Identity') : [];
    const byNumber =
      user?.number !== undefined &&
      assertedIdentities(preferred).some(({ uri }) => userOf(uri) === user.number);
    return { name: byNumber ? number : at(principal.user, user?.displayName), number, hidden, privacy };
  }
  const [asserted] =
    isTrusted(directory, principal) && headers.has('P-Asserted-Identity')
      ? assertedIdentities(headers.all('P-Asserted-Identity'))
      : [];
  const { uri, display } = asserted ?? request.from;
  const claimed = at(userOf(uri) ?? 'anonymous', display);
  return { name: claimed, number: claimed, hidden, privacy };
}

/** Part of the trust domain of RFC 3325 §2: a trunk that was said to be; never a phone. */
export const isTrusted = (directory: DomainDirectory, principal: Principal): boolean =>
  principal.kind === 'trunk' && directory.trunks.get(principal.trunk)?.trusted === true;

/** RFC 3323 §5: a caller who insists on what we do not know must not be put through. */
export function privacyRefusal(request: Pick<SipRequest, 'headers'>): boolean {
  if (!request.headers.has('Privacy')) return false;
  const read = parsePrivacy(request.headers.all('Privacy'));
  return !read.ok || (read.value.unknown && read.value.values.has('critical'));
}

/** As the side that is called shall see it; `trusted` sides hear who it is in any case, and that others must not. */
export function present(identity: CallerIdentity, to: 'phone' | 'trunk', trusted: boolean): Presented {
  const { hidden, privacy } = identity;
  const known = to === 'phone' ? identity.name : identity.number;
  if (!trusted || to === 'phone') return { from: hidden ? anonymous : known };
  const headers = new HeaderList().add('P-Asserted-Identity', serializeNameAddr(known));
  if (hidden) headers.add('Privacy', serializePrivacy(new Set([...withoutCritical(privacy), 'id'] as const)));
  else if (privacy.has('none')) headers.add('Privacy', 'none');
  return { from: hidden ? anonymous : known, headers };
}

const withoutCritical = (values: ReadonlySet<PrivacyValue>): PrivacyValue[] =>
  [...values].filter((value) => value !== 'critical' && value !== 'none');

function privacyOf(headers: HeaderList): ReadonlySet<PrivacyValue> {
  const read = parsePrivacy(headers.all('Privacy'));
  return read.ok ? read.value.values : nothing;
}

/** RFC 3261 §8.1.1.3, RFC 3323 §4.1.1.3: the host, or the user part that many write alone. */
function isAnonymous(uri: Uri): boolean {
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips') return false;
  return uri.host === 'anonymous.invalid' || uri.user?.toLowerCase() === 'anonymous';
}

const userOf = (uri: Uri): string | undefined =>
  uri.scheme === 'tel' ? uri.number : uri.scheme === 'other' ? undefined : uri.user;
