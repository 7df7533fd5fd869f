import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { until } from './harness/waiting.ts';

// Loopback is never banned. So these run in a network namespace of their own, with addresses that are nobody's
// (RFC 5737) and tables of nftables that nobody else sees, and this file starts itself anew in there.
const inside = process.env.RINGFENCE_TEST_NAMESPACE === '1';
const edgeAddress = '198.51.100.1';
const stranger = '198.51.100.7';
const neighbour = '198.51.100.8';
const trunkAddress = '198.51.100.9';
const home = '198.51.100.10';
const office = '198.51.100.11';
const listed = '198.51.100.12';

const can = (...words: string[]): boolean =>
  process.platform === 'linux' && spawnSync('unshare', ['-n', ...words], { stdio: 'ignore' }).status === 0;

if (!inside) {
  const skip =
    can('ip', 'link', 'set', 'lo', 'up') && can('nft', 'add', 'table', 'inet', 'x')
      ? false
      : 'a network namespace with nftables cannot be made here (root, unshare, ip and nft are needed)';
  test('bans by the kernel and by the process, in a network namespace', { skip }, () => {
    const addresses = [edgeAddress, stranger, neighbour, trunkAddress, home, office, listed];
    const script = `ip link set lo up && ${addresses.map((a) => `ip addr add ${a}/32 dev lo`).join(' && ')} && exec "$0" "$@"`;
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { status, stdout } = spawnSync(
      'unshare',
      [
        ...['-n', 'sh', '-c', script, process.execPath, '--test', '--test-reporter=tap'],
        fileURLToPath(import.meta.url),
      ],
      { env: { ...environment, RINGFENCE_TEST_NAMESPACE: '1' }, encoding: 'utf8', timeout: 120_000 },
    );
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^# pass 7$/m, stdout);
  });
} else {
  let bed: Bed;
  let trunk: Agent;
  const common = { address: edgeAddress, encryption: 'preferred', dangerousPlaintext: true } as const;

  const folder = mkdtempSync(join(tmpdir(), 'rf-bans-'));
  const feedFile = join(folder, 'feed.txt');
  writeFileSync(feedFile, `${listed}\n${trunkAddress}\n`);

  before(async () => {
    bed = await Bed.openToRestart(
      { users: [{ name: 'alice' }, { name: 'bob' }] },
      {
        listeners: [
          { name: 'udp', transport: 'udp', ...common },
          { name: 'tcp', transport: 'tcp', ...common },
        ],
        more: {
          bans: `{ feeds: [{ name: bad, file: ${feedFile} }], publish: { list: banned.txt, log: bans.log } }`,
        },
      },
    );
    trunk = await bed.phone('carrier', 'udp', { from: trunkAddress });
    await bed.apply({
      trunks: [
        {
          name: 'carrier',
          target: `sip:${trunkAddress}:${trunk.local.port}`,
          addresses: [trunkAddress],
          encryption: 'none',
          dangerousPlaintext: true,
        },
      ],
    });
  });
  after(async () => {
    await bed.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const ban = (...words: string[]): Promise<string> => ringfenceDoes(bed.home.path, ['ban', ...words]);
  const tables = (): string => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }).stdout;
  const hears = async (from: string, transport: 'udp' | 'tcp' = 'udp'): Promise<boolean> => {
    try {
      const phone = await bed.phone('alice', transport, { from });
      await phone.send('OPTIONS', { patienceMs: 1500 }).final;
      return true;
    } catch {
      return false;
    }
  };
  /** What the kernel drops reaches no counter of the edge; what the edge drops is in an event. */
  const enforcedByKernel = (address: string): Promise<boolean> =>
    until(`${address} in the kernel`, () => tables().includes(address));

  test('a banned source is not heard, by the kernel; its neighbours are; lifted it is heard again', async () => {
    assert.ok(await hears(stranger));
    await ban('add', stranger, '--for', '10m', '--why', 'test');
    await enforcedByKernel(stranger);
    assert.equal(await hears(stranger), false);
    assert.equal(await hears(stranger, 'tcp'), false);
    assert.ok(await hears(neighbour));
    const [line = ''] = (await ban('list', '--json')).split('\n');
    const listed = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(
      [listed.source, listed.cause, listed.evidence],
      [stranger, 'administrator', { why: 'test' }],
    );
    assert.match(await ban('list'), /The kernel drops what they send: [1-9][0-9]* packets/);
    await ban('lift', stranger);
    assert.ok(await hears(stranger));
    await bed.edge.event('ban.lifted');
  });

  test('a trunk, loopback and the edge itself cannot be banned, nor who asks over SSH', async () => {
    for (const [source, why] of [
      [trunkAddress, /trunk/],
      ['198.51.100.0/24', /trunk|this machine/],
      ['127.0.0.1', /loopback/],
      [edgeAddress, /this machine/],
    ] as const) {
      const { code, complaint } = await ringfence(bed.home.path, ['ban', 'add', source]);
      assert.equal(code, 1, source);
      assert.match(complaint, why);
    }
    process.env.SSH_CONNECTION = '192.0.2.5 1234 198.51.100.1 22';
    const { code, complaint } = await ringfence(bed.home.path, ['ban', 'add', '192.0.2.0/24']);
    delete process.env.SSH_CONNECTION;
    assert.equal(code, 1);
    assert.match(complaint, /administrator/i);
  });

  test('emergency first: a phone at a banned address that nobody knows calls for help, and the ban waits', async () => {
    await ban('add', home, '--for', '10m');
    await enforcedByKernel(home);
    const alice = await bed.phone('alice', 'udp', { from: home });
    assert.equal(await hears(home), false);
    const call = await bed.connect(alice, trunk, '911', { place: home, toPlace: trunkAddress });
    await until('the ACK', () => call.callee.acknowledged);
    await call.caller.hangUp();
    assert.match(tables(), new RegExp(`exempt4 {[^}]*${home.replaceAll('.', '\\.')} `));
    assert.ok(await hears(home));
    await ban('lift', home);
  });

  test('who stands in a feed is not heard, but for a trunk; what was banned is published for others', async () => {
    await bed.edge.event('feed.loaded', ({ addresses }) => addresses === 2);
    await enforcedByKernel(listed);
    assert.equal(await hears(listed), false);
    assert.ok(await hears(trunkAddress));
    assert.equal(tables().includes(trunkAddress), false);
    const log = join(bed.home.path, 'bans.log');
    await until('the log line', () => existsSync(log) && readFileSync(log, 'utf8').includes(stranger));
    assert.match(readFileSync(log, 'utf8'), new RegExp(`Blocking traffic from ${stranger} for 600 s`));
    await until(
      'the list',
      () => readFileSync(join(bed.home.path, 'banned.txt'), 'utf8').includes(home) === false,
    );
  });

  test('registered phones behind a banned address go on, others there are not heard', async () => {
    const bob = await bed.registered('bob', 'udp', { from: office });
    await ban('add', office, '--for', '10m');
    assert.equal(await hears(office), false);
    await bed.edge.event('admission.refused', ({ rule }) => rule === 'admission.banned');
    assert.equal(tables().includes(office), false, 'the kernel is not told');
    assert.equal((await bob.register()).status, 200);
    await ban('lift', office);
  });

  test('a crash leaves nothing in the kernel; the next process has the bans again', async () => {
    await ban('add', stranger, '--for', '10m');
    await enforcedByKernel(stranger);
    await bed.edge.kill();
    await until('the table is gone', () => !tables().includes('ringfence'));
    await bed.restart();
    await enforcedByKernel(stranger);
    assert.equal(await hears(stranger), false);
  });

  test('at the end the table goes with the edge', async () => {
    assert.match(tables(), /table inet ringfence_/);
    await bed.edge.stop();
    assert.equal(tables().includes('ringfence'), false);
  });
}
