import type { AlertSettings } from '../config/alerts.ts';
import { severityRank } from '../events/bus.ts';
import type { EdgeEvent, Severity } from '../events/types.ts';
import { commonOf } from '../exports/format/told.ts';
import type { Alert, BookState, Delivery, Notice, NoticeKind } from './alert.ts';
import { QuietHours } from './quiet-hours.ts';
import { isEndOf, mayEnd, Rule, rulesOf } from './rules.ts';
import { tenantOf } from './tenant.ts';

/** Alerts in all, and those of one rule that are open; what is more becomes one alert. */
const mostAlerts = 1_000;
const mostOfRule = 100;
const mostNotices = 5_000;
const atOnce = 20;
const keptMs = 7 * 86_400_000;
const firstPauseMs = 5_000;
const longestPauseMs = 600_000;
const minuteMs = 60_000;

/**
 * Which alerts there are and what is still to be told of them. Without clock, disk or network: events go in with their
 * time, deliveries come out, and `state` is all that must survive.
 */
export class AlertBook {
  readonly #rules: readonly Rule[];
  readonly #quiet: QuietHours;
  /** Of channels that are a tenant's. */
  readonly #tenants: ReadonlyMap<string, string>;
  readonly #gatherMs: number;
  readonly #newId: () => string;
  readonly #alerts = new Map<string, Alert>();
  readonly #byKey = new Map<string, Alert>();
  readonly #notices = new Map<string, Notice>();
  /** Alerts of each rule and tenant that are not over. */
  readonly #live = new Map<string, number>();
  /** Counts the notices that were made. */
  #told = 0;
  /** Notices that went out of the book before anybody had them. */
  lost = 0;

  constructor(settings: AlertSettings, newId: () => string, state?: BookState) {
    this.#rules = rulesOf(settings).map((rule) => new Rule(rule));
    this.#quiet = new QuietHours(settings);
    this.#gatherMs = settings.gatherSeconds * 1000;
    this.#newId = newId;
    const channels = new Set(settings.channels.map(({ name }) => name));
    this.#tenants = new Map(
      settings.channels.flatMap(({ name, domain }) => (domain === undefined ? [] : [[name, domain]])),
    );
    for (const alert of state?.alerts ?? []) {
      this.#alerts.set(alert.id, alert);
      if (alert.state === 'over') continue;
      this.#byKey.set(alert.key, alert);
      this.#count(alert, 1);
    }
    for (const notice of state?.notices ?? []) {
      const alert = this.#alerts.get(notice.alert);
      // Whose a channel is may have changed since.
      if (alert !== undefined && channels.has(notice.channel) && this.#mayHear(notice.channel, alert))
        this.#notices.set(notice.id, notice);
    }
  }

