import { optional, readArguments, text, whole } from '../control/arguments.ts';
import { CommandRefused } from '../control/command-refused.ts';
import type { ControlServer } from '../control/server.ts';
import type { Desk } from './desk.ts';
import { mailAboutFactor } from './mails.ts';
import { inviteSigns, makeCode } from './one-time-codes.ts';

/** `user factor list`: what a user has, without any secret. */
export interface FactorList {
  readonly user: string;
  readonly domain: string;
  readonly factors: readonly {
    readonly kind: string;
    readonly label: string;
    readonly since: number;
    readonly used: number;
  }[];
}

export interface Invitation {
  readonly user: string;
  readonly domain: string;
  /** Shown once. */
  readonly code: string;
  readonly until: number;
  readonly page: string | null;
}

const hour = 3_600_000;

/** `ringfence user factor …` */
export function handleFactors(control: ControlServer, desk: Desk): void {
  const { factors, bus } = desk.parts;
  const who = { user: text(64), domain: optional(text(253)) };
  const find = (given: { readonly user: string; readonly domain: string | undefined }) => {
    const domain = desk.parts.directory().domain(given.domain ?? desk.parts.defaultDomain());
    const user = given.user.toLowerCase();
    if (domain?.users.has(user) !== true)
      throw new CommandRefused(
        'no-such-user',
        `There is no user ${given.user} in ${given.domain ?? desk.parts.defaultDomain()}; \`ringfence user list\` shows which there are.`,
      );
    return { domain: domain.name, user };
  };
  control.handle(
    'user factor list',
    (args): FactorList => {
      const { domain, user } = find(readArguments(who, args));
      const list = factors.of(domain, user);
      return {
        domain,
        user,
        factors: list.map(({ data, label, since, used }) => ({ kind: data.kind, label, since, used })),
      };
    },
    { reads: true },
  );
  control.handle('user factor reset', async (args, by) => {
    const { domain, user } = find(readArguments(who, args));
    const gone = await factors.reset(domain, user);
    desk.endAll(domain, user);
    for (const { data, label } of gone) {
      if (data.kind === 'invite') continue;
      const type = 'account.factor-removed';
      const name = by === '' ? 'administrator' : by;
      bus.emit({ type, domain, user, factor: data.kind, label, by: name, source: '' });
      desk.told(
        { domain, user },
        `${label}: removed`,
        mailAboutFactor('removed', '', desk.parts.url(), label),
      );
    }
    return { domain, user, removed: gone.length };
  });
  control.handle('user factor invite', async (args, by): Promise<Invitation> => {
    const { hours = 72, ...given } = readArguments({ ...who, hours: optional(whole(1, 720)) }, args);
    const { domain, user } = find(given);
    const code = makeCode((bytes) => desk.parts.random(bytes), inviteSigns);
    const until = desk.parts.now() + hours * hour;
    await factors.invite(domain, user, code, until);
    bus.emit({ type: 'account.invited', domain, user, by: by === '' ? 'administrator' : by, until });
    return { domain, user, code, until, page: desk.parts.url() ?? null };
  });
}
