import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Bed } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { until } from './harness/waiting.ts';

const suite = 'AES_CM_128_HMAC_SHA1_80';
let bed: Bed;

before(async () => {
  bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }] });
});
after(() => bed.close());

test('`ringfence call` lists the calls of the running edge and ends one; nobody but its user may ask', async () => {
  const home = bed.home.path;
  assert.equal(statSync(join(home, 'control.sock')).mode & 0o777, 0o600);
  assert.match(await ringfenceDoes(home, ['call', 'list']), /No calls are in progress/);
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'tls');
  const call = await bed.connect(alice, bob, 'bob', { from: suite, to: suite });
  const line = await ringfenceDoes(home, ['call', 'list', '--json']);
  const shown = JSON.parse(line) as { id: string; state: string; sentence: string };
  assert.equal(shown.state, 'answered');
  assert.match(shown.sentence, /^Hop by hop/);
  const from = bed.edge.events.length;
  assert.match(await ringfenceDoes(home, ['call', 'end', shown.id]), /is over/);
  await until('both sides are hung up', () => call.caller.ended && call.callee.ended);
  const done = await bed.edge.event('administration.command', () => true, from);
  assert.deepEqual([done.command, done.refused], ['call end', '']);
  const again = await ringfence(home, ['call', 'end', shown.id]);
  assert.equal(again.code, 1);
  assert.match(again.complaint, /There is no call/);
});

test('where no edge runs `ringfence call` says so', async () => {
  const { code, complaint } = await ringfence(join(bed.home.path, 'nothing'), ['call', 'list']);
  assert.equal(code, 1);
  assert.match(complaint, /No edge is running on .*; start it with `ringfence up`/);
});
