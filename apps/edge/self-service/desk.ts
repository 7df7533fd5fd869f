import type { Result } from '@ringfence/bytes/result.ts';
import type { Accounts } from '../accounts/accounts.ts';
import { describeSource } from '../admission/source.ts';
import type { AccountPageSettings } from '../config/account-page.ts';
import type { EventBus } from '../events/bus.ts';
import type { Mail, MailProblem } from '../mail/mailer.ts';
import type { User } from '../objects/types.ts';
import type { LiveBinding } from '../registrar/registrar.ts';
import type { Directory, DomainDirectory } from '../routing/directory.ts';
import type { Factors } from './factors.ts';
import { Guesses } from './guesses.ts';
import { Links } from './links.ts';
import { mailAboutFactor, mailWithLink } from './mails.ts';
import type { PasskeyCheck } from './passkeys.ts';
import { type Session, Sessions } from './sessions.ts';
import { accountNamed, signIn, standsFor } from './sign-in.ts';

const minute = 60_000;
/** Wrong passwords of one source, and for one name, whoever asks. */
const ofSource = { free: 20, windowMs: 10 * minute, lockMs: 10 * minute, longestMs: 60 * minute };
const ofName = { free: 10, windowMs: 10 * minute, lockMs: 10 * minute, longestMs: 60 * minute };
/** Wrong codes of one account: at most some 500 in a day, of a million. */
const ofCodes = { free: 5, windowMs: 60 * minute, lockMs: 15 * minute, longestMs: 24 * 60 * minute };
/** Mails with links to one account in an hour: by themselves, and with those that were asked for. */
const mostMailsByThemselves = 3;
const mostMails = 6;

export interface DeskParts {
  readonly bus: EventBus;
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly passkeys: PasskeyCheck;
  now(): number;
  random(bytes: number): Uint8Array;
  settings(): AccountPageSettings;
  /** SIP domain of users who name none. */
  defaultDomain(): string;
  directory(): Directory;
  bindings(domain: string, user: string): readonly LiveBinding[];
  /** Where users open the page. */
  url(): string | undefined;
  readonly mail: { readonly ready: boolean; send(mail: Mail): Promise<Result<void, MailProblem>> };
  /** A wrong password counts as one over SIP does. */
  failedSignIn(username: string, address: string, domain: DomainDirectory): void;
}

/** Who asks: from where, and by which session. */
export interface Asker {
  readonly address: string;
  /** A proxy stands between: the address is the proxy's, and says nothing of where the user is. */
  readonly proxied: boolean;
  readonly session: Session;
}

/** Sessions, guesses, mails and events of the account page: what all that can be asked of it shares. */
export class Desk {
  readonly parts: DeskParts;
  readonly links: Links;
  readonly #sessions: Sessions;
  readonly #sources = new Guesses(ofSource);
  readonly #names = new Guesses(ofName);
  readonly #codes = new Guesses(ofCodes);

  constructor(parts: DeskParts) {
    this.parts = parts;
    this.links = new Links((bytes) => parts.random(bytes));
    this.#sessions = new Sessions((bytes) => parts.random(bytes));
  }

  /** The token of a new session, or why there is none: the same for a wrong password and an unknown name. */
  signIn(name: string, password: string, address: string): { readonly token: string } | 'wrong' | 'later' {
    const { parts } = this;
    const now = parts.now();
    const { domain, device } = accountNamed(name, parts.directory(), parts.defaultDomain());
    const source = describeSource(address);
    const named = `${domain.name}\n${device.toLowerCase()}`;
    const locked = this.#sources.locked(source, now) > 0 || this.#names.locked(named, now) > 0;
    const who = signIn(domain, device, password);
    if (locked) return 'later';
    if (who === undefined) {
      this.#sources.failed(source, now);
      this.#names.failed(named, now);
      parts.bus.emit({
        type: 'authentication.failed',
        source: address,
        username: device,
        domain: domain.name,
        reason: 'bad-credentials',
      });
      parts.failedSignIn(device, address, domain);
      return 'wrong';
    }
    this.#names.passed(named);
    parts.bus.emit({
      type: 'account.signed-in',
      domain: who.domain,
      user: who.user,
      device,
      source: address,
    });
    const until = now + parts.settings().sessionMinutes * minute;
    const session = {
      ...who,
      until,
      proof: undefined,
      leave: undefined,
      totp: undefined,
      challenge: undefined,
    };
    return { token: this.#sessions.open(session, now) };
  }

  session(token: string): Session | undefined {
    const session = this.#sessions.find(token, this.parts.now());
    if (session === undefined || standsFor(this.parts.directory(), session)) return session;
    this.#sessions.close(token);
    return undefined;
  }

  signOut(token: string): void {
    this.#sessions.close(token);
  }

  /** What an administrator has taken away leaves nobody signed in, and no link on its way. */
  endAll(domain: string, user: string): void {
    this.#sessions.end(domain, user);
    this.links.end(domain, user);
  }

  userOf({ domain, user }: { readonly domain: string; readonly user: string }): User | undefined {
    return this.parts.directory().domain(domain)?.users.get(user);
  }

  /** There is a mailbox for links, and a server that takes them. */
  canMail(who: { readonly domain: string; readonly user: string }): boolean {
    return this.parts.mail.ready && this.userOf(who)?.email !== undefined;
  }

  /** He has shown more than the password, or is where the account is known to be. */
  isTrusted(asker: Asker): boolean {
    const { proof, leave } = asker.session;
    return proof !== undefined || leave !== undefined || this.#isAtHome(asker);
  }

  #isAtHome({ session: { domain, user }, address, proxied }: Asker): boolean {
    return !proxied && this.parts.accounts.isAtHome(domain, user, address);
  }

