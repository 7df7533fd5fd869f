import { fader, type Part, pacedBits, tenths } from './evidence.ts';
import { boundsOf, type Finding, makeFinding, type Preset, type Rule } from './rules.ts';
import { numberOf, shapeFlag, tailOf } from './shape.ts';
import { hashText, keyWords, type Memory, mix, SourceTable } from './source-table.ts';
import {
  bitsFor,
  halfLife,
  newSuccess,
  type PartName,
  part,
  parts,
  slowHalfLife,
  weights,
} from './source-weights.ts';

/** Rules about one source, each with what speaks for it; `proven` speaks against all but floods and guesses. */
const sourceRules = {
  scanner: [
    'mark',
    'token',
    'branch',
    'order',
    'loopback',
    'reused',
    'methods',
    'sequence',
    'dialPlan',
    'malformed',
    'proven',
  ],
  enumeration: ['unknown', 'sequence', 'proven'],
  'brute-force': ['guesses', 'slowGuesses', 'proven'],
  'credential-stuffing': ['accounts', 'proven'],
  flood: ['flood'],
} as const satisfies Partial<Record<Rule, readonly PartName[]>>;
type SourceRule = keyof typeof sourceRules;
const ruleNames = Object.keys(sourceRules) as SourceRule[];
/** The places that each rule adds up. */
const places = ruleNames.map((rule) => Uint8Array.from(sourceRules[rule], (name) => part[name]));
/** Evidence that is worth remembering when places in the table get scarce. */
const worthKeeping = 3;

/** Words of a record behind its key: with it one line of the cache. */
const words = {
  seen: 0,
  toldAt: 1,
  state: 2,
  number: 3,
  tail: 4,
  target: 5,
  tag: 6,
  callId: 7,
  unknownLow: 8,
  unknownHigh: 9,
  accountsLow: 10,
  accountsHigh: 11,
  provenAccounts: 12,
  failedAt: 13,
} as const;
/** Behind them the counts: the next line. */
const countsAt = 14;
const recordWords = keyWords + countsAt + parts;

/** In `state`: rules that were told of lately, a bit each; that an account has proven itself; methods, a bit each. */
const toldBits = 0x1f;
const provenFlag = 0x20;
const methodShift = 8;

/** The same finding is told again after so long, while it lasts. */
const retellSeconds = 300;
/** Evidence keeps a source in the table for so long after it was last heard of; without any, it goes first. */
const keepSeconds = 3_600;

/**
 * What a source may send unproven in a second, and what a flood sends: Kamailio's pike takes 30 requests in 2 seconds.
 * A proof takes back one request, so that an office whose phones come back all at once is none.
 */
const floodRates = { usual: 15, attack: 50 } as const;
const floodThreshold = 100;
const perRequest = Math.log2(floodRates.attack / floodRates.usual);
const perSecond = (floodRates.attack - floodRates.usual) * Math.LOG2E;

/** A proof takes back as much of the test on new names as Wald's test gives a success. */
const known = newSuccess / bitsFor(part.unknown, 1);

const faded = fader(halfLife);
const fadedSlowly = fader(slowHalfLife);

/** Guessers try at least every other second; a phone with an old password asks again after half a minute. */
const guessing = { attack: 0.5, usual: 1 / 30, least: -2, most: 2 } as const;

export interface SourceJudgeOptions {
  /** Sources remembered at a time; 170 octets each. */
  readonly sources: number;
  readonly preset: Preset;
  /** Keeps peers from choosing whose place in the table they take. */
  readonly seed: number;
  /** Gives the memory for all sources, e.g. in large pages: each is in another place of it. Default: the engine's. */
  readonly memory?: Memory | undefined;
}

