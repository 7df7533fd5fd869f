import type { HeaderList } from '../message/header-list.ts';

/** Who sends the next session refresh, seen from a request: its sender or its receiver (RFC 4028 §4). */
export type Refresher = 'uac' | 'uas';

export interface SessionExpires {
  /** Seconds. */
  readonly seconds: number;
  readonly refresher?: Refresher;
}

/** Least Min-SE, and the one that holds where none is given (RFC 4028 §5), in seconds. */
export const leastMinimum = 90;
/** Longest interval that is believed, in seconds: a day. */
const longest = 86_400;

/** Seconds of a Session-Expires or Min-SE value; undefined where it is none. */
function readSeconds(text: string): number | undefined {
  const digits = text.trim();
  if (digits.length === 0 || digits.length > 10) return undefined;
  for (let i = 0; i < digits.length; i++) {
    const code = digits.charCodeAt(i);
    if (code < 48 || code > 57) return undefined;
  }
  return Number(digits);
}

/** `Session-Expires: 1800;refresher=uac`, RFC 4028 §4; undefined where it is malformed. */
export function parseSessionExpires(value: string): SessionExpires | undefined {
  const [first = '', ...params] = value.split(';');
  const seconds = readSeconds(first);
  if (seconds === undefined) return undefined;
  for (const param of params) {
    const [name = '', text = ''] = param.split('=');
    const refresher = text.trim().toLowerCase();
    if (name.trim().toLowerCase() === 'refresher' && (refresher === 'uac' || refresher === 'uas'))
      return { seconds, refresher };
  }
  return { seconds };
}

/** `Min-SE: 90`, RFC 4028 §5; 90 where it is missing or malformed. */
export function minimumOf(headers: HeaderList): number {
  const value = headers.get('Min-SE');
  const semicolon = value?.indexOf(';') ?? -1;
  const seconds = readSeconds((semicolon === -1 ? value : value?.slice(0, semicolon)) ?? '');
  return Math.min(Math.max(seconds ?? leastMinimum, leastMinimum), longest);
}

/** An option tag in Supported or Require. */
export function hasTag(headers: HeaderList, name: 'Supported' | 'Require', tag: string): boolean {
  if (!headers.has(name)) return false;
  return headers.values(name).some((value) => value.toLowerCase() === tag);
}

/** Whether an INVITE or UPDATE that came asks for less than the least, §9: it gets 422 if it knows what that means. */
export function tooSmall(headers: HeaderList, minimum: number): boolean {
  const value = headers.get('Session-Expires');
  if (value === undefined) return false;
  const told = parseSessionExpires(value);
  return told !== undefined && told.seconds < minimum && hasTag(headers, 'Supported', 'timer');
}

export interface SessionTimerOptions {
  /** Seconds that we ask for; 0 asks for none, but goes along with a peer that does. */
  readonly expires: number;
  /** Seconds; less is refused with 422 to peers that know what it means. */
  readonly minimum: number;
}

/** What was agreed of a session timer. */
export interface SessionTimerSnapshot {
  /** Seconds; 0: no timer. */
  readonly interval: number;
  readonly ours: boolean;
  /** The peer knows of it. */
  readonly shared: boolean;
}

/** `refresh`: send a session refresh. `lapsed`: the peer is gone, send BYE (RFC 4028 §10). */
export type SessionTimerOutput = 'refresh' | 'lapsed';

/**
 * Session timer of one dialog, RFC 4028, both roles.
 *
 * A peer that does not know session timers is refreshed by us, at half our own interval, and cannot lapse by itself.
 * Times in milliseconds of any clock that does not run backwards.
 */
export class SessionTimer {
  readonly #options: SessionTimerOptions;
  /** Largest Min-SE heard in a 422. */
  #minimum = 0;
  /** Seconds; 0: no timer. */
  #interval = 0;
  #ours = false;
  /** The peer has agreed to it, and counts too. */
  #shared = false;
  #since = 0;
  #next = Number.POSITIVE_INFINITY;
  #output: SessionTimerOutput | undefined = undefined;

  constructor(options: SessionTimerOptions) {
    this.#options = options;
  }

  /** Seconds that are agreed; 0: no timer runs. */
  get interval(): number {
    return this.#interval;
  }

  /** We send the refreshes. */
  get refreshes(): boolean {
    return this.#ours;
  }

