import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventSchemaText } from './event-schema.ts';
import { repositoryRoot } from './imports.ts';

const marker = '<!-- From here on made by `node tools/docs.ts`: events that nobody has described above. -->';

/** What fields are that bear the same name in every event. */
const usual: Readonly<Record<string, string>> = {
  addresses: 'How many addresses and blocks it has.',
  account: 'The account: user, or user and domain.',
  action: 'What is done about it.',
  bits: 'Sum of the evidence; one bit doubles the odds.',
  by: 'Who has done it, or has asked for it.',
  call: 'Id of the call.',
  called: 'Whom the caller wants.',
  cve: 'Public names of the hole.',
  decision: 'Verdict, with rules and their evidence.',
  cause: 'Why, in one word.',
  detail: 'What happened, in words.',
  device: 'Digest user name of the phone.',
  domain: 'The tenant.',
  evidence: 'What was seen, by name.',
  feed: 'Name of the list.',
  incident: 'Id of the incident; `ringfence incident show` has all of it.',
  kind: 'Which kind.',
  leg: 'Which side of the call; 0 is the caller.',
  listener: 'Where it came in.',
  network: 'Its network, as an address and a prefix length.',
  method: 'SIP method.',
  number: 'The number shown.',
  owner: 'Which trunk, PBX or device.',
  party: 'Which device or trunk.',
  patch: 'Id of the virtual patch; docs/patches.md has all of them.',
  patches: 'Ids of the virtual patches.',
  phone: 'What the phone says that it is.',
  product: 'What it says that it is.',
  reasons: 'Rules with their evidence and thresholds.',
  scope: 'One address, a network, or one socket.',
  rule: 'Name of the rule.',
  seconds: 'For how long.',
  skipped: 'Entries that were left out.',
  source: 'Where it comes from: address, or address and port.',
  stale: 'What it had holds no more.',
  target: 'Whom it was for.',
  text: 'One sentence for people.',
  threshold: 'The bound that was reached.',
  title: 'One sentence for people.',
  trunk: 'The trunk that it came by.',
  user: 'The user.',
  weight: 'Severity of the worst of its events.',
  why: 'Why, in a sentence.',
};

interface Described {
  readonly properties: Readonly<Record<string, { readonly description?: string; readonly const?: unknown }>>;
}

/** docs/events.md: what people have written, and below it every event that they have left out, from its type. */
export function eventsPage(): string {
  const [written = ''] = readFileSync(join(repositoryRoot, 'docs/events.md'), 'utf8').split(marker);
  const { $defs } = JSON.parse(eventSchemaText()) as { $defs: Readonly<Record<string, Described>> };
  const comments = commentsOf(readFileSync(join(repositoryRoot, 'apps/edge/events/types.ts'), 'utf8'));
  const envelope = new Set(['schema', 'time', 'sequence', 'node', 'severity', 'event']);
  const parts = Object.entries($defs)
    .filter(([type]) => !written.includes(`### \`${type}\``))
    .map(([type, { properties }]) => {
      const rows = Object.entries(properties)
        .filter(([name]) => !envelope.has(name))
        .map(
          ([name, { description = '' }]) =>
            `| \`${name}\` | ${(description || (usual[name] ?? '')).replaceAll('|', '\\|')} |`,
        );
      const words = [`Severity \`${String(properties.severity?.const)}\`.`, comments.get(type) ?? '']
        .join(' ')
        .trim();
      return [`### \`${type}\``, words, '', '| field | meaning |', '|---|---|', ...rows].join('\n');
    });
  if (parts.length === 0) return `${written.trimEnd()}\n`;
  return `${written.trimEnd()}\n\n${marker}\n\n## Further events\n\n${parts.join('\n\n')}\n`;
}

/** The comment that stands before each member of the union, by the types that the member has. */
function commentsOf(source: string): Map<string, string> {
  const found = new Map<string, string>();
  const members = source.slice(source.indexOf('export type EdgeEvent =')).split(/^ {2}\| /m);
  for (const [i, member] of members.entries()) {
    const before = members[i - 1] ?? '';
    const at = before.lastIndexOf('/**');
    if (at < 0 || !before.trimEnd().endsWith('*/') || before.slice(at).includes('readonly ')) continue;
    const words = before
      .slice(at + 3, before.lastIndexOf('*/'))
      .replaceAll(/\s*\n\s*\*?\s*/g, ' ')
      .trim();
    const second = member.indexOf('readonly ', member.indexOf('readonly type') + 1);
    for (const match of (second < 0 ? member : member.slice(0, second)).matchAll(/'([a-z]+\.[a-z-]+)'/g))
      found.set(match[1] ?? '', words);
  }
  return found;
}
