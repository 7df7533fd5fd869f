import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** A key, as INFO carries it: `application/dtmf-relay` with a duration, `application/dtmf` without. */
export interface DtmfInfo {
  /** `0` to `9`, `*`, `#`, `A` to `D`, or `!` for a hook flash. */
  readonly key: string;
  /** Milliseconds; undefined where none was said. */
  readonly duration?: number;
}

const keys = new Set('0123456789*#ABCD!');
/** A body of this kind has some tens of octets. */
const longest = 128;
const mostMilliseconds = 10_000;

/**
 * Reads the body of an INFO with DTMF. Neither type has an RFC; this is what phones and gateways send: `Signal=5` and
 * `Duration=160` on lines of their own, or the key alone.
 *
 * 10, 11 and 16 stand for `*`, `#` and a hook flash, as the events of RFC 4733 §3.2 do.
 */
export function parseDtmfInfo(
  type: 'application/dtmf-relay' | 'application/dtmf',
  body: Uint8Array,
): Result<DtmfInfo, string> {
  if (body.length > longest) return err('too long');
  const text = new TextDecoder().decode(body).trim();
  if (type === 'application/dtmf') return keyed(text, undefined);
  let signal: string | undefined;
  let duration: number | undefined;
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const name = line.slice(0, equals).trim().toLowerCase();
    const value = line.slice(equals + 1).trim();
    if (name === 'signal') signal ??= value;
    else if (name === 'duration' && /^[0-9]{1,5}$/.test(value)) duration ??= Number(value);
  }
  return signal === undefined ? err('no Signal') : keyed(signal, duration);
}

function keyed(text: string, duration: number | undefined): Result<DtmfInfo, string> {
  const named = text === '10' ? '*' : text === '11' ? '#' : text === '16' ? '!' : text.toUpperCase();
  if (!keys.has(named)) return err('no key');
  return ok(
    duration === undefined ? { key: named } : { key: named, duration: Math.min(duration, mostMilliseconds) },
  );
}

/** The body anew, in the type that it came in. */
export const serializeDtmfInfo = (
  type: 'application/dtmf-relay' | 'application/dtmf',
  { key, duration }: DtmfInfo,
): string => (type === 'application/dtmf' ? key : `Signal=${key}\r\nDuration=${duration ?? 160}\r\n`);
