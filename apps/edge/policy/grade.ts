import { judgeLeg, leadsOn, levels, nameOf } from './leg-level.ts';
import type { LegProtection, ZrtpProtection } from './protection.ts';
import { type Secrecy, secrecyOf, secrecyText } from './secrecy.ts';

/** Who could have listened to a call, best first. */
export const grades = ['end-to-end', 'hop-by-hop', 'partly-protected', 'in-the-clear'] as const;
export type Grade = (typeof grades)[number];

/** How good; less is better. */
export const rankOf = (grade: Grade): number => grades.indexOf(grade);

/** Who has a call forked to himself, and how the way there is protected. */
export interface Recording {
  readonly by: string;
  readonly protection: LegProtection;
}

/** What the protection records of a call's legs come to. */
export interface Graded {
  readonly grade: Grade;
  /** Why, in one sentence in plain words. It names parties and nothing secret. */
  readonly sentence: string;
  /** How long a recording of the call stays secret; empty where nothing is encrypted. */
  readonly detail: string;
  readonly secrecy: readonly Secrecy[];
  /** Who holds keys beside the two parties. */
  readonly keyHolders: readonly string[];
  /** Indexes of legs that have less than policy has demanded of them. */
  readonly unmet: readonly number[];
  readonly recordedBy?: string;
  /** Keys of some leg are still being agreed on: the grade is not the last word. */
  readonly awaiting: boolean;
  /** Some leg has no stream: nothing passes, so there is nothing to hear. */
  readonly silent: boolean;
}

/**
 * The grade of a call, from the records of its two legs: the one function that every log line, record and display of
 * it comes from. Making any leg weaker never makes it better.
 */
export function gradeOf(legs: readonly LegProtection[], recording?: Recording): Graded {
  const ways = recording === undefined ? legs : [...legs, recording.protection];
  const judged = ways.map((leg) => ({ leg, ...judgeLeg(leg) }));
  const unmet = judged.filter(
    ({ leg, level }) =>
      leg.demanded === 'required' && level === levels.open && leg.media.awaiting === undefined,
  );
  const common = {
    detail: secrecyText(ways),
    secrecy: ways.map(secrecyOf),
    keyHolders: holdersOf(judged, recording),
    unmet: unmet.map(({ leg }) => leg.leg),
    ...(recording === undefined ? {} : { recordedBy: recording.by }),
    awaiting: legs.some(({ media }) => media.awaiting !== undefined),
    silent: legs.some(({ media }) => media.protocol === 'none' && media.awaiting === undefined),
  };
  const although =
    unmet.length === 0
      ? ''
      : `, although encryption was demanded of ${list(unmet.map(({ leg }) => nameOf(leg.party)))}`;
  const recorded = recording === undefined ? '' : `, and the call is recorded by ${recording.by}`;
  const relayed = wasRelayed(legs)
    ? ', and the edge, in between as a trusted PBX, has relayed the short authentication string from one side to the other'
    : '';
  const say = (grade: Grade, text: string): Graded => ({
    grade,
    sentence: `${titles[grade]}: ${text}${relayed}${although}${recorded}.`,
    ...common,
  });

  const flaws = judged.flatMap(({ flaw }) => (flaw === '' ? [] : [flaw]));
  const parties = legs.map(({ party }) => nameOf(party));
  if (legs.length < 2 || legs.every((_, i) => judged[i]?.level === levels.open))
    return say('in-the-clear', flaws.join('; ') || 'there are no two sides');
  if (flaws.length > 0) {
    const rest = judged.filter(({ flaw, leg }) => flaw === '' && legs.includes(leg));
    const encrypted =
      rest.length === 0
        ? ''
        : `, while the side of ${list(rest.map(({ leg }) => nameOf(leg.party)))} is encrypted`;
    return say('partly-protected', `${flaws.join('; ')}${encrypted}`);
  }
  const verified = legs.some(({ media }) => media.zrtp?.verified === true);
  const behind = legs.filter(({ party }) => leadsOn(party)).map(({ party }) => nameOf(party));
  const passed = judged.every(({ level }) => level === levels.passed);
  if (passed && recording === undefined && (behind.length === 0 || verified))
    return say(
      'end-to-end',
      `only ${list(parties)} hold the keys, which ZRTP has agreed on through the edge, and ${
        verified
          ? 'somebody has compared the short authentication string'
          : 'both are who their signalling says'
      }`,
    );
  const unseen = behind.length === 0 ? '' : `, and what happens behind ${list(behind)} is not ours to see`;
  return say(
    'hop-by-hop',
    passed
      ? `the keys are held by whoever speaks ZRTP with ${list(parties)}${unseen}`
      : `both sides are encrypted, and ${list(common.keyHolders)} ${common.keyHolders.length === 1 ? 'holds' : 'hold'} the keys in between${unseen}`,
  );
}

export const titles: Readonly<Record<Grade, string>> = {
  'end-to-end': 'End to end',
  'hop-by-hop': 'Hop by hop',
  'partly-protected': 'Partly protected',
  'in-the-clear': 'In the clear',
};

/** A phone that has enrolled was relayed the string that the other one has with the edge: both show the same. */
function wasRelayed(legs: readonly LegProtection[]): boolean {
  return legs.some((one) =>
    legs.some((other) => {
      const shown = ended(one)?.relayed;
      const { relayed, sas } = ended(other) ?? {};
      return one.leg !== other.leg && shown !== undefined && shown === (relayed ?? sas);
    }),
  );
}

const ended = ({ media: { keyExchange, zrtp } }: LegProtection): ZrtpProtection | undefined =>
  keyExchange === 'zrtp' && zrtp?.mode === 'end' && zrtp.confirmed ? zrtp : undefined;

function holdersOf(
  judged: readonly {
    readonly leg: LegProtection;
    readonly level: number;
    readonly holder: string | undefined;
  }[],
  recording: Recording | undefined,
): string[] {
  const holders = new Set<string>();
  for (const { leg, level, holder } of judged) {
    if (level === levels.open) continue;
    if (holder !== undefined) holders.add(holder);
    if (leadsOn(leg.party) && leg !== recording?.protection) holders.add(nameOf(leg.party));
  }
  if (recording !== undefined) holders.add(recording.by);
  return [...holders];
}

/** `a`, `a and b`, `a, b and c`. */
const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