  get state(): BookState {
    return { version: 1, alerts: [...this.#alerts.values()], notices: [...this.#notices.values()] };
  }

  /** The newest first. */
  get alerts(): readonly Alert[] {
    return [...this.#alerts.values()].reverse();
  }

  /**
   * Gives the alerts that are new with this event, and whether there is more to tell than before; undefined where it
   * concerns no rule.
   */
  take(
    event: EdgeEvent,
    time: number,
    severity: Severity,
  ): { readonly raised: readonly Alert[]; readonly news: boolean } | undefined {
    if (event.type.startsWith('alert.')) return undefined;
    const told = this.#told;
    let changed = mayEnd(event.type) && this.#end(event, time);
    const raised: Alert[] = [];
    for (const rule of this.#rules) {
      if (!rule.matches(event, severity)) continue;
      changed = true;
      const alert = this.#tell(rule, event, time, severity);
      if (alert !== undefined) raised.push(alert);
    }
    return changed ? { raised, news: raised.length > 0 || this.#told > told } : undefined;
  }

  /** The least severe event that can matter; what is over is told as a notice. */
  get level(): Severity {
    const ranks = this.#rules.map(({ settings }) => severityRank[settings.level]);
    const least = Math.max(severityRank.notice, ...ranks);
    return (Object.keys(severityRank) as Severity[]).find((one) => severityRank[one] === least) ?? 'debug';
  }

  /** Steps of escalations that are due; true where something has changed. */
  tick(now: number): boolean {
    let changed = false;
    for (const alert of this.#alerts.values()) {
      if (alert.lastAt + keptMs < now) {
        this.#remove(alert);
        changed = true;
      } else if (alert.state === 'open' && alert.stepAt !== undefined && alert.stepAt <= now) {
        this.#escalate(alert, now);
        changed = true;
      }
    }
    return changed;
  }

  /** When `tick` or `due` have something to do next. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#notices.values()) next = Math.min(next, dueAt);
    for (const { state, stepAt } of this.#alerts.values())
      if (state === 'open' && stepAt !== undefined) next = Math.min(next, stepAt);
    return next;
  }

  /** What is to go out over a channel now, in one message. */
  due(channel: string, now: number): Delivery[] {
    const out: Delivery[] = [];
    for (const { id, alert: of, channel: over, dueAt, kind } of this.#notices.values()) {
      if (over !== channel || dueAt > now) continue;
      const alert = this.#alerts.get(of);
      if (alert !== undefined) out.push({ kind, notice: id, alert });
      if (out.length === atOnce) break;
    }
    return out;
  }

  /** They have arrived. */
  delivered(deliveries: readonly Delivery[]): void {
    for (const { notice } of deliveries) this.#notices.delete(notice);
  }

  /** They have not, and are tried again: after 5 s, then later and later, at least every ten minutes. */
  failed(deliveries: readonly Delivery[], now: number): void {
    for (const { notice: id } of deliveries) {
      const notice = this.#notices.get(id);
      if (notice === undefined) continue;
      notice.dueAt = now + Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(notice.attempts, 10));
      notice.attempts += 1;
    }
  }

  /** They may not go out before then. */
  postpone(deliveries: readonly Delivery[], until: number): void {
    for (const { notice: id } of deliveries) {
      const notice = this.#notices.get(id);
      if (notice !== undefined) notice.dueAt = Math.max(notice.dueAt, until);
    }
  }

  /** Somebody looks after it: nobody else is called. Undefined where there is no such alert. */
  acknowledge(id: string, by: string): Alert | undefined {
    const alert = this.#alerts.get(id);
    if (alert === undefined) return undefined;
    if (alert.state === 'open') alert.state = 'acknowledged';
    alert.acknowledgedBy ??= by;
    delete alert.stepAt;
    for (const notice of this.#notices.values())
      if (notice.alert === id && (notice.kind === 'escalated' || notice.kind === 'repeated'))
        this.#notices.delete(notice.id);
    return alert;
  }

  #tell(rule: Rule, event: EdgeEvent, time: number, severity: Severity): Alert | undefined {
    const { name, repeatMinutes, channels, escalate } = rule.settings;
    const key = this.#keyOf(rule, event);
    const known = this.#byKey.get(key);
    const repeatMs = repeatMinutes * minuteMs;
    if (known !== undefined && (known.state === 'open' || time - known.lastAt < repeatMs)) {
      known.count += 1;
      known.lastAt = time;
      known.title = titleOf(event);
      known.event = plain(event);
      if (known.state === 'open' && time - known.toldAt >= repeatMs) {
        known.toldAt = time;
        this.#notify(known, 'repeated', channels, time);
      }
      return undefined;
    }
    // Somebody has looked after it, and that was long ago: this is another one.
    if (known !== undefined) this.#over(known);
    const domain = tenantOf(event);
    const alert: Alert = {
      id: this.#newId(),
      key,
      rule: name,
      severity,
      ...(domain === undefined ? {} : { domain }),
      firstAt: time,
      lastAt: time,
      count: 1,
      title: titleOf(event),
      event: plain(event),
      state: 'open',
      toldAt: time,
      told: [],
      steps: 0,
    };
    const [step] = escalate;
    if (step !== undefined) alert.stepAt = time + step.afterMinutes * minuteMs;
    this.#room();
    this.#alerts.set(alert.id, alert);
    this.#byKey.set(key, alert);
    this.#count(alert, 1);
    this.#notify(alert, 'raised', channels, time);
    return alert;
  }

  /** A flood of sources must not become a flood of alerts; and no alert is of two tenants. */
  #keyOf(rule: Rule, event: EdgeEvent): string {
    const { name } = rule.settings;
    const domain = tenantOf(event);
    const key = domain === undefined ? rule.keyOf(event) : `${rule.keyOf(event)} ${domain}`;
    if (this.#byKey.has(key)) return key;
    return (this.#live.get(liveKey({ rule: name, domain })) ?? 0) < mostOfRule
      ? key
      : JSON.stringify([name, 'more', domain]);
  }

  /** The people of a tenant hear of what is theirs, and of nothing else. */
  #mayHear(channel: string, { domain }: Alert): boolean {
    const tenant = this.#tenants.get(channel);
    return tenant === undefined || tenant === domain;
  }

  #end(event: EdgeEvent, time: number): boolean {
    let changed = false;
    for (const alert of this.#byKey.values()) {
      if (!isEndOf(event, alert.event)) continue;
      this.#over(alert);
      alert.lastAt = time;
      this.#notify(alert, 'over', alert.told, time);
      changed = true;
    }
    return changed;
  }

  #over(alert: Alert): void {
    alert.state = 'over';
    delete alert.stepAt;
    this.#byKey.delete(alert.key);
    this.#count(alert, -1);
  }

  #count(alert: Alert, by: number): void {
    const key = liveKey(alert);
    const count = (this.#live.get(key) ?? 0) + by;
    if (count > 0) this.#live.set(key, count);
    else this.#live.delete(key);
  }

  /** The last step comes again and again. */
  #escalate(alert: Alert, now: number): void {
    const settings = this.#rules.find((rule) => rule.settings.name === alert.rule)?.settings;
    const steps = settings?.escalate ?? [];
    const step = steps[Math.min(alert.steps, steps.length - 1)];
    if (step === undefined) {
      delete alert.stepAt;
      return;
    }
    alert.steps += 1;
    const next = steps[alert.steps];
    alert.stepAt =
      next === undefined
        ? now + (settings?.repeatMinutes ?? 60) * minuteMs
        : Math.max(now, alert.firstAt + next.afterMinutes * minuteMs);
    alert.toldAt = now;
    this.#notify(alert, 'escalated', step.channels, now);
  }

