/**
 * Scanners, guessers and floods of others against the edge's defaults, while two phones talk through it: what each tool
 * learned, when it was banned, that nobody else was, and what the phones heard.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  bystander,
  eventsOf,
  evidenceOf,
  extension,
  type Field,
  family,
  over,
  passwords,
  shapesOf,
  underAttack,
} from './harness/adversary.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { attackers, takeAddress } from './harness/networks.ts';
import { until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { sippVersion } from './peers/sipp.ts';
import { type SipViciousTool, sipVicious, sipViciousVersion } from './peers/sipvicious.ts';

const SCENARIOS = join(dirname(fileURLToPath(import.meta.url)), 'scenarios');
/** Refusals are told of once in ten seconds. */
const TOLD_MS = 12_000;
/** Attackers of a row that has many. */
const MANY = 16;

const at = ({ edge, port }: Field, args: readonly string[]): string[] => [
  ...['-p', String(port), ...args, edge.address],
];

/** As shipped it gives itself away with its first message, which gets no answer. */
async function unanswered(
  context: CaseContext,
  tool: SipViciousTool,
  args: readonly string[],
): Promise<string> {
  let output = '';
  const seen = await underAttack(context, async (field) => {
    const command = sipVicious(context.workspace, tool, 'shipped');
    output = await over(await field.start(tool, [...command, ...at(field, args)]));
    await until('a scanner found', TOLD_MS, () =>
      eventsOf(field.edge, 'threat.found').some(({ rule }) => rule === 'scanner') ? true : null,
    );
  });
  expect(seen.sent.length > 0, `${tool} has sent nothing: ${output.slice(-300)}`);
  expect(seen.answers.length === 0, `${seen.answers.length} answers to ${tool}`);
  expect(!output.includes('| SIP Device'), `${tool} has found the edge`);
  expect(seen.found.includes('scanner'), `found was ${seen.found.join(', ') || 'nothing'}`);
  return `no answer at all; ${evidenceOf(seen)}`;
}

/** A name in User-Agent that telephones have: it is answered, as everybody is, and hears nothing of who answers. */
async function noBanner(context: CaseContext): Promise<string> {
  let output = '';
  const seen = await underAttack(context, async (field) => {
    const command = sipVicious(context.workspace, 'svmap', 'disguised');
    output = await over(await field.start('svmap', [...command, ...at(field, [])]));
  });
  const row = /\| 198\.51\.100\.1:\d+\s*\| ([^|]*?)\s*\|/.exec(output)?.[1];
  expect(row === 'unknown', `svmap says of the edge: ${row ?? output.slice(-300)}`);
  return `svmap: something answers, of kind "unknown"; ${evidenceOf(seen)}`;
}

/** The same answer for an extension that is there and for four that are not, each asked for from another address. */
async function noExtension(context: CaseContext): Promise<string> {
  const tried = Array.from({ length: 5 }, (_, i) => String(Number(extension) - 2 + i));
  let outputs: string[] = [];
  const seen = await underAttack(context, async (field) => {
    const command = sipVicious(context.workspace, 'svwar', 'disguised');
    outputs = await Promise.all(
      tried.map(async (one, i) => {
        // A port of its own is an address of its own (harness/networks.ts).
        const args = at(field, ['-e', one, '--force', '-P', String(5_070 + i)]);
        return over(await field.start(`svwar-${one}`, [...command, ...args]));
      }),
    );
  });
  for (const [i, output] of outputs.entries())
    expect(output.includes('found nothing'), `svwar says of ${tried[i]}: ${output.slice(-300)}`);
  const shapes = shapesOf(seen.answers);
  expect(shapes.length === 1, `answers of ${shapes.length} kinds:\n${shapes.join('\n\n')}`);
  const asked = new Set(seen.sent.flatMap(({ text }) => /^To: .*<sip:(\d+)@/m.exec(text)?.[1] ?? []));
  expect(asked.has(extension), `nobody asked for ${extension}`);
  return `svwar: found nothing, one kind of answer to ${asked.size} names of which one is there; ${evidenceOf(seen)}`;
}

/** A list of passwords with the right one in it: the guesser is banned before he comes to it. */
async function noPassword(context: CaseContext): Promise<string> {
  const place = 200;
  const words = Array.from({ length: 400 }, (_, i) =>
    i === place ? passwords[extension] : `wrong-guess-${i}`,
  );
  const list = context.workspace.write('passwords.txt', `${words.join('\n')}\n`);
  let output = '';
  const seen = await underAttack(context, async (field) => {
    const command = sipVicious(context.workspace, 'svcrack', 'disguised');
    output = await over(
      await field.start('svcrack', [...command, ...at(field, ['-u', extension, '-d', list])]),
    );
  });
  expect(!output.includes(passwords[extension]), 'svcrack has found the password');
  const ban = seen.bans.find(({ scope }) => scope === 'source');
  expect(ban !== undefined, `svcrack was not banned: ${evidenceOf(seen)}`);
  const guessed = seen.sent.filter(({ time, text }) => time < ban.time && text.includes('response="')).length;
  expect(guessed < place, `${guessed} guesses before the ban`);
  // Whatever was on its way when the ban came has been answered half a second later.
  const late = seen.answers.filter(
    ({ to, time }) => to.startsWith(`${ban.source}:`) && time > ban.time + 500,
  );
  expect(late.length === 0, `${late.length} answers after the ban`);
  return `svcrack: no password, ${guessed} guesses; ${evidenceOf(seen)}`;
}

