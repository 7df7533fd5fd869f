import { isIP } from 'node:net';
import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import { parseAuthParams } from '@ringfence/sip/message/auth-params.ts';
import type { NameAddr, SipMessage, SipRequest, SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import { digitsIn } from '@ringfence/tariff/dialled.ts';
import type { Pricing } from '../record.ts';

export interface AssemblerOptions {
  /** Tenant of callers whose From names an address. */
  readonly domain: string;
  /** Of what was dialled. */
  readonly price: Pricing;
  /** Help is called for: never judged. */
  isEmergency(dialled: string): boolean;
  problem(packet: number, problem: string): void;
  /** Calls held at a time; default 50,000, of some 500 octets each. */
  readonly most?: number;
}

/** What came to nothing that could be judged. */
export interface NotJudged {
  /** To names rather than numbers, or for help. */
  readonly names: number;
  /** Asked for credentials, and gave none that were taken. */
  readonly unproven: number;
}

interface Held {
  readonly packet: number;
  readonly at: number;
  readonly dialled: string;
  readonly id: string;
  account: string;
  readonly caller: string;
  readonly domain: string;
  sequence: number;
  state: 'asked' | 'challenged' | 'answered' | 'over';
  answeredAt: number;
  endedAt: number;
}

const usualMost = 50_000;
/** Nobody waits longer for an answer: twice Timer C of RFC 3261 §16.6. */
const longestSetupMs = 6 * 60_000;
const longestName = 128;

/**
 * Calls out of SIP messages as a capture has them: INVITE, its final answer, BYE.
 *
 * A call is given when all that began before it are over, so that they come in the order of their beginnings. Where
 * more than `most` would be held the oldest is given with the length that it had by then. Who pays is the name in the
 * credentials of the INVITE, else the one in From; the tenant is the domain there. All calls are taken for outgoing.
 */
export class CallAssembler {
  readonly #options: AssemblerOptions;
  readonly #most: number;
  readonly #held = new Map<string, Held>();
  /** In the order of their beginnings. */
  #queue: Held[] = [];
  #head = 0;
  #now = 0;
  #names = 0;
  #unproven = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#most = options.most ?? usualMost;
  }

  get notJudged(): NotJudged {
    return { names: this.#names, unproven: this.#unproven };
  }

  /** @returns calls that are complete now */
  *take(packet: number, at: number, message: SipMessage): Generator<LabelledCall> {
    this.#now = Math.max(this.#now, at);
    if (message.kind === 'response') this.#answer(message);
    else if (message.method === 'INVITE' && tagOf(message.to) === '') this.#invite(packet, message);
    else if (message.method === 'BYE') this.#bye(message);
    yield* this.#ready();
  }

  /** All that are left, as long as they were until the capture ended. */
  *finish(): Generator<LabelledCall> {
    yield* this.#ready(true);
  }

  #invite(packet: number, request: SipRequest): void {
    const key = keyOf(request.callId, tagOf(request.from));
    const account = credentialOf(request);
    const known = this.#held.get(key);
    if (known !== undefined) {
      if (request.cseq.number <= known.sequence) return;
      if (known.state !== 'over') {
        known.sequence = request.cseq.number;
        known.state = known.state === 'challenged' ? 'asked' : known.state;
        if (account !== '') known.account = account;
        return;
      }
    }
    const dialled = dialledOf(request.uri);
    if (dialled === '' || this.#options.isEmergency(dialled)) {
      this.#names += 1;
      return;
    }
    const caller = dialledOf(request.from.uri);
    const name = userOf(request.from.uri).slice(0, longestName);
    const held: Held = {
      packet,
      at: this.#now,
      dialled: copied(dialled.slice(0, longestName)),
      id: copied(key),
      account: copied((account || name || 'unknown').slice(0, longestName)),
      caller: copied(digitsIn(caller).replace('+', '')),
      domain: copied(this.#domainOf(request.from.uri)),
      sequence: request.cseq.number,
      state: 'asked',
      answeredAt: 0,
      endedAt: 0,
    };
    this.#held.set(held.id, held);
    this.#queue.push(held);
  }

  #domainOf(uri: Uri): string {
    const host = 'host' in uri ? uri.host.toLowerCase() : '';
    return host === '' || isIP(host) !== 0 ? this.#options.domain : host.slice(0, 253);
  }

  #answer({ cseq, callId, from, status }: SipResponse): void {
    if (cseq.method !== 'INVITE' || status < 200) return;
    const held = this.#held.get(keyOf(callId, tagOf(from)));
    if (held === undefined || cseq.number !== held.sequence || held.state !== 'asked') return;
    if (status < 300) {
      held.state = 'answered';
      held.answeredAt = this.#now;
    } else if (status === 401 || status === 407) held.state = 'challenged';
    else {
      held.state = 'over';
      held.endedAt = this.#now;
    }
  }

  /** From either side. */
  #bye({ callId, from, to }: SipRequest): void {
    const held = this.#held.get(keyOf(callId, tagOf(from))) ?? this.#held.get(keyOf(callId, tagOf(to)));
    if (held?.state !== 'answered') return;
    held.state = 'over';
    held.endedAt = this.#now;
  }

  *#ready(all = false): Generator<LabelledCall> {
    for (;;) {
      const held = this.#queue[this.#head];
      if (held === undefined) break;
      const waits = held.state === 'answered' || this.#now - held.at < longestSetupMs;
      const tooMany = this.#queue.length - this.#head > this.#most;
      if (held.state !== 'over' && waits && !all && !tooMany) break;
      this.#head += 1;
      if (this.#held.get(held.id) === held) this.#held.delete(held.id);
      if (held.state === 'challenged') this.#unproven += 1;
      else yield this.#callOf(held, tooMany);
    }
    if (this.#head < 1_024 || this.#head * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  #callOf(held: Held, tooMany: boolean): LabelledCall {
    const { packet, at, state, answeredAt, domain, account, caller, dialled, id } = held;
    if (state === 'answered')
      this.#options.problem(
        packet,
        tooMany
          ? `the call that begins here goes on while ${this.#most} others have begun; it counts until then`
          : 'the call that begins here has no end in the capture; it counts until there',
      );
    const endedAt = state === 'over' ? held.endedAt : this.#now;
    return {
      facts: {
        id: `${id}#${packet}`,
        at,
        domain,
        account,
        caller,
        ...this.#options.price(dialled),
        forwarded: false,
      },
      incoming: false,
      setupSeconds: ((answeredAt || endedAt) - at) / 1_000,
      seconds: answeredAt === 0 ? 0 : (endedAt - answeredAt) / 1_000,
      fraud: '',
      story: '',
      site: 'office',
      proves: false,
    };
  }
}

