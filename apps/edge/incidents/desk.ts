import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { Bans } from '../admission/bans/bans.ts';
import type { MailSender } from '../alerts/channels/email.ts';
import type { Call } from '../call/call.ts';
import { formatProblem } from '../config/problem.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import type { Objects } from '../objects/types.ts';
import type { Store } from '../store/contract.ts';
import { isPassing } from '../store/store-error.ts';
import { Incidents } from './incidents.ts';
import type { Measures, Outcome } from './measures.ts';
import { loadPlaybooks } from './playbook.ts';
import { IncidentRestraints, markOf } from './restraints.ts';
import { isSocket } from './sign.ts';
import type { Incident } from './types.ts';
import { UserMail } from './user-mail.ts';

/** What measures need of the running edge. */
export interface RestrainedEdge {
  readonly calls: ReadonlyMap<string, Call>;
  run(step: () => void): void;
  deregister(domain: string, user: string): number;
}

export interface DeskParts {
  readonly config: Configuration['incidents'];
  readonly store: Pick<Store, 'incidents' | 'putIncident'>;
  readonly bus: EventBus;
  readonly bans: Pick<Bans, 'propose' | 'lift'>;
  now(): number;
  edge(): RestrainedEdge;
  accounts(): Pick<Accounts, 'quarantine' | 'release'>;
  /** Keeps what was seen; `incident` gives it as it is by then. */
  preserve(incident: () => Incident): Promise<Outcome>;
  readonly objects: Objects;
  readonly mail: MailSender;
}

const sweepMs = 1_000;

/** Where incidents are dealt with: gathers them from the bus, follows playbooks, keeps them in the store. */
export class IncidentDesk {
  readonly restraints: IncidentRestraints;
  readonly incidents: Incidents;
  readonly #parts: DeskParts;
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #writes = new Set<Promise<void>>();
  readonly #userMail: UserMail;
  #objects: Objects;

