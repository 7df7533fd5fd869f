import type { Call } from '../call/call.ts';
import type { CallView } from '../call/view.ts';
import type { EventBus } from '../events/bus.ts';
import { boolean, optional, readArguments, text, whole } from './arguments.ts';
import { CommandRefused } from './command-refused.ts';
import type { ControlServer } from './server.ts';

/** What commands about calls need of the edge. */
export interface CallsOfEdge {
  readonly calls: ReadonlyMap<string, Call>;
  run(step: () => void): void;
}

/** Calls in one answer, unless fewer are asked for. */
const mostCalls = 10_000;

/** `call list`: calls in progress, oldest first. */
export interface CallList {
  /** All there are, of that domain where one was named. */
  readonly total: number;
  readonly calls: readonly CallView[];
}

/** Commands about calls in progress. */
export function handleCalls(control: ControlServer, edge: CallsOfEdge, bus: EventBus): void {
  control.handle('call list', (args) => list(edge, args), { reads: true });
  control.handle('call end', (args, by) => {
    const wanted = readArguments({ call: text(), emergency: optional(boolean) }, args);
    const { call, view } = callOf(edge, wanted.call);
    if (view.emergency && wanted.emergency !== true)
      throw new CommandRefused(
        'emergency-call',
        `Call ${call.id} is an emergency call; only --emergency ends it.`,
      );
    bus.emit({ type: 'call.ended-by-hand', call: call.id, domain: view.domain, by });
    edge.run(() => call.hangUp('administrator'));
    return { call: call.id };
  });
}

function list(edge: CallsOfEdge, args: unknown): CallList {
  const { domain, limit = mostCalls } = readArguments(
    { domain: optional(text()), limit: optional(whole(1, mostCalls)) },
    args,
  );
  const found: CallView[] = [];
  let total = 0;
  for (const call of edge.calls.values()) {
    if (domain !== undefined && call.domain !== domain) continue;
    total += 1;
    const view = found.length < limit ? call.view() : undefined;
    if (view !== undefined) found.push(view);
  }
  return { total, calls: found };
}

/** A call in progress; throws `CommandRefused` where there is none of that name. */
export function callOf(edge: CallsOfEdge, id: string): { readonly call: Call; readonly view: CallView } {
  const call = edge.calls.get(id);
  const view = call?.view();
  if (call === undefined || view === undefined)
    throw new CommandRefused(
      'no-such-call',
      `There is no call ${id} in progress; \`ringfence call list\` shows which there are.`,
    );
  return { call, view };
}
