import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { EventBus } from '../events/bus.ts';
import type { AccountPolicy, Remote } from '../objects/account-settings.ts';
import type { Device } from '../objects/types.ts';
import type { StandingFacts } from '../policy/standing.ts';
import type { Principal } from '../policy/types.ts';
import type { LiveBinding } from '../registrar/registrar.ts';
import { type AccountRow, accountKey } from '../store/account-rows.ts';
import type { Store } from '../store/contract.ts';
import { InsideNetworks, networkOf, phoneOf } from './place.ts';

/** Places of one device: those that wait, and those that are confirmed. The oldest makes room. */
export const mostPending = 8;
export const mostKnown = 32;

export interface AccountsParts {
  readonly store: Pick<Store, 'accounts' | 'putAccounts'>;
  readonly bus: EventBus;
  now(): number;
  /** What the domain says of its accounts. */
  policy(domain: string): AccountPolicy | undefined;
  /** The device where it is one of that user; a domain behind a PBX has none, and any name is a device of its own. */
  device(domain: string, user: string, device: string): Pick<Device, 'remote'> | undefined;
  /** There is such a user. */
  hasUser(domain: string, user: string): boolean;
  /** The registration that came over this flow. */
  bindingOf(flow: number): LiveBinding | undefined;
  /** Where users confirm their phones; undefined: nowhere. */
  page(): string | undefined;
  /** The store failed: what is decided holds, but does not outlive the process. */
  failed(error: unknown): void;
}

/** Whom or what a step is about. */
export interface AccountName {
  readonly domain: string;
  readonly user: string;
  /** Absent: all of the account. */
  readonly device?: string;
}

export interface QuarantineOrder extends AccountName {
  readonly why: string;
  readonly by: string;
  readonly evidence?: AccountRow['evidence'];
  /** Unix ms; absent: until it is released. */
  readonly until?: number;
}

type Refused = 'no-user' | 'no-device' | 'nothing';

interface Account {
  readonly rows: Map<string, AccountRow>;
}

/**
 * Which phones are themselves: the places that each device was confirmed for, and who was put aside.
 *
 * A place is a network together with what the phone says that it is. Where a policy asks for it, a device at a place that
 * nobody has confirmed is in quarantine. Held in memory, written to the store behind: 200 octets a place, 40 places a
 * device at most, and only for accounts that have proven their password.
 */
export class Accounts {
  readonly #parts: AccountsParts;
  readonly #accounts = new Map<string, Account>();
  #inside = new WeakMap<AccountPolicy, InsideNetworks>();
  #any = false;
  /** Counts what this process has changed. */
  #changes = 0;

  constructor(parts: AccountsParts, rows: readonly AccountRow[]) {
    this.#parts = parts;
    for (const row of rows) this.#keep(row);
  }

  /**
   * A device has proven itself and asks to be registered. `quarantine`: it may be, and is put aside until somebody
   * confirms the place; `refuse`: it may not be.
   */
  arrive(
    { domain, user, device }: Required<AccountName>,
    flow: Flow,
    place: { readonly key: string; readonly userAgent: string },
  ): Remote {
    const policy = this.#parts.policy(domain);
    const remote = this.#remote(policy, domain, user, device);
    const { address } = flow.remote;
    if (remote === 'allow' || this.#isInside(policy, address)) return 'allow';
    const network = networkOf(address, policy);
    const phone = phoneOf(place.key, place.userAgent);
    const name = { domain, user: user.toLowerCase(), device, network, phone };
    const account = this.#accounts.get(ownerKey(domain, user));
    const row = account?.rows.get(accountKey(name));
    if (row?.state === 'known') return 'allow';
    const others = placesOf(account, device);
    const first = policy?.firstUse === true && !others.some(({ state }) => state === 'known');
    if (first) {
      this.#confirm([
        { ...name, state: 'known', ...this.#stamp('first use', 'first network of the device') },
      ]);
      return 'allow';
    }
    if (remote === 'quarantine' && row === undefined) this.#pend(name, others);
    return remote;
  }