/** A request of somebody who has proven nothing yet. One object serves for all: nothing of it is kept. */
export interface Request {
  /** Octets of the source, IPv6 by /64. */
  high: number;
  low: number;
  /** Whole seconds, from 1 on. */
  seconds: number;
  /** 0 to 23: which method. */
  method: number;
  /** Whom it is for. */
  target: string;
  /** There is such a user here, or nothing is asked of one. */
  exists: boolean;
  /** Of `readShape`. */
  shape: number;
  tag: string;
  callId: string;
}

/**
 * Judges sources one by one from what they send: 170 octets a source, nothing allocated but for a finding, and the
 * same few steps whatever is sent and however many sources there are.
 *
 * Whoever is asked to prove himself has not failed (RFC 3261 §22.2): only credentials that came and were wrong count.
 */
export class SourceJudge {
  readonly #table: SourceTable;
  /** The table's memory. */
  readonly #counts: Float32Array;
  readonly #words: Uint32Array;
  readonly #seed: number;
  #bounds: ReturnType<typeof boundsOf>;
  /** What is judged now has brought evidence itself: nobody answers for what was seen before under his address. */
  #grew = false;
  /** Findings since the start. */
  found = 0;

  constructor({ sources, preset, seed, memory }: SourceJudgeOptions) {
    this.#table = new SourceTable(sources, recordWords, seed, memory);
    this.#counts = this.#table.floats;
    this.#words = this.#table.words;
    this.#seed = seed;
    this.#bounds = boundsOf(preset);
  }

  /** Sources remembered now, and those that had to make room. */
  get size(): { readonly sources: number; readonly evicted: number; readonly octets: number } {
    const { used, evicted, octets } = this.#table;
    return { sources: used, evicted, octets };
  }

  set preset(preset: Preset) {
    this.#bounds = boundsOf(preset);
  }

  request(r: Request): Finding | undefined {
    const slot = this.#slot(r.high, r.low, r.seconds);
    const w = this.#table.at(slot) + keyWords;
    const at = w + countsAt;
    const words32 = this.#words;
    this.#counts[at + part.flood] = this.#counts[at + part.flood]! + perRequest;
    if (r.shape !== 0) this.#shape(at, r.shape);
    const method = 1 << (methodShift + r.method);
    const state = words32[w + words.state]!;
    if ((state & method) === 0) {
      if (state >>> methodShift !== 0) this.#methods(at, w);
      words32[w + words.state] = state | method;
    }
    const tag = hashText(r.tag) >>> 0;
    const callId = hashText(r.callId) >>> 0;
    if (tag === words32[w + words.tag] && callId !== words32[w + words.callId] && r.tag !== '')
      this.#add(at, part.reused, 1);
    words32[w + words.tag] = tag;
    words32[w + words.callId] = callId;
    if (r.target !== '') this.#target(at, w, r);
    return this.#judge(slot, r.seconds);
  }

  /** Bytes that are no SIP, or SIP that nobody may send. `count` of them. */
  malformed(high: number, low: number, seconds: number, count = 1): Finding | undefined {
    const slot = this.#slot(high, low, seconds);
    this.#add(this.#countsOf(slot), part.malformed, count);
    return this.#judge(slot, seconds);
  }

  /** It was dropped before parsing, for its mark. */
  marked(high: number, low: number, seconds: number): Finding | undefined {
    const slot = this.#slot(high, low, seconds);
    this.#counts[this.#countsOf(slot) + part.mark] = 1;
    this.#grew = true;
    this.#table.keep(slot, seconds + keepSeconds);
    return this.#judge(slot, seconds);
  }

  /** So many requests were dropped before parsing for their number. */
  dropped(high: number, low: number, seconds: number, count: number): Finding | undefined {
    const slot = this.#slot(high, low, seconds);
    this.#add(this.#countsOf(slot), part.flood, count * perRequest);
    return this.#judge(slot, seconds);
  }