/** That the row above is worth something: where the right password is the second of the list, svcrack does find it. */
async function guesserWorks(context: CaseContext): Promise<string> {
  const list = context.workspace.write('passwords.txt', `wrong-guess\n${passwords[extension]}\n`);
  let output = '';
  await underAttack(context, async (field) => {
    const command = sipVicious(context.workspace, 'svcrack', 'disguised');
    output = await over(
      await field.start('svcrack', [...command, ...at(field, ['-u', extension, '-d', list])]),
    );
  });
  expect(output.includes(passwords[extension]), `svcrack has not found it: ${output.slice(-300)}`);
  return 'svcrack finds a password that is the second of its list';
}

/** sipp sends a scenario that waits for nothing, from every address of a file in turn. */
async function flood(
  field: Field,
  scenario: string,
  from: readonly string[],
  perSecond: number,
  seconds: number,
): Promise<void> {
  const { workspace } = field.context;
  const file = workspace.write(
    `${scenario}.addresses`,
    `SEQUENTIAL\n${from.map((one) => `${one};`).join('\n')}\n`,
  );
  const program = await field.start(`sipp-${scenario}`, [
    'sipp',
    `${field.edge.address}:${field.port}`,
    ...['-sf', join(SCENARIOS, `${scenario}.xml`), '-i', from[0]!],
    ...(from.length > 1 ? ['-t', 'ui', '-ip_field', '0', '-inf', file] : ['-bind_local', '-p', '5060']),
    ...['-r', String(perSecond), '-m', String(perSecond * seconds), '-l', '20000', '-max_socket', '1000'],
    ...[
      '-default_behaviors',
      'none',
      '-nostdin',
      '-watchdog_major_maxtriggers',
      '1000000',
      '-watchdog_minor_maxtriggers',
      '1000000',
    ],
  ]);
  await over(program);
}

async function flooded(context: CaseContext): Promise<string> {
  const from = Array.from({ length: MANY }, (_, i) => attackers(i + 100));
  const seen = await underAttack(context, (field) => flood(field, 'flood', from, 800, 6));
  expect(seen.sent.length > 1_000, `sipp has sent ${seen.sent.length} messages`);
  expect(seen.found.includes('flood'), `found was ${seen.found.join(', ') || 'nothing'}`);
  // Who answers no challenge may be forged: his socket is silenced, and no address.
  for (const { source, scope } of seen.bans) expect(scope === 'socket', `${source} was banned whole`);
  return evidenceOf(seen);
}

async function forged(context: CaseContext): Promise<string> {
  const seen = await underAttack(context, async (field) => {
    takeAddress(bystander);
    await flood(field, 'forged', [bystander], 50, 6);
  });
  const own = seen.sent.filter(({ from }) => from.startsWith(`${bystander}:`));
  expect(own.length > 300, `only ${own.length} messages were sent as ${bystander}`);
  expect(seen.bans.length === 0, `banned: ${seen.bans.map(({ source }) => source).join(', ')}`);
  return `${own.length} messages of a scanner and a guesser as the phones' own address; ${evidenceOf(seen)}`;
}

const file = fileURLToPath(import.meta.url);
export const cases: readonly Case[] = [
  ...family(file, 'SIPVicious', sipViciousVersion, [
    ['svmap-shipped', 'svmap as shipped scans while two phones talk', (c) => unanswered(c, 'svmap', [])],
    [
      'svwar-shipped',
      'svwar as shipped looks for extensions while two phones talk',
      (c) => unanswered(c, 'svwar', ['-e', '90-400', '--maximumtime', '3']),
    ],
    ['svmap-disguised', 'svmap with the name of a telephone scans while two phones talk', noBanner],
    [
      'svwar-disguised',
      'svwar with the name of a telephone, from an address for each extension, while two phones talk',
      noExtension,
    ],
    [
      'svcrack-disguised',
      'svcrack with the name of a telephone guesses a password while two phones talk',
      noPassword,
    ],
    ['svcrack-finds', 'control: svcrack finds a password that it comes to before it is banned', guesserWorks],
  ]),
  ...family(file, 'sipp', sippVersion, [
    ['flood', `INVITEs from ${MANY} addresses, 800 a second, while two phones talk`, flooded],
    ['forged', "a scanner and a guesser under the phones' own address, while they talk", forged],
  ]),
];

if (import.meta.main) await runCases(cases);
