/** How a destination is thought of before anything is known of who calls it. */
export const risks = ['home', 'ordinary', 'raised', 'high', 'premium'] as const;
export type Risk = (typeof risks)[number];

/** What is known of a call when it is asked for. Money is in units of one currency, such as euros. */
export interface CallFacts {
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
  /** Tenant; nothing is shared between two. */
  readonly domain: string;
  /** Who pays: a user, a trunk, a PBX. */
  readonly account: string;
  /** The number that is shown. */
  readonly caller: string;
  /** Digits of the called number with its country code and without anything before it. */
  readonly called: string;
  /** Such as `TN`; empty where nobody knows. */
  readonly country: string;
  /** Digits that the destination is billed by; empty where nobody knows. */
  readonly prefix: string;
  readonly risk: Risk;
  /** Money a minute. */
  readonly rate: number;
  /** A phone of ours sends on a call from outside. */
  readonly forwarded: boolean;
}

/** A call from outside to an account. */
export interface IncomingCall {
  readonly at: number;
  readonly domain: string;
  readonly account: string;
  readonly caller: string;
}

/** The last digits of a number that sellers of premium numbers give away together. */
const rangeDigits = 3;

/** Numbers that differ in their last three digits alone are one range. */
export const rangeOf = (called: string): string => called.slice(0, Math.max(4, called.length - rangeDigits));
