import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZrtpSecured } from '@ringfence/relay/handshake.ts';
import { gradeOf } from '../policy/grade.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const strings = ['k9ds', 'b3xy'] as const;

/** Alice and Bob, whose ZRTP ends here on both sides; `enrol`: those whose devices may enrol. */
async function edge(enrol: readonly ('alice' | 'bob')[]) {
  const side = (name: 'alice' | 'bob') =>
    user(name, { encryption: 'none', zrtp: 'end', ...(enrol.includes(name) ? { zrtpEnrol: true } : {}) });
  const world = new World({ objects: { users: [side('alice'), side('bob')] } });
  const habit = { transport: 'udp', media: 'rtp', listener: 'open' } as const;
  const { alice, bob } = await aliceAndBob(world, habit, habit);
  const call = async () => {
    const before = bob.calls.length;
    const call = alice.call('bob');
    await world.until(() => bob.calls.length > before);
    (bob.calls.at(-1) as PhoneCall).answer();
    await world.until(() => call.state === 'up');
    const [made] = [...world.edge.calls.values()].slice(-1);
    assert.ok(made !== undefined);
    const legs = made.protection().map(({ leg }) => leg);
    const endpoints = legs.map((leg) => {
      const found = [...world.relay.endpoints.values()].find(
        ({ opened }) => made.legOfEndpoint(opened.id) === leg,
      );
      assert.ok(found !== undefined);
      return found;
    });
    const secured = (at: 0 | 1, fields: Partial<ZrtpSecured> = {}): void =>
      world.edge.run(() =>
        made.handshake(legs[at]!, {
          kind: 'secured',
          endpoint: endpoints[at]!.opened.id,
          by: 'zrtp',
          version: 'ZRTP 1.10',
          suite: 'AES_CM_128_HMAC_SHA1_80',
          group: 'X25519',
          cipher: 'S256 AES1 HS80',
          zrtp: {
            peerZid: new Uint8Array(12).fill(at + 1),
            sas: strings[at],
            sasType: 'B32 ',
            continuity: 'continued',
            verified: true,
            retained: {
              zid: new Uint8Array(12).fill(at + 1),
              rs1: new Uint8Array(32).fill(at + 11),
              pbx: new Uint8Array(32).fill(at + 21),
              verified: true,
            },
            ...fields,
          },
        }),
      );
    const ids = endpoints.map(({ opened }) => opened.id);
    return { call, made, endpoints, ids, secured };
  };
  const quiet = async (): Promise<void> => {
    await world.run(120_000);
    assert.deepEqual(leftovers(world), []);
  };
  return { world, call, quiet };
}

test('RFC 6189 §7.3: a phone that has enrolled is relayed the string of the other side, and the call stays hop by hop', async () => {
  const { world, call, quiet } = await edge(['alice']);
  const { call: alices, made, ids, secured } = await call();
  secured(0, { enrolled: true });
  assert.deepEqual(world.relay.relayedSas, [], 'the other side has no string yet');
  secured(1);
  assert.deepEqual(world.relay.relayedSas, [[ids[0], ids[1]]]);
  assert.doesNotMatch(gradeOf(made.protection()).sentence, /relayed/);
  secured(0, { enrolled: true, relayed: strings[1] });
  assert.equal(world.relay.relayedSas.length, 1, 'both show one string now');
  const [told] = world.eventsOf('zrtp.sas-relayed');
  assert.deepEqual(
    [told?.party, told?.sas, world.eventsOf('zrtp.sas-relayed').length],
    ['device:alice@example.test/alice', strings[1], 1],
  );
  const { grade, sentence } = gradeOf(made.protection());
  assert.equal(grade, 'hop-by-hop');
  assert.match(sentence, /as a trusted PBX, has relayed the short authentication string/);
  assert.deepEqual(
    made.protection().map(({ media: { zrtp } }) => [zrtp?.sas, zrtp?.relayed, zrtp?.enrolled]),
    [
      [strings[0], strings[1], true],
      [strings[1], undefined, undefined],
    ],
  );
  alices.hangUp();
  await quiet();
});

test('RFC 6189 §7.3: where nobody has enrolled nothing is relayed; where both have, one string is shown by both', async () => {
  const { world, call, quiet } = await edge(['alice', 'bob']);
  const strangers = await call();
  strangers.secured(0);
  strangers.secured(1);
  assert.deepEqual(world.relay.relayedSas, []);
  strangers.call.hangUp();
  await world.run(10_000);
  const known = await call();
  known.secured(1, { enrolled: true });
  known.secured(0, { enrolled: true });
  assert.deepEqual(world.relay.relayedSas, [[known.ids[1], known.ids[0]]], "it is the caller's");
  known.call.hangUp();
  await world.run(10_000);
  const alone = await call();
  alone.secured(0, { enrolled: true, relayed: 'oldo' });
  assert.deepEqual(
    world.relay.relayedSas.at(-1),
    [alone.ids[0], alone.ids[0]],
    'its own, where nobody has the one that it shows any more',
  );
  alone.call.hangUp();
  await quiet();
});

test('RFC 6189 §7.3.1: enrolment is offered to whom configuration names alone, and only there does it count again', async () => {
  const { world, call, quiet } = await edge(['alice']);
  const first = await call();
  assert.deepEqual(
    first.endpoints.map(({ config }) => config?.zrtp?.enrol),
    [true, undefined],
  );
  first.secured(0);
  first.secured(1);
  first.call.hangUp();
  await world.run(10_000);
  const second = await call();
  assert.deepEqual(
    second.endpoints.map(({ config }) => config?.zrtp?.retained?.pbx),
    [new Uint8Array(32).fill(21), undefined],
    'what is no more allowed is not taken up',
  );
  second.call.hangUp();
  await quiet();
});
