/** fail2ban on a log of wrong passwords, and the same log judged here: how fast, and who would have been banned. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { SourceJudge } from '@ringfence/threat/source-judge.ts';
import { hashText } from '@ringfence/threat/source-table.ts';
import { sleep } from '../../test/interop/harness/process.ts';
import type { Workspace } from '../../test/interop/harness/workspace.ts';

/** What is in the log: who is an attacker, and who has an old password in a phone. */
export interface Cast {
  readonly attackers: ReadonlySet<string>;
  readonly phones: ReadonlySet<string>;
  readonly lines: readonly string[];
}

export interface Outcome {
  readonly linesPerSecond: number | null;
  readonly attackersFound: number;
  readonly phonesHit: number;
}

const minutes = 9;

/**
 * Nine minutes that end now: 100 attackers who guess once a second, each on its own, and 100 phones with an old password
 * that ask again every 60 seconds, in the words of Asterisk, which fail2ban's own filter reads.
 */
export function writeLog(lines: number): Cast {
  const random = new SeededRandom(5);
  const attackers = Array.from({ length: 100 }, (_, i) => `198.51.100.${i + 1}`);
  const phones = Array.from({ length: 100 }, (_, i) => `203.0.113.${i + 1}`);
  const seconds = minutes * 60;
  const perAttacker = Math.max(20, Math.floor((lines - phones.length * minutes) / attackers.length));
  const end = Date.now() - 5_000;
  const rows: { at: number; host: string; user: string }[] = [];
  for (const host of attackers)
    for (let i = 0; i < perAttacker; i += 1)
      rows.push({
        at: end - seconds * 1000 * random.next(),
        host,
        user: String(100 + Math.floor(random.next() * 5)),
      });
  for (const [i, host] of phones.entries())
    for (let n = 0; n < minutes; n += 1)
      rows.push({ at: end - n * 60_000 - random.next() * 3_000, host, user: `u${i}` });
  rows.sort((a, b) => a.at - b.at);
  return {
    attackers: new Set(attackers),
    phones: new Set(phones),
    lines: rows.map(
      ({ at, host, user }) =>
        `[${stamp(at)}] NOTICE[1] chan_sip.c: Registration from '<sip:${user}@example.test>' failed for '${host}:5060' - Wrong password`,
    ),
  };
}

const stamp = (at: number): string => {
  const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace('T', ' ');
};

/** The same lines, read and judged here in one thread. */
export function judgeLog({ lines, attackers, phones }: Cast): Outcome {
  const judge = new SourceJudge({ sources: 100_000, preset: 'standard', seed: 1 });
  const found = new Set<string>();
  const began = process.cpuUsage();
  let first = 0;
  for (const line of lines) {
    const at = Math.floor(Date.parse(line.slice(1, 20)) / 1000);
    first ||= at - 60;
    const user = line.slice(line.indexOf('<sip:') + 5, line.indexOf('@'));
    const from = line.indexOf("failed for '") + 12;
    const host = line.slice(from, line.indexOf(':', from));
    if (judge.failed(0, wordOf(host), at - first, hashText(user), true) !== undefined) found.add(host);
  }
  const { user, system } = process.cpuUsage(began);
  return {
    linesPerSecond: Math.round(lines.length / ((user + system) / 1e6)),
    attackersFound: [...found].filter((host) => attackers.has(host)).length,
    phonesHit: [...found].filter((host) => phones.has(host)).length,
  };
}

const wordOf = (address: string): number =>
  address.split('.').reduce((word, octet) => (word << 8) | Number(octet), 0);

/** Where fail2ban is unpacked (`dpkg -x`), or installed; undefined for nowhere. */
export function findFail2ban(): string | undefined {
  return [process.env.FAIL2BAN_ROOT ?? '', '/'].find(
    (root) => root !== '' && existsSync(join(root, 'usr/bin/fail2ban-server')),
  );
}

/** fail2ban's server with its own Asterisk filter and defaults (5 failures in 10 minutes); its action only notes. */
export async function runFail2ban(root: string, cast: Cast, workspace: Workspace): Promise<Outcome> {
  const log = workspace.write('asterisk.log', `${cast.lines.join('\n')}\n`);
  const banned = workspace.write('banned', '');
  const folder = join(root, 'etc/fail2ban');
  const copy = workspace.path('fail2ban');
  cpSync(folder, copy, { recursive: true });
  workspace.write('fail2ban/jail.local', '');
  workspace.write('fail2ban/fail2ban.local', '[Definition]\ndbfile = :memory:\n');
  workspace.write('fail2ban/jail.d/defaults-debian.conf', '[sshd]\nenabled = false\n');
  workspace.write(
    'fail2ban/jail.d/bench.local',
    `[bench]\nenabled = true\nfilter = asterisk\nlogpath = ${log}\nbackend = polling\nbanaction =\naction = note\n`,
  );
  workspace.write(
    'fail2ban/action.d/note.conf',
    `[Definition]\nactionban = echo <ip> >> ${banned}\nactionunban = true\n`,
  );
  const serverLog = workspace.path('fail2ban.log');
  const args = ['-f', '-x', '-v', '-c', copy, '-s', workspace.path('s'), '-p', workspace.path('p')];
  args.push('--logtarget', serverLog, 'start');
  const server = spawn('python3', [join(root, 'usr/bin/fail2ban-server'), ...args], {
    env: { ...process.env, PYTHONPATH: join(root, 'usr/lib/python3/dist-packages') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const read = (): Set<string> => new Set(readFileSync(banned, 'utf8').split('\n').filter(Boolean));
  let found = read();
  let quiet = 0;
  for (let tenths = 0; tenths < 900 && quiet < 60; tenths += 1) {
    await sleep(100);
    if (server.exitCode !== null) throw new Error(`fail2ban-server ended: ${said.slice(-400)}`);
    const next = read();
    quiet = next.size > 0 && next.size === found.size ? quiet + 1 : 0;
    found = next;
  }
  server.kill('SIGTERM');
  await new Promise((done) => server.once('close', done));
  return {
    linesPerSecond: await throughput(root, log, cast.lines.length),
    attackersFound: [...found].filter((host) => cast.attackers.has(host)).length,
    phonesHit: [...found].filter((host) => cast.phones.has(host)).length,
  };
}

/** Lines that fail2ban-regex reads in a second of CPU time, its start taken off. */
async function throughput(root: string, log: string, lines: number): Promise<number | null> {
  const cpu = async (file: string): Promise<number> => {
    const filter = join(root, 'etc/fail2ban/filter.d/asterisk.conf');
    const child = spawn('python3', [join(root, 'usr/bin/fail2ban-regex'), file, filter], {
      env: { ...process.env, PYTHONPATH: join(root, 'usr/lib/python3/dist-packages') },
      stdio: 'ignore',
    });
    const before = childCpu();
    await new Promise((done) => child.once('close', done));
    return childCpu() - before;
  };
  const empty = await cpu('/dev/null');
  const full = await cpu(log);
  return full > empty ? Math.round(lines / (full - empty)) : null;
}

/** CPU seconds of children that have ended (cutime and cstime of proc(5)). */
function childCpu(): number {
  const text = readFileSync('/proc/self/stat', 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
