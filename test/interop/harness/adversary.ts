/**
 * An edge with its defaults, two phones that talk through it, and attackers who meanwhile do what they do: what the edge
 * let them see, whom it banned and when, and whether the phones heard each other all the while.
 */
import { addresses, become, canBuild } from '../../system/harness/namespaces.ts';
import { account } from '../baresip.ts';
import { DOMAIN, type Edge } from '../edge.ts';
import { Baresip, baresipVersion } from '../peers/baresip.ts';
import { startCapture } from '../peers/capture.ts';
import { type Case, type CaseContext, expect } from './case.ts';
import { certificatesIn, makeCertificates } from './certificates.ts';
import { type Datagram, readDatagrams } from './datagrams.ts';
import { amongAttackers, amongNetworks, atHome } from './networks.ts';
import { talk } from './phone-call.ts';
import { Program, sleep } from './process.ts';

export const passwords = {
  alice: 'blue-harbour-42',
  bob: 'quiet-meadow-17',
  101: 'amber-lantern-63',
} as const;
/** An extension that is there, and is what scanners look for. */
export const extension = '101';
/** Where both phones come from, as the edge sees them. */
export const bystander = addresses.homeOutside;

export interface Field {
  readonly context: CaseContext;
  readonly edge: Edge;
  /** Where SIP is received in datagrams. */
  readonly port: number;
  /** Starts a program among the attackers; its output is kept. */
  start(name: string, command: readonly [string, ...string[]]): Promise<Program>;
}

export interface Ban {
  readonly source: string;
  readonly scope: string;
  readonly rule: string;
  readonly seconds: number;
  /** Unix ms. */
  readonly time: number;
}

export interface Seen {
  /** What the attackers sent to the edge's SIP port, and what it answered, in order. */
  readonly sent: readonly Datagram[];
  readonly answers: readonly Datagram[];
  /** Answers that let something happen. */
  readonly accepted: number;
  readonly bans: readonly Ban[];
  /** Rules of what was found, each once. */
  readonly found: readonly string[];
  /** What the phones heard. */
  readonly call: string;
}

/** What may stand in an answer to a stranger; anything else would tell him something. */
const publicHeaders = new Set([
  'v',
  'f',
  't',
  'i',
  'cseq',
  'l',
  'www-authenticate',
  'proxy-authenticate',
  'allow',
  'accept',
  'date',
  'retry-after',
]);

/** Runs `attack` while the phones talk; resolves when both are over. */
export async function underAttack(
  context: CaseContext,
  attack: (field: Field) => Promise<unknown>,
): Promise<Seen> {
  become('full cone');
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const edge = await context.edge({
    address: addresses.edge,
    certificates,
    // Of the defaults only this: a machine that is busy with other tests sheds strangers before it has judged them.
    admission: { busyPercent: 100, lateMilliseconds: 5_000 },
    listeners: [
      { name: 'phones', transport: 'tls', encryption: 'required' },
      { name: 'inside', transport: 'udp', encryption: 'none', dangerousPlaintext: true },
    ],
    objects: {
      users: (['alice', 'bob', extension] as const).map((name) => ({
        name,
        devices: [
          {
            name,
            password: passwords[name],
            encryption: name === 'alice' ? 'required' : 'none',
            // baresip 1.0 knows no digest but MD5, and neither do the guessers.
            allowMd5: true,
          },
        ],
      })),
    },
  });
  const common = { workspace, certificates: certificatesIn(workspace), network: atHome() };
  const phone = async (name: 'alice' | 'bob', media: 'srtp' | 'rtp', tone: number) =>
    closes(
      await Baresip.start({
        ...common,
        ...account(edge, name, media),
        media,
        address: addresses.home,
        tone,
      }),
    );
  const alice = await phone('alice', 'srtp', 440);
  const bob = await phone('bob', 'rtp', 1_000);
  const port = edge.port('inside');
  const capture = closes(
    await startCapture({
      workspace,
      name: 'attack',
      device: 'evil',
      filter: `udp port ${port}`,
      seconds: 80,
      classicFormat: true,
    }),
  );
  const field: Field = {
    context,
    edge,
    port,
    start: async (name, [command, ...args]) => {
      const [enter, ...rest] = amongAttackers();
      return closes(
        await Program.start({
          name,
          command: enter,
          args: [...rest, command, ...args],
          cwd: workspace.folder,
          log: workspace.path(`${name}.log`),
          env: { HOME: workspace.folder, TERM: 'dumb', PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' },
        }),
      );
    },
  };
  const attacking = attack(field);
  // Not a moment of the call is before the attack.
  await Promise.race([attacking, sleep(1_000)]);
  const [call] = await Promise.all([talk(alice, bob, `sip:bob@${DOMAIN}`), attacking]);
  await capture.stop();
  const datagrams = readDatagrams(capture.file);
  const here = `${edge.address}:${port}`;
  const answers = datagrams.filter(({ from }) => from === here);
  const accepted = answers.filter(({ text }) => text.startsWith('SIP/2.0 2'));
  expectNothingInside(answers.filter((answer) => !accepted.includes(answer)));
  const bans = bansOf(edge);
  for (const { source } of bans)
    expect(source.startsWith('198.18.'), `${source} was banned, from where nobody has attacked`);
  return {
    sent: datagrams.filter(({ to }) => to === here),
    answers,
    accepted: accepted.length,
    bans,
    found: [...new Set(eventsOf(edge, 'threat.found').map(({ rule }) => String(rule)))],
    call,
  };
}

type Line = { readonly time: string } & Readonly<Record<string, unknown>>;

/** Events of the edge's log of that type. */
export const eventsOf = (edge: Edge, type: string): Line[] =>
  edge
    .log()
    .split('\n')
    .filter((line) => line.includes(`"event":"${type}"`))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Line);