  /** How somebody who calls stands; undefined: nothing is held against it. Costs a look into one map where no policy asks. */
  standing(principal: Principal, flow: Flow): StandingFacts | undefined {
    if (principal.kind !== 'device') return undefined;
    const { domain, user, device } = principal;
    const ordered = this.#any ? this.#ordered(domain, user, device) : undefined;
    const policy = this.#parts.policy(domain);
    if (ordered !== undefined) return this.#facts(policy, ordered.why, ordered.by);
    const remote = this.#remote(policy, domain, user, device);
    if (remote === 'allow' || this.#isInside(policy, flow.remote.address)) return undefined;
    const network = networkOf(flow.remote.address, policy);
    const binding = this.#parts.bindingOf(flow.id);
    const phone =
      binding?.domain === domain && binding.device === device
        ? phoneOf(binding.key, binding.userAgent)
        : undefined;
    const known = placesOf(this.#accounts.get(ownerKey(domain, user)), device).some(
      (row) =>
        row.state === 'known' && row.network === network && (phone === undefined || row.phone === phone),
    );
    return known ? undefined : this.#facts(policy, `the network ${network} is new to this account`, 'policy');
  }

  /** A registration that is not to be rung: whoever stole a password would else hear the calls of its owner. */
  isWithheld({ domain, user, device, key, userAgent, source }: LiveBinding): boolean {
    if (this.#any && this.#ordered(domain, user, device) !== undefined) return true;
    const policy = this.#parts.policy(domain);
    if (this.#remote(policy, domain, user, device) === 'allow') return false;
    const address = source.slice(0, source.lastIndexOf(' '));
    if (this.#isInside(policy, address)) return false;
    const name = { domain, user: user.toLowerCase(), device, network: networkOf(address, policy) };
    const phone = phoneOf(key, userAgent);
    const row = this.#accounts.get(ownerKey(domain, user))?.rows.get(accountKey({ ...name, phone }));
    return row?.state !== 'known';
  }

  /** Puts an account, or one of its devices, aside wherever it is; what it has registered is not rung any more. */
  quarantine(order: QuarantineOrder): 'done' | Refused {
    const { domain, device = '', why, by, evidence = {}, until } = order;
    const user = order.user.toLowerCase();
    const wrong = this.#missing(order);
    if (wrong !== undefined) return wrong;
    const row: AccountRow = {
      domain,
      user,
      device,
      network: '',
      phone: '',
      state: 'quarantined',
      since: this.#parts.now(),
      by,
      why,
      evidence,
      ...(until === undefined ? {} : { until }),
    };
    this.#write([row], []);
    this.#tellQuarantined(row);
    return 'done';
  }

  /** Takes back what `quarantine` did; with a device also where the whole account was not put aside. */
  release({ domain, user, device = '' }: AccountName, by: string): 'done' | Refused {
    const key = accountKey({ domain, user: user.toLowerCase(), device, network: '', phone: '' });
    const row = this.#accounts.get(ownerKey(domain, user))?.rows.get(key);
    if (row === undefined) return 'nothing';
    this.#write([], [row]);
    this.#parts.bus.emit({ type: 'account.released', domain, user: row.user, device, by });
    return 'done';
  }

  /** Confirms places that wait: all of them, those of a device, or the one that is given. */
  confirm(
    name: AccountName & { readonly network?: string; readonly phone?: string; readonly since?: number },
    by: string,
  ): readonly AccountRow[] {
    const waiting = this.pending(name.domain, name.user).filter(
      (row) =>
        (name.device === undefined || row.device === name.device) &&
        (name.network === undefined || row.network === name.network) &&
        (name.phone === undefined || row.phone === name.phone) &&
        (name.since === undefined || row.since === name.since),
    );
    this.#confirm(waiting.map((row) => ({ ...row, state: 'known', ...this.#stamp(by, row.why) })));
    return waiting;
  }

  /** Forgets a place: the next phone there has to be confirmed. */
  forget(row: AccountRow, by: string): void {
    this.#write([], [row]);
    const { domain, user, device } = row;
    this.#parts.bus.emit({ type: 'account.released', domain, user, device, by });
  }

  pending(domain: string, user: string): readonly AccountRow[] {
    return this.rows(domain, user).filter(({ state }) => state === 'pending');
  }

  /** The address is in a network where nothing has to be confirmed, or where a phone of the account was. */
  isAtHome(domain: string, user: string, address: string): boolean {
    const policy = this.#parts.policy(domain);
    if (this.#isInside(policy, address)) return true;
    const network = networkOf(address, policy);
    return this.rows(domain, user).some((row) => row.state === 'known' && row.network === network);
  }

  /** Everything that is known of an account. */
  rows(domain: string, user: string): readonly AccountRow[] {
    return [...(this.#accounts.get(ownerKey(domain, user))?.rows.values() ?? [])];
  }

  /** Of all accounts, or those of one domain. */
  all(domain?: string): readonly AccountRow[] {
    return [...this.#accounts.values()]
      .flatMap(({ rows }) => [...rows.values()])
      .filter((row) => domain === undefined || row.domain === domain);
  }

  /** What was ordered for a time and is over; called now and then. */
  expire(): void {
    if (!this.#any) return;
    const now = this.#parts.now();
    for (const { domain, user, device, state, until } of this.all())
      if (state === 'quarantined' && until !== undefined && until <= now)
        this.release({ domain, user, device }, 'expiry');
  }

  /** Users and devices that are gone take what was known of them along. */
  retain(): void {
    const gone = this.all().filter((row) => this.#missing(row) !== undefined);
    if (gone.length > 0) this.#write([], gone);
    this.#inside = new WeakMap();
  }

  /** Takes over what an administrator has changed in the store, and tells of it. */
  async reload(): Promise<void> {
    for (;;) {
      const before = this.#changes;
      const rows = await this.#parts.store.accounts();
      if (before !== this.#changes) continue;
      this.#take(rows);
      return;
    }
  }

  #take(rows: readonly AccountRow[]): void {
    const before = new Map(this.all().map((row) => [accountKey(row), row]));
    this.#accounts.clear();
    this.#any = false;
    for (const row of rows) {
      this.#keep(row);
      const old = before.get(accountKey(row));
      before.delete(accountKey(row));
      if (old?.state === row.state && old.since === row.since) continue;
      if (row.state === 'known') this.#tellConfirmed(row);
      else this.#tellQuarantined(row);
    }
    for (const { domain, user, device, state } of before.values())
      if (state === 'quarantined' && this.#parts.hasUser(domain, user))
        this.#parts.bus.emit({ type: 'account.released', domain, user, device, by: 'administrator' });
  }

  #tellQuarantined({ since: _, state: __, ...told }: AccountRow): void {
    this.#parts.bus.emit({ type: 'account.quarantined', ...told });
  }

  #tellConfirmed({ domain, user, device, network, phone, by }: AccountRow): void {
    this.#parts.bus.emit({ type: 'account.confirmed', domain, user, device, network, phone, by });
  }

  #remote(policy: AccountPolicy | undefined, domain: string, user: string, device: string): Remote {
    return this.#parts.device(domain, user, device)?.remote ?? policy?.remote ?? 'allow';
  }

  #isInside(policy: AccountPolicy | undefined, address: string): boolean {
    if (policy === undefined) return everywhereInside.has(address);
    let inside = this.#inside.get(policy);
    if (inside === undefined) {
      inside = new InsideNetworks(policy.inside);
      this.#inside.set(policy, inside);
    }
    return inside.has(address);
  }

  /** The order that holds for the device: its own, or that of its account. */
  #ordered(domain: string, user: string, device: string): AccountRow | undefined {
    const rows = this.#accounts.get(ownerKey(domain, user))?.rows;
    if (rows === undefined) return undefined;
    for (const one of [device, '']) {
      const key = accountKey({ domain, user: user.toLowerCase(), device: one, network: '', phone: '' });
      const row = rows.get(key);
      if (row !== undefined && (row.until === undefined || row.until > this.#parts.now())) return row;
    }
    return undefined;
  }

  #facts(policy: AccountPolicy | undefined, why: string, by: string): StandingFacts {
    const page = this.#parts.page();
    return { why, by, helpDesk: policy?.helpDesk ?? [], ...(page === undefined ? {} : { page }) };
  }

  #missing({ domain, user, device = '' }: AccountName): Refused | undefined {
    if (!this.#parts.hasUser(domain, user)) return 'no-user';
    if (device !== '' && this.#parts.device(domain, user, device) === undefined) return 'no-device';
    return undefined;
  }

  #pend(
    name: Omit<AccountRow, 'state' | 'since' | 'by' | 'why' | 'evidence'>,
    others: readonly AccountRow[],
  ): void {
    const waiting = others.filter(({ state }) => state === 'pending');
    const row: AccountRow = {
      ...name,
      state: 'pending',
      ...this.#stamp('policy', 'a network or phone that is new'),
    };
    this.#write([row], waiting.slice(0, Math.max(0, waiting.length - mostPending + 1)));
    this.#tellQuarantined(row);
  }

  #confirm(rows: readonly AccountRow[]): void {
    for (const row of rows) {
      const known = placesOf(this.#accounts.get(ownerKey(row.domain, row.user)), row.device).filter(
        ({ state }) => state === 'known',
      );
      this.#write([row], known.slice(0, Math.max(0, known.length - mostKnown + 1)));
      this.#tellConfirmed(row);
    }
  }

  #stamp(by: string, why: string): Pick<AccountRow, 'since' | 'by' | 'why' | 'evidence'> {
    return { since: this.#parts.now(), by, why, evidence: {} };
  }

  #write(put: readonly AccountRow[], remove: readonly AccountRow[]): void {
    this.#changes += 1;
    for (const row of remove) this.#drop(row);
    for (const row of put) this.#keep(row);
    this.#parts.store.putAccounts(put, remove).catch((error: unknown) => this.#parts.failed(error));
  }

  #keep(row: AccountRow): void {
    const key = ownerKey(row.domain, row.user);
    const account = this.#accounts.get(key) ?? { rows: new Map<string, AccountRow>() };
    // Anew at the end: the first of the map is the oldest.
    account.rows.delete(accountKey(row));
    account.rows.set(accountKey(row), row);
    this.#accounts.set(key, account);
    if (row.state === 'quarantined') this.#any = true;
  }

  #drop(row: AccountRow): void {
    const key = ownerKey(row.domain, row.user);
    const rows = this.#accounts.get(key)?.rows;
    rows?.delete(accountKey(row));
    if (rows?.size === 0) this.#accounts.delete(key);
    if (row.state === 'quarantined') this.#any = this.all().some(({ state }) => state === 'quarantined');
  }
}

const everywhereInside = new InsideNetworks(undefined);

const ownerKey = (domain: string, user: string): string => `${domain}\n${user.toLowerCase()}`;

const placesOf = (account: Account | undefined, device: string): readonly AccountRow[] =>
  account === undefined
    ? []
    : [...account.rows.values()].filter((row) => row.device === device && row.network !== '');
