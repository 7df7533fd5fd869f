import { optional, readArguments, text, whole } from '../../control/arguments.ts';
import { CommandRefused } from '../../control/command-refused.ts';
import type { ControlServer } from '../../control/server.ts';
import type { Guard } from '../guard.ts';
import type { Ban } from './types.ts';

/** `ban list`. */
export interface BanList {
  readonly bans: readonly Ban[];
  /** All there are. */
  readonly total: number;
  /** Who drops what banned sources send. */
  readonly enforced: 'kernel' | 'process';
  /** Packets that the kernel has dropped; absent where it does not. */
  readonly dropped?: number;
}

const mostBans = 10_000;
const longest = 31_536_000;

/** Commands about bans. */
export function handleBans(control: ControlServer, guard: Guard): void {
  const { bans, protection } = guard;
  control.handle('ban list', (args) => list(guard, args), { reads: true });
  control.handle('ban add', (args) => {
    const { source, seconds, why, from } = readArguments(
      {
        source: text(80),
        seconds: optional(whole(1, longest)),
        why: optional(text(200)),
        from: optional(text(80)),
      },
      args,
    );
    if (from !== undefined) protection.administrator(from);
    const answer = bans.propose({
      source,
      cause: 'administrator',
      rule: 'administrator',
      evidence: why === undefined ? {} : { why },
      spoofable: false,
      by: 'administrator',
      ...(seconds === undefined ? {} : { seconds }),
    });
    if (!answer.banned) throw new CommandRefused(answer.rule, `${source} is not banned: ${answer.text}`);
    return answer;
  });
  control.handle('ban lift', (args, by) => {
    const { source, from } = readArguments({ source: text(80), from: optional(text(80)) }, args);
    if (from !== undefined) protection.administrator(from);
    if (!bans.lift(source, by === '' ? 'administrator' : by))
      throw new CommandRefused(
        'no-such-ban',
        `There is no ban of ${source}; \`ringfence ban list\` shows which there are.`,
      );
    return { source };
  });
}

async function list({ bans, firewall }: Guard, args: unknown): Promise<BanList> {
  const { limit = mostBans } = readArguments({ limit: optional(whole(1, mostBans)) }, args);
  const all = bans.list();
  const dropped = await firewall?.dropped();
  return {
    bans: all.slice(-limit),
    total: all.length,
    enforced: firewall?.on === true ? 'kernel' : 'process',
    ...(dropped === undefined ? {} : { dropped }),
  };
}
