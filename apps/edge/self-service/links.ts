import { createHash } from 'node:crypto';
import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { AccountRow } from '../store/account-rows.ts';

/** The phone that came then, and no other. */
export type LinkedPhone = Pick<AccountRow, 'device' | 'network' | 'phone' | 'since'>;

/** What a link in a mail is for: a phone at its place, or setting up a factor. */
export type Link = { readonly domain: string; readonly user: string; readonly until: number } & (
  | { readonly purpose: 'confirm'; readonly phone: LinkedPhone }
  | { readonly purpose: 'enrol' }
);

/** 400 octets each. */
const mostLinks = 5_000;
const mostOfAccount = 6;
const hourMs = 3_600_000;

/**
 * Links that are on their way: each works once, until its time is over, for its account alone. Of the token only the hash
 * is kept. They end with the process.
 */
export class Links {
  readonly #links = new BoundedMap<string, Link>({ capacity: mostLinks, order: 'insertion' });
  readonly #sent = new BoundedMap<string, readonly number[]>({ capacity: mostLinks });
  readonly #random: (bytes: number) => Uint8Array;

  constructor(random: (bytes: number) => Uint8Array) {
    this.#random = random;
  }

  /** One mail more to that account, if there were fewer than `most` within the hour. */
  mayMail(domain: string, user: string, most: number, now: number): boolean {
    const key = `${domain}\n${user}`;
    const times = (this.#sent.get(key) ?? []).filter((at) => now - at < hourMs);
    if (times.length >= most) return false;
    this.#sent.set(key, [...times, now]);
    return true;
  }

  /** Gives the token. The oldest links of the account make room. */
  make(link: Link): string {
    const own = [...this.#links.entries()].filter(
      ([, { domain, user }]) => domain === link.domain && user === link.user,
    );
    for (const [key] of own.slice(0, Math.max(0, own.length - mostOfAccount + 1))) this.#links.delete(key);
    const token = Buffer.from(this.#random(32)).toString('base64url');
    this.#links.set(hashOf(token), link);
    return token;
  }

  /** What it is for; looking uses nothing up. */
  look(token: string, now: number): Link | undefined {
    const link = this.#links.peek(hashOf(token));
    return link === undefined || link.until <= now ? undefined : link;
  }

  use(token: string): void {
    this.#links.delete(hashOf(token));
  }

  /** Those of an account work no more. */
  end(domain: string, user: string): void {
    for (const [key, link] of [...this.#links.entries()])
      if (link.domain === domain && link.user === user) this.#links.delete(key);
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');
