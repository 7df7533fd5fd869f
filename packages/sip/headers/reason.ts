import { consistsOf, DIGIT } from '../message/characters.ts';
import type { HeaderList } from '../message/header-list.ts';
import { defaultLimits } from '../message/limits.ts';
import { readParams } from '../message/params.ts';

/** One value of Reason, RFC 3326 §2, of the two protocols that mean something to everybody; text is not kept. */
export interface Reason {
  readonly protocol: 'SIP' | 'Q.850';
  /** A status of RFC 3261, or a cause of ITU-T Q.850. */
  readonly cause: number;
}

/** Values looked at; there is one for each protocol (RFC 3326 §2). */
const mostValues = 8;

/** The first value of each protocol, RFC 3326 §2; what cannot be read or means nothing is left out. */
export function readReasons(headers: HeaderList): readonly Reason[] {
  if (!headers.has('Reason')) return [];
  const found: Reason[] = [];
  for (const value of headers.values('Reason').slice(0, mostValues)) {
    const semicolon = value.indexOf(';');
    const name = (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toUpperCase();
    if (name !== 'SIP' && name !== 'Q.850') continue;
    if (found.some(({ protocol }) => protocol === name)) continue;
    const params = semicolon < 0 ? '' : readParams(value, semicolon, value.length, defaultLimits.paramCount);
    if (typeof params === 'string') continue;
    const text = params.get('cause');
    if (typeof text !== 'string' || text.length > 3 || !consistsOf(text, DIGIT)) continue;
    const cause = Number(text);
    const [least, most] = name === 'SIP' ? [100, 699] : [1, 127];
    if (Number.isInteger(cause) && cause >= least && cause <= most) found.push({ protocol: name, cause });
  }
  return found;
}

/** As a header value; only the text that everybody knows is written (RFC 3326 §3.1). */
export const serializeReason = ({ protocol, cause }: Reason): string =>
  protocol === 'SIP' && cause === 200
    ? 'SIP;cause=200;text="Call completed elsewhere"'
    : `${protocol};cause=${cause}`;

/** Q.850 cause of a final status, RFC 3398 §8.2.6.1. */
const q850ByStatus: Readonly<Record<number, number>> = {
  400: 41,
  401: 21,
  402: 21,
  403: 21,
  404: 1,
  405: 63,
  406: 79,
  407: 21,
  408: 102,
  410: 22,
  413: 127,
  414: 127,
  415: 79,
  416: 127,
  420: 127,
  421: 127,
  423: 127,
  480: 18,
  481: 41,
  482: 25,
  483: 25,
  484: 28,
  485: 1,
  486: 17,
  488: 127,
  500: 41,
  501: 79,
  502: 38,
  503: 41,
  504: 102,
  505: 127,
  513: 127,
  600: 17,
  603: 21,
  604: 1,
  606: 127,
};

/** The Q.850 cause that says the same as a final status, RFC 3398 §8.2.6.1; 127 (interworking) where none does. */
export const q850Of = (status: number): number => q850ByStatus[status] ?? 127;
