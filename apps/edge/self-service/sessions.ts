import { createHash } from 'node:crypto';
import type { Secret } from '@ringfence/bytes/secret.ts';

/** By what a user has shown to be himself, beside the password. */
export type Proof = 'code' | 'passkey' | 'recovery';

/** Somebody who has signed in with the password of a device. */
export interface Session {
  readonly domain: string;
  /** Lower case. */
  readonly user: string;
  readonly device: string;
  readonly until: number;
  /** Of the HA1 that let him in: another password ends the session. */
  readonly password: string;
  proof: Proof | undefined;
  /** What lets a factor be set up without another: a link, or a code of the administrator. */
  leave: 'mail' | 'invite' | undefined;
  /** Of an authenticator that is being set up, until its first code has come. */
  totp: Secret | undefined;
  /** What a passkey has to sign. */
  challenge: string | undefined;
}

/** Some 500 octets each; only who knows a password can make one. */
export const mostSessions = 2_000;
export const mostOfAccount = 4;

/** Who is signed in: by opaque tokens of 256 bits, of which only the hash is kept. The oldest makes room. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #random: (bytes: number) => Uint8Array;

  constructor(random: (bytes: number) => Uint8Array) {
    this.#random = random;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Gives the token, for the cookie. */
  open(session: Session, now: number): string {
    for (const [key, { until }] of this.#sessions) if (until <= now) this.#drop(key);
    const own = [...this.#sessions].filter(
      ([, { domain, user }]) => domain === session.domain && user === session.user,
    );
    for (const [key] of own.slice(0, Math.max(0, own.length - mostOfAccount + 1))) this.#drop(key);
    for (const key of this.#sessions.keys()) {
      if (this.#sessions.size < mostSessions) break;
      this.#drop(key);
    }
    const token = Buffer.from(this.#random(32)).toString('base64url');
    this.#sessions.set(hashOf(token), session);
    return token;
  }

  /** The hash is looked up, so that how long it takes tells nothing of a token. */
  find(token: string, now: number): Session | undefined {
    const session = this.#sessions.get(hashOf(token));
    return session === undefined || session.until <= now ? undefined : session;
  }

  close(token: string): void {
    this.#drop(hashOf(token));
  }

  /** Ends all of an account. */
  end(domain: string, user: string): void {
    for (const [key, session] of this.#sessions)
      if (session.domain === domain && session.user === user) this.#drop(key);
  }

  #drop(key: string): void {
    this.#sessions.get(key)?.totp?.wipe();
    this.#sessions.delete(key);
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');
