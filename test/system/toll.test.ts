import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Agent, Leg } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { pause, until } from './harness/waiting.ts';

let bed: Bed;
let carrier: Agent;

before(async () => {
  bed = await Bed.openToRestart({ users: [{ name: 'alice', encryption: 'none' }] });
  carrier = await bed.phone('carrier', 'udp', { from: '127.0.0.87' });
  await bed.apply({
    trunks: [
      {
        name: 'carrier',
        target: `sip:127.0.0.87:${carrier.local.port}`,
        addresses: ['127.0.0.87'],
        encryption: 'none',
      },
    ],
    routes: [{ match: 'default', to: { trunk: 'carrier' } }],
  });
  await until('objects', () => bed.edge.ofType('config.reloaded').length > 0);
});
after(() => bed.close());

test('the daemon closes dear classes, ends a call at its cap, forgets nothing by kill -9, and lifts', async () => {
  const home = bed.home.path;
  const sheet = join(home, 'rates.csv');
  // 5 EUR are three seconds.
  writeFileSync(sheet, 'prefix,rate,initial,increment\n1202,100,1,1\n');
  await ringfenceDoes(home, ['rates', 'import', sheet]);
  await ringfenceDoes(home, ['spend', 'set', 'alice', '--day', '5']);
  await pause(1500);
  const voice = await bed.voice();
  const legs: Leg[] = [];
  carrier.onInvite = (incoming) => void legs.push(incoming.accept(voice.describe()));
  const alice = await bed.registered('alice', 'udp');
  const premium = await alice.call('+19005550123', voice.describe());
  assert.equal(premium.answer.status, 403);
  assert.match(premium.answer.message.headers.get('Reason') ?? '', /text="fraud"/);
  const call = await alice.call('+12025550123', voice.describe());
  assert.equal(call.answer.status, 200);
  await call.leg?.over;
  await until('both sides', () => legs[0]?.ended === true);
  const [verdict] = bed.edge.ofType('fraud.verdict').filter(({ action }) => action === 'cut-off');
  assert.equal(verdict?.account, `user:alice@system.test`);
  await pause(500);
  await bed.edge.kill();
  await bed.restart();
  const refused = await alice.call('+12025550123', voice.describe());
  assert.equal(refused.answer.status, 403);
  const list = await ringfence(home, ['spend', 'list', '--json']);
  assert.match(list.out, /"scope":"user:alice@system.test"/);
  await ringfenceDoes(home, ['fraud', 'lift', '--account', 'alice', '--for', '10m']);
  const lifted = await alice.call('+12025550123', voice.describe());
  assert.equal(lifted.answer.status, 200);
  await lifted.leg?.hangUp();
  const records = await ringfence(home, ['cdr', 'list', '--json']);
  assert.match(records.out, /"rule":"fraud.spend-cap"|\\"rule\\":\\"fraud.spend-cap\\"/);
});