/** Values of a parsed message are slices of all its text, which would stay in memory with them. */
const copied = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');

/** Longer ones are cut: what they are told apart by may be forged, and is only told apart. */
const keyOf = (callId: string, tag: string): string =>
  `${callId.slice(0, longestName)} ${tag.slice(0, longestName)}`;

function tagOf({ params }: NameAddr): string {
  const tag = params.get('tag');
  return typeof tag === 'string' ? tag : '';
}

const userOf = (uri: Uri): string =>
  uri.scheme === 'tel' ? uri.number : uri.scheme === 'other' ? '' : (uri.user ?? '');

/** What a number begins with; all else is a name. */
const numberStart = /^[0-9+*#(]/;

/** The number that was dialled, as written; empty where it is a name. */
function dialledOf(uri: Uri): string {
  const user = userOf(uri);
  if (!numberStart.test(user) || digitsIn(user).length < 2) return '';
  const context = uri.scheme === 'tel' ? uri.params.get('phone-context') : undefined;
  return typeof context === 'string' ? `${user};phone-context=${context}` : user;
}

function credentialOf({ headers }: SipRequest): string {
  for (const name of ['Authorization', 'Proxy-Authorization'] as const) {
    const value = headers.get(name);
    const read = value === undefined ? undefined : parseAuthParams(value);
    if (read?.ok === true) return read.value.params.get('username') ?? '';
  }
  return '';
}
