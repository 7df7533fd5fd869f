import { causeOf, type Forwarding, readDiversion, readHistory } from '@ringfence/sip/headers/diversion.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { serializeNameAddr } from '@ringfence/sip/message/name-addr.ts';
import { noParams } from '@ringfence/sip/message/params.ts';
import type { Uri } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';

/** How a trunk likes to be told of forwardings. */
export type ForwardingHeader = 'diversion' | 'history-info' | 'both' | 'none';

/**
 * Forwardings of a call that a trusted side tells, the oldest first; of Diversion and History-Info the one that knows
 * more (RFC 7544 §4: they are not merged).
 */
export function forwardingsOf(headers: HeaderList): readonly Forwarding[] {
  const diversion = headers.has('Diversion') ? readDiversion(headers.all('Diversion')) : [];
  const history = headers.has('History-Info') ? readHistory(headers.all('History-Info')) : [];
  return history.length > diversion.length ? history : diversion;
}

/** How often the call has been forwarded. */
export const timesForwarded = (forwardings: readonly Forwarding[]): number =>
  forwardings.reduce((sum, { count }) => sum + count, 0);

/**
 * Writes them for a trusted side in the header that it likes (RFC 5806 §5, RFC 7044 §5, RFC 7544 §6): users and numbers
 * under the tenant's own domain, nothing else of what came.
 */
export function writeForwardings(
  forwardings: readonly Forwarding[],
  as: ForwardingHeader,
  domain: string,
  target: string,
  into: HeaderList,
): void {
  if (forwardings.length === 0 || as === 'none') return;
  const named = forwardings.map(({ from, reason, count, hidden }) => ({
    user: hidden ? 'anonymous' : userOf(from.uri),
    reason,
    count,
  }));
  if (as !== 'history-info')
    for (const { user, reason, count } of named.toReversed()) {
      const params = new Map([
        ['reason', reason],
        ['counter', String(count)],
      ]);
      into.add('Diversion', serializeNameAddr({ uri: sipUri({ user, host: domain }), params }));
    }
  if (as === 'diversion') return;
  let index = '1';
  for (const [i, user] of [...named.map((each) => each.user), target].entries()) {
    const before = named[i - 1];
    const params = before === undefined ? noParams : new Map([['cause', String(causeOf(before.reason))]]);
    const uri = sipUri({ user, host: domain, params });
    into.add('History-Info', serializeNameAddr({ uri, params: new Map([['index', index]]) }));
    index += '.1';
  }
}

function userOf(uri: Uri): string {
  const user = uri.scheme === 'tel' ? uri.number : uri.scheme === 'other' ? undefined : uri.user;
  return user === undefined || user === '' ? 'unknown' : user.slice(0, 64);
}
