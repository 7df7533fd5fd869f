import { Calendar } from '@ringfence/tariff/calendar.ts';
import { contextOf, readDestination } from '@ringfence/tariff/dialled.ts';
import { moneyText, priceText } from '@ringfence/tariff/money.ts';
import { costOf, type Rate, secondsFor } from '@ringfence/tariff/rate.ts';
import { type Charge, type Room, SpendBook } from '@ringfence/tariff/spend-book.ts';
import type { FraudSettings } from '../config/fraud.ts';
import type { EventBus } from '../events/bus.ts';
import type { Trunk } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { Dialled } from '../routing/find-route.ts';
import type { Store } from '../store/contract.ts';
import type { SpendRow } from '../store/spend-rows.ts';
import { ownerOf } from '../trunks/owner.ts';
import { accountOf, domainOf, isFree } from './account.ts';
import { CapTable, periodNames, workingHoursOf } from './caps.ts';
import { judgeDestination } from './closed.ts';
import { FraudGate, type FraudVerdict, type OutgoingCall } from './gate.ts';
import { bucketKey, chargeKey, type KeptCharge, type Lift, readKept, SpendKeeper } from './keep.ts';
import { Lifts } from './lifts.ts';
import { Prices } from './rates.ts';

export interface TollParts {
  settings(): FraudSettings;
  /** ISO code of the country that numbers are dialled in. */
  home(): string;
  /** What the dialling rules of the country make of digits. */
  readonly e164?: (digits: string) => string | undefined;
  directory(domain: string): DomainDirectory | undefined;
  readonly bus: EventBus;
  now(): number;
  after(milliseconds: number, run: () => void): () => void;
  readonly store: Pick<Store, 'putSpend'>;
  readonly rows: readonly SpendRow[];
  /** Ends a call; both sides are told why in those words. */
  cutOff(call: string, why: string): void;
  failed(error: unknown): void;
}

/** A call that is to leave by a trunk, before it is judged. */
export interface Asked {
  readonly id: string;
  readonly directory: DomainDirectory;
  /** Who pays. */
  readonly principal: Principal;
  readonly by: OutgoingCall['by'];
  readonly caller: string;
  readonly dialled: Dialled;
  /** In the order to be tried. */
  readonly trunks: readonly Trunk[];
  readonly source: string;
}

/** What was found about it; handed back when it begins. */
export interface Consulted {
  readonly call: OutgoingCall;
  readonly rate: Rate;
  readonly scopes: readonly string[];
  readonly verdict: FraudVerdict | undefined;
}

/** What a call has cost, as its record has it. */
export interface CallCost {
  readonly amount: string;
  readonly currency: string;
  /** Who pays. */
  readonly account: string;
  /** Prefix of the rate sheet, or the class. */
  readonly rate: string;
  readonly perMinute: string;
  /** Rule that ended it, where one did. */
  readonly rule?: string;
}

interface Running {
  consulted: Consulted;
  charge: Charge;
  /** Seconds that money is set aside for. */
  paid: number;
  answeredAt: number | undefined;
  /** Rings by it now, or has. Of several ways of one call only one is answered. */
  stop: (() => void) | undefined;
  /** Why it is being ended. */
  rule: string | undefined;
}

/** Looked at so long before what is paid for has run out. */
const aheadMs = 2_000;
/** Ended so long before: a BYE takes its time, and the next step would cost. */
const earlyMs = 500;

/**
 * What calls by trunks cost: judged before they begin, paid for in advance a slice at a time, ended when nothing is left,
 * settled however they end.
 *
 * Calls within the house never come here. An outgoing one costs two timers a slice and one write of the store when it is
 * answered, for each slice and when it ends.
 */
export class Toll {
  readonly gate = new FraudGate();
  readonly prices = new Prices();
  readonly lifts: Lifts;
  readonly book: SpendBook;
  readonly #parts: TollParts;
  readonly #keeper: SpendKeeper;
  readonly #caps = new CapTable();
  readonly #running = new Map<string, Running[]>();
  readonly #left: Map<string, readonly KeptCharge[]>;
  #calendar: Calendar;
  #zone: string;

