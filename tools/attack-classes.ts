import { namedTests } from './rfc-coverage.ts';

/** A class of attacks on SIP and media systems, with where it was seen. */
interface AttackClass {
  readonly what: string;
  readonly seen: string;
}

/** The classes that have hit systems of this kind; each has tests, which name it. */
export const attackClasses: Readonly<Record<string, AttackClass>> = {
  S1: {
    what: 'Header smuggling: odd whitespace or control characters in names',
    seen: 'CVE-2020-28361, CVE-2016-9938',
  },
  S2: { what: 'Message smuggling over streams by Content-Length', seen: 'CVE-2026-45103' },
  S3: {
    what: 'Memory taken for a length that was only declared',
    seen: 'CVE-2026-58268, CVE-2026-77322, CVE-2026-116785',
  },
  S4: {
    what: 'Parsers that crash: Via, To, URIs, SDP, digest',
    seen: 'CVE-2018-14767, CVE-2018-16657, CVE-2017-9372, CVE-2026-46334, CVE-2026-57162',
  },
  S5: {
    what: 'Methods that nobody has to prove themselves for; From that is believed',
    seen: 'CVE-2021-37624, CVE-2021-41157, CVE-2025-47779',
  },
  S6: { what: 'Digest leak: credentials for whoever is called', seen: 'CVE-2021-41158' },
  S7: { what: 'Digest replay, for another method, URI or source', seen: 'CVE-2007-5469' },
  S8: {
    what: 'Memory or handles exhausted by floods and idle connections',
    seen: 'CVE-2021-41145, CVE-2020-28327, AST-2016-005',
  },
  S9: { what: 'Users found by the code, text or time of answers', seen: 'svwar, sippts' },
  S10: { what: 'TLS connections reused for names that they do not prove', seen: 'CVE-2020-15260' },
  S11: { what: 'An address that matches wrongly lets everybody in', seen: 'GHSA-qqxj-v78h-hrf9' },
  S12: {
    what: 'SQL and script injected through SIP into databases and consoles',
    seen: 'CVE-2021-1000004, CVE-2026-25554',
  },
  S13: {
    what: 'XML: entities, depth, loops',
    seen: 'GHSA-5x45-qp78-g4p4, CVE-2026-106803, CVE-2026-45809',
  },
  S14: { what: 'Separators injected into our own records', seen: 'kamailio#4896' },
  S15: { what: 'Fetching what a message names', seen: 'siphon-ai#116, asterisk#1251' },
  S16: { what: 'Loops, forks and spirals', seen: 'RFC 5393' },
  S17: { what: 'Text that keeps a parser busy', seen: 'regular expressions that backtrack' },
  S18: { what: 'Commands run by configuration', seen: 'exec modules' },
  M1: {
    what: 'RTP bleed and injection by learning an address from anybody',
    seen: 'CVE-2017-14099, CVE-2025-53399',
  },
  M2: { what: 'SRTP relayed without its tag checked', seen: 'CVE-2025-53399' },
  M3: { what: 'Floods of broken SRTP that end a call', seen: 'CVE-2021-41105, CVE-2021-26712' },
  M4: {
    what: 'The race to send the first ClientHello',
    seen: 'CVE-2023-49786, CVE-2023-51443, CVE-2023-51275',
  },
  M5: { what: 'STUN that is believed without its integrity', seen: 'CVE-2026-116790, CVE-2023-22741' },
  M6: { what: 'Encryption taken away by a re-INVITE', seen: 'CVE-2022-39269' },
  M7: {
    what: 'Targets that mean ourselves: loopback, mapped, multicast',
    seen: 'CVE-2020-26262, CVE-2026-27624',
  },
  M8: { what: 'Media pointed at a victim', seen: 'amplification' },
  M9: { what: 'ZRTP: man in the middle, downgrade, floods of Hellos', seen: 'RFC 6189 §15' },
};

/** Not `S17` of `S170`, nor the number of something else: classes stand alone, in commas or before a colon. */
const mention = /(?<![\w-])([SM]\d{1,2})(?![\w-])/g;

/** The tests that name each class. */
export function testsOfClasses(): Map<string, { readonly name: string; readonly file: string }[]> {
  const found = new Map<string, { name: string; file: string }[]>(
    Object.keys(attackClasses).map((id) => [id, []]),
  );
  for (const { name, file } of namedTests())
    for (const id of new Set([...name.matchAll(mention)].map(([, one]) => one ?? '')))
      found.get(id)?.push({ name, file });
  return found;
}

/** `docs/attack-classes.md`. */
export function attackClassesPage(): string {
  const rows = [...testsOfClasses()].map(([id, tests]) => {
    const { what, seen } = attackClasses[id]!;
    const files = Map.groupBy(tests, ({ file }) => file);
    const listed = [...files].map(([file, { length }]) => `[${file}](../${file}) (${length})`);
    return `| ${id} | ${what} | ${seen} | ${listed.join(', ')} |`;
  });
  return [
    '# Attack classes and their tests',
    'Made by `node tools/docs.ts` from the names of the tests, which name the class that they are of. What each of them',
    'does stands in its name: `node --test --test-name-pattern="S6" FILE` runs those of one class.',
    '',
    '| class | what | seen as | tests (how many) |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