const bansOf = (edge: Edge): Ban[] =>
  eventsOf(edge, 'ban.added').map(({ source, scope, rule, seconds, time }) => ({
    source: String(source),
    scope: String(scope),
    rule: String(rule),
    seconds: Number(seconds),
    time: Date.parse(time),
  }));

const compact: Readonly<Record<string, string>> = {
  via: 'v',
  from: 'f',
  to: 't',
  'call-id': 'i',
  'content-length': 'l',
};

/** Of a header field, in its short form where it has one. */
function nameOf(line: string): string {
  const name = line.slice(0, line.indexOf(':')).trim().toLowerCase();
  return compact[name] ?? name;
}

/** No banner, no name of a program, nothing of the phones or of the home behind the router. */
function expectNothingInside(answers: readonly Datagram[]): void {
  for (const { text } of answers) {
    const [head = ''] = text.split('\r\n\r\n', 1);
    for (const line of head.split('\r\n').slice(1)) {
      const name = nameOf(line);
      expect(publicHeaders.has(name), `an answer to a stranger has ${line}`);
    }
    for (const secret of [...Object.values(passwords), bystander, addresses.home, 'baresip', 'ringfence'])
      expect(!head.toLowerCase().includes(secret), `an answer to a stranger tells of ${secret}`);
  }
}

/** Answers that differ in more than what the request has brought and what is drawn by lot. */
export function shapesOf(answers: readonly Datagram[]): string[] {
  const shape = ({ text }: Datagram): string =>
    text
      .split('\r\n')
      .map((line) => {
        const name = nameOf(line);
        // What was asked comes back, with a tag of ours.
        if (['v', 'f', 'i', 'cseq'].includes(name)) return name;
        if (name === 't') return `to${/;tag=/.test(line) ? ' tagged' : ''}`;
        return line.replace(/nonce="[^"]*"/, 'nonce').replace(/opaque="[^"]*"/, 'opaque');
      })
      .join('\n');
  return [...new Set(answers.map(shape))];
}

/** How far an attacker came before that ban: messages sent and seconds since his first one. */
export function before(ban: Ban, sent: readonly Datagram[]): string {
  const own = sent.filter(({ from }) => from === ban.source || from.startsWith(`${ban.source}:`));
  const earlier = own.filter(({ time }) => time < ban.time);
  const seconds = ((ban.time - (own[0]?.time ?? ban.time)) / 1_000).toFixed(1);
  return `${ban.scope} banned for ${ban.seconds} s by ${ban.rule} after ${earlier.length} messages, ${seconds} s`;
}

/** A tool that gets no answer goes on for ever. */
const LIMIT_MS = 8_000;
/** Waits until it ends by itself, or ends it: what it found it has said by then. */
export async function over(program: Program, limitMs = LIMIT_MS): Promise<string> {
  await program.waitForExit(limitMs).catch(() => program.stop());
  return program.output;
}

/** What a row tells of an attack that has come to nothing. */
export function evidenceOf(seen: Seen): string {
  expect(seen.accepted === 0, `${seen.accepted} requests of attackers were accepted`);
  return described(seen);
}

/** Numbers that every row has, in words. */
export function described({ sent, answers, bans, found, call }: Seen): string {
  const from = new Set(sent.map((one) => one.from.replace(/:\d+$/, ''))).size;
  const told =
    bans.length === 0
      ? 'nobody banned'
      : bans
          .slice(0, 2)
          .map((ban) => `${ban.source}: ${before(ban, sent)}`)
          .join('; ');
  const rest = bans.length > 2 ? ` and ${bans.length - 2} more` : '';
  return `${sent.length} messages from ${from} address(es), ${answers.length} answered; found: ${found.join(', ') || 'nothing'}; ${told}${rest}; ${call}`;
}

const present = (peer: () => string | null) => () =>
  baresipVersion() === null || !canBuild() ? null : peer();
const PORTABLE = 'baresip, and networks made by root';

type Row = readonly [name: string, what: string, run: (context: CaseContext) => Promise<string>];
/** Cases with one program as the attacker; `file` is the script that runs them among networks. */
export const family = (
  file: string,
  peer: string,
  version: () => string | null,
  rows: readonly Row[],
): Case[] =>
  rows.map(([name, what, run]) =>
    amongNetworks(
      { name: `adversary-${name}`, peer: `${peer}; ${PORTABLE}`, version: present(version), what, run },
      file,
    ),
  );