  constructor(parts: TollParts) {
    this.#parts = parts;
    this.#zone = parts.settings().timeZone;
    this.#calendar = calendarOf(this.#zone);
    this.#keeper = new SpendKeeper(
      parts.store,
      (ms, run) => parts.after(ms, run),
      (error) => parts.failed(error),
    );
    this.book = new SpendBook({
      calendar: () => this.calendar,
      caps: (scope) =>
        this.#caps.of(scope, (name) => parts.directory(name), parts.settings(), this.calendar, parts.now()),
      levels: () => parts.settings().warnPercent,
      reached: (bucket, level, cap) => this.#reached(bucket, level, cap),
      changed: (bucket) =>
        this.#keeper.put(bucketKey(bucket), () => {
          const { scope, period, start, spent, warned } = bucket;
          return { scope, period, start, spent, warned };
        }),
    });
    const kept = readKept(parts.rows);
    for (const row of kept.buckets) this.book.restore(row);
    this.#left = new Map(kept.charges);
    this.lifts = new Lifts(this.#keeper, parts.bus, kept.lifts);
  }

  /** Of the site. */
  get calendar(): Calendar {
    const { timeZone } = this.#parts.settings();
    if (timeZone !== this.#zone) {
      this.#zone = timeZone;
      this.#calendar = calendarOf(timeZone);
    }
    return this.#calendar;
  }

  /** Undefined: it costs nothing, and nobody is asked. */
  consult(asked: Asked): Consulted | undefined {
    const { dialled, principal, trunks, directory } = asked;
    const account = accountOf(principal);
    const trunk = trunks.find((one) => !isFree(one));
    if (dialled.emergency || account === undefined || trunk === undefined) return undefined;
    const settings = this.#parts.settings();
    const home = this.#parts.home();
    const now = this.#parts.now();
    const { e164, destination, disguised } = readDestination(
      dialled.text,
      dialled.e164,
      home,
      contextOf(dialled.text),
      this.#parts.e164,
    );
    const owner = ownerOf(trunk);
    const rate = this.prices.find(owner, e164, destination.class, settings);
    const call: OutgoingCall = {
      id: asked.id,
      domain: directory.name,
      account,
      by: asked.by,
      caller: asked.caller,
      dialled: dialled.text,
      number: e164,
      disguised,
      destination,
      trunk: owner,
      source: asked.source,
      perMinute: rate.perMinute,
      currency: settings.currency,
      lifted: this.lifts.holds(e164, account, directory.name, now),
      at: now,
    };
    const scopes = [...new Set([account, owner, `domain:${directory.name}`])];
    const consulted = { call, rate, scopes };
    if (call.lifted) return { ...consulted, verdict: undefined };
    const verdict =
      judgeDestination(call, directory, trunk, settings, home, () =>
        this.calendar.works(workingHoursOf(settings), now),
      ) ?? severer(this.gate.judge(call), this.#judgeSpend(call, rate, scopes, now));
    return { ...consulted, verdict };
  }

  /** What was decided is told, whether the call begins or not. */
  tell({ call, verdict }: Consulted, cost = 0): void {
    if (verdict === undefined || verdict.action === 'pass') return;
    const { id, domain, account, number, dialled, source, trunk, perMinute, currency } = call;
    this.#parts.bus.emit({
      type: verdict.action === 'watch' ? 'fraud.watched' : 'fraud.verdict',
      call: id,
      domain,
      account,
      number: number === '' ? dialled : number,
      source,
      trunk,
      action: verdict.action,
      rule: verdict.rule,
      sentence: verdict.sentence,
      parts: verdict.parts,
      cost,
      perMinute,
      currency,
    });
  }

  /** The call goes out: money for its first slice is set aside. */
  begin(consulted: Consulted): void {
    const { call, scopes } = consulted;
    const running: Running = {
      consulted,
      charge: this.book.open(scopes),
      paid: 0,
      answeredAt: undefined,
      stop: undefined,
      rule: undefined,
    };
    const all = this.#running.get(call.id);
    if (all === undefined) this.#running.set(call.id, [running]);
    else all.push(running);
    this.#extend(running);
    this.gate.began(call);
  }

  /** A trunk whose cap is spent is passed over. */
  affords(id: string, trunk: Trunk): boolean {
    const [running] = this.#running.get(id) ?? [];
    if (running === undefined || running.consulted.call.lifted || isFree(trunk)) return true;
    if (ownerOf(trunk) === running.consulted.call.trunk || running.consulted.rate.perMinute === 0)
      return true;
    const room = this.book.room([ownerOf(trunk)], this.#parts.now());
    return room === undefined || room.left > 0;
  }

  /** Somebody has taken the call at that party, e.g. `trunk:carrier@example.test`. */
  answered(id: string, party: string, number: string | undefined): void {
    const all = this.#running.get(id);
    if (all === undefined) return;
    const waiting = all.filter(({ answeredAt }) => answeredAt === undefined);
    const running =
      waiting.find(({ consulted: { call } }) => call.trunk === party && call.number === number) ??
      waiting.find(({ consulted: { call } }) => call.trunk === party) ??
      waiting.at(-1);
    if (running === undefined || !party.startsWith('trunk:')) return;
    const now = this.#parts.now();
    running.answeredAt = now;
    if (running.consulted.call.trunk !== party) this.#changeTrunk(running, party);
    this.#keep(id);
    const verdict = this.gate.answered(running.consulted.call, now);
    if (verdict?.action !== 'cut-off') return this.#watch(running);
    // The caller has to hear of the answer first.
    running.stop = this.#parts.after(0, () => this.#cut(running, verdict));
  }

  /** A party of the call has gone over to another call, and what it costs with it. */
  move(from: string, to: string, leaving: string): void {
    const all = this.#running.get(from);
    if (all === undefined || from === to) return;
    const moved = all.filter(
      ({ answeredAt, consulted }) => answeredAt !== undefined && consulted.call.trunk !== leaving,
    );
    if (moved.length === 0) return;
    for (const running of moved)
      running.consulted = { ...running.consulted, call: { ...running.consulted.call, id: to } };
    this.#running.set(to, [...(this.#running.get(to) ?? []), ...moved]);
    const rest = all.filter((one) => !moved.includes(one));
    if (rest.length === 0) this.#running.delete(from);
    else this.#running.set(from, rest);
    this.#keep(from);
    this.#keep(to);
  }

  /** The call is over, in whatever way. Gives what it has cost; undefined where it had no price. */
  ended(id: string, status: number, cause: string): CallCost | undefined {
    const all = this.#running.get(id);
    if (all === undefined) return undefined;
    this.#running.delete(id);
    if (all.some(({ answeredAt }) => answeredAt !== undefined)) this.#keep(id);
    const now = this.#parts.now();
    let sum = 0;
    for (const running of all) sum += this.#settle(running, now, status, cause);
    const told = all.find(({ answeredAt }) => answeredAt !== undefined) ?? all.at(-1);
    return told === undefined ? undefined : costRecord(told, sum);
  }

  /** Cost of a call so far; 0 where it has none. */
  costSoFar(id: string): number {
    let sum = 0;
    for (const running of this.#running.get(id) ?? []) sum += costUntil(running, this.#parts.now());
    return sum;
  }

  /** Money that live calls have set aside, in all buckets together; 0 at rest. */
  get reserved(): number {
    return this.book.all().reduce((sum, { reserved }) => sum + reserved, 0);
  }

  /** What the process before has left: calls in `taken` go on, all others are settled with what was set aside for them. */
  resume(taken: ReadonlySet<string>): void {
    const now = this.#parts.now();
    for (const [id, kept] of this.#left) {
      const running = kept.map(
        ({ call, rate, paid, answeredAt, charge }): Running => ({
          consulted: { call, rate, scopes: charge.scopes, verdict: undefined },
          charge: this.book.reopen(charge),
          paid,
          answeredAt,
          stop: undefined,
          rule: undefined,
        }),
      );
      if (taken.has(id)) {
        this.#running.set(id, running);
        for (const one of running) this.#watch(one);
        continue;
      }
      for (const one of running) {
        const cost = Math.min(costUntil(one, now), this.book.reserved(one.charge));
        this.book.settle(one.charge, cost, now);
      }
      this.#keeper.remove(chargeKey(id));
    }
    this.#left.clear();
  }

  /** What calls in progress of another process have set aside counts here, too; for looking only. */
  reopenAll(): void {
    this.resume(new Set(this.#left.keys()));
  }

  /** Forgets what is over; now and then. */
  sweep(): void {
    const now = this.#parts.now();
    for (const bucket of this.book.sweep(now)) this.#keeper.remove(bucketKey(bucket));
    this.lifts.sweep(now);
  }

  /** Another process takes over: what is not written yet is. */
  flush(): void {
    this.#keeper.flush();
  }

  lift(lift: Lift): void {
    this.lifts.add(lift);
  }

  #judgeSpend(
    call: OutgoingCall,
    rate: Rate,
    scopes: readonly string[],
    now: number,
  ): FraudVerdict | undefined {
    const least = costOf(rate, 0);
    if (least === 0) return undefined;
    const room = this.book.room(scopes, now);
    if (room === undefined || room.left >= least) return undefined;
    this.book.exhausted(room, now);
    return {
      action: 'block',
      rule: 'fraud.spend-cap',
      told: `The ${periodNames[room.period]} spending limit is reached`,
      sentence: `${capSentence(room, call.currency)}; the call would cost ${priceText(least, call.currency)} to begin with.`,
      parts: partsOf(room, call),
    };
  }

  /** Sets aside what the next slice costs, or as much as is left. False: nothing more. */
  #extend(running: Running): boolean {
    const { consulted, charge, paid } = running;
    const { rate, scopes, call } = consulted;
    const now = this.#parts.now();
    const wanted = paid + this.#parts.settings().sliceSeconds;
    const set = this.book.reserved(charge);
    const left = call.lifted
      ? Number.POSITIVE_INFINITY
      : (this.book.room(scopes, now)?.left ?? Number.POSITIVE_INFINITY);
    const whole = costOf(rate, wanted);
    const seconds = whole <= set + left ? wanted : secondsFor(rate, set + left, wanted);
    if (seconds <= paid) return false;
    this.book.reserve(charge, Math.max(0, costOf(rate, seconds) - set), now);
    running.paid = seconds;
    return true;
  }

  #watch(running: Running): void {
    if (running.consulted.rate.perMinute === 0 || running.answeredAt === undefined) return;
    const due = running.answeredAt + running.paid * 1000 - aheadMs;
    running.stop = this.#parts.after(Math.max(0, due - this.#parts.now()), () => this.#due(running));
  }

  #due(running: Running): void {
    const now = this.#parts.now();
    const { call } = running.consulted;
    const verdict = this.gate.cost(call, costUntil(running, now), now);
    if (verdict?.action === 'cut-off') return this.#cut(running, verdict);
    if (this.#extend(running)) {
      this.#keep(call.id);
      return this.#watch(running);
    }
    const room = this.book.room(running.consulted.scopes, now);
    if (room === undefined || running.answeredAt === undefined) return;
    const last = running.answeredAt + running.paid * 1000 - earlyMs;
    running.stop = this.#parts.after(Math.max(0, last - now), () => {
      // Somebody else's call may have ended meanwhile.
      if (this.#extend(running)) {
        this.#keep(call.id);
        return this.#watch(running);
      }
      this.book.exhausted(room, this.#parts.now());
      this.#cut(running, {
        action: 'cut-off',
        rule: 'fraud.spend-cap',
        told: `The ${periodNames[room.period]} spending limit is reached`,
        sentence: `${capSentence(room, call.currency)}: the call is ended.`,
        parts: partsOf(room, call),
      });
    });
  }

  #cut(running: Running, verdict: FraudVerdict): void {
    const { consulted } = running;
    running.rule = verdict.rule;
    running.stop?.();
    this.tell({ ...consulted, verdict }, costUntil(running, this.#parts.now()));
    this.#parts.cutOff(consulted.call.id, verdict.told ?? 'The call is ended for suspected fraud');
  }

  /** The first trunk has failed, and another one with other prices and caps has taken the call. */
  #changeTrunk(running: Running, trunk: string): void {
    const { call } = running.consulted;
    const rate = this.prices.find(trunk, call.number, call.destination.class, this.#parts.settings());
    const scopes = [...new Set([call.account, trunk, `domain:${call.domain}`])];
    this.book.settle(running.charge, 0, this.#parts.now());
    running.charge = this.book.open(scopes);
    running.paid = 0;
    running.consulted = {
      ...running.consulted,
      call: { ...call, trunk, perMinute: rate.perMinute },
      rate,
      scopes,
    };
    this.#extend(running);
  }

  #settle(running: Running, now: number, status: number, cause: string): number {
    running.stop?.();
    const cost = costUntil(running, now);
    this.book.settle(running.charge, cost, now);
    const { answeredAt } = running;
    const seconds = answeredAt === undefined ? 0 : (now - answeredAt) / 1000;
    this.gate.ended(running.consulted.call, { at: now, answeredAt, seconds, cost, status, cause });
    return cost;
  }

  /** Only answered calls cost anything: those alone are kept for another process. */
  #keep(id: string): void {
    const answered = (): Running[] =>
      (this.#running.get(id) ?? []).filter(({ answeredAt }) => answeredAt !== undefined);
    if (answered().length === 0) return this.#keeper.remove(chargeKey(id));
    this.#keeper.put(chargeKey(id), () =>
      answered().map(
        ({ consulted: { call, rate }, paid, answeredAt = 0, charge }): KeptCharge => ({
          call,
          rate,
          paid,
          answeredAt,
          charge: this.book.rowOf(charge),
        }),
      ),
    );
  }

  #reached(
    {
      scope,
      period,
      spent,
      reserved,
    }: { scope: string; period: Room['period']; spent: number; reserved: number },
    percent: number,
    cap: number,
  ): void {
    const { currency } = this.#parts.settings();
    const about = { account: scope, domain: domainOf(scope), period, cap, spent: spent + reserved, currency };
    const sentence = `${scope} has spent ${priceText(spent + reserved, currency)} of its ${periodNames[period]} cap of ${priceText(cap, currency)}.`;
    this.#parts.bus.emit(
      percent >= 100
        ? { type: 'spend.exhausted', ...about, sentence }
        : { type: 'spend.warning', ...about, percent, sentence },
    );
  }
}

