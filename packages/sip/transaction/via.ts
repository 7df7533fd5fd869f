import type { Params, SipRequest, Via } from '../message/types.ts';
import type { Flow } from '../transport/flow.ts';

const transportNames = { udp: 'UDP', tcp: 'TCP', tls: 'TLS', ws: 'WS', wss: 'WSS' } as const;

const askForPort: Params = new Map([['rport', true]]);

/** Our own Via for a request over `flow`: fresh branch, `rport` asked for (RFC 3581 §3), and `more`. */
export function ownVia(flow: Flow, branch: string, more?: Params): Via {
  const { sentBy } = flow;
  const colon = sentBy.lastIndexOf(':');
  const hasPort = colon > sentBy.lastIndexOf(']');
  const host = hasPort ? sentBy.slice(0, colon) : sentBy;
  return {
    transport: transportNames[flow.transport],
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    ...(hasPort ? { port: Number(sentBy.slice(colon + 1)) } : {}),
    branch,
    params: more === undefined ? askForPort : new Map([...askForPort, ...more]),
  };
}

/**
 * The request with where it really came from in its topmost Via.
 *
 * `received` is written where sent-by names another host (RFC 3261 §18.2.1) or `rport` was asked for (RFC 3581
 * §4); what the sender wrote there itself is never kept.
 */
export function stampReceived(request: SipRequest, flow: Flow): SipRequest {
  const top = request.via[0];
  if (top === undefined) return request;
  const { params } = top;
  const wantsPort = params.has('rport');
  const differs = top.host !== flow.remote.address;
  if (!wantsPort && !differs && !params.has('received')) return request;
  const stamped = new Map(params);
  if (wantsPort || differs) stamped.set('received', flow.remote.address);
  else stamped.delete('received');
  if (wantsPort) stamped.set('rport', String(flow.remote.port));
  const rest = request.via.length > 1 ? request.via.slice(1) : [];
  return { ...request, via: [{ ...top, params: stamped }, ...rest] };
}
