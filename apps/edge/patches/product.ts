/** A system as its Server or User-Agent names it, or as an administrator has written it. */
export interface Product {
  /** In lower case: `asterisk`, `freeswitch`, ... */
  readonly name: string;
  /** Dotted numbers; absent where none can be read. */
  readonly version?: string;
}

const longestText = 256;
/** How products call themselves, and what stands before their version. */
const known: readonly (readonly [mark: string, name: string])[] = [
  ['asterisk', 'asterisk'],
  ['freeswitch', 'freeswitch'],
  ['kamailio', 'kamailio'],
  ['opensips', 'opensips'],
  ['pjsua', 'pjsip'],
  ['pjsip', 'pjsip'],
  ['freepbx', 'freepbx'],
];

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/** The dotted number at or behind `from`, with nothing but `skip` characters before it. */
function versionAt(text: string, from: number, skip: string): string | undefined {
  let i = from;
  while (i < text.length && skip.includes(text[i] as string)) i += 1;
  const start = i;
  while (i < text.length && (isDigit(text.charCodeAt(i)) || text[i] === '.')) i += 1;
  const version = text.slice(start, text[i - 1] === '.' ? i - 1 : i);
  return version === '' || !isDigit(version.charCodeAt(0)) || version.includes('..') ? undefined : version;
}

const product = (name: string, version: string | undefined): Product =>
  version === undefined ? { name } : { name, version };

/**
 * What systems a Server or User-Agent header names: `Asterisk PBX 18.9.0`, `FreeSWITCH-mod_sofia/1.10.6-release`,
 * `kamailio (5.3.5 (x86_64/linux))`, `FPBX-16.0.40(18.15.0)`, which is two.
 *
 * A certified Asterisk (`certified/18.9-cert5`) has numbers of its own and is given none.
 */
export function readProducts(header: string): readonly Product[] {
  const text = header.slice(0, longestText).toLowerCase();
  if (text.startsWith('fpbx-')) {
    const bracket = text.indexOf('(');
    return [
      product('freepbx', versionAt(text, 5, '')),
      product('asterisk', bracket === -1 ? undefined : versionAt(text, bracket + 1, '')),
    ];
  }
  for (const [mark, name] of known) {
    const at = text.indexOf(mark);
    if (at === -1) continue;
    if (text.includes('cert')) return [{ name }];
    let from = at + mark.length;
    for (const word of ['-mod_sofia', ' pbx', ' sip router', ' server'])
      if (text.startsWith(word, from)) from += word.length;
    return [product(name, versionAt(text, from, ' /(v-'))];
  }
  return [];
}

const numbers = (version: string): readonly number[] => version.split('.').map(Number);

/** Below zero where `a` is the older; missing numbers count as 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Whether a version is older than the first without the hole, where each branch has its own first one.
 *
 * Projects maintain several branches: `13.19.2, 14.7.6` leaves 13.20 alone and hits 14.7.5; `5.0.6, 5.1.2` hits 5.1.1.
 */
export function isBefore(version: string, fixedIn: readonly string[]): boolean {
  const [major, minor] = numbers(version);
  const same = fixedIn.filter((fixed) => numbers(fixed)[0] === major);
  const branch = same.find((fixed) => numbers(fixed)[1] === minor);
  if (branch !== undefined) return compareVersions(version, branch) < 0;
  const latest = (same.length > 0 ? same : fixedIn).toSorted(compareVersions).at(-1);
  return latest !== undefined && compareVersions(version, latest) < 0;
}
