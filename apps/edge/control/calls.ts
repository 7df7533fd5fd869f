import type { Call } from '../call/call.ts';
import type { CallView } from '../call/view.ts';
import type { Edge } from '../edge.ts';
import type { EventBus } from '../events/bus.ts';
import { boolean, oneOf, optional, readArguments, text, whole } from './arguments.ts';
import { CommandRefused } from './command-refused.ts';
import type { ControlServer } from './server.ts';

/** What commands about calls need of the edge. */
export interface CallsOfEdge {
  readonly calls: ReadonlyMap<string, Call>;
  run(step: () => void): void;
  record: Edge['record'];
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
  control.handle('call sas', (args) => compare(edge, args));
  control.handle('call record', (args, by) => record(edge, args, by));
}

/** `call sas`: a person has compared the short authentication string of one side. */
function compare(edge: CallsOfEdge, args: unknown): { readonly call: string; readonly sas: string } {
  const wanted = readArguments(
    { call: text(), same: boolean, side: optional(oneOf('caller', 'called')) },
    args,
  );
  const { call, view } = callOf(edge, wanted.call);
  const having = (['caller', 'called'] as const).filter((_, i) => {
    const zrtp = view.legs[i]?.media.zrtp;
    return zrtp?.mode === 'end' && zrtp.confirmed && (zrtp.sas ?? '') !== '';
  });
  const [first] = having;
  if (wanted.side === undefined && having.length > 1)
    throw new CommandRefused(
      'which-side',
      'Both sides have a string of their own; say which with --side caller or --side called.',
    );
  const side = wanted.side ?? first;
  let sas: string | undefined;
  if (side !== undefined)
    edge.run(() => {
      sas = call.compared(side, wanted.same);
    });
  if (sas === undefined)
    throw new CommandRefused(
      'no-string',
      `Call ${call.id} has no short authentication string ${side === undefined ? '' : `on the side of the ${side === 'caller' ? 'caller' : 'called party'} `}: ZRTP does not end at the edge there, or has no keys.`,
    );
  return { call: call.id, sas };
}

/** `call record`: what the administrator does about a recording, within what the policy of the domain allows. */
function record(
  edge: CallsOfEdge,
  args: unknown,
  by: string,
): { readonly call: string; readonly state: string } {
  const wanted = readArguments(
    {
      call: text(),
      action: oneOf('start', 'stop', 'pause', 'resume'),
      recorder: optional(text()),
    },
    args,
  );
  const { call } = callOf(edge, wanted.call);
  const { recording } = call;
  if (recording === undefined)
    throw new CommandRefused(
      'no-policy',
      'The domain of the call has no policy for recording, or nobody has answered yet.',
    );
  const { recorder, state } = recording;
  if (wanted.recorder !== undefined && wanted.recorder !== recorder)
    throw new CommandRefused(
      'other-recorder',
      `The policy of the domain allows the recorder ${recorder} alone.`,
    );
  if (wanted.action !== 'start' && state === 'none')
    throw new CommandRefused('not-recorded', `Call ${call.id} is not being recorded.`);
  const outcome = edge.record(call.id, wanted.action, by);
  if (typeof outcome === 'object' && !outcome.allowed)
    throw new CommandRefused(outcome.reason.rule, `${outcome.reason.text}.`);
  return { call: call.id, state: wanted.action === 'start' ? 'asked' : recording.state };
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
