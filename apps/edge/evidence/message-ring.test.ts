import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Incident } from '../incidents/types.ts';
import { MessageRing } from './message-ring.ts';
import { wantedBy } from './wanted.ts';

const flow = (address: string, port = 5060): Flow => ({
  id: 1,
  transport: 'tls',
  reliable: true,
  local: { address: '198.51.100.1', port: 5061 },
  remote: { address, port },
  sentBy: 'x',
  listener: 'phones',
});
const far = flow('192.0.2.1');
const all = { messages: 1000, octets: 1e6 };
const text = (n: number, length = 100): Buffer =>
  Buffer.from(`OPTIONS sip:${n} SIP/2.0\r\nCall-ID: ${n}\r\n\r\n`.padEnd(length, '.'));
const turn = async (): Promise<void> => undefined;
const everything = async (ring: MessageRing, most = all): Promise<{ numbers: number[]; left: number }> => {
  const { messages, left } = await ring.find(() => true, most, turn);
  const numbers = messages.map(({ bytes }) => Number(/sip:(\d+)/.exec(Buffer.from(bytes).toString())?.[1]));
  return { numbers, left };
};
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

test('the latest messages are kept: so many, and so many octets, whatever their sizes', async () => {
  const few = new MessageRing({ messages: 5, octets: 100_000 }, () => 0);
  for (const n of range(0, 12)) few.received(far, text(n));
  assert.deepEqual((await everything(few)).numbers, range(7, 12));

  const small = new MessageRing({ messages: 1000, octets: 1000 }, () => 0);
  for (const n of range(0, 25)) small.received(far, text(n));
  assert.deepEqual((await everything(small)).numbers, range(15, 25));
  small.received(far, text(25, 950));
  assert.deepEqual((await everything(small)).numbers, [25], 'a large one puts out all that it covers');
  small.received(far, text(26, 2000));
  small.received(far, Buffer.from('\r\n\r\n'));
  assert.equal(small.size, 1, 'neither what is larger than everything nor keepalives');

  // Sizes by a generator with a seed: what is there is whole, in order, and the latest.
  const mixed = new MessageRing({ messages: 40, octets: 5000 }, () => 0);
  let seed = 7;
  for (const n of range(0, 2000)) {
    seed = (seed * 48_271) % 2_147_483_647;
    mixed.received(far, text(n, 60 + (seed % 900)));
    if (n % 50 !== 49) continue;
    const { messages } = await mixed.find(() => true, all, turn);
    const { numbers } = await everything(mixed);
    assert.deepEqual(numbers, range(n + 1 - numbers.length, n + 1));
    assert.ok(numbers.length >= 4 && numbers.length <= 40);
    for (const { bytes } of messages)
      assert.match(Buffer.from(bytes).toString(), /^OPTIONS sip:(\d+) SIP\/2\.0\r\nCall-ID: \1\r\n\r\n\.*$/);
  }
});

test('a message has its time, its way and its addresses', async () => {
  let now = 5;
  const ring = new MessageRing({ messages: 10, octets: 10_000 }, () => now);
  ring.received(far, text(1));
  now = 9;
  ring.sent(far, text(2));
  const { messages } = await ring.find(() => true, all, turn);
  assert.deepEqual(
    messages.map(({ time, sent, from, to, transport }) => [time, sent, from.port, to.port, transport]),
    [
      [5, false, 5060, 5061, 'tls'],
      [9, true, 5061, 5060, 'tls'],
    ],
  );
});

