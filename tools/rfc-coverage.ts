import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './imports.ts';

/** Titles of the documents that tests name; a document without one here is listed by its number alone. */
const titles: Readonly<Record<string, string>> = {
  '2046': 'MIME media types: multipart',
  '2782': 'DNS SRV',
  '3261': 'SIP',
  '3263': 'Locating SIP servers',
  '3264': 'Offer/answer',
  '3550': 'RTP',
  '3551': 'RTP audio and video profile',
  '3581': 'Symmetric response routing (rport)',
  '3605': 'RTCP attribute in SDP',
  '3611': 'RTCP XR',
  '3711': 'SRTP',
  '3966': 'tel URI',
  '4475': 'SIP torture tests',
  '4566': 'SDP (obsoleted by 8866)',
  '4568': 'SDES',
  '4585': 'RTP/AVPF',
  '4961': 'Symmetric RTP',
  '5118': 'SIP torture tests for IPv6',
  '5393': 'Loop detection',
  '5621': 'Message bodies in SIP',
  '5626': 'Client-initiated connections (outbound)',
  '5761': 'RTP and RTCP on one port',
  '5922': 'Domain certificates in SIP',
  '5923': 'Connection reuse',
  '6026': 'Correct transaction handling for 2xx',
  '6188': 'AES-192 and AES-256 in SRTP',
  '7616': 'HTTP digest',
  '7714': 'AES-GCM in SRTP',
  '7983': 'Multiplexing scheme',
  '8285': 'RTP header extensions',
  '8643': 'Opportunistic SRTP',
  '8760': 'SIP digest with SHA-256 and SHA-512/256',
  '8866': 'SDP',
};

interface Row {
  readonly sections: string;
  readonly name: string;
  readonly file: string;
}

/** A test as its file names it; what is put in at run time is an ellipsis. */
export interface NamedTest {
  readonly name: string;
  readonly file: string;
}

const call =
  /\b(?:test|it|describe|corpusTest)(?:\.\w+)?\(\s*(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\]|\\.)*)")/g;
const reference =
  /RFC (\d{4})((?:(?:,| and| to|-|–)? ?(?:§|section |appendix )?(?:\d+(?:\.\d+)*|[A-E]\.\d+|appendix [A-E])(?![\w]))*)/g;

/** All tests of the project, in the order of their files. */
export function namedTests(): NamedTest[] {
  const files = ['packages', 'native', 'apps', 'tools', 'test/system', 'test/interop'].flatMap((folder) =>
    globSync(`${folder}/**/*.test.ts`, {
      cwd: repositoryRoot,
      exclude: (path) => path.includes('node_modules'),
    }),
  );
  return files.sort().flatMap((file) => {
    const text = readFileSync(join(repositoryRoot, file), 'utf8');
    return [...text.matchAll(call)].map(([, single, template, double]) => ({
      name: (single ?? template ?? double ?? '').replaceAll(/\$\{[^}]*\}/g, '…').replaceAll("\\'", "'"),
      file,
    }));
  });
}

/** Every section of an RFC that the name of a test mentions, with that test. */
function collect(): Map<string, Row[]> {
  const byRfc = new Map<string, Row[]>();
  for (const { name, file } of namedTests())
    for (const [, rfc, sections] of name.matchAll(reference)) {
      const rows = byRfc.get(rfc ?? '') ?? [];
      rows.push({ sections: (sections ?? '').trim(), name, file });
      byRfc.set(rfc ?? '', rows);
    }
  return byRfc;
}

const firstNumber = (sections: string): number[] =>
  (/\d+(?:\.\d+)*/.exec(sections)?.[0] ?? '0').split('.').map(Number);

function bySection(a: Row, b: Row): number {
  const [left, right] = [firstNumber(a.sections), firstNumber(b.sections)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const order = (left[i] ?? -1) - (right[i] ?? -1);
    if (order !== 0) return order;
  }
  return a.name < b.name ? -1 : 1;
}

/** The page, made anew from the names of the tests. */
export function coveragePage(): string {
  const byRfc = collect();
  let page = `# RFC coverage
Made by \`node tools/rfc-coverage.ts\` from the names of the tests; \`npm run check\` refuses a page that is out of date.
A section stands here because a test names it. What no test names is not claimed.

`;
  let tests = 0;
  for (const rows of byRfc.values()) tests += rows.length;
  page += `${byRfc.size} documents, ${tests} references.\n`;
  for (const rfc of [...byRfc.keys()].sort()) {
    page += `\n## RFC ${rfc}${titles[rfc] === undefined ? '' : `: ${titles[rfc]}`}\n\n| section | test | file |\n|---|---|---|\n`;
    for (const { sections, name, file } of (byRfc.get(rfc) ?? []).sort(bySection))
      page += `| ${sections === '' ? '—' : sections} | ${name.replaceAll('|', '\\|')} | [${file}](../${file}) |\n`;
  }
  return page;
}
