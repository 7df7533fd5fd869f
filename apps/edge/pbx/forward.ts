import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { CallServices, ClientOwner } from '../call/services.ts';
import type { Pbx, PbxNode } from '../objects/types.ts';
import { type NodeSources, type Reached, reachNode } from './reach.ts';

/** A node that says nothing for so long is given up; its own timer F (32 s) would outlast the phone's patience. */
const patienceMs = 4_000;

export interface ForwardParts {
  readonly services: CallServices;
  readonly sources: NodeSources;
}

export type Forwarded =
  | { readonly kind: 'answered'; readonly response: SipResponse; readonly node: PbxNode; readonly flow: Flow }
  | { readonly kind: 'unreachable' };

/** 408 and 503 are a node's way to say that it cannot, RFC 3263 §4.3: the next one may. */
const tryElsewhere = (status: number): boolean => status === 408 || status === 503;

/** Sends a request to the first node of a list that gives a final answer; `done` is called once. */
export function forward(
  parts: ForwardParts,
  pbx: Pbx,
  order: readonly PbxNode[],
  make: (node: PbxNode, flow: Flow) => SipRequest,
  done: (outcome: Forwarded) => void,
): void {
  const { services, sources } = parts;
  const [node, ...rest] = order;
  if (node === undefined) return done({ kind: 'unreachable' });
  const next = (): void => forward(parts, pbx, rest, make, done);
  const send = ({ flow, candidate }: Reached): void => {
    let over = false;
    const once = (result: number | 'timeout' | 'transport', then: () => void): void => {
      if (over) return;
      over = true;
      stop();
      sources.nodes.heard(pbx, node, candidate, result);
      then();
    };
    const stop = services.after(patienceMs, () => services.run(() => once('timeout', next)));
    const owner: ClientOwner = {
      response: (response) => {
        const { status } = response;
        // It is there and thinks: whatever it says, it says in time or timer F ends it.
        if (status < 200) return stop();
        once(status, () =>
          tryElsewhere(status) ? next() : done({ kind: 'answered', response, node, flow }),
        );
      },
      failed: (reason) => {
        // The table of our own transactions is full: no node is to blame.
        if (reason !== 'overload') return once(reason, next);
        if (over) return;
        over = true;
        stop();
        done({ kind: 'unreachable' });
      },
    };
    services.layer.request(make(node, flow), flow, services.now()).context = owner;
  };
  const go = (reached: Reached | undefined): void =>
    services.run(() => (reached === undefined ? next() : send(reached)));
  reachNode(sources, pbx, node).then(go, () => go(undefined));
}