  /**
   * What lets him set a factor up or remove one; undefined: nothing does.
   *
   * The first is never set up with the password alone from a place that nobody knows: whoever stole it would confirm
   * himself. Where there is one, it is asked for.
   */
  leaveOf(asker: Asker): string | undefined {
    const { domain, user, proof, leave } = asker.session;
    if (proof !== undefined) return proof;
    if (leave !== undefined) return leave;
    return !this.parts.factors.has(domain, user) && this.#isAtHome(asker) ? 'known place' : undefined;
  }

  /** Milliseconds for which no code of the account is looked at. */
  codesLocked({ domain, user }: Session): number {
    return this.#codes.locked(`${domain}\n${user}`, this.parts.now());
  }

  codePassed({ domain, user }: Session): void {
    this.#codes.passed(`${domain}\n${user}`);
  }

  /** A code, invitation or passkey that did not hold: counted, told of, and after some the account is locked. */
  codeFailed(
    { session, address }: Asker,
    factor: 'code' | 'passkey' | 'invite',
    reason: 'wrong' | 'replayed',
  ): void {
    const { domain, user } = session;
    const told = { type: 'account.factor-refused', domain, user, factor, source: address } as const;
    this.parts.bus.emit({ ...told, reason, seconds: 0 });
    const lock = this.#codes.failed(`${domain}\n${user}`, this.parts.now());
    if (lock === 0) return;
    const seconds = Math.round(lock / 1000);
    this.parts.bus.emit({ ...told, reason: 'locked', seconds });
    this.#tell(session, 'Wrong codes', mailAboutFactor('locked', address, this.parts.url()));
  }

  factorChanged(
    { session, address }: Asker,
    what: 'added' | 'removed',
    { kind, label }: { readonly kind: 'totp' | 'passkey' | 'recovery'; readonly label: string },
    by: string,
  ): void {
    const { domain, user } = session;
    const type = `account.factor-${what}` as const;
    this.parts.bus.emit({ type, domain, user, factor: kind, label, by, source: address });
    const subject = what === 'added' ? `${label}: set up` : `${label}: removed`;
    this.#tell(session, subject, mailAboutFactor(what, address, this.parts.url(), label));
  }

  /** Sends a link; false where there were too many, or there is no mailbox. */
  async sendLink(
    who: { readonly domain: string; readonly user: string },
    phone: Parameters<typeof mailWithLink>[1],
    askedFor: boolean,
  ): Promise<'sent' | 'none' | 'later' | 'failed'> {
    const { parts } = this;
    const { domain, user } = who;
    const url = parts.url();
    const email = this.userOf(who)?.email;
    if (url === undefined || email === undefined || !parts.mail.ready) return 'none';
    const now = parts.now();
    const most = askedFor ? mostMails : mostMailsByThemselves;
    if (!this.links.mayMail(domain, user, most, now)) return 'later';
    const minutes = parts.settings().linkMinutes;
    const common = { domain, user, until: now + minutes * minute };
    const token = this.links.make(
      phone === undefined ? { ...common, purpose: 'enrol' } : { ...common, purpose: 'confirm', phone },
    );
    // Behind the #, so that it is in no log of any server, and nothing happens by loading the page.
    const mail = mailWithLink(`${url}#link=${token}`, phone, { user, domain, minutes });
    const sent = await parts.mail.send({ to: email, ...mail });
    if (!sent.ok) {
      this.links.use(token);
      this.#mailFailed(sent.error);
      return 'failed';
    }
    parts.bus.emit({
      type: 'account.link-sent',
      domain,
      user,
      purpose: phone === undefined ? 'enrol' : 'confirm',
    });
    return 'sent';
  }

  /** To the mailbox of the user, where there is one; nobody waits for it. */
  #tell(who: { readonly domain: string; readonly user: string }, subject: string, text: string): void {
    const email = this.userOf(who)?.email;
    const { mail } = this.parts;
    if (email === undefined || !mail.ready) return;
    void mail.send({ to: email, subject: `${who.user}@${who.domain}: ${subject}`, text }).then((sent) => {
      if (!sent.ok) this.#mailFailed(sent.error);
    });
  }

  #mailFailed({ code, detail }: MailProblem): void {
    this.parts.bus.emit({ type: 'edge.error', where: 'mail of accounts', detail: `${code}: ${detail}` });
  }

  /** An administrator has changed what an account has. */
  told(who: { readonly domain: string; readonly user: string }, subject: string, text: string): void {
    this.#tell(who, subject, text);
  }
}
