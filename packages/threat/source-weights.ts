import { bitsOf } from './evidence.ts';

/** Seconds after which half of the evidence is forgotten. */
export const halfLife = 600;
/** The slow guesser is watched for over a day: half is forgotten after eight hours. */
export const slowHalfLife = 28_800;

/**
 * Outcome of asking for something new: 15 of 100 such outcomes are failures where nobody attacks, 70 where somebody
 * does (the values of TFPS for its test on first contacts).
 */
const newFailure = bitsOf(0.7, 0.15);
export const newSuccess = -bitsOf(0.3, 0.85);

/** What is counted of a source; each is a place in its row. */
export const part = {
  mark: 0,
  token: 1,
  branch: 2,
  order: 3,
  loopback: 4,
  reused: 5,
  methods: 6,
  sequence: 7,
  dialPlan: 8,
  malformed: 9,
  unknown: 10,
  guesses: 11,
  slowGuesses: 12,
  accounts: 13,
  flood: 14,
  proven: 15,
} as const;
export type PartName = keyof typeof part;
export const parts = 16;

interface Weight {
  readonly each: number;
  readonly most: number;
  readonly text: (count: number) => string;
}

const times = (n: number): string => (n === 1 ? 'once' : `${n} times`);
const plural = (n: number, one: string, many: string): string => (n === 1 ? `1 ${one}` : `${n} ${many}`);

/** Bits of each count, the most that it may bring, and its sentence; `guesses`, `accounts` and `flood` are bits already. */
export const weights: Readonly<Record<PartName, Weight>> = {
  mark: { each: 20, most: 20, text: () => 'It names itself as a known scanning tool.' },
  token: {
    each: 1.5,
    most: 3,
    text: (n) => `Its tags or Call-IDs are too short to be random (${times(n)}), as no phone makes them.`,
  },
  branch: { each: 2, most: 4, text: (n) => `Its branches are not those of RFC 3261 (${times(n)}).` },
  order: {
    each: 2,
    most: 4,
    text: (n) => `Its header fields stand in an order that no phone uses (${times(n)}).`,
  },
  loopback: {
    each: 2.5,
    most: 5,
    text: (n) => `It says that it is this machine itself (Via with a loopback address, ${times(n)}).`,
  },
  reused: {
    each: 3,
    most: 6,
    text: (n) => `It uses one From tag for several Call-IDs (${times(n)}), which no phone does.`,
  },
  methods: { each: 3, most: 6, text: (n) => `It tries ${n + 2} methods without proving who it is.` },
  sequence: {
    each: bitsOf(0.5, 0.02),
    most: 14,
    text: (n) => `It counts through extensions one after the other (${plural(n, 'step', 'steps')}).`,
  },
  dialPlan: {
    each: 5,
    most: 20,
    text: (n) => `It tries one number behind different prefixes (${n + 1} of them).`,
  },
  malformed: { each: 0.9, most: 9, text: (n) => `It sends what is not SIP (${times(n)}).` },
  unknown: {
    each: newFailure,
    most: 60,
    text: (n) => `It has asked for ${plural(n, 'name that does', 'different names that do')} not exist here.`,
  },
  guesses: {
    each: 1,
    most: 60,
    text: () => 'Its passwords were wrong, faster than a phone with an old password asks.',
  },
  slowGuesses: {
    each: 0.14,
    most: 30,
    text: (n) => `Its passwords were wrong ${times(n)} in the last day.`,
  },
  accounts: {
    each: 1,
    most: 60,
    text: () => 'It tries passwords on one account after the other.',
  },
  flood: { each: 1, most: 1_000, text: () => 'It sends requests without proof faster than phones do.' },
  proven: {
    each: -3,
    most: -6.6,
    text: (n) => `${plural(n, 'account has', 'accounts have')} proven themselves from there.`,
  },
};

const names = Object.keys(part) as PartName[];
const each = Float64Array.from(names, (name) => weights[name].each);
const most = Float64Array.from(names, (name) => weights[name].most);

/** Bits that a count of that part brings. */
export const bitsFor = (place: number, count: number): number => {
  const bits = count * each[place]!;
  const bound = most[place]!;
  return bound < 0 ? Math.max(bound, bits) : Math.min(bound, bits);
};
