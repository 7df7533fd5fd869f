import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { pause, until } from './harness/waiting.ts';

let bed: Bed;
let gateway: Agent;

before(async () => {
  bed = await Bed.openToRestart({ users: [{ name: 'alice', encryption: 'none' }] });
  gateway = await bed.phone('gateway', 'udp', { from: '127.0.0.86' });
  await bed.apply({
    trunks: [
      {
        name: 'carrier',
        target: `sip:127.0.0.86:${gateway.local.port}`,
        addresses: ['127.0.0.86'],
        encryption: 'none',
        limits: { calls: 1, retryAfterSeconds: 7 },
      },
    ],
    routes: [{ match: 'default', to: { trunk: 'carrier' } }],
  });
  await until('objects', () => bed.edge.ofType('config.reloaded').length > 0);
});
after(() => bed.close());

test('a full trunk refuses with 503 and Retry-After, also after kill -9: calls that were taken over count', async () => {
  const voice = await bed.voice();
  gateway.onInvite = (incoming) => incoming.accept(voice.describe());
  const alice = await bed.registered('alice', 'udp');
  const first = await alice.call('+15550001', voice.describe());
  assert.equal(first.answer.status, 200);
  const full = await alice.call('+15550002', voice.describe());
  assert.equal(full.answer.status, 503);
  assert.equal(full.answer.message.headers.get('Retry-After'), '7');
  // What keeps the call is written in groups.
  await pause(1000);
  await bed.edge.kill();
  await bed.restart();
  const still = await alice.call('+15550003', voice.describe());
  assert.equal(still.answer.status, 503);
  await first.leg?.hangUp();
  const free = await alice.call('+15550004', voice.describe());
  assert.equal(free.answer.status, 200);
  await free.leg?.hangUp();
});
