import { isIP } from 'node:net';
import type { SipUri } from '@ringfence/sip/message/types.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { Transport } from '@ringfence/sip/transport/flow.ts';

/** Candidates of a URI whose host is an address, RFC 3263 §4. */
export function resolveNumeric(uri: SipUri): readonly Candidate[] | undefined {
  if (isIP(uri.host) === 0) return undefined;
  const named = uri.params.get('transport');
  const transport: Transport =
    uri.scheme === 'sips' || named === 'tls' ? 'tls' : named === 'tcp' ? 'tcp' : 'udp';
  return [
    {
      transport,
      address: uri.host,
      port: uri.port ?? (transport === 'tls' ? 5061 : 5060),
      serverName: uri.host,
    },
  ];
}
