import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { requestText, statusOf, token, usualFields } from './harness/compose.ts';
import { until } from './harness/waiting.ts';
import { openStream, openWire, type StreamWire, type Wire } from './harness/wire.ts';

// Loopback has no rates. So these run in a network namespace of their own, with addresses that are nobody's
// (RFC 5737), and this file starts itself anew in there.
const inside = process.env.RINGFENCE_TEST_NAMESPACE === '1';
const edgeAddress = '198.51.100.1';
const stranger = '198.51.100.7';
const neighbour = '198.51.100.8';
const trunkAddress = '198.51.100.9';
const many = '198.51.100.10';

const canUnshare = (): boolean =>
  process.platform === 'linux' &&
  spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status === 0;

if (!inside) {
  const skip = canUnshare()
    ? false
    : 'a network namespace cannot be made here (root, unshare and ip are needed)';
  test('rates and bounds by source, in a network namespace', { skip }, () => {
    const addresses = [edgeAddress, stranger, neighbour, trunkAddress, many];
    const script = `ip link set lo up && ${addresses.map((a) => `ip addr add ${a}/32 dev lo`).join(' && ')} && exec "$0" "$@"`;
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { status, stdout } = spawnSync(
      'unshare',
      [
        '-n',
        'sh',
        '-c',
        script,
        process.execPath,
        '--test',
        '--test-reporter=tap',
        fileURLToPath(import.meta.url),
      ],
      { env: { ...environment, RINGFENCE_TEST_NAMESPACE: '1' }, encoding: 'utf8', timeout: 120_000 },
    );
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^# pass 5$/m, stdout);
    assert.match(stdout, /^# fail 0$/m);
  });
} else {
  let bed: Bed;
  let trunk: Agent;

  before(async () => {
    const common = { address: edgeAddress, encryption: 'preferred', dangerousPlaintext: true } as const;
    bed = await Bed.open(
      { users: [{ name: 'alice' }] },
      {
        listeners: [
          { name: 'udp', transport: 'udp', ...common },
          { name: 'tcp', transport: 'tcp', ...common },
        ],
        more: { admission: '{ perSourcePerSecond: 20, connectionsPerSource: 5 }' },
      },
    );
    trunk = await bed.phone('carrier', 'udp', { from: trunkAddress });
    await bed.apply({
      trunks: [
        {
          name: 'carrier',
          target: `sip:${trunkAddress}:${trunk.local.port}`,
          addresses: [`${trunkAddress}/32`],
          encryption: 'none',
          dangerousPlaintext: true,
        },
      ],
    });
  });
  after(() => bed.close());

  const options = (from: string, method = 'OPTIONS', uri = 'sip:x@system.test'): string =>
    requestText({
      method,
      uri,
      transport: 'UDP',
      sentBy: `${from}:5060`,
      from: `<sip:x@system.test>;tag=${token()}`,
      to: `<${uri}>`,
      more: usualFields,
    });

  const flood = async (from: string, count: number): Promise<Wire> => {
    const wire = await openWire({ transport: 'udp', to: bed.edge.at('udp'), from });
    for (let i = 0; i < count; i += 1) wire.send(options(from));
    return wire;
  };

  test('each setting that weakens protection is told of at the start', () => {
    const keys = bed.edge.ofType('edge.dangerous').map(({ key }) => String(key));
    assert.equal(keys.filter((key) => key.includes('dangerousPlaintext')).length, 2, keys.join());
  });

  test('an unknown source is heard admission.perSourcePerSecond times, others meanwhile as ever', async () => {
    const wire = await flood(stranger, 400);
    const polite = await bed.phone('alice', 'udp', { from: neighbour });
    assert.equal((await polite.register()).status, 200, 'the neighbour');
    const refused = await bed.edge.event(
      'admission.refused',
      ({ rule, source }) => rule === 'admission.rate' && source === stranger,
    );
    assert.equal(refused.threshold, 20);
    assert.ok(
      wire.received.length >= 1 && wire.received.length <= 80,
      `${wire.received.length} answers to 400`,
    );
    wire.close();
  });

  test('a trunk has ten times as much', async () => {
    const wire = await flood(trunkAddress, 150);
    await until('all answers', () => wire.received.length === 150);
    assert.ok(wire.received.every((bytes) => statusOf(Buffer.from(bytes).toString()) === 200));
    wire.close();
  });

  test('a trunk beyond its rate still gets an emergency call through', async () => {
    const wire = await flood(trunkAddress, 900);
    const call = options(trunkAddress, 'INVITE', 'sip:911@system.test');
    wire.send(call);
    const callId = /Call-ID: (\S+)/.exec(call)?.[1] ?? 'none';
    await until('an answer to the emergency call', () =>
      wire.received.some((bytes) => Buffer.from(bytes).toString().includes(callId)),
    );
    assert.ok(wire.received.length < 900, 'the flood itself was bounded');
    wire.close();
  });

  test('one address has no more than admission.connectionsPerSource connections', async () => {
    const wires: StreamWire[] = [];
    let refused = 0;
    for (let i = 0; i < 9; i += 1)
      try {
        wires.push(await openStream({ transport: 'tcp', to: bed.edge.at('tcp'), from: many }));
      } catch (error) {
        // Closed before we knew that it was open.
        assert.match(String(error), /ECONNRESET|EPIPE/);
        refused += 1;
      }
    await until('all but five are closed', () => refused + wires.filter(({ closed }) => closed).length === 4);
    for (const wire of wires) wire.close();
  });
}
