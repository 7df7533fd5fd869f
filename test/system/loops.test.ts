import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { fieldsOf } from './harness/compose.ts';

const udp = [{ name: 'udp', transport: 'udp', encryption: 'preferred' }] as const;

test('S16: a trunk that is the edge itself: the call comes back once and is refused as a loop', async () => {
  const bed = await Bed.open({ users: [{ name: 'alice' }] }, { listeners: udp });
  try {
    const { address, port } = bed.edge.at('udp');
    await bed.apply({
      trunks: [
        { name: 'mirror', target: `sip:${address}:${port}`, addresses: ['127.0.0.1/32'], encryption: 'none' },
      ],
      routes: [{ name: 'all', match: 'default', from: 'any', to: { trunk: 'mirror' } }],
    });
    const alice = await bed.phone('alice', 'udp', { from: '127.0.0.21' });
    const { answer } = await alice.call('+442079460000', (await bed.voice('RTP', '127.0.0.21')).describe());
    assert.ok(answer.status === 482 || answer.status === 483, String(answer.status));
    const calls = bed.edge.ofType('call.started').length;
    assert.ok(calls <= 3, `${calls} calls were made of one`);
  } finally {
    await bed.close();
  }
});

test('S16: a spiral ends when its hops are used up', async () => {
  const bed = await Bed.open({ users: [{ name: 'alice' }] }, { listeners: udp, mediaPorts: 1_000 });
  try {
    const trunk: Agent = await bed.phone('carrier', 'udp', { from: '127.0.0.77' });
    await bed.apply({
      trunks: [
        {
          name: 'carrier',
          target: `sip:127.0.0.77:${trunk.local.port}`,
          addresses: ['127.0.0.77/32'],
          encryption: 'none',
        },
      ],
      routes: [{ name: 'all', match: 'default', from: 'any', to: { trunk: 'carrier' } }],
    });
    // Sends each call back for the next number, with the hops that it came with.
    let turns = 0;
    trunk.onInvite = (incoming) => {
      turns += 1;
      const hops = Number(fieldsOf(incoming.text, 'Max-Forwards')[0]);
      void trunk
        .call(`+4420794600${String(turns).padStart(2, '0')}`, incoming.sdp, { maxForwards: hops })
        .then(({ answer }) => incoming.respond(answer.status, 'As it came'))
        .catch(() => incoming.respond(500, 'Server Internal Error'));
    };
    const alice = await bed.phone('alice', 'udp', { from: '127.0.0.21' });
    const { answer } = await alice.call('+442079460000', (await bed.voice('RTP', '127.0.0.21')).describe());
    assert.equal(answer.status, 483);
    assert.ok(turns > 60 && turns <= 70, `${turns} turns`);
  } finally {
    await bed.close();
  }
});

test('S16: one user with many contacts rings no more than calls.maximumForks of them', async () => {
  const bed = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }] },
    { listeners: udp, more: { calls: '{ maximumForks: 3 }', registrar: '{ maximumContacts: 6 }' } },
  );
  try {
    let rung = 0;
    for (let i = 0; i < 6; i += 1) {
      const phone = await bed.phone('bob', 'udp', { instance: `bob-${i}` });
      assert.equal((await phone.register()).status, 200);
      phone.onInvite = (incoming) => {
        rung += 1;
        incoming.respond(486, 'Busy Here');
      };
    }
    assert.equal(
      (await (await bed.phone('bob', 'udp', { instance: 'bob-6' })).register()).status,
      403,
      'the seventh',
    );
    const alice = await bed.phone('alice', 'udp');
    assert.equal((await alice.call('bob', (await bed.voice()).describe())).answer.status, 486);
    assert.equal(rung, 3);
  } finally {
    await bed.close();
  }
});