  /** Credentials answered a challenge of ours, and were wrong. `exists`: there is such an account. */
  failed(high: number, low: number, seconds: number, account: number, exists: boolean): Finding | undefined {
    const slot = this.#slot(high, low, seconds);
    const w = this.#table.at(slot) + keyWords;
    const at = w + countsAt;
    const counts = this.#counts;
    const since = this.#words[w + words.failedAt] === 0 ? 3_600 : seconds - this.#words[w + words.failedAt]!;
    this.#words[w + words.failedAt] = seconds;
    const { attack, usual, least, most } = guessing;
    const guesses = counts[at + part.guesses]! + pacedBits(since, attack, usual, least, most);
    counts[at + part.guesses] = Math.max(0, guesses);
    this.#grew = true;
    this.#add(at, part.slowGuesses, 1);
    if (this.#first(w, words.accountsLow, account))
      this.#add(at, part.accounts, bitsFor(part.unknown, 1) + (exists ? 0 : 1));
    this.#table.keep(slot, seconds + keepSeconds);
    return this.#judge(slot, seconds);
  }

  /** An account has proven itself from there. */
  proved(high: number, low: number, seconds: number, account: number): void {
    const slot = this.#table.find(high, low);
    if (slot < 0) return;
    this.#age(slot, seconds);
    const w = this.#table.at(slot) + keyWords;
    const at = w + countsAt;
    const counts = this.#counts;
    counts[at + part.flood] = Math.max(0, counts[at + part.flood]! - 2 * perRequest);
    counts[at + part.unknown] = Math.max(0, counts[at + part.unknown]! - known);
    // What looked like probing was somebody who dialled.
    counts[at + part.sequence] = Math.max(0, counts[at + part.sequence]! - 1);
    counts[at + part.dialPlan] = Math.max(0, counts[at + part.dialPlan]! - 1);
    this.#words[w + words.state] = this.#words[w + words.state]! | provenFlag;
    // One account proves itself as often as it likes, and counts once.
    const bit = 1 << (mix(account ^ this.#seed) & 31);
    if ((this.#words[w + words.provenAccounts]! & bit) !== 0) return;
    this.#words[w + words.provenAccounts] = this.#words[w + words.provenAccounts]! | bit;
    this.#add(at, part.proven, 1);
    this.#table.keep(slot, seconds + keepSeconds);
  }

  /** What is known of a source: anything at all; that an account has proven itself there. */
  standing(high: number, low: number): { readonly known: boolean; readonly proven: boolean } {
    const slot = this.#table.find(high, low);
    const state = slot < 0 ? 0 : this.#words[this.#table.at(slot) + keyWords + words.state]!;
    return { known: slot >= 0, proven: (state & provenFlag) !== 0 };
  }

  #slot(high: number, low: number, seconds: number): number {
    this.#grew = false;
    // Who is new stands behind everybody of whom something is known.
    const slot = this.#table.claim(high, low, seconds);
    if (this.#table.fresh) this.#words[this.#table.at(slot) + keyWords + words.seen] = seconds;
    else this.#age(slot, seconds);
    return slot;
  }

  #countsOf(slot: number): number {
    return this.#table.at(slot) + keyWords + countsAt;
  }

  #age(slot: number, seconds: number): void {
    const w = this.#table.at(slot) + keyWords;
    const passed = seconds - this.#words[w + words.seen]!;
    if (passed <= 0) return;
    this.#words[w + words.seen] = seconds;
    const at = w + countsAt;
    const counts = this.#counts;
    const flood = counts[at + part.flood]! - passed * perSecond;
    const left = faded(passed);
    const slow = counts[at + part.slowGuesses]! * fadedSlowly(passed);
    for (let i = at; i < at + parts; i += 1) counts[i] = counts[i]! * left;
    counts[at + part.slowGuesses] = slow;
    counts[at + part.flood] = Math.max(0, flood);
    const told = this.#words[w + words.toldAt]!;
    if (told !== 0 && seconds - told >= retellSeconds)
      this.#words[w + words.state] = this.#words[w + words.state]! & ~toldBits;
    // What it has tried counts as new again once the evidence of it is forgotten.
    if (passed > 3 * halfLife) {
      this.#words.fill(0, w + words.unknownLow, w + words.provenAccounts + 1);
      this.#words[w + words.state] = this.#words[w + words.state]! & (toldBits | provenFlag);
    }
  }

  #shape(at: number, shape: number): void {
    if ((shape & shapeFlag.token) !== 0) this.#add(at, part.token, 1);
    if ((shape & shapeFlag.branch) !== 0) this.#add(at, part.branch, 1);
    if ((shape & shapeFlag.order) !== 0) this.#add(at, part.order, 1);
    if ((shape & shapeFlag.loopback) !== 0) this.#add(at, part.loopback, 1);
  }

  /** Two methods are what a phone uses before it is asked: REGISTER, and one of INVITE, SUBSCRIBE, PUBLISH, OPTIONS. */
  #methods(at: number, w: number): void {
    let bits = this.#words[w + words.state]! >>> methodShift;
    let count = 0;
    for (; bits !== 0; bits &= bits - 1) count += 1;
    if (count >= 2) this.#add(at, part.methods, 1);
  }

  #target(at: number, w: number, r: Request): void {
    const words32 = this.#words;
    const hash = hashText(r.target) >>> 0;
    if (hash === words32[w + words.target]) return;
    words32[w + words.target] = hash;
    const number = numberOf(r.target);
    if (number >= 0) {
      const low = number >>> 0;
      // Long numbers that differ by one are a list of a company's customers as well.
      if (r.target.length <= 8 && Math.abs(low - words32[w + words.number]!) === 1)
        this.#add(at, part.sequence, 1);
      words32[w + words.number] = low;
    }
    const tail = tailOf(r.target);
    if (tail > 0) {
      if (tail === words32[w + words.tail]) this.#add(at, part.dialPlan, 1);
      words32[w + words.tail] = tail;
    }
    if (!r.exists && this.#first(w, words.unknownLow, hash)) this.#add(at, part.unknown, 1);
  }

  /** Whether the word is new to the source: 64 marks, so that beyond some hundred few are. */
  #first(w: number, place: number, hash: number): boolean {
    const mark = mix(hash ^ this.#seed);
    const index = w + place + ((mark >>> 5) & 1);
    const bit = 1 << (mark & 31);
    if ((this.#words[index]! & bit) !== 0) return false;
    this.#words[index] = this.#words[index]! | bit;
    return true;
  }

  #add(at: number, place: number, count: number): void {
    this.#counts[at + place] = this.#counts[at + place]! + count;
    this.#grew = true;
  }

  /** The first rule whose bound is passed and that was not told of lately. */
  #judge(slot: number, seconds: number): Finding | undefined {
    const w = this.#table.at(slot) + keyWords;
    const at = w + countsAt;
    const state = this.#words[w + words.state]!;
    for (let i = 0; i < ruleNames.length; i += 1) {
      if ((state & (1 << i)) !== 0) continue;
      const rule = ruleNames[i]!;
      if (!this.#grew && rule !== 'flood') continue;
      const threshold = rule === 'flood' ? floodThreshold : this.#bounds.upper;
      const summed = places[i]!;
      let bits = 0;
      for (let n = 0; n < summed.length; n += 1) bits += bitsFor(summed[n]!, this.#counts[at + summed[n]!]!);
      if (bits >= worthKeeping) this.#table.keep(slot, seconds + keepSeconds);
      if (bits < threshold) continue;
      this.#words[w + words.state] = state | (1 << i);
      this.#words[w + words.toldAt] = seconds;
      this.found += 1;
      return makeFinding(rule, threshold, this.#parts(sourceRules[rule], at));
    }
    return undefined;
  }

  #parts(names: readonly PartName[], at: number): Part[] {
    return names.map((name) => {
      const count = this.#counts[at + part[name]]!;
      return {
        text: weights[name].text(Math.max(1, Math.round(count))),
        bits: tenths(bitsFor(part[name], count)),
      };
    });
  }
}
