import { parseAuthParams, serializeAuthParams } from '@ringfence/sip/message/auth-params.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';

/** Parameters of credentials that go on to the PBX, RFC 7616 §3.4 and RFC 3261 §22.4. */
const credentialParams = new Set(
  'username username* realm nonce uri response algorithm cnonce opaque qop nc userhash'.split(' '),
);
/** Parameters of a challenge that go on to the phone, RFC 7616 §3.3. */
const challengeParams = new Set('realm nonce opaque stale algorithm qop userhash'.split(' '));
const bareQop: ReadonlySet<string> = new Set(['qop', 'userhash']);
const bareUserhash: ReadonlySet<string> = new Set(['userhash']);
/** Values of either kind that are taken from one message. */
const most = 4;

/** The user name that a request's digest credentials are for; undefined where it has none. */
export function usernameOf(request: SipRequest): string | undefined {
  for (const name of ['Proxy-Authorization', 'Authorization'])
    for (const value of request.headers.all(name)) {
      const parsed = parseAuthParams(value);
      const username =
        parsed.ok && parsed.value.scheme === 'digest' ? parsed.value.params.get('username') : undefined;
      if (username !== undefined) return username;
    }
  return undefined;
}

/**
 * The digest credentials of a request, written anew for the PBX that checks them.
 *
 * The edge does not know the password, so realm, nonce and URI stay as the phone has computed with.
 */
export function credentialsOf(request: SipRequest): HeaderList {
  const headers = new HeaderList();
  for (const name of ['Authorization', 'Proxy-Authorization'])
    for (const value of request.headers.all(name).slice(0, most)) {
      const parsed = parseAuthParams(value);
      if (!parsed.ok || parsed.value.scheme !== 'digest') continue;
      const params = [...parsed.value.params].filter(([param]) => credentialParams.has(param));
      headers.add(name, serializeAuthParams('Digest', params, bareQop));
    }
  return headers;
}

/**
 * The digest challenges of a PBX's 401 or 407, written anew for the phone.
 *
 * `auth-int` is left out: it would protect a body that the edge has to write itself.
 */
export function challengesOf(response: SipResponse): HeaderList {
  const headers = new HeaderList();
  const name = response.status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  for (const value of response.headers.all(name).slice(0, most)) {
    const parsed = parseAuthParams(value);
    if (!parsed.ok || parsed.value.scheme !== 'digest') continue;
    const params: [string, string][] = [];
    for (const [param, text] of parsed.value.params) {
      if (!challengeParams.has(param)) continue;
      if (param !== 'qop') params.push([param, text]);
      else if (text.split(',').some((one) => one.trim().toLowerCase() === 'auth'))
        params.push(['qop', 'auth']);
    }
    headers.add(name, serializeAuthParams('Digest', params, bareUserhash));
  }
  return headers;
}

/** A nonce that has only grown old says nothing against the credentials, RFC 7616 §3.3. */
export const isStale = (response: SipResponse): boolean =>
  response.headers.all(response.status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate').some((value) => {
    const parsed = parseAuthParams(value);
    return parsed.ok && parsed.value.params.get('stale')?.toLowerCase() === 'true';
  });
