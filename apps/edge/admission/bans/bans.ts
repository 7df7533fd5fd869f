import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { EdgeEvent } from '../../events/types.ts';
import type { Guarded, Protection } from './protection.ts';
import { RangeTable } from './range-table.ts';
import { type BanTarget, readBanTarget } from './source-text.ts';
import type { Ban, BanChange, BanProposal, BanRefused } from './types.ts';

export interface BanSettings {
  /** Seconds of a first ban. */
  readonly seconds: number;
  /** The term of each further ban is this many times the one before. */
  readonly growth: number;
  readonly maximumSeconds: number;
  /** Of a socket whose datagrams may be forged. */
  readonly spoofableSeconds: number;
  /** Most bans at a time, some 500 octets each. */
  readonly maximum: number;
}

export interface BansOptions {
  readonly settings: BanSettings;
  readonly protection: Protection;
  /** Unix ms. */
  readonly now: () => number;
  readonly emit: (event: EdgeEvent) => void;
  /** Registered phones are at that address. */
  readonly isRegistered: (address: string) => boolean;
}

/** A source that stays quiet for so long after its ban begins anew. */
const forgetMs = 7 * 86_400_000;
/** Refusals of one source for one reason are told of once in so long. */
const refusedEveryMs = 60_000;
const mostRefusals = 1024;
/** Blocks wider than these are nobody's ban. */
const widest = { 4: 8, 6: 16 } as const;

const texts: Readonly<Record<Guarded, string>> = {
  allowed: 'The address is in bans.allow.',
  trunk: 'The address is that of a trunk.',
  pbx: 'The address is that of a node of a PBX.',
  administrator: 'An administrator works from this address.',
  loopback: 'The address is loopback.',
  own: 'The address is one of this machine.',
};

/**
 * Whom the edge does not listen to, and until when.
 *
 * Bounded by `maximum`, and by a tenth of it for sockets: where that many are banned, the oldest that nobody asked for by hand makes room. A source that
 * comes back after its ban gets `growth` times as long, up to `maximumSeconds`. Whatever `Protection` covers is never
 * banned; forged datagrams can do no more than silence one socket for `spoofableSeconds`, and no socket of an address
 * where phones are registered.
 */
export class Bans {
  readonly protection: Protection;
  readonly #options: BansOptions;
  /** Of addresses and blocks. */
  readonly #bans = new Map<string, Ban>();
  /** Of sockets: apart, so that forged datagrams can push out none of the others. */
  readonly #socketBans = new Map<string, Ban>();
  readonly #ranges = new RangeTable<Ban>();
  readonly #feeds = new Map<string, { readonly table: RangeTable<true>; readonly ban: Ban }>();
  /** By address, then port. */
  readonly #sockets = new Map<string, Map<number, Ban>>();
  #history: BoundedMap<string, { readonly times: number; readonly until: number }>;
  readonly #exempt = new BoundedMap<string, number>({ capacity: 4096 });
  readonly #told = new BoundedMap<string, number>({ capacity: mostRefusals, order: 'insertion' });
  readonly #listeners: ((change: BanChange) => void)[] = [];
  #settings: BanSettings;

  constructor(options: BansOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.protection = options.protection;
    this.#history = new BoundedMap({ capacity: options.settings.maximum, order: 'insertion' });
  }

  get size(): number {
    return this.#bans.size + this.#socketBans.size;
  }

  /** For bans to come. */
  configure(settings: BanSettings): void {
    this.#settings = settings;
    this.review();
  }

  /** Called for each change, after it has taken effect. */
  onChange(listener: (change: BanChange) => void): void {
    this.#listeners.push(listener);
  }

