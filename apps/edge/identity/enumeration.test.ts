import assert from 'node:assert/strict';
import { test } from 'node:test';
import { user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const batch = 40;
const batches = 25;
const rounds = 12;

test('S9: an answer takes as long for a name that does not exist as for one that does', async (t) => {
  const world = new World({ objects: { users: ['alice', 'carol', 'david'].map((name) => user(name)) } });
  world.bus.wants = () => false;
  const phone = new Phone(world, {
    name: 'alice',
    address: '203.0.113.1',
    transport: 'tcp',
    password: 'wrong',
  });
  await phone.register();
  const asked = world.network.log.findLast(({ out, text }) => !out && text.includes('Authorization'))!.text;
  const { flow } = world.network.log[0]!;
  const make = (name: string): Uint8Array =>
    Buffer.from(asked.replaceAll('alice', name).replace(/branch=\S+?;/, 'branch=z9hG4bKtimed;'), 'latin1');
  const known = make('carol');
  const unknown = make('nobod');
  assert.equal(known.length, unknown.length);
  /** Nanoseconds for a batch of wrong passwords. */
  const measure = (bytes: Uint8Array): number => {
    world.network.log.length = 0;
    world.events.length = 0;
    const began = process.hrtime.bigint();
    for (let i = 0; i < batch; i += 1) world.edge.message(flow, bytes, world.time.now);
    return Number(process.hrtime.bigint() - began);
  };
  for (let i = 0; i < 3; i += 1) {
    measure(known);
    measure(unknown);
  }
  // The least of many batches is what the work takes, whatever else the machine does. One quiet round is enough: a
  // difference that is in the code is there in every round.
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    let least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
    for (let i = 0; i < batches; i += 1)
      least = [Math.min(least[0], measure(known)), Math.min(least[1], measure(unknown))];
    ratios.push(least[1] / least[0]);
    if (Math.abs(ratios.at(-1)! - 1) < 0.12) break;
  }
  t.diagnostic(`unknown / known: ${ratios.map((ratio) => ratio.toFixed(3)).join(', ')}`);
  assert.ok(Math.abs(ratios.at(-1)! - 1) < 0.12, `unknown / known: ${ratios.join(', ')}`);
});