  /** Header fields of a session refresh request of ours, the first INVITE among them; §7.1 and §7.4. */
  request(headers: HeaderList): void {
    const least = Math.max(this.#minimum, this.#options.minimum);
    if (least > leastMinimum) headers.add('Min-SE', String(least));
    if (this.#shared) {
      const refresher = this.#ours ? 'uac' : 'uas';
      headers.add('Session-Expires', `${Math.max(this.#interval, least)};refresher=${refresher}`);
    } else if (this.#options.expires > 0)
      headers.add('Session-Expires', String(Math.max(this.#options.expires, least)));
  }

  /** A 2xx to it came, §7.2. Without Session-Expires the peer knows no timers. */
  agreed(headers: HeaderList, now: number): void {
    const value = headers.get('Session-Expires');
    const told = value === undefined ? undefined : parseSessionExpires(value);
    if (told === undefined) return this.#alone(now);
    this.#start(told.seconds, told.refresher !== 'uas', now);
  }

  /** A 422 to it came, §7.3: the request may be sent again with more; false where that has been done. */
  raise(headers: HeaderList): boolean {
    const told = minimumOf(headers);
    if (told <= this.#minimum || !headers.has('Min-SE')) return false;
    this.#minimum = told;
    if (this.#shared) this.#interval = Math.max(this.#interval, told);
    return true;
  }

  /** Header fields of our 2xx to an INVITE or UPDATE that came, §9; the timer starts anew. */
  accept(request: HeaderList, now: number, into: HeaderList): void {
    const value = request.get('Session-Expires');
    const told = value === undefined ? undefined : parseSessionExpires(value);
    const supported = hasTag(request, 'Supported', 'timer');
    if (told === undefined && !supported) return this.#alone(now);
    // Never longer than a peer asks for that knows timers; a proxy's wish for one that does not may be raised.
    const floor = told !== undefined && supported ? leastMinimum : this.#options.minimum;
    const least = Math.max(minimumOf(request), floor);
    const wanted = this.#options.expires === 0 ? (told?.seconds ?? 0) : this.#options.expires;
    if (wanted === 0) return this.#none();
    const seconds = Math.max(Math.min(told?.seconds ?? longest, wanted), least);
    const refresher = supported ? (told?.refresher ?? 'uac') : 'uas';
    into.add('Session-Expires', `${seconds};refresher=${refresher}`);
    if (refresher === 'uac') into.add('Require', 'timer');
    this.#start(seconds, refresher === 'uas', now);
  }

  /** A refresh of ours could not be done now, as where it met another offer: it is due again after so long. */
  again(now: number, milliseconds: number): void {
    if (this.#ours && this.#interval > 0) this.#next = Math.min(now + milliseconds, this.#end());
  }

  /** What was agreed, for whoever goes on with the dialog; the interval begins anew for it. */
  snapshot(): SessionTimerSnapshot {
    return { interval: this.#interval, ours: this.#ours, shared: this.#shared };
  }

  resume({ interval, ours, shared }: SessionTimerSnapshot, now: number): void {
    if (interval <= 0) return this.#none();
    if (shared) this.#start(interval, ours, now);
    else this.#alone(now);
  }

  handleTimeout(now: number): void {
    if (now < this.#next) return;
    if (now >= this.#end()) {
      this.#output = 'lapsed';
      this.#next = Number.POSITIVE_INFINITY;
    } else {
      this.#output = 'refresh';
      // Whoever refreshes says so by `agreed`; if that never comes, the session lapses.
      this.#next = this.#end();
    }
  }

  /** When to call `handleTimeout`, Infinity where nothing runs. */
  nextTimeout(): number {
    return this.#next;
  }

  poll(): SessionTimerOutput | undefined {
    const output = this.#output;
    this.#output = undefined;
    return output;
  }

  /** §10: BYE comes the lesser of 32 s and a third of the interval before the end. */
  #end(): number {
    if (!this.#shared) return Number.POSITIVE_INFINITY;
    return this.#since + 1000 * (this.#interval - Math.min(32, this.#interval / 3));
  }

  #start(seconds: number, ours: boolean, now: number): void {
    this.#interval = Math.min(Math.max(seconds, leastMinimum), longest);
    this.#ours = ours;
    this.#shared = true;
    this.#since = now;
    this.#output = undefined;
    this.#next = ours ? now + 500 * this.#interval : this.#end();
  }

  #alone(now: number): void {
    const { expires } = this.#options;
    if (expires === 0) return this.#none();
    this.#interval = Math.max(expires, this.#minimum);
    this.#ours = true;
    this.#shared = false;
    this.#since = now;
    this.#output = undefined;
    this.#next = now + 500 * this.#interval;
  }

  #none(): void {
    this.#interval = 0;
    this.#shared = false;
    this.#ours = false;
    this.#output = undefined;
    this.#next = Number.POSITIVE_INFINITY;
  }
}
