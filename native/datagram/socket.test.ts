import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DatagramSocket, packAddress, preferLargePages } from './socket.ts';

const open: (DatagramSocket | Socket)[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

interface Got {
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

/** A socket of ours, what it has received, and a promise for the moment at which it has `count` datagrams. */
function ours(address: string, onReceived: (got: Got) => void = () => undefined) {
  const got: Got[] = [];
  let wake = (): void => undefined;
  const socket = new DatagramSocket(address, 0, 1 << 20, {
    received: (bytes, from, port) => {
      const one = { text: Buffer.from(bytes).toString('latin1'), address: from, port };
      got.push(one);
      onReceived(one);
      wake();
    },
    failed: (error) => assert.fail(error),
  });
  open.push(socket);
  const until = async (count: number): Promise<void> => {
    while (got.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  return { socket, got, until };
}

async function theirs(address: string): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  open.push(socket);
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

const canUnshare =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status === 0;

describe('UDP socket under a flood', () => {
  // Loopback is known to every socket, so this needs addresses that are nobody's.
  const skip = canUnshare
    ? false
    : 'a network namespace cannot be made here (root, unshare and ip are needed)';
  it('strangers beyond the rate are dropped before JavaScript sees them, known sources are not', {
    skip,
  }, () => {
    const script =
      'ip link set lo up; for i in 1 2 3; do ip addr add 198.51.100.$i/32 dev lo; ip addr add 2001:db8:$i::1/128 dev lo nodad; done; ip addr add 2002:db8:3::1/128 dev lo nodad; exec "$0" "$@"';
    const file = fileURLToPath(new URL('./flooded.ts', import.meta.url));
    const { stdout, stderr } = spawnSync('unshare', ['-n', 'sh', '-c', script, process.execPath, file], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    const lines = stdout.trim().split('\n');
    assert.equal(lines.length, 4, stderr);
    for (const line of lines.splice(0, 2)) {
      const { known, strange, refused, knownAfter } = JSON.parse(line) as Record<string, number>;
      assert.equal(known, 200);
      assert.ok(strange! >= 1 && strange! < 150, `${strange} of a stranger`);
      assert.equal(strange! + refused!, 200);
      assert.ok(knownAfter! < 150, 'known no longer');
    }
    // A flood, with more known sources than the kernel's program has room for, and with few.
    for (const line of lines) {
      const { sieving, friendly, strange, refused, over } = JSON.parse(line) as Record<string, number>;
      assert.equal(sieving, true, 'the kernel sieves');
      assert.equal(friendly, 200, 'of a known source nothing is lost');
      assert.ok(refused! > strange!, `${strange} of a stranger, ${refused} refused`);
      assert.equal(over, true, 'the sieve ends with the flood');
    }
  });
});

describe('UDP socket', () => {
  for (const address of ['127.0.0.1', '::1']) {
    it(`carries datagrams both ways on ${address}, empty and longest ones too`, async () => {
      const { socket, got, until } = ours(address);
      socket.start();
      const peer = await theirs(address);
      const longest = 'x'.repeat(address === '::1' ? 65_487 : 65_507);
      for (const text of ['hello', '', longest]) peer.send(text, socket.port, address);
      await until(3);
      assert.deepEqual(
        got.map(({ text }) => text),
        ['hello', '', longest],
      );
      assert.deepEqual(
        new Set(got.map(({ address: from, port }) => `${from} ${port}`)),
        new Set([`${address} ${peer.address().port}`]),
      );
      const back = once(peer, 'message');
      assert.equal(socket.send(Buffer.from('back'), packAddress(address, peer.address().port)!), true);
      const [bytes, from] = (await back) as [Buffer, { address: string; port: number }];
      assert.equal(bytes.toString(), 'back');
      assert.equal(from.port, socket.port);
    });
  }

  it('gives every datagram of a burst once, in order and whole', async () => {
    const { socket, got, until } = ours('127.0.0.1');
    const peer = await theirs('127.0.0.1');
    const texts = Array.from({ length: 500 }, (_, i) => `${i} ${'y'.repeat(i)}`);
    for (const text of texts) peer.send(text, socket.port, '127.0.0.1');
    socket.start();
    await until(texts.length);
    assert.deepEqual(
      got.map(({ text }) => text),
      texts,
    );
  });

  it('may be closed while it hands out a batch, which ends there, and its port is free at once', async () => {
    const { socket, got } = ours('127.0.0.1', () => socket.close());
    const peer = await theirs('127.0.0.1');
    for (let i = 0; i < 10; i++) peer.send(String(i), socket.port, '127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.start();
    while (got.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const again = new DatagramSocket('127.0.0.1', socket.port, 4096, {
      received: () => undefined,
      failed: () => undefined,
    });
    open.push(again);
    assert.equal(got.length, 1);
    assert.equal(socket.send(Buffer.from('x'), packAddress('127.0.0.1', 9)!), false);
  });

  it('runs promises of a listener before it goes on to the next batch', async () => {
    const order: string[] = [];
    const { socket, until } = ours('127.0.0.1', ({ text }) => {
      order.push(text);
      void Promise.resolve().then(() => order.push(`after ${text}`));
    });
    socket.start();
    const peer = await theirs('127.0.0.1');
    peer.send('one', socket.port, '127.0.0.1');
    await until(1);
    peer.send('two', socket.port, '127.0.0.1');
    await until(2);
    assert.deepEqual(order.slice(0, 3), ['one', 'after one', 'two']);
  });

  it('names the error of the system where it cannot be bound', () => {
    const { socket } = ours('127.0.0.1');
    assert.equal(socket.address, '127.0.0.1');
    assert.equal(ours('0:0:0::1').socket.address, '::1');
    const events = { received: () => undefined, failed: () => undefined };
    assert.throws(() => new DatagramSocket('127.0.0.1', socket.port, 4096, events), { code: 'EADDRINUSE' });
    assert.throws(() => new DatagramSocket('192.0.2.1', 0, 4096, events), { code: 'EADDRNOTAVAIL' });
    assert.throws(() => new DatagramSocket('localhost', 0, 4096, events), { code: 'EINVAL' });
  });

  it('says that a datagram was not sent', () => {
    const { socket } = ours('127.0.0.1');
    assert.equal(socket.send(new Uint8Array(70_000), packAddress('127.0.0.1', 9)!), false);
    assert.equal(socket.send(new Uint8Array(1), packAddress('::1', 9)!), false);
    assert.equal(packAddress('no address', 9), undefined);
  });
});

describe('memory in large pages', () => {
  for (const octets of [0, 1, 4_096, 10_000, 5 << 20])
    it(`leaves ${octets} octets as they are, and they can be written`, () => {
      const bytes = new Uint8Array(octets).fill(7);
      preferLargePages(bytes.buffer);
      assert.ok(bytes.every((octet) => octet === 7));
      bytes.fill(8);
      assert.ok(bytes.every((octet) => octet === 8));
    });
});
