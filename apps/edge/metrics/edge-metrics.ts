import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { severities } from '../events/bus.ts';
import type { EdgeEvent, Subscriber } from '../events/types.ts';
import type { LegQuality } from '../media/quality.ts';
import { NodeGauges, type NodeLook } from './node-gauges.ts';
import { type CallEnded, outcomeOf, type Ratios, SessionWindow } from './session-measures.ts';

/** Sets of labels that calls can make: tenants and trunks that are configured fit in; what is more counts as `other`. */
const mostPeers = 1_000;
/** Words of ours that become labels, such as rules: so many different ones for each counter, then `other`. */
const mostWords = 200;

const delayBuckets = [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60];
const durationBuckets = [1, 6, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
const mosBuckets = [1.5, 2, 2.5, 3, 3.3, 3.6, 4, 4.3];

interface Peer {
  readonly labels: { readonly domain: string; readonly trunk: string; readonly direction: string };
  readonly window: SessionWindow;
}

/** What is counted of the event stream, and what is looked up when somebody asks. */
export class EdgeMetrics {
  readonly #registry = new Registry();
  readonly #now: () => number;
  readonly #gauges: NodeGauges;
  readonly #peers = new Map<string, Peer>();
  readonly #words = new Map<string, Set<string>>();
  readonly #events: Counter<'event' | 'severity'>;
  readonly #sessions: Counter<'domain' | 'trunk' | 'direction' | 'outcome'>;
  readonly #requestDelay: Histogram<'domain' | 'trunk' | 'direction' | 'result'>;
  readonly #duration: Histogram<'domain' | 'trunk' | 'direction'>;
  readonly #disconnectDelay: Histogram<'trunk'>;
  readonly #mos: Histogram<'domain' | 'side'>;
  readonly #packets: Counter<'domain' | 'kind'>;
  readonly #grades: Counter<'domain' | 'grade'>;
  readonly #refused: Counter<'method' | 'cause' | 'rule'>;
  readonly #admission: Counter<'listener' | 'rule'>;
  readonly #malformed: Counter<'code'>;
  readonly #authentication: Counter<'reason'>;
  readonly #registrations: Counter<'domain' | 'change'>;
  readonly #kpi: Gauge<'domain' | 'trunk' | 'direction' | 'measure'>;
  readonly #means: Gauge<'domain' | 'trunk' | 'direction' | 'measure'>;

  constructor(look: NodeLook) {
    this.#now = look.now;
    const registers = [this.#registry];
    const peer = ['domain', 'trunk', 'direction'] as const;
    this.#events = new Counter({
      name: 'ringfence_events_total',
      help: 'Events by type',
      labelNames: ['event', 'severity'],
      registers,
    });
    this.#sessions = new Counter({
      name: 'ringfence_sessions_total',
      help: 'Attempts to set up a session that are over, by outcome; trunk is empty for the sum of the tenant',
      labelNames: [...peer, 'outcome'],
      registers,
    });
    this.#requestDelay = new Histogram({
      name: 'ringfence_session_request_delay_seconds',
      help: 'From INVITE to ringing, answer or refusal (SRD, RFC 6076 section 4.3; post-dial delay)',
      labelNames: [...peer, 'result'],
      buckets: delayBuckets,
      registers,
    });
    this.#duration = new Histogram({
      name: 'ringfence_session_duration_seconds',
      help: 'From answer to end (SDT, RFC 6076 section 4.5)',
      labelNames: [...peer],
      buckets: durationBuckets,
      registers,
    });
    this.#disconnectDelay = new Histogram({
      name: 'ringfence_session_disconnect_delay_seconds',
      help: 'From our BYE to its answer (SDD, RFC 6076 section 4.4); trunk is empty for phones',
      labelNames: ['trunk'],
      buckets: delayBuckets,
      registers,
    });
    this.#mos = new Histogram({
      name: 'ringfence_leg_mos',
      help: 'Estimated listening quality of what a side sent (ITU-T G.107)',
      labelNames: ['domain', 'side'],
      buckets: mosBuckets,
      registers,
    });
    this.#packets = new Counter({
      name: 'ringfence_rtp_packets_total',
      help: 'Media packets of calls that are over, by what became of them',
      labelNames: ['domain', 'kind'],
      registers,
    });
    this.#grades = new Counter({
      name: 'ringfence_calls_protection_total',
      help: 'Answered calls that are over, by the worst protection of their life',
      labelNames: ['domain', 'grade'],
      registers,
    });
    this.#refused = new Counter({
      name: 'ringfence_requests_refused_total',
      help: 'Requests refused by a rule',
      labelNames: ['method', 'cause', 'rule'],
      registers,
    });
    this.#admission = new Counter({
      name: 'ringfence_admission_refused_total',
      help: 'Refusals before parsing, as told: once for each burst of a source',
      labelNames: ['listener', 'rule'],
      registers,
    });
    this.#malformed = new Counter({
      name: 'ringfence_messages_malformed_total',
      help: 'Messages that are no SIP',
      labelNames: ['code'],
      registers,
    });
    this.#authentication = new Counter({
      name: 'ringfence_authentication_failures_total',
      help: 'Credentials that were wrong',
      labelNames: ['reason'],
      registers,
    });
    this.#registrations = new Counter({
      name: 'ringfence_registration_changes_total',
      help: 'Bindings added, refreshed, removed and expired',
      labelNames: ['domain', 'change'],
      registers,
    });
    this.#kpi = new Gauge({
      name: 'ringfence_kpi_ratio',
      help: 'Over the last hour, 0 to 1: ser, seer, isa, scr (RFC 6076), asr (ITU-T E.411), ner (ITU-T E.425)',
      labelNames: [...peer, 'measure'],
      registers,
    });
    this.#means = new Gauge({
      name: 'ringfence_kpi_seconds',
      help: 'Over the last hour: acd (average call duration), pdd (average post-dial delay)',
      labelNames: [...peer, 'measure'],
      registers,
    });
    this.#gauges = new NodeGauges(look, this.#registry);
  }

  /** For the event stream, all severities. */
  readonly subscriber: Subscriber = (event, time) => {
    this.#events.inc({ event: event.type, severity: severities[event.type] });
    this.#count(event, time);
  };

  /** The text format of Prometheus. */
  text(): Promise<string> {
    const now = this.#now();
    this.#kpi.reset();
    this.#means.reset();
    for (const { labels, window } of this.#peers.values()) {
      const { acd, pdd, ...ratios } = window.ratios(now);
      for (const [measure, value] of Object.entries(ratios satisfies Partial<Ratios>))
        if (!Number.isNaN(value)) this.#kpi.set({ ...labels, measure }, value);
      for (const [measure, value] of Object.entries({ acd, pdd }))
        if (!Number.isNaN(value)) this.#means.set({ ...labels, measure }, value);
    }
    this.#gauges.look();
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #count(event: EdgeEvent, time: number): void {
    switch (event.type) {
      case 'call.ended':
        return this.#session(event, time);
      case 'call.disconnected':
        return this.#disconnectDelay.observe(
          { trunk: trunkOf(event.party)?.trunk ?? '' },
          event.milliseconds / 1000,
        );
      case 'request.refused': {
        const { decision, method } = event;
        const rule = decision.reasons[0]?.rule ?? '';
        const cause = decision.verdict === 'refuse' ? decision.cause : decision.verdict;
        return this.#refused.inc({
          method: this.#word('method', method),
          cause,
          rule: this.#word('rule', rule),
        });
      }
      case 'admission.refused':
        return this.#admission.inc({ listener: event.listener, rule: this.#word('admission', event.rule) });
      case 'message.malformed':
        return this.#malformed.inc({ code: this.#word('code', event.code) });
      case 'authentication.failed':
        return this.#authentication.inc({ reason: this.#word('reason', event.reason) });
      case 'registration.added':
      case 'registration.refreshed':
      case 'registration.removed':
      case 'registration.expired':
        return this.#registrations.inc({
          domain: this.#word('domain', event.domain),
          change: event.type.slice('registration.'.length),
        });
      default:
    }
  }

  #session(event: CallEnded, time: number): void {
    const outcome = outcomeOf(event);
    if (outcome === undefined) return;
    const from = trunkOf(event.principal);
    const to = event.partner === undefined ? undefined : trunkOf(event.partner);
    const way =
      from === undefined ? (to === undefined ? 'internal' : 'out') : to === undefined ? 'in' : 'transit';
    this.#measure(this.#peer(event.domain, '', way), event, outcome, time);
    if (from !== undefined) this.#measure(this.#peer(event.domain, from.trunk, 'in'), event, outcome, time);
    if (to !== undefined) this.#measure(this.#peer(event.domain, to.trunk, 'out'), event, outcome, time);
    const domain = this.#word('domain', event.domain);
    if (event.grade !== undefined) this.#grades.inc({ domain, grade: event.grade });
    event.quality.forEach((quality, leg) => {
      if (quality !== undefined && quality !== null) this.#media(domain, leg, quality as LegQuality);
    });
  }

  #measure(
    { labels, window }: Peer,
    event: CallEnded,
    outcome: NonNullable<ReturnType<typeof outcomeOf>>,
    time: number,
  ): void {
    window.add(outcome, event, time);
    this.#sessions.inc({ ...labels, outcome });
    const answered = outcome === 'completed' || outcome === 'dropped';
    if (outcome !== 'cancelled')
      this.#requestDelay.observe(
        { ...labels, result: answered ? 'successful' : 'failed' },
        event.delayMs / 1000,
      );
    if (answered) this.#duration.observe(labels, event.seconds);
  }

  #media(domain: string, leg: number, { received, sent, dropped, mos }: LegQuality): void {
    if (mos !== undefined) this.#mos.observe({ domain, side: leg === 0 ? 'caller' : 'called' }, mos);
    this.#packets.inc({ domain, kind: 'received' }, received.packets);
    this.#packets.inc({ domain, kind: 'sent' }, sent.packets);
    this.#packets.inc({ domain, kind: 'lost' }, received.lost);
    for (const [why, count] of Object.entries(dropped))
      this.#packets.inc({ domain, kind: `dropped-${why}` }, count);
  }

  #peer(domain: string, trunk: string, direction: string): Peer {
    const key = JSON.stringify([domain, trunk, direction]);
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    if (this.#peers.size >= mostPeers && domain !== 'other')
      return this.#peer('other', trunk === '' ? '' : 'other', direction);
    const made: Peer = { labels: { domain, trunk, direction }, window: new SessionWindow() };
    this.#peers.set(key, made);
    return made;
  }

  #word(of: string, word: string): string {
    let words = this.#words.get(of);
    if (words === undefined) {
      words = new Set();
      this.#words.set(of, words);
    }
    if (words.has(word)) return word;
    if (words.size >= mostWords) return 'other';
    words.add(word);
    return word;
  }
}

/** Of `trunk:NAME@DOMAIN`. */
function trunkOf(party: string): { readonly trunk: string } | undefined {
  if (!party.startsWith('trunk:')) return undefined;
  const at = party.lastIndexOf('@');
  return { trunk: party.slice('trunk:'.length, at < 0 ? undefined : at) };
}
