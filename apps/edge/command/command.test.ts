import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writePcap } from '@ringfence/evidence/pcap.ts';
import { openStore } from '../store/open.ts';
import { call } from '../store/testing/records.ts';
import { commands } from './commands.ts';
import { exitCode } from './exit-code.ts';
import { parseCommandLine } from './parse.ts';
import { commandLinePage } from './reference.ts';
import { UsageError } from './usage-error.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'ringfence-command-'));
after(() => rmSync(root, { recursive: true, force: true }));
let homes = 0;

/** A data folder and the program, as a person at a shell has them. */
class Shell {
  readonly home = join(root, String(homes++));
  readonly env: NodeJS.ProcessEnv = { ...process.env, RINGFENCE_HOME: this.home };

  constructor() {
    delete this.env.npm_lifecycle_event;
  }

  run(args: readonly string[], input = '') {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
      env: this.env,
      input,
      encoding: 'utf8',
      cwd: root,
      timeout: 60_000,
    });
    return { status, stdout, stderr };
  }

  ok(args: readonly string[], input = ''): string {
    const { status, stdout, stderr } = this.run(args, input);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  json(args: readonly string[], input = ''): unknown {
    return JSON.parse(this.ok([...args, '--json'], input));
  }

  fails(code: number, args: readonly string[], words: RegExp, input = ''): void {
    const { status, stdout, stderr } = this.run(args, input);
    assert.match(stderr + stdout, words);
    assert.equal(status, code, stderr);
    // a person sees words, never a stack
    assert.doesNotMatch(stderr, /\n {4}at /);
  }

  file(name: string, text: string): string {
    const path = join(root, `${homes}-${name}`);
    writeFileSync(path, text);
    return path;
  }
}

