import type { EdgeEvent, EdgeEventType, Severity, Subscriber } from './types.ts';

/** How much each matters; docs/events.schema.json and every export have it from here. */
export const severities: Readonly<Record<EdgeEventType, Severity>> = {
  'edge.ready': 'notice',
  'edge.draining': 'notice',
  'edge.stopped': 'notice',
  'edge.upgrading': 'notice',
  'edge.dangerous': 'warning',
  'edge.error': 'error',
  'edge.trouble': 'error',
  'edge.trouble-over': 'notice',
  'edge.taken-over': 'notice',
  'config.reloaded': 'notice',
  'config.refused': 'error',
  'administration.command': 'notice',
  'call.ended-by-hand': 'notice',
  'flow.opened': 'debug',
  'flow.closed': 'debug',
  'admission.refused': 'warning',
  'admission.demoted': 'warning',
  'overload.began': 'error',
  'overload.over': 'notice',
  'threat.found': 'warning',
  'ban.added': 'warning',
  'ban.lifted': 'notice',
  'ban.expired': 'info',
  'feed.loaded': 'info',
  'feed.failed': 'warning',
  'ban.kernel': 'notice',
  'ban.refused': 'warning',
  'message.malformed': 'info',
  'patch.blocked': 'warning',
  'patches.changed': 'notice',
  'request.challenged': 'debug',
  'request.refused': 'notice',
  'authentication.failed': 'warning',
  'registration.added': 'info',
  'registration.refreshed': 'debug',
  'registration.removed': 'info',
  'registration.expired': 'info',
  'call.started': 'info',
  'call.ringing': 'debug',
  'call.answered': 'info',
  'call.protection': 'info',
  'call.downgraded': 'warning',
  'call.tampering': 'error',
  'call.ended': 'info',
  'call.disconnected': 'debug',
  'call.forwarded': 'notice',
  'caller.doubted': 'notice',
  'fraud.verdict': 'warning',
  'fraud.watched': 'notice',
  'fraud.lifted': 'notice',
  'fraud.lift-ended': 'notice',
  'fraud.rule-changed': 'notice',
  'spend.warning': 'warning',
  'spend.exhausted': 'warning',
  'call.media-recovered': 'notice',
  'call.dtmf': 'debug',
  'recording.started': 'notice',
  'recording.paused': 'notice',
  'recording.resumed': 'notice',
  'recording.stopped': 'notice',
  'recording.refused': 'warning',
  'recording.failed': 'error',
  'call.quality-report': 'info',
  'call.one-way': 'warning',
  'media.refused': 'warning',
  'media.unsecured': 'warning',
  'media.down': 'error',
  'zrtp.passed': 'info',
  'zrtp.secured': 'info',
  'zrtp.sas-relayed': 'info',
  'zrtp.sas-confirmed': 'notice',
  'zrtp.missing': 'warning',
  'target.quarantined': 'warning',
  'target.recovered': 'notice',
  'account.quarantined': 'warning',
  'account.released': 'notice',
  'account.confirmed': 'notice',
  'account.signed-in': 'info',
  'account.factor-added': 'notice',
  'account.factor-removed': 'notice',
  'account.factor-refused': 'warning',
  'account.invited': 'notice',
  'account.link-sent': 'info',
  'trunk.registered': 'notice',
  'trunk.unregistered': 'notice',
  'trunk.registration-failed': 'warning',
  'media.up': 'notice',
  'media.instance': 'warning',
  'media.lost': 'warning',
  'alert.raised': 'notice',
  'alert.acknowledged': 'notice',
  'alert.channel-failing': 'warning',
  'alert.channel-recovered': 'notice',
  'alert.lost': 'warning',
  'export.failing': 'warning',
  'export.recovered': 'notice',
  'incident.opened': 'warning',
  'incident.waiting': 'warning',
  'incident.step': 'notice',
  'incident.closed': 'notice',
};

/** Least severe last. */
export const severityRank: Readonly<Record<Severity, number>> = {
  error: 0,
  warning: 1,
  notice: 2,
  info: 3,
  debug: 4,
};

interface Subscription {
  readonly subscriber: Subscriber;
  readonly rank: number;
}

/**
 * The one stream of events. Subscribers are called in the order of their subscription, in the same turn; one that
 * throws is a defect of ours and does not keep the others from hearing.
 */
export class EventBus {
  readonly #clock: () => number;
  #subscriptions: readonly Subscription[] = [];
  #rank = -1;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** @returns a function that ends the subscription. `least` is the least severe event wanted; default all. */
  subscribe(subscriber: Subscriber, least: Severity = 'debug'): () => void {
    const subscription: Subscription = { subscriber, rank: severityRank[least] };
    this.#set([...this.#subscriptions, subscription]);
    return () => this.#set(this.#subscriptions.filter((other) => other !== subscription));
  }

  /** False where nobody would hear: whoever must build a costly event asks first. */
  wants(type: EdgeEventType): boolean {
    return severityRank[severities[type]] <= this.#rank;
  }

  emit(event: EdgeEvent): void {
    const severity = severities[event.type];
    const rank = severityRank[severity];
    if (rank > this.#rank) return;
    const time = this.#clock();
    for (const { subscriber, rank: least } of this.#subscriptions)
      if (rank <= least) subscriber(event, time, severity);
  }

  #set(subscriptions: readonly Subscription[]): void {
    this.#subscriptions = subscriptions;
    this.#rank = Math.max(-1, ...subscriptions.map(({ rank }) => rank));
  }
}
