import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { until } from './harness/waiting.ts';

const firstAddress = '127.0.0.81';
const secondAddress = '127.0.0.82';
let bed: Bed;
let first: Agent;
let second: Agent;

before(async () => {
  bed = await Bed.open({ users: [{ name: 'alice', number: '+15550001111' }] });
  first = await bed.phone('first', 'udp', { from: firstAddress });
  second = await bed.phone('second', 'udp', { from: secondAddress });
  await bed.apply({
    trunks: [
      {
        name: 'carrier',
        targets: [
          { target: `sip:${firstAddress}:${first.local.port}`, priority: 1 },
          { target: `sip:${secondAddress}:${second.local.port}`, priority: 2 },
        ],
        addresses: [firstAddress, secondAddress],
        encryption: 'none',
        health: { intervalSeconds: 2, failures: 2, recoveries: 1 },
      },
    ],
    routes: [{ match: 'default', to: { trunk: 'carrier' } }],
  });
});
after(() => bed.close());

interface State {
  readonly running: boolean;
  readonly targets: readonly { readonly target: string; readonly state: string }[];
}

const state = async (): Promise<State> => {
  const out = await ringfenceDoes(bed.home.path, ['trunk', 'state', '--json']);
  return JSON.parse(out) as State;
};

test('503 of the first target leads to the second; both are legs of the record', async () => {
  const voice = await bed.voice();
  first.onInvite = (incoming) => incoming.respond(503, 'Service Unavailable');
  second.onInvite = (incoming) => incoming.accept(voice.describe());
  const alice = await bed.registered('alice', 'udp');
  const { leg, answer } = await alice.call('+15559990000', voice.describe());
  assert.equal(answer.status, 200);
  await leg?.hangUp();
});

test('OPTIONS that stay without an answer lead into quarantine, seen in events and by `ringfence trunk state`', async () => {
  const port = first.local.port;
  first.close();
  const [event] = await until('quarantine', () => {
    const found = bed.edge.ofType('target.quarantined');
    return found.length > 0 && found;
  });
  assert.equal(event?.owner, `trunk:carrier@system.test`);
  assert.equal(event?.target, `udp:${firstAddress}:${port}`);
  const seen = await until('state file', async () => {
    const now = await state();
    return now.targets.length === 2 && now;
  });
  assert.equal(seen.running, true);
  assert.deepEqual(
    seen.targets.map((one) => one.state),
    ['quarantined', 'up'],
  );
});