test('help lists every command and explains each; version names versions', () => {
  const shell = new Shell();
  const overview = shell.ok([]);
  assert.equal(shell.ok(['--help']), overview);
  for (const { name, summary } of commands) assert.ok(overview.includes(name) && overview.includes(summary));
  assert.match(shell.ok(['help', 'user']), /--password-stdin/);
  assert.equal(shell.ok(['user', 'add', '--help']), shell.ok(['help', 'user']));
  assert.match(shell.ok(['--version']), /^ringfence \d+\.\d+\.\d+ \(Node\.js 2\d/);
  assert.ok(!existsSync(shell.home), 'asking made a data folder');
});

test('what is mistyped gives exit code 2 and the nearest word', () => {
  const shell = new Shell();
  shell.fails(2, ['usr'], /did you mean `ringfence user`/);
  shell.fails(2, ['completion', 'tcsh'], /bash, zsh and fish/);
  const said = (...args: string[]) => {
    try {
      parseCommandLine(commands, args);
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return error.message;
    }
    return assert.fail('was understood');
  };
  assert.match(said('user', 'ad', 'x'), /did you mean `add`/);
  assert.match(
    said('user'),
    /needs one of: add, list, password, audit, standing, confirm, quarantine, release, factor, remove/,
  );
  assert.match(said('user', 'add'), /needs NAME/);
  assert.match(said('user', 'add', 'a', 'b'), /one word too many/);
  assert.match(said('user', 'add', 'a', '--numbr', '1'), /did you mean `--number`/);
  assert.match(said('user', 'add', 'a', '--number'), /argument missing/);
  assert.match(said('user', 'add', 'a', '--password', 'hunter22'), /seen by everybody who lists processes/);
  assert.match(said('--config', 'x', 'up'), /command comes first/);
});

test('users are added with phone settings and a password shown once, listed, given new passwords and removed', () => {
  const shell = new Shell();
  const added = shell.ok(['user', 'add', 'alice', '--number', '+493012345', '--display-name', 'Alice']);
  const password = /Password\s+([A-Za-z0-9]{20})\n/.exec(added)?.[1];
  assert.ok(password, added);
  assert.match(added, /sip:alice@ringfence\.local/);
  assert.match(added, /transport TLS/);
  assert.match(added, /SRTP \(SDES\), mandatory/);
  assert.match(added, /tls\/ca\.crt/);
  assert.ok(
    !readFileSync(join(shell.home, 'ringfence.db')).includes(password),
    'the password is in the database',
  );

  shell.fails(1, ['user', 'add', 'alice'], /already has a device alice/);
  const second = shell.json(
    [
      'user',
      'add',
      'alice',
      '--device',
      'alice-desk',
      '--encryption',
      'preferred',
      '--allow-md5',
      '--password-stdin',
    ],
    'tWelve-monkeys-at-dusk\n',
  ) as object;
  assert.ok(!('password' in second), 'a password that was given is not shown');
  const [alice] = shell.json(['user', 'list']) as [
    { number: string; displayName: string; devices: object[] },
  ];
  assert.equal(alice.number, '+493012345');
  assert.equal(alice.displayName, 'Alice');
  assert.deepEqual(alice.devices, [
    { name: 'alice', encryption: 'required', allowMd5: false },
    { name: 'alice-desk', encryption: 'preferred', allowMd5: true },
  ]);
  const changed = shell.json(['user', 'password', 'alice']) as { password: string };
  assert.match(changed.password, /^[A-Za-z0-9]{20}$/);
  shell.fails(1, ['user', 'password', 'alice', '--device', 'no'], /no device no; it has alice, alice-desk/);
  shell.fails(1, ['user', 'password', 'bob'], /no user bob/);
  shell.fails(3, ['user', 'add', 'carol', '--password-stdin'], /attackers try first/, 'password1');
  shell.fails(2, ['user', 'add', 'carol', '--password-stdin'], /no password/, '');
  shell.fails(3, ['user', 'add', 'carol', '--encryption', 'requird'], /Did you mean `required`/);
  shell.fails(3, ['user', 'add', 'ca rol'], /letters, digits/);
  shell.ok(['user', 'add', 'carol', '--password-stdin', '--dangerous-weak-password'], 'carol');
  shell.ok(['user', 'add', 'dave', '--domain', 'Other.example']);
  assert.match(shell.ok(['user', 'remove', 'alice']), /gone/);
  shell.fails(1, ['user', 'remove', 'alice'], /no user alice/);
  assert.deepEqual(
    (shell.json(['user', 'list']) as { name: string }[]).map((u) => u.name),
    ['dave', 'carol'],
  );
  shell.ok(['user', 'remove', 'dave', '--domain', 'other.example']);
  shell.ok(['user', 'remove', 'carol']);
  assert.deepEqual(shell.json(['user', 'list']), []);
});

test('an audit names whose passwords and PINs fall to guessing, and never what they are', () => {
  const shell = new Shell();
  shell.ok(['user', 'add', 'alice']);
  const clean = shell.json(['user', 'audit']);
  assert.deepEqual(clean, { passwords: 1, pins: 0, weak: [] });
  const weak = ['--password-stdin', '--dangerous-weak-password'];
  shell.fails(3, ['user', 'add', 'bob', '--password-stdin'], /guessed soon \(strength 1 of 4/, 'tuesday2024');
  shell.ok(['user', 'add', 'bob', ...weak], 'Bob2019');
  shell.ok(['user', 'add', 'carol', ...weak], 'trustno1');
  shell.ok(['user', 'add', 'dave', ...weak], '7391');
  const pins = shell.file('voicemail.conf', '[default]\n1011 => 1011,Bob\n1012 => 830517,Carol\n');
  const { status, stdout } = shell.run(['user', 'audit', '--pins', pins]);
  assert.equal(status, 1);
  assert.match(stdout, /user bob .*made from a name/);
  assert.match(stdout, /user carol .*1,000 most used/);
  assert.match(stdout, /user dave .*four digits/);
  assert.match(stdout, /mailbox 1011 .*extension/);
  assert.doesNotMatch(stdout, /alice|1012|Bob2019|trustno1|7391/);
});

test('quarantine of an account from the command line: put aside, released, confirmed', () => {
  const shell = new Shell();
  shell.ok(['user', 'add', 'alice']);
  shell.fails(1, ['user', 'quarantine', 'bob'], /no user bob/);
  shell.fails(1, ['user', 'quarantine', 'alice', '--device', 'no'], /no device no/);
  shell.fails(1, ['user', 'confirm', 'alice'], /Nothing of that account waits/);
  shell.fails(1, ['user', 'release', 'alice'], /Nobody has put that account aside/);
  shell.fails(2, ['user', 'quarantine', 'alice', '--hours', 'x'], /--hours takes a number/);
  shell.ok(['user', 'quarantine', 'Alice', '--why', 'stolen phone', '--hours', '2']);
  const [row] = shell.json(['user', 'standing']) as {
    state: string;
    why: string;
    since: number;
    until: number;
  }[];
  assert.equal(row?.state, 'quarantined');
  assert.equal(row.why, 'stolen phone');
  assert.ok(Math.abs(row.until - row.since - 7_200_000) < 5_000);
  assert.match(shell.ok(['user', 'standing']), /alice .*quarantined .*stolen phone/);
  assert.match(shell.ok(['user', 'release', 'alice']), /Released/);
  assert.deepEqual(shell.json(['user', 'standing']), []);
});

test('a user that a route leads to is not removed', () => {
  const shell = new Shell();
  shell.ok(['user', 'add', 'alice']);
  shell.ok(['apply', '-f', '-'], 'routes: [{match: "1", to: {user: alice}}]');
  shell.fails(3, ['user', 'remove', 'alice'], /stored route `users:1` leads to user `alice`/);
});

test('apply, check and export go together', () => {
  const shell = new Shell();
  const objects = shell.file(
    'objects.yaml',
    'users: [{name: bob, devices: [{name: bob, password: tWelve-monkeys-at-dusk}]}]\ntrunks: [{name: t, target: "sips:t.example", addresses: [192.0.2.1]}]\nroutes: [{match: default, to: {trunk: t}}]\n',
  );
  assert.match(shell.ok(['check', '-f', objects]), /\+ user bob/);
  assert.ok(!existsSync(join(shell.home, 'ringfence.db')), 'check made a database');
  assert.match(shell.ok(['apply', '-f', objects, '--dry-run']), /Nothing was changed/);
  assert.equal((shell.json(['apply', '-f', objects]) as { changes: object[] }).changes.length, 4);
  assert.match(shell.ok(['apply', '-f', objects]), /Nothing to change/);
  const exported = shell.ok(['export']);
  assert.doesNotMatch(exported, /monkeys/);
  assert.match(shell.ok(['apply', '--prune', '-f', '-'], exported), /Nothing to change/);
  assert.match(shell.ok(['trunk', 'list']), /sips:t\.example\s+required\s+192\.0\.2\.1/);
  const bad = shell.file('bad.yaml', 'users:\n  - {name: eve, devises: []}\n');
  shell.fails(
    3,
    ['apply', '-f', bad],
    /bad\.yaml:2:17: users\[0\]\.devises: the key is unknown\. Did you mean `devices`/,
  );
  shell.fails(3, ['apply', '-f', join(root, 'nowhere.yaml')], /no such file/);
  const { status, stdout } = shell.run(['check', '-f', bad, '--json']);
  assert.equal(status, 3);
  const report = JSON.parse(stdout) as { ok: boolean; problems: { line: number; key: string }[] };
  assert.equal(report.ok, false);
  assert.equal(report.problems[0]?.line, 2);
});

test('a refused configuration stops every command that reads it, with exit code 3', () => {
  const shell = new Shell();
  const config = shell.file('config.yaml', 'listners: []\n');
  for (const command of [['up'], ['check'], ['user', 'list']]) {
    shell.fails(
      3,
      [...command, '--config', config],
      /config\.yaml:1:1: listners: the key is unknown\. Did you mean `listeners`/,
    );
  }
  shell.fails(3, ['check', '--config', join(root, 'missing.yaml')], /no such file/);
  const dangerous = shell.file(
    'dangerous.yaml',
    'listeners: [{name: a, transport: udp, address: 0.0.0.0, port: 5060, dangerousPlaintext: true}]\n',
  );
  const checked = shell.json(['check', '--config', dangerous]) as { warnings: { key: string }[] };
  assert.equal(checked.warnings[0]?.key, 'listeners[0].dangerousPlaintext');
});

test('a store that cannot be used gives exit code 4 and what to do', () => {
  const shell = new Shell();
  shell.ok(['user', 'add', 'alice']);
  rmSync(join(shell.home, 'keys', 'store.key'));
  shell.fails(4, ['user', 'add', 'bob'], /restore it from a backup/);
  writeFileSync(
    join(shell.home, 'ringfence.db'),
    'no database at all, but long enough to be read as one '.repeat(20),
  );
  shell.fails(4, ['user', 'list'], /damaged/);
});

test('certificates are shown, renewed and issued', () => {
  const shell = new Shell();
  const shown = shell.json(['cert', 'show']) as { role: string; fingerprint256: string; names: string[] }[];
  assert.deepEqual(
    shown.map((c) => c.role),
    ['local CA', 'listeners'],
  );
  const ca = new X509Certificate(shell.ok(['cert', 'ca']));
  assert.equal(ca.fingerprint256, shown[0]?.fingerprint256);
  const renewed = shell.json(['cert', 'renew']) as { fingerprint256: string };
  assert.notEqual(renewed.fingerprint256, shown[1]?.fingerprint256);
  assert.match(
    shell.ok(['cert', 'client', 'pbx.example.com', '--out', shell.home]),
    /certificateNames: \[pbx\.example\.com\]/,
  );
  assert.equal(statSync(join(shell.home, 'pbx.example.com.key')).mode & 0o777, 0o600);
  const client = new X509Certificate(readFileSync(join(shell.home, 'pbx.example.com.crt')));
  assert.ok(client.verify(ca.publicKey));
  shell.fails(1, ['cert', 'client', 'pbx.example.com', '--out', shell.home], /already there/);
});

test('call records are listed and shown', async () => {
  const shell = new Shell();
  assert.match(shell.ok(['cdr', 'list']), /No calls yet/);
  const store = await openStore({
    file: join(shell.home, 'ringfence.db'),
    keyFile: join(shell.home, 'keys', 'store.key'),
  });
  void store.putCall(call('live-one'));
  await store.putCall(
    call('done-one', { endedAt: 1_790_000_061_000, caller: 'sip:\u001b[31mred@example.test' }),
  );
  await store.close();
  const listed = shell.ok(['cdr', 'list']);
  assert.match(listed, /live-one .*live/);
  assert.match(listed, /done-one .* 60 .*answered/);
  assert.ok(!listed.includes('\u001b'), 'a peer can colour the terminal');
  const lines = shell.ok(['cdr', 'list', '--json', '--limit', '1']).trim().split('\n');
  assert.equal(lines.length, 1);
  const shown = JSON.parse(shell.ok(['cdr', 'show', 'done-one', '--json'])) as {
    decision: { verdict: string };
    legs: { quality: { mos: number } }[];
  };
  assert.equal(shown.decision.verdict, 'accept');
  assert.equal(shown.legs[1]?.quality.mos, 4.4);
  shell.fails(1, ['cdr', 'show', 'no-such'], /no call no-such/);
});

test('fraud rules are tried on the calls of the store, which is only read, and on captures', async () => {
  const shell = new Shell();
  shell.fails(2, ['replay'], /name one file, or `--stored`/);
  shell.fails(2, ['replay', 'x.csv', '--stored'], /name one file/);
  shell.fails(2, ['replay', 'x.csv', '--since', '1d'], /--since goes with --stored/);
  shell.fails(4, ['replay', '--stored'], /there is no database/);
  const file = join(shell.home, 'ringfence.db');
  const store = await openStore({ file, keyFile: join(shell.home, 'keys', 'store.key') });
  const began = 1_790_000_000_000;
  const cost = JSON.stringify({
    amount: '1.00',
    currency: 'EUR',
    account: 'user:alice@example.test',
    rate: 'x',
    perMinute: '2',
  });
  for (let i = 0; i < 20; i += 1)
    await store.putCall(
      call(`fraud-${i}`, {
        startedAt: began + i * 10_000,
        answeredAt: began + i * 10_000 + 1_000,
        endedAt: began + 3_600_000,
        callee: `+53551234${i}`,
        caller: 'alice',
        route: 'trunk:carrier',
        cost,
      }),
    );
  await store.close();
  const before = readFileSync(file);
  const told = shell.ok(['replay', '--stored']);
  assert.match(told, /^20 calls out and 0 in, judged by standard \(version 1\)/);
  assert.match(told, / user:alice@example\.test -> .*bits/);
  assert.deepEqual(readFileSync(file), before);
  assert.match(shell.ok(['replay', '--stored', '--since', '2026-12-01T00:00:00Z']), /^0 calls out/);
  const tried = shell.json(['replay', '--stored', '--rules', 'example.test=carrier']) as {
    rules: { name: string }[];
  };
  assert.deepEqual(
    tried.rules.map(({ name }) => name),
    ['carrier'],
  );
  const rules = shell.file('rules.yaml', 'name: x\nversion: 1\nrules:\n  velocty: { mode: block }\n');
  shell.fails(3, ['replay', '--stored', '--rules', `a.test=${rules}`], /rules\.yaml:4/);
  const from = { address: '203.0.113.5', port: 5060 };
  const invite =
    'INVITE sip:0053512345678@example.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:alice@example.test>;tag=a\r\nTo: <sip:1@h>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n';
  const messages = [invite, invite.replaceAll('INVITE', 'BYE').slice(0, 60)].map((text) => ({
    time: began,
    from,
    to: from,
    transport: 'udp',
    sent: false,
    bytes: Buffer.from(text),
  }));
  const pcap = join(shell.home, 'x.pcap');
  writeFileSync(pcap, writePcap(messages));
  const { stdout, stderr } = shell.run(['replay', pcap]);
  assert.match(stdout, /^1 calls out/);
  assert.match(stderr, /^packet 2: is no SIP/);
});

test('completion scripts are taken by their shells', (t) => {
  const shell = new Shell();
  for (const [name, check] of [
    ['bash', ['-n']],
    ['zsh', ['-n']],
    ['fish', ['-n']],
  ] as const) {
    const script = shell.ok(['completion', name]);
    for (const { name: command } of commands) assert.ok(script.includes(command), `${name}: ${command}`);
    const { error, status, stderr } = spawnSync(name, [...check, shell.file(`completion.${name}`, script)], {
      encoding: 'utf8',
    });
    if (error === undefined) assert.equal(status, 0, stderr);
    else t.diagnostic(`${name} is not here to read its script`);
  }
});

test('the committed page is what the table of commands gives (else: node tools/docs.ts)', () => {
  assert.equal(
    readFileSync(new URL('../../../docs/command-line.md', import.meta.url), 'utf8'),
    commandLinePage(),
  );
  for (const code of Object.values(exitCode))
    assert.match(commandLinePage(), new RegExp(`^\\| ${code} \\|`, 'm'));
});

/** The edge in the foreground; `ready` is its first event of that name. */
class Up {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(shell: Shell, args: readonly string[] = []) {
    this.child = spawn(process.execPath, [main, 'up', ...args], {
      env: shell.env,
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
  }

  async seen(words: RegExp): Promise<void> {
    while (!words.test(this.stdout + this.stderr)) {
      assert.equal(this.child.exitCode, null, this.stderr + this.stdout);
      await Promise.race([
        once(this.child.stdout!, 'data'),
        once(this.child.stderr!, 'data'),
        once(this.child, 'exit'),
      ]);
    }
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode === null) {
      this.child.kill('SIGTERM');
      await once(this.child, 'exit');
    }
    return this.child.exitCode;
  }
}

const freePorts =
  'listeners:\n  - {name: phones, transport: tls, address: 127.0.0.1, port: 0}\n  - {name: inside, transport: udp, address: 127.0.0.1, port: 0}\n';

test('up says where it listens and what to type next; a second start keeps everything; SIGHUP reloads', {
  timeout: 120_000,
}, async () => {
  const shell = new Shell();
  const config = shell.file('up.yaml', freePorts);
  const first = new Up(shell, ['--config', config]);
  try {
    await first.seen(/user add alice/);
    assert.match(first.stderr, /phones\s+tls\s+127\.0\.0\.1:\d+\s+encryption required/);
    const events = first.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event);
    assert.ok(events.includes('edge.ready'), 'standard output is JSON lines');
    shell.ok(['user', 'add', 'alice', '--config', config]);
    await first.seen(/"what":"objects"/);
    writeFileSync(config, `${freePorts}lisstener: 1\n`);
    first.child.kill('SIGHUP');
    await first.seen(/config\.refused.*lisstener/);
    writeFileSync(config, freePorts);
    first.child.kill('SIGHUP');
    await first.seen(/"what":"configuration"/);
  } finally {
    assert.equal(await first.stop(), 0);
  }
  const kept = ['ringfence.db', 'keys/store.key', 'tls/ca.crt', 'tls/server.crt'].map((name) =>
    join(shell.home, name),
  );
  const fingerprints = shell.json(['cert', 'show', '--config', config]) as { fingerprint256: string }[];
  const second = new Up(shell, ['--config', config]);
  try {
    await second.seen(/1 user\./);
    for (const file of kept) assert.ok(existsSync(file), file);
    assert.deepEqual(shell.json(['cert', 'show', '--config', config]), fingerprints);
  } finally {
    assert.equal(await second.stop(), 0);
  }
});

test('a taken port gives exit code 5, its holder and the setting that changes it', {
  timeout: 120_000,
}, async () => {
  const shell = new Shell();
  const first = new Up(shell, ['--config', shell.file('one.yaml', freePorts)]);
  try {
    await first.seen(/inside udp 127\.0\.0\.1:\d+/);
    const port = /inside udp 127\.0\.0\.1:(\d+)/.exec(first.stdout)?.[1];
    const other = new Shell();
    other.fails(
      5,
      [
        'up',
        '--config',
        other.file(
          'two.yaml',
          `listeners: [{name: inside, transport: udp, address: 127.0.0.1, port: ${port}}]`,
        ),
      ],
      /listeners\[0\]\.port/,
    );
  } finally {
    await first.stop();
  }
});
