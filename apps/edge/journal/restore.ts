import type { Relay } from '@ringfence/relay/contract.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { Call } from '../call/call.ts';
import type { CallServices } from '../call/services.ts';
import { type CallSnapshot, readSnapshot } from '../call/snapshot.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { OpenCall } from '../store/contract.ts';
import type { Transports } from '../transport/contract.ts';

/** What calls of a process that is gone are joined with. */
export interface RestoreParts {
  readonly relay: Relay;
  /** Endpoints that live in `relay`. */
  readonly endpoints: ReadonlySet<number>;
  /** The process before died so shortly ago that calls whose media is gone too are worth another offer. */
  readonly recent: boolean;
  readonly services: CallServices;
  /** Filled with what goes on. */
  readonly calls: Map<string, Call>;
  readonly transports: Transports;
  domain(name: string): DomainDirectory | undefined;
  problem(error: unknown): void;
}

export interface RestoreOutcome {
  /** Calls that go on. */
  readonly taken: ReadonlySet<string>;
  /** Endpoints that belong to them; all others are nobody's. */
  readonly used: ReadonlySet<number>;
  /** Those of them whose media died with the process, to be offered new one. */
  readonly silent: readonly Call[];
}

/**
 * Takes up answered calls where another process has left them.
 *
 * A call is taken as a whole or not at all: both dialogs and every endpoint. What cannot be taken is left for its
 * last record.
 */
export function restoreCalls(open: readonly OpenCall[], parts: RestoreParts): RestoreOutcome {
  const taken = new Set<string>();
  const used = new Set<number>();
  const silent: Call[] = [];
  for (const { record, journal } of open) {
    const state = readSnapshot(journal);
    const directory = parts.domain(record.domain);
    if (state === undefined || directory === undefined) continue;
    const live = isLive(state, parts);
    if (!live && !parts.recent) continue;
    try {
      const call = Call.restore(parts.services, {
        ...record,
        state,
        live,
        relay: parts.relay,
        flow: (facts) => flowAgain(facts, parts.transports),
        trunk: (name) => directory.trunks.get(name),
      });
      parts.calls.set(call.id, call);
      taken.add(call.id);
      if (live) for (const id of endpointsOf(state)) used.add(id);
      else silent.push(call);
    } catch (error) {
      parts.problem(error);
    }
  }
  return { taken, used, silent };
}

const endpointsOf = ({ legs }: CallSnapshot): number[] =>
  legs.flatMap(({ media }) => media.streams.flatMap((stream) => (stream === null ? [] : [stream.id])));

const isLive = (state: CallSnapshot, { relay, endpoints }: RestoreParts): boolean =>
  state.relay === relay.instance && endpointsOf(state).every((id) => endpoints.has(id));

/** Over UDP there is nothing to lose; a connection is gone, its facts stay for the record until its peer is back. */
function flowAgain(facts: Omit<Flow, 'id'>, transports: Transports): Flow {
  const { address, port } = facts.remote;
  const again =
    facts.transport === 'udp'
      ? (transports.udpFlow(address, port, facts.listener) ?? transports.udpFlow(address, port))
      : undefined;
  return again ?? { ...facts, id: noFlow };
}

/** Live flows count from 1. */
const noFlow = 0;
