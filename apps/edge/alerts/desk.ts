import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { AlertSettings } from '../config/alerts.ts';
import type { EventBus } from '../events/bus.ts';
import type { Subscriber } from '../events/types.ts';
import type { Alert } from './alert.ts';
import { AlertFile } from './alert-file.ts';
import { AlertBook } from './book.ts';
import type { Channel } from './channels/channel.ts';
import type { MailSender } from './channels/email.ts';
import { openChannel } from './channels/open.ts';
import type { Post } from './post.ts';

export interface AlertDeskParts {
  readonly home: string;
  readonly bus: EventBus;
  readonly now: () => number;
  readonly settings: AlertSettings;
  readonly mail: MailSender;
  /** How requests go out. Default: as `post` does. */
  readonly post?: (request: Post) => Promise<void>;
}

interface Line {
  readonly name: string;
  readonly tell: Channel;
  readonly mostPerHour: number;
  /** When messages of the last hour went out. */
  sent: number[];
  isSending: boolean;
  isFailing: boolean;
}

const hourMs = 3_600_000;
const longestWaitMs = 3_600_000;
/** How often is looked for others to tell while somebody is being told. */
const busyMs = 1_000;
/** Mere counts are written so late. */
const lateMs = 5_000;
/** How long messages that are on their way may take at the end. */
const farewellMs = 2_000;

/** Hears the event stream, keeps the book of alerts on disk, and brings what is due to people. */
export class AlertDesk {
  readonly #parts: AlertDeskParts;
  readonly #book: AlertBook;
  readonly #file: AlertFile;
  readonly #lines: readonly Line[];
  readonly #unsubscribe: () => void;
  readonly #sending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #lateSave: NodeJS.Timeout | undefined;
  #stopped = false;
  #lost = 0;

  /** @throws MisuseError where a secret cannot be read */
  constructor(parts: AlertDeskParts) {
    this.#parts = parts;
    const { settings, bus } = parts;
    this.#lines = settings.channels.map((channel) => ({
      name: channel.name,
      tell: openChannel(channel, parts.mail, parts.post),
      mostPerHour: channel.mostPerHour,
      sent: [],
      isSending: false,
      isFailing: false,
    }));
    this.#file = new AlertFile(parts.home, (error) =>
      bus.emit({ type: 'edge.error', where: 'alerts', detail: String(error) }),
    );
    this.#book = new AlertBook(settings, () => randomBytes(6).toString('hex'), this.#file.read());
    this.#unsubscribe = bus.subscribe(this.#hear, this.#book.level);
    this.#arm();
  }

  get alerts(): readonly Alert[] {
    return this.#book.alerts;
  }

  /** Undefined where there is no such alert. */
  acknowledge(id: string, by: string): Alert | undefined {
    const alert = this.#book.acknowledge(id, by);
    if (alert === undefined) return undefined;
    this.#parts.bus.emit({ type: 'alert.acknowledged', alert: id, rule: alert.rule, by });
    this.#changed();
    return alert;
  }

  /** What has not gone out is on disk, and goes out after the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    clearTimeout(this.#timer);
    await Promise.race([Promise.all(this.#sending), pause(farewellMs)]);
    this.#save();
    await this.#file.settled();
  }

  readonly #hear: Subscriber = (event, time, severity) => {
    const taken = this.#book.take(event, time, severity);
    if (taken === undefined) return;
    for (const { id, rule, title, domain } of taken.raised)
      this.#parts.bus.emit({
        type: 'alert.raised',
        alert: id,
        rule,
        title,
        ...(domain === undefined ? {} : { domain }),
      });
    if (taken.news) this.#changed();
    else this.#lateSave ??= setTimeout(() => this.#save(), lateMs).unref();
  };

  #changed(): void {
    if (this.#book.lost > this.#lost) {
      this.#parts.bus.emit({ type: 'alert.lost', count: this.#book.lost - this.#lost });
      this.#lost = this.#book.lost;
    }
    this.#save();
    this.#arm();
  }

  #save(): void {
    clearTimeout(this.#lateSave);
    this.#lateSave = undefined;
    this.#file.save(() => this.#book.state);
  }

  #arm(least = 0): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    const wait = Math.min(longestWaitMs, Math.max(least, this.#book.nextAt - this.#parts.now()));
    this.#timer = setTimeout(() => this.#work(), wait);
    this.#timer.unref();
  }

  #work(): void {
    const now = this.#parts.now();
    if (this.#book.tick(now)) this.#save();
    for (const line of this.#lines) {
      if (line.isSending) continue;
      const sending = this.#send(line, now).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
    this.#arm(this.#lines.some(({ isSending }) => isSending) ? busyMs : 0);
  }

  async #send(line: Line, now: number): Promise<void> {
    const due = this.#book.due(line.name, now);
    if (due.length === 0) return;
    line.sent = line.sent.filter((at) => at > now - hourMs);
    const [oldest] = line.sent;
    if (oldest !== undefined && line.sent.length >= line.mostPerHour)
      return this.#book.postpone(due, oldest + hourMs);
    line.isSending = true;
    line.sent.push(now);
    try {
      // Whoever is told of an alert must find it, also after a crash.
      await this.#file.settled();
      await line.tell(due, { node: hostname(), now });
      this.#book.delivered(due);
      if (line.isFailing) this.#parts.bus.emit({ type: 'alert.channel-recovered', channel: line.name });
      line.isFailing = false;
    } catch (error) {
      line.sent.pop();
      this.#book.failed(due, this.#parts.now());
      const reason = error instanceof Error ? error.message : String(error);
      if (!line.isFailing)
        this.#parts.bus.emit({ type: 'alert.channel-failing', channel: line.name, reason });
      line.isFailing = true;
    }
    line.isSending = false;
    this.#changed();
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
