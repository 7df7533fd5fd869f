import metadata from 'libphonenumber-js/metadata.max.json';

/** What a number is for, by the public numbering plan of its country. */
export type NumberKind =
  | 'fixed'
  | 'mobile'
  | 'toll-free'
  | 'premium'
  | 'shared-cost'
  | 'personal'
  | 'voip'
  | 'pager'
  | 'universal'
  | 'voicemail'
  /** No numbers of that form are given out, as far as the plan's last edition knows. */
  | 'unallocated';

export interface Place {
  /** ISO 3166; empty for codes that are no country's (+800, +881). */
  readonly country: string;
  /** Without +. */
  readonly callingCode: string;
  readonly kind: NumberKind;
}

interface Plan {
  readonly country: string;
  /** Tells countries apart that share a code; absent where it does not. */
  readonly leading: RegExp | undefined;
  readonly general: RegExp;
  readonly kinds: readonly (readonly [NumberKind, RegExp])[];
}

/** Where libphonenumber's compact metadata of version 4 has what. */
const at = { general: 2, leading: 10, kinds: 11 } as const;
/** Its order of kinds, and the order that they are asked in: a number may look like a fixed one, too. */
const order: readonly (readonly [NumberKind, number])[] = [
  ['premium', 3],
  ['toll-free', 2],
  ['shared-cost', 9],
  ['voip', 8],
  ['personal', 4],
  ['pager', 7],
  ['universal', 6],
  ['voicemail', 5],
  ['fixed', 0],
  ['mobile', 1],
];

type Compact = readonly unknown[];

const tables = metadata as unknown as {
  readonly version: number;
  readonly country_calling_codes: Readonly<Record<string, readonly string[]>>;
  readonly countries: Readonly<Record<string, Compact>>;
  readonly nonGeographic: Readonly<Record<string, Compact>>;
};
if (tables.version !== 4) throw new Error('metadata of libphonenumber-js is of another version');

const whole = (pattern: unknown): RegExp => new RegExp(`^(?:${String(pattern)})$`);

function planOf(country: string, compact: Compact): Plan {
  const kinds = (compact[at.kinds] || []) as readonly (readonly unknown[] | 0)[];
  const leading = compact[at.leading];
  return {
    country,
    leading: typeof leading === 'string' ? new RegExp(`^(?:${leading})`) : undefined,
    general: whole(compact[at.general]),
    kinds: order.flatMap(([kind, index]) => {
      const pattern = Array.isArray(kinds[index]) ? kinds[index][0] : undefined;
      return typeof pattern === 'string' ? [[kind, whole(pattern)] as const] : [];
    }),
  };
}

/** Made for a calling code when its first number comes. */
const plans = new Map<string, readonly Plan[]>();

function plansOf(code: string): readonly Plan[] | undefined {
  const known = plans.get(code);
  if (known !== undefined) return known;
  const countries = tables.country_calling_codes[code];
  const other = tables.nonGeographic[code];
  const made =
    countries !== undefined
      ? countries.map((country) => planOf(country, tables.countries[country] ?? []))
      : other !== undefined
        ? [planOf('', other)]
        : undefined;
  if (made !== undefined) plans.set(code, made);
  return made;
}

/** Calling codes have one to three digits and none is the beginning of another (ITU-T E.164 §6.2.1). */
function codeOf(e164: string): readonly [string, readonly Plan[]] | undefined {
  for (let length = 1; length <= 3 && length + 1 < e164.length; length += 1) {
    const code = e164.slice(1, length + 1);
    const found = plansOf(code);
    if (found !== undefined) return [code, found];
  }
  return undefined;
}

const kindIn = ({ general, kinds }: Plan, national: string): NumberKind => {
  if (!general.test(national)) return 'unallocated';
  for (const [kind, pattern] of kinds) if (pattern.test(national)) return kind;
  return 'unallocated';
};

/**
 * Country and kind of a number of the form +49…; undefined where no plan has its calling code.
 *
 * At most 15 digits are looked at; what is no number gives undefined.
 *
 * @source metadata of libphonenumber (Apache-2.0) as in libphonenumber-js
 */
export function placeOf(e164: string): Place | undefined {
  if (e164.length < 4 || e164.length > 16 || e164.charCodeAt(0) !== 0x2b) return undefined;
  for (let i = 1; i < e164.length; i += 1) {
    const c = e164.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return undefined;
  }
  const found = codeOf(e164);
  if (found === undefined) return undefined;
  const [callingCode, list] = found;
  const national = e164.slice(callingCode.length + 1);
  for (const plan of list) {
    if (plan.leading === undefined ? list.length > 1 : !plan.leading.test(national)) continue;
    return { country: plan.country, callingCode, kind: kindIn(plan, national) };
  }
  for (const plan of list) {
    if (plan.leading !== undefined) continue;
    const kind = kindIn(plan, national);
    if (kind !== 'unallocated') return { country: plan.country, callingCode, kind };
  }
  return { country: list[0]?.country ?? '', callingCode, kind: 'unallocated' };
}