  list(): readonly Ban[] {
    return [...this.#bans.values(), ...this.#socketBans.values()];
  }

  get(source: string): Ban | undefined {
    return this.#bans.get(source) ?? this.#socketBans.get(source);
  }

  /** The ban that holds for this sender now. Constant cost, nothing where there are no bans. */
  find(address: string, port: number, now: number): Ban | undefined {
    if (this.#bans.size === 0 && this.#sockets.size === 0 && this.#feeds.size === 0) return undefined;
    const ban =
      this.#ranges.find(address) ??
      (this.#sockets.size === 0 ? undefined : this.#sockets.get(address)?.get(port)) ??
      (this.#feeds.size === 0 ? undefined : this.#inFeed(address));
    if (ban === undefined || ban.until <= now) return undefined;
    if (this.#exempt.size > 0 && (this.#exempt.peek(address) ?? 0) > now) return undefined;
    return ban;
  }

  /**
   * Asks for a ban. Gives the one that holds from now on, which is the present one where the source is banned already,
   * or says why not.
   */
  propose(proposal: BanProposal): Ban | BanRefused {
    const target = readBanTarget(proposal.source);
    if (target === undefined)
      return this.#refuse(proposal, 'ban.unreadable', 'This is no address, block or socket.');
    const { range, address } = target;
    if (range.prefix < widest[range.family])
      return this.#refuse(
        proposal,
        'ban.too-wide',
        'The block is wider than any ban may be.',
        widest[range.family],
      );
    const guarded = this.protection.within(range);
    if (guarded !== undefined)
      return this.#refuse(proposal, `ban.protected-${guarded.kind}`, texts[guarded.kind], guarded.name);
    const registered = this.#options.isRegistered(address);
    if (proposal.spoofable) return this.#proposeSocket(proposal, target, registered);
    if (registered && target.port !== undefined)
      this.#add(proposal, socketText(target), 'socket', target, true);
    const scope = range.prefix === (range.family === 4 ? 32 : 64) ? 'source' : 'network';
    return this.#add(proposal, target.text, scope, target, registered);
  }

  /** False where there is no such ban. `by` is told of. */
  lift(source: string, by: string): boolean {
    const target = readBanTarget(source);
    const name = target === undefined ? source : target.port === undefined ? target.text : socketText(target);
    const ban = this.get(name);
    if (ban === undefined) return false;
    this.#remove(ban, 'lifted');
    this.#history.delete(name);
    this.#options.emit({ type: 'ban.lifted', source: name, rule: ban.rule, cause: ban.cause, by });
    return true;
  }

  /** What a feed names is banned from now on, and what it named before no more; undefined: nothing. */
  useFeed(name: string, table: RangeTable<true> | undefined): void {
    if (table === undefined) return void this.#feeds.delete(name);
    const by = `feed:${name}`;
    const facts = {
      cause: 'feed',
      rule: 'feed',
      evidence: { feed: name },
      by,
      times: 1,
      known: false,
    } as const;
    const ban: Ban = { ...facts, banned: true, source: by, scope: 'source', since: 0, until: Infinity };
    this.#feeds.set(name, { table, ban });
  }

  /** Addresses and blocks that feeds name. */
  get fed(): number {
    let count = 0;
    for (const { table } of this.#feeds.values()) count += table.size;
    return count;
  }

  /** For an emergency call of a known device: no ban holds for its address until then. */
  exempt(address: string, until: number): void {
    const ban = this.#ranges.find(address) ?? this.#inFeed(address);
    if (ban === undefined && !this.#sockets.has(address)) return;
    this.#exempt.set(address, until);
    if (ban !== undefined) this.#tell({ kind: 'exempt', ban, address, until });
  }

  /** Lifts what must not be banned any more: a trunk has been added, an address was allowed. */
  review(): void {
    for (const ban of this.list()) {
      const target = readBanTarget(ban.source);
      const guarded = target === undefined ? undefined : this.protection.within(target.range);
      if (guarded !== undefined) this.lift(ban.source, `protected: ${guarded.kind}`);
    }
  }

  /** Takes out what has ended; called every few seconds. `find` passes ended ones over by itself. */
  sweep(): void {
    const now = this.#options.now();
    for (const bans of [this.#bans, this.#socketBans])
      for (const ban of bans.values()) if (ban.until <= now) this.#expire(ban);
  }

  /** Bans of the process before; those that have ended only count for repeaters. */
  restore(bans: readonly Ban[]): void {
    const now = this.#options.now();
    for (const ban of bans) {
      const target = readBanTarget(ban.source);
      if (target === undefined) continue;
      this.#history.set(ban.source, { times: ban.times, until: ban.until });
      if (ban.until <= now || this.#bans.size >= this.#settings.maximum) continue;
      if (this.protection.within(target.range) !== undefined) continue;
      this.#insert(ban, target);
      this.#tell({ kind: 'added', ban });
    }
  }

  #inFeed(address: string): Ban | undefined {
    for (const { table, ban } of this.#feeds.values())
      if (table.find(address) !== undefined) return this.protection.covers(address) ? undefined : ban;
    return undefined;
  }

  #proposeSocket(proposal: BanProposal, target: BanTarget, registered: boolean): Ban | BanRefused {
    if (registered)
      return this.#refuse(
        proposal,
        'ban.spoofable-registered',
        'Phones are registered at this address, and who sent these datagrams is not proven.',
      );
    if (target.port === undefined)
      return this.#refuse(
        proposal,
        'ban.spoofable',
        'Who sent these datagrams is not proven: only one socket could be banned, and none was named.',
      );
    const brief = {
      ...proposal,
      seconds: Math.min(proposal.seconds ?? Infinity, this.#settings.spoofableSeconds),
    };
    return this.#add(brief, socketText(target), 'socket', target, false);
  }

  #add(
    proposal: BanProposal,
    source: string,
    scope: Ban['scope'],
    target: BanTarget,
    known: boolean,
  ): Ban | BanRefused {
    const now = this.#options.now();
    const present = this.get(source);
    const byHand = proposal.by === 'administrator';
    if (present !== undefined && present.until > now && !byHand) return present;
    const before = this.#history.get(source);
    const times = before !== undefined && before.until + forgetMs > now ? before.times + 1 : 1;
    const ban: Ban = {
      banned: true,
      source,
      scope,
      cause: proposal.cause,
      rule: proposal.rule,
      evidence: proposal.evidence,
      by: proposal.by,
      since: now,
      until: now + 1000 * this.#term(proposal, scope, times),
      times,
      known,
    };
    if (present !== undefined) this.#remove(present, 'lifted');
    else if (!this.#makeRoom(scope))
      return this.#refuse(
        proposal,
        'ban.full',
        'As many bans as configured were made by hand.',
        this.#settings.maximum,
      );
    if (!proposal.spoofable) this.#history.set(source, { times, until: ban.until });
    this.#insert(ban, target);
    this.#tell({ kind: 'added', ban });
    const { cause, rule, evidence, by } = ban;
    const seconds = Math.round((ban.until - now) / 1000);
    this.#options.emit({ type: 'ban.added', source, scope, cause, rule, evidence, by, seconds, times });
    return ban;
  }

  /** Seconds. Sockets that may be forged never get longer ones, nor does what is set by hand. */
  #term({ seconds, by, spoofable }: BanProposal, scope: Ban['scope'], times: number): number {
    const { seconds: usual, growth, maximumSeconds, spoofableSeconds } = this.#settings;
    if (spoofable && scope === 'socket') return Math.min(seconds ?? spoofableSeconds, spoofableSeconds);
    if (by === 'administrator') return seconds ?? usual;
    return Math.min((seconds ?? usual) * growth ** (times - 1), maximumSeconds);
  }

  /** False where everything there is was made by hand. */
  #makeRoom(scope: Ban['scope']): boolean {
    const bans = this.#mapOf(scope);
    const { maximum } = this.#settings;
    if (bans.size < (scope === 'socket' ? maximum / 10 : maximum)) return true;
    for (const ban of bans.values()) {
      if (ban.by === 'administrator') continue;
      this.#expire(ban);
      return true;
    }
    return false;
  }

  #expire(ban: Ban): void {
    this.#remove(ban, 'expired');
    this.#options.emit({ type: 'ban.expired', source: ban.source, rule: ban.rule, cause: ban.cause });
  }

  #mapOf(scope: Ban['scope']): Map<string, Ban> {
    return scope === 'socket' ? this.#socketBans : this.#bans;
  }

  #insert(ban: Ban, target: BanTarget): void {
    this.#mapOf(ban.scope).set(ban.source, ban);
    if (ban.scope !== 'socket') return this.#ranges.set(target.range, ban);
    const ports = this.#sockets.get(target.address) ?? new Map<number, Ban>();
    ports.set(target.port ?? 0, ban);
    this.#sockets.set(target.address, ports);
  }

  #remove(ban: Ban, kind: 'lifted' | 'expired'): void {
    const target = readBanTarget(ban.source);
    this.#mapOf(ban.scope).delete(ban.source);
    if (target === undefined) return;
    if (ban.scope === 'socket') {
      const ports = this.#sockets.get(target.address);
      ports?.delete(target.port ?? 0);
      if (ports?.size === 0) this.#sockets.delete(target.address);
    } else this.#ranges.delete(target.range);
    this.#tell({ kind, ban });
  }

  #refuse(proposal: BanProposal, rule: string, text: string, threshold?: string | number): BanRefused {
    const { source, cause, by } = proposal;
    const now = this.#options.now();
    const key = `${rule} ${source}`;
    if ((this.#told.get(key) ?? Number.NEGATIVE_INFINITY) + refusedEveryMs <= now) {
      this.#told.set(key, now);
      this.#options.emit({ type: 'ban.refused', source, cause, rule, text, by });
    }
    const evidence = { source, asked: proposal.rule };
    return threshold === undefined
      ? { banned: false, rule, text, evidence }
      : { banned: false, rule, text, evidence, threshold };
  }

  #tell(change: BanChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

const socketText = ({ address, port }: BanTarget): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
