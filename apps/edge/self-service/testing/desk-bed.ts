import { ok } from '@ringfence/bytes/result.ts';
import { Secret } from '@ringfence/bytes/secret.ts';
import type { Mail } from '../../mail/mailer.ts';
import type { AccountPolicy } from '../../objects/account-settings.ts';
import { registered } from '../../testing/cast.ts';
import { domain, user } from '../../testing/objects.ts';
import type { Phone } from '../../testing/phone.ts';
import { World } from '../../testing/world.ts';
import { Desk, type DeskParts } from '../desk.ts';
import { Factors } from '../factors.ts';
import { mailPhonesThatWait } from '../mail-phones.ts';
import { type Answer, openOperations, operations } from '../operations.ts';
import type { Session } from '../sessions.ts';
import { accountState } from '../state.ts';
import { totpCode } from '../totp.ts';

export const origin = 'https://edge.test';
/** Of alice's office, where her phone is known, and of somewhere else. */
export const office = '203.0.113.7';
export const elsewhere = '198.18.5.7';

/** The account page's desk on an edge in virtual time: alice, who has a mailbox, and bob, who has none. */
export class DeskBed {
  readonly world: World;
  readonly factors: Factors;
  readonly desk: Desk;
  readonly mails: Mail[] = [];
  readonly passwordFailures: string[] = [];
  mailReady = true;

  constructor({
    accounts = { remote: 'quarantine' },
    passkeys = { ask: () => Promise.resolve({ kind: 'refused', detail: 'none here' }) },
  }: { readonly accounts?: AccountPolicy; readonly passkeys?: DeskParts['passkeys'] } = {}) {
    this.world = new World({
      objects: {
        users: [{ ...user('alice'), email: 'alice@mail.test' }, user('bob')],
        domains: [{ domain, name: domain, accounts }],
      },
    });
    const { world, mails, passwordFailures } = this;
    const { edge, time, random } = world;
    const ready = (): boolean => this.mailReady;
    // Written at once: what the tests look at is what is asked for, not when it is on disk.
    this.factors = new Factors(
      {
        store: {
          putFactors: (put, remove) => {
            void world.store.putFactors(put, remove);
            return Promise.resolve();
          },
        },
        now: () => time.now,
        random: (bytes) => random.bytes(bytes),
      },
      [],
    );
    this.desk = new Desk({
      bus: world.bus,
      accounts: edge.accounts,
      factors: this.factors,
      passkeys,
      now: () => time.now,
      random: (bytes) => random.bytes(bytes),
      settings: () => edge.config.accountPage,
      defaultDomain: () => domain,
      directory: () => edge.directory,
      bindings: (of, who) => edge.registrar.lookup(of, who, time.now),
      url: () => `${origin}/account`,
      mail: {
        get ready() {
          return ready();
        },
        send: (mail) => {
          mails.push(mail);
          return Promise.resolve(ok(undefined));
        },
      },
      failedSignIn: (username) => void passwordFailures.push(username),
    });
    mailPhonesThatWait(this.desk);
  }

  phone(address: string, port = 40_001): Promise<Phone> {
    return registered(this.world, { name: 'alice', transport: 'tls', address, port, media: 'srtp' });
  }

  /** Alice's phone is known at the office. */
  async atTheOffice(): Promise<void> {
    await this.phone(office, 40_009);
    this.world.edge.accounts.confirm({ domain, user: 'alice' }, 'administrator');
  }

  signIn(address: string, name = 'alice'): Session {
    const found = this.desk.signIn(name, `${name}-secret`, address);
    if (typeof found === 'string') throw new Error(`${name} is not let in: ${found}`);
    return this.desk.session(found.token)!;
  }

  async do(
    session: Session | undefined,
    address: string,
    name: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): Promise<Answer> {
    const question = { fields, origin };
    const open = openOperations[name];
    if (open !== undefined)
      return open(
        this.desk,
        session === undefined ? { address, proxied: false } : { address, proxied: false, session },
        question,
      );
    return operations[name]!(this.desk, { session: session!, address, proxied: false }, question);
  }

  state(session: Session, address: string, proxied = false): ReturnType<typeof accountState> {
    return accountState(this.desk, { session, address, proxied }, origin);
  }

  /** An authenticator app that was shown the key. */
  async enrol(session: Session, address: string): Promise<(at?: number) => string> {
    const { body } = await this.do(session, address, 'totp-begin');
    const key = new Secret(fromBase32(String(body.key)));
    const code = (at = this.world.time.now): string => totpCode(key, at);
    const kept = await this.do(session, address, 'totp-keep', { code: code() });
    if (kept.status !== 200) throw new Error(`not enrolled: ${JSON.stringify(kept)}`);
    return code;
  }

  /** The token of the last link that was mailed. */
  get lastLink(): string {
    return (
      /#link=([\w-]+)/.exec(this.mails.findLast(({ text }) => text.includes('#link='))?.text ?? '')?.[1] ?? ''
    );
  }
}

/** RFC 4648 §6, without padding. */
export function fromBase32(text: string): Uint8Array {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let bits = '';
  for (const sign of text) bits += alphabet.indexOf(sign).toString(2).padStart(5, '0');
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (octet) => Number.parseInt(octet, 2));
}