const calendarOf = (zone: string): Calendar =>
  new Calendar(zone === '' ? new Intl.DateTimeFormat().resolvedOptions().timeZone : zone);

/** What is being ended counts until now; what nobody has answered costs nothing. */
const costUntil = ({ answeredAt, consulted }: Running, now: number): number =>
  answeredAt === undefined ? 0 : costOf(consulted.rate, Math.max(0, now - answeredAt) / 1000);

const capSentence = ({ period, cap, scope, left }: Room, currency: string): string =>
  `The ${periodNames[period]} cap of ${priceText(cap, currency)} of ${scope} has ${priceText(left, currency)} left`;

const partsOf = (room: Room, { perMinute, currency, destination }: OutgoingCall): FraudVerdict['parts'] => [
  { text: `cap ${priceText(room.cap, currency)} has ${priceText(room.left, currency)} left` },
  { text: `${moneyText(perMinute)} ${currency} a minute (${destination.class})` },
];

const order = ['pass', 'watch', 'challenge', 'block', 'cut-off'];

function severer(a: FraudVerdict | undefined, b: FraudVerdict | undefined): FraudVerdict | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const [first, second] = order.indexOf(b.action) > order.indexOf(a.action) ? [b, a] : [a, b];
  return { ...first, parts: [...first.parts, ...second.parts] };
}

function costRecord({ consulted: { call, rate }, rule }: Running, cost: number): CallCost {
  return {
    amount: moneyText(cost),
    currency: call.currency,
    account: call.account,
    rate: rate.prefix === '' ? call.destination.class : `+${rate.prefix}`,
    perMinute: moneyText(rate.perMinute),
    ...(rule === undefined ? {} : { rule }),
  };
}