  #notify(alert: Alert, kind: NoticeKind, channels: readonly string[], time: number): void {
    const at = this.#quiet.mayGoAt(alert.severity, time);
    const dueAt = kind === 'escalated' ? at : Math.max(at, time + this.#gatherMs);
    for (const channel of channels) {
      if (!this.#mayHear(channel, alert)) continue;
      this.#told += 1;
      if (!alert.told.includes(channel)) alert.told.push(channel);
      if (this.#notices.size >= mostNotices) {
        const [oldest] = this.#notices.keys();
        if (oldest !== undefined) this.#notices.delete(oldest);
        this.lost += 1;
      }
      const notice: Notice = { id: this.#newId(), alert: alert.id, channel, kind, dueAt, attempts: 0 };
      this.#notices.set(notice.id, notice);
    }
  }

  /** Those that are over go first, then those that somebody looks after, then the oldest. */
  #room(): void {
    if (this.#alerts.size < mostAlerts) return;
    for (const state of ['over', 'acknowledged', 'open'] as const)
      for (const alert of this.#alerts.values()) if (alert.state === state) return this.#remove(alert);
  }

  #remove(alert: Alert): void {
    this.#alerts.delete(alert.id);
    if (alert.state !== 'over') this.#over(alert);
    for (const notice of this.#notices.values())
      if (notice.alert === alert.id) {
        this.#notices.delete(notice.id);
        this.lost += 1;
      }
  }
}

const liveKey = ({
  rule,
  domain = '',
}: {
  readonly rule: string;
  readonly domain?: string | undefined;
}): string => `${domain} ${rule}`;

const titleOf = (event: EdgeEvent): string => commonOf(event).message.slice(0, 300);

/** Bounded: an alert is kept for days. */
function plain(event: EdgeEvent): Readonly<Record<string, unknown>> {
  const json = JSON.stringify(event);
  if (json.length <= 4_096) return JSON.parse(json) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(event)
      .filter(([, value]) => typeof value !== 'object')
      .map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, 500) : value]),
  );
}