  private constructor(
    parts: DeskParts,
    restraints: IncidentRestraints,
    playbooks: ConstructorParameters<typeof Incidents>[0]['playbooks'],
  ) {
    this.#parts = parts;
    this.#objects = parts.objects;
    this.restraints = restraints;
    this.#userMail = new UserMail({
      mail: parts.mail,
      now: () => parts.now(),
      mailboxOf: (domain, user) => this.#usersOf(domain, user)[0]?.email,
      after: (milliseconds, run) => {
        const timer = setTimeout(run, milliseconds).unref();
        return () => clearTimeout(timer);
      },
    });
    this.incidents = new Incidents({
      measures: this.#measures(),
      playbooks,
      automatic: parts.config.automatic,
      now: () => parts.now(),
      emit: (event) => parts.bus.emit(event),
      keep: (incident) => this.#keep(incident),
    });
    this.#unsubscribe = parts.bus.subscribe(this.incidents.take, 'info');
    this.#timer = setInterval(() => this.incidents.sweep(), sweepMs);
    this.#timer.unref();
  }

  /** Playbooks that are wrong are thrown as `MisuseError`, with file, line and what to write instead. */
  static async open(parts: DeskParts): Promise<IncidentDesk> {
    const { playbooks: folder } = parts.config;
    const loaded = loadPlaybooks(folder === '' ? undefined : folder);
    if (!loaded.ok) throw new MisuseError('playbooks-invalid', loaded.error.map(formatProblem).join('\n'));
    const desk = new IncidentDesk(parts, new IncidentRestraints(() => parts.now()), loaded.value);
    desk.incidents.restore(await parts.store.incidents());
    return desk;
  }

  /** Domain objects as they are from now on. */
  follow(objects: Objects): void {
    this.#objects = objects;
  }

  /** Settles when everything is on disk. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#userMail.stop();
    this.incidents.sweep();
    await Promise.allSettled([...this.#writes]);
  }

  #keep(incident: Incident): void {
    const write = this.#parts.store.putIncident(incident).catch((error: unknown) => {
      if (!isPassing(error))
        this.#parts.bus.emit({ type: 'edge.error', where: 'incidents', detail: String(error) });
    });
    this.#writes.add(write);
    void write.finally(() => this.#writes.delete(write));
  }

  #measures(): Measures {
    const { bans, accounts } = this.#parts;
    return {
      ban: (source, seconds, why) => {
        const answer = bans.propose({
          source,
          cause: why.slice(0, 200),
          rule: 'incident.playbook',
          evidence: {},
          seconds,
          spoofable: isSocket(source),
          by: 'incident',
        });
        return answer.banned ? { done: true, detail: '' } : { done: false, detail: answer.text };
      },
      unban: (source) => was(bans.lift(source, 'incident'), 'it was not banned any more'),
      quarantine: (account, until, why) =>
        named(account, (one) => orderly(accounts().quarantine({ ...one, until, why, by: 'incident' }))),
      release: (account) =>
        named(account, (one) =>
          was(accounts().release(one, 'incident') === 'done', 'it was released already'),
        ),
      closeRoute: (route, until, why) => {
        const [domain, trunk] = halves(route);
        this.restraints.close(domain, trunk, until, why);
        return { done: true, detail: '' };
      },
      openRoute: (route) => was(this.restraints.open(...halves(route)), 'it was not closed any more'),
      revokeSecret: (account, until, mark) => named(account, (one) => this.#revoke(one, until, mark)),
      reinstateSecret: (account) =>
        named(account, ({ domain, user }) => {
          const devices = this.#devicesOf(domain, user);
          const any = devices.map(({ name }) => this.restraints.reinstate(domain, name)).includes(true);
          return was(any, 'it was taken already');
        }),
      deregister: (account) =>
        named(account, ({ domain, user }) => {
          const count = this.#parts.edge().deregister(domain, user);
          return { done: true, detail: count === 0 ? 'no phone was registered' : `${count} phones` };
        }),
      endCall: (id) => this.#endCall(id),
      preserve: (incident) => this.#parts.preserve(() => this.incidents.find(incident.id) ?? incident),
      tellUser: (account, text, incident) => {
        const one = accountOf(account);
        return one === undefined
          ? Promise.resolve(nameless)
          : this.#userMail.tell(one.domain, one.user, text, incident);
      },
      routeOf: (id) => {
        const view = this.#parts.edge().calls.get(id)?.view();
        return view?.route.startsWith('trunk:') ? `${view.domain}/${view.route.slice(6)}` : undefined;
      },
    };
  }

  #revoke({ domain, user }: { domain: string; user: string }, until: number, mark?: string): Outcome {
    const devices = this.#devicesOf(domain, user);
    if (devices.length === 0) return { done: false, detail: 'there is no such account here' };
    const marks = new Map(mark?.split(' ').map((one) => one.split('=') as [string, string]) ?? []);
    for (const device of devices)
      this.restraints.revoke(domain, device.name, marks.get(device.name) ?? markOf(device), until);
    const now = devices
      .map((device) => `${device.name}=${marks.get(device.name) ?? markOf(device)}`)
      .join(' ');
    return { done: true, detail: '', mark: now };
  }

  #usersOf(domain: string, user: string) {
    return this.#objects.users.filter(
      (one) =>
        one.domain.toLowerCase() === domain.toLowerCase() && one.name.toLowerCase() === user.toLowerCase(),
    );
  }

  #devicesOf(domain: string, user: string) {
    return this.#usersOf(domain, user).flatMap(({ devices }) => devices);
  }

  #endCall(id: string): Outcome {
    const edge = this.#parts.edge();
    const call = edge.calls.get(id);
    if (call === undefined) return { done: true, detail: 'it is over already' };
    if (call.view()?.emergency === true) return { done: false, detail: 'it is an emergency call' };
    edge.run(() => call.hangUp('administrator'));
    return { done: true, detail: '' };
  }
}

const orderly = (answer: ReturnType<Accounts['quarantine']>): Outcome =>
  answer === 'done' ? { done: true, detail: '' } : { done: false, detail: 'there is no such account here' };

const was = (well: boolean, detail: string): Outcome => ({ done: true, detail: well ? '' : detail });

function halves(route: string): [string, string] {
  const slash = route.indexOf('/');
  return [route.slice(0, slash), route.slice(slash + 1)];
}

/** `alice@example.test`, or with a device behind it, which is left out: an account is put aside as a whole. */
function named(account: string, run: (one: { domain: string; user: string }) => Outcome): Outcome {
  const one = accountOf(account);
  return one === undefined ? nameless : run(one);
}

const nameless: Outcome = { done: false, detail: 'it names no account' };

function accountOf(account: string): { readonly domain: string; readonly user: string } | undefined {
  const at = account.lastIndexOf('@');
  if (at <= 0) return undefined;
  const slash = account.indexOf('/', at);
  return { user: account.slice(0, at), domain: account.slice(at + 1, slash < 0 ? undefined : slash) };
}