test('keys of media and answers to challenges are overwritten as they come in', async () => {
  const ring = new MessageRing({ messages: 10, octets: 10_000 }, () => 0);
  const key = 'PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR';
  const digest = '6629fae49393a05397450978507c4ef1';
  const sdp = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}|2^20|1:32\r\na=crypto:2 X inline:${key}\r\n`;
  const message = `INVITE sip:b SIP/2.0\r\nAuthorization: Digest response="${digest}", opaque=""\r\n\r\n${sdp}`;
  const bytes = Buffer.from(message);
  ring.received(far, bytes);
  ring.sent(far, Uint8Array.from(bytes));
  assert.equal(bytes.toString(), message, 'what the edge goes on with is untouched');
  const { messages } = await ring.find(() => true, all, turn);
  assert.equal(messages.length, 2);
  for (const one of messages) {
    const kept = Buffer.from(one.bytes).toString();
    assert.equal(kept, message.replaceAll(key, 'x'.repeat(key.length)).replace(digest, 'x'.repeat(32)));
  }
});

test('of more than a bundle takes the first and the last half are found, and the rest counted', async () => {
  const ring = new MessageRing({ messages: 1000, octets: 1e6 }, () => 0);
  for (const n of range(0, 100)) ring.received(far, text(n));
  assert.deepEqual(await everything(ring, { messages: 10, octets: 1e6 }), {
    numbers: [...range(0, 5), ...range(95, 100)],
    left: 90,
  });
  const { numbers, left } = await everything(ring, { messages: 1000, octets: 1050 });
  assert.deepEqual(numbers, [...range(0, 5), ...range(95, 100)]);
  assert.equal(left, 90);
});

test('what is overwritten while it is searched is not found, and nothing else in its place', async () => {
  const ring = new MessageRing({ messages: 20, octets: 100_000 }, () => 0);
  for (const n of range(0, 20)) ring.received(far, text(n));
  let next = 20;
  let turns = 0;
  const { messages } = await ring.find(
    () => {
      const end = performance.now() + 1.2;
      while (performance.now() < end);
      return true;
    },
    all,
    async () => {
      turns += 1;
      for (let i = 0; i < 3; i += 1, next += 1) ring.received(far, text(next));
    },
  );
  assert.ok(turns > 0, 'others had their turn');
  const numbers = messages.map(({ bytes }) => Number(/sip:(\d+)/.exec(Buffer.from(bytes).toString())?.[1]));
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  assert.ok(numbers.length < 20 && numbers.every((n) => n < 20));
});

const incident = (changes: Partial<Incident>): Incident => ({
  id: 'INC-20261124-1',
  kind: 'scan',
  severity: 'warning',
  state: 'open',
  openedAt: 0,
  lastAt: 0,
  title: '',
  domains: [],
  sources: { names: [], more: 0 },
  accounts: { names: [], more: 0 },
  calls: { names: [], more: 0 },
  events: 0,
  timeline: [],
  steps: [],
  ...changes,
});
const one = (name: string) => ({ names: [name], more: 0 });

test('messages belong to an incident by source, socket, network, account or Call-ID, and others do not', () => {
  const asks = (
    changes: Partial<Incident>,
    address: string,
    port: number,
    message: string,
    ids: string[] = [],
  ) => wantedBy(incident(changes), new Set(ids))({ remote: { address, port }, bytes: Buffer.from(message) });
  const plain = 'REGISTER sip:x SIP/2.0\r\nTo: <sip:alice@example.test>\r\nCall-ID: 1\r\n\r\n';
  assert.ok(asks({ sources: one('192.0.2.1') }, '192.0.2.1', 7, plain));
  assert.ok(!asks({ sources: one('192.0.2.1') }, '192.0.2.10', 7, plain));
  assert.ok(asks({ sources: one('192.0.2.1:7') }, '192.0.2.1', 7, plain));
  assert.ok(!asks({ sources: one('192.0.2.1:7') }, '192.0.2.1', 8, plain));
  assert.ok(asks({ sources: one('2001:db8:0:0::/64') }, '2001:db8::1', 7, plain));
  assert.ok(!asks({ sources: one('2001:db8:0:0::/64') }, '2001:db8:0:1::1', 7, plain));
  assert.ok(asks({ sources: one('[2001:db8::1]:7') }, '2001:db8::1', 7, plain));
  assert.ok(asks({ accounts: one('alice@example.test/desk') }, '192.0.2.2', 7, plain));
  assert.ok(!asks({ accounts: one('lice@example.test') }, '192.0.2.2', 7, plain));
  assert.ok(!asks({ accounts: one('alice@example.tes') }, '192.0.2.2', 7, plain));
  assert.ok(asks({}, '192.0.2.2', 7, plain, ['1']));
  assert.ok(!asks({}, '192.0.2.2', 7, plain, ['2']));
  assert.ok(!asks({}, '192.0.2.2', 7, plain));
});
