import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Secured } from '@ringfence/relay/handshake.ts';
import type { Configuration } from '../config/schema.ts';
import type { ZrtpPolicy } from '../config/zrtp.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const aliceZid = new Uint8Array(12).fill(0xa1);
const otherZid = new Uint8Array(12).fill(0xee);
const party = 'device:alice@example.test/alice';

type Settings = Configuration['media']['zrtp'];

async function edge(policy: ZrtpPolicy, settings: Partial<Settings> = {}) {
  const world = new World({
    objects: {
      users: [user('alice', { encryption: 'none', zrtp: policy }), user('bob', { encryption: 'none' })],
    },
    config: (config) => ({
      ...config,
      media: { ...config.media, zrtp: { ...config.media.zrtp, ...settings } },
    }),
  });
  const habit = { transport: 'udp', media: 'rtp', listener: 'open' } as const;
  const phones = await aliceAndBob(world, habit, habit);
  const call = async () => {
    const before = phones.bob.calls.length;
    const call = phones.alice.call('bob');
    await world.until(() => phones.bob.calls.length > before);
    const taken = phones.bob.calls.at(-1) as PhoneCall;
    taken.answer();
    await world.until(() => call.state === 'up');
    const [made] = [...world.edge.calls.values()].slice(-1);
    assert.ok(made !== undefined);
    const endpoint = [...world.relay.endpoints.values()].find(
      ({ opened }) => made.legOfEndpoint(opened.id) === 0,
    );
    assert.ok(endpoint !== undefined);
    const id = endpoint.opened.id;
    const secured = (fields: Partial<NonNullable<Secured['zrtp']>> = {}): void =>
      world.edge.run(() =>
        made.handshake(0, {
          kind: 'secured',
          endpoint: id,
          by: 'zrtp',
          version: 'ZRTP 1.10',
          suite: 'AES_CM_128_HMAC_SHA1_80',
          group: 'X25519',
          cipher: 'S256 AES1 HS80',
          zrtp: {
            peerZid: aliceZid,
            sas: 'k9ds',
            sasType: 'B32 ',
            continuity: 'new',
            verified: false,
            retained: { zid: aliceZid, rs1: new Uint8Array(32).fill(1), verified: false },
            ...fields,
          },
        }),
      );
    const passed = (zid: Uint8Array, helloMatches: boolean | undefined, confirmed: boolean): void =>
      world.edge.run(() =>
        made.handshake(0, { kind: 'zrtp-passed', endpoint: id, zid, helloMatches, confirmed }),
      );
    const press = (keys: string): void => {
      for (const key of keys) world.edge.run(() => made.pressed(0, key, 100));
    };
    return { call, taken, made, id, endpoint, secured, passed, press };
  };
  const quiet = async (): Promise<void> => {
    await world.run(120_000);
    assert.deepEqual(leftovers(world), []);
  };
  return { world, ...phones, call, quiet };
}

test('where ZRTP is demanded and does not come in time, the call ends and both sides are told why', async () => {
  const { world, call, quiet } = await edge('demand');
  const { call: alices, taken } = await call();
  await world.run(7_900);
  assert.equal(alices.state, 'up');
  await world.until(() => alices.state === 'over', 1_000);
  assert.ok(alices.hungUpByPeer && taken.hungUpByPeer);
  const [missing] = world.eventsOf('zrtp.missing');
  assert.deepEqual(missing && { leg: missing.leg, party: missing.party, seconds: missing.seconds }, {
    leg: 0,
    party,
    seconds: 8,
  });
  const byes = world.sentTo('203.0.113.1').filter((text) => text.startsWith('BYE'));
  assert.ok(byes[0]?.includes('Reason: SIP;cause=488;text="ZRTP is demanded, and there are no keys by it"'));
  await quiet();
});

test('where ZRTP is demanded and came, the call goes on', async () => {
  const { world, call, quiet } = await edge('demand');
  const { call: alices, secured, made } = await call();
  secured();
  await world.run(20_000);
  assert.equal(alices.state, 'up');
  const { media } = made.protection()[0]!;
  assert.deepEqual([media.protocol, media.keyExchange, media.zrtp?.sas], ['srtp', 'zrtp', 'k9ds']);
  assert.equal(world.eventsOf('zrtp.secured')[0]?.sas, 'k9ds');
  alices.hangUp();
  await quiet();
});

test('ZRTP that is demanded and passes counts once both ends have confirmed', async () => {
  for (const confirmed of [true, false]) {
    const { world, call, quiet } = await edge('demand');
    const { call: alices, passed } = await call();
    passed(aliceZid, true, confirmed);
    await world.run(9_000);
    assert.equal(alices.state, confirmed ? 'up' : 'over');
    assert.equal(world.eventsOf('zrtp.passed').length, confirmed ? 1 : 0);
    alices.hangUp();
    await quiet();
  }
});

