import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { MailSender } from '../alerts/channels/email.ts';
import type { Outcome } from './measures.ts';

export interface UserMailParts {
  readonly mail: MailSender;
  now(): number;
  /** Mailbox of a user; undefined where none is known. */
  mailboxOf(domain: string, user: string): string | undefined;
  /** @returns a function that stops it. */
  after(milliseconds: number, run: () => void): () => void;
}

const hourMs = 3_600_000;
/** Mails of all incidents in an hour: an attack on many accounts must not make this node a sender of mass mail. */
const mostPerHour = 60;
/** One user is written to again after so long. */
const againMs = hourMs;
const rememberedUsers = 1_000;
/** What does not go at once is tried again after so long. */
const pausesMs = [30_000, 300_000];

/** Mail to users about their own accounts, and about nothing else. */
export class UserMail {
  readonly #parts: UserMailParts;
  readonly #last = new BoundedMap<string, number>({ capacity: rememberedUsers });
  readonly #waiting = new Set<() => void>();
  #sent: number[] = [];
  #stopped = false;

  constructor(parts: UserMailParts) {
    this.#parts = parts;
  }

  async tell(domain: string, user: string, text: string, incident: string): Promise<Outcome> {
    const to = this.#parts.mailboxOf(domain, user);
    if (to === undefined) return { done: false, detail: 'no mailbox of the user is known (`email`)' };
    const now = this.#parts.now();
    const account = `${user.toLowerCase()}@${domain}`;
    const last = this.#last.get(account);
    if (last !== undefined && now - last < againMs)
      return { done: true, detail: 'the user was written to within the last hour' };
    this.#sent = this.#sent.filter((at) => at > now - hourMs);
    if (this.#sent.length >= mostPerHour)
      return { done: false, detail: `${mostPerHour} mails have gone out within an hour` };
    this.#sent.push(now);
    this.#last.set(account, now);
    const outcome = await this.#send({ to, ...mailOf(account, text, incident, now) });
    if (!outcome.done) this.#last.delete(account);
    return outcome;
  }

  /** Mails that wait to be tried again are given up. */
  stop(): void {
    this.#stopped = true;
    for (const wake of [...this.#waiting]) wake();
  }

  async #send(mail: { to: string; subject: string; text: string }): Promise<Outcome> {
    for (let tries = 0; ; tries += 1) {
      const sent = await this.#parts.mail.send(mail);
      if (sent.ok) return { done: true, detail: '' };
      const pause = pausesMs[tries];
      if (sent.error.passing !== true || pause === undefined || this.#stopped)
        return { done: false, detail: sent.error.detail.slice(0, 200) };
      await this.#pause(pause);
      if (this.#stopped) return { done: false, detail: sent.error.detail.slice(0, 200) };
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        stop();
        this.#waiting.delete(wake);
        resolve();
      };
      const stop = this.#parts.after(milliseconds, wake);
      this.#waiting.add(wake);
    });
  }
}

const mailOf = (
  account: string,
  text: string,
  incident: string,
  now: number,
): { subject: string; text: string } => ({
  subject: `Your telephone account ${account}`,
  text: [
    `This concerns your telephone account ${account}.`,
    '',
    text,
    '',
    `Time: ${new Date(now).toISOString()}`,
    `Reference: ${incident}`,
    '',
    'If you have just set up a phone yourself, tell your administrator. Nobody asks you for your password: do not send it.',
    '',
  ].join('\n'),
});