test('RFC 6189 §8.1: a Hello that signalling has not named is told, and ends the call where policy says so', async () => {
  for (const tampering of ['tell', 'end'] as const) {
    const { world, call, quiet } = await edge('pass', { tampering });
    const { call: alices, passed } = await call();
    passed(otherZid, false, false);
    passed(otherZid, false, true);
    await world.run(1_000);
    const told = world.eventsOf('call.tampering');
    assert.equal(told.length, 1, 'once');
    assert.deepEqual(
      [told[0]?.kind, told[0]?.outcome],
      ['zrtp-hello', tampering === 'end' ? 'ended' : 'told'],
    );
    assert.equal(alices.state, tampering === 'end' ? 'over' : 'up');
    assert.equal(world.store.zrtp.size, 0, 'nothing is learned of it');
    alices.hangUp();
    await quiet();
  }
});

test('RFC 6189 §4.3: ZRTP that fails at authentication is told as tampering', async () => {
  const { world, call, quiet } = await edge('end');
  const { call: alices, made, id } = await call();
  world.edge.run(() =>
    made.handshake(0, {
      kind: 'unsecured',
      endpoint: id,
      by: 'zrtp',
      reason: 'authentication',
      detail: 'DH value does not fit the commitment',
    }),
  );
  assert.deepEqual(
    world.eventsOf('call.tampering').map(({ kind }) => kind),
    ['zrtp-authentication'],
    'once',
  );
  alices.hangUp();
  await quiet();
});

test('that nobody there speaks ZRTP is no event where it is not demanded', async () => {
  const { world, call, quiet } = await edge('end');
  const { call: alices, made, id } = await call();
  world.edge.run(() =>
    made.handshake(0, { kind: 'unsecured', endpoint: id, by: 'zrtp', reason: 'timeout', detail: '' }),
  );
  assert.deepEqual([...world.eventsOf('media.unsecured'), ...world.eventsOf('call.tampering')], []);
  assert.equal(alices.state, 'up');
  alices.hangUp();
  await quiet();
});

test('RFC 6189 §4.9: secrets are kept for a phone, handed back at its next call, and wiped here', async () => {
  const { world, call, quiet } = await edge('end');
  const first = await call();
  assert.equal(first.endpoint.config?.zrtp?.retained, undefined);
  const rs1 = new Uint8Array(32).fill(7);
  first.secured({ retained: { zid: aliceZid, rs1, verified: true } });
  assert.deepEqual(rs1, new Uint8Array(32), 'the copy that was told is overwritten');
  first.call.hangUp();
  await world.run(10_000);
  assert.deepEqual([...world.store.zrtp.keys()], [party]);
  const second = await call();
  assert.deepEqual(second.endpoint.config?.zrtp?.retained, {
    zid: aliceZid,
    rs1: new Uint8Array(32).fill(7),
    verified: true,
  });
  second.call.hangUp();
  await quiet();
});

test('RFC 6189 §4.6.1.1: a broken key continuity is told, and what was kept stays', async () => {
  const { world, call, quiet } = await edge('end', { tampering: 'end' });
  const first = await call();
  first.secured();
  first.call.hangUp();
  await world.run(10_000);
  const second = await call();
  second.secured({
    continuity: 'mismatch',
    retained: { zid: aliceZid, rs1: new Uint8Array(32).fill(9), verified: false },
  });
  await world.until(() => second.call.state === 'over', 1_000);
  assert.deepEqual(
    world.eventsOf('call.tampering').map(({ kind, outcome }) => [kind, outcome]),
    [['zrtp-continuity', 'ended']],
  );
  const third = await call();
  assert.deepEqual(third.endpoint.config?.zrtp?.retained?.rs1, new Uint8Array(32).fill(1));
  third.call.hangUp();
  await quiet();
});

test('a phone that is known under another ZID is told, once', async () => {
  const { world, call, quiet } = await edge('pass');
  for (const zid of [aliceZid, aliceZid, otherZid, otherZid]) {
    const { call: alices, passed } = await call();
    passed(zid, true, true);
    alices.hangUp();
    await world.run(10_000);
  }
  assert.deepEqual(
    world.eventsOf('call.tampering').map(({ kind, evidence }) => [kind, evidence]),
    [['zrtp-identity', { before: 'a1'.repeat(12), now: 'ee'.repeat(12) }]],
  );
  await quiet();
});

test('the code on the keys of a phone says that its user has compared the string', async () => {
  const { world, call, quiet } = await edge('end');
  const { call: alices, made, id, secured, press } = await call();
  press('*727#');
  assert.deepEqual(world.relay.confirmed ?? [], [], 'there is nothing to compare yet');
  secured();
  press('12*7');
  press('27#');
  const [told] = world.eventsOf('zrtp.sas-confirmed');
  assert.deepEqual([told?.party, told?.sas, world.eventsOf('zrtp.sas-confirmed').length], [party, 'k9ds', 1]);
  assert.equal(made.protection()[0]?.media.zrtp?.verified, true);
  assert.deepEqual(world.relay.confirmed, [id]);
  alices.hangUp();
  await quiet();
});
