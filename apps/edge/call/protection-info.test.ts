import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { requests } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

const browser = { transport: 'wss', address: '203.0.113.9', port: 50_001, media: 'srtp' } as const;
const wanted = [['Recv-Info', 'ringfence-protection']] as const;
const ofPackage = [
  ['Info-Package', 'ringfence-protection'],
  ['Content-Type', 'application/json'],
] as const;

interface Told {
  readonly grade: string;
  readonly now: string;
  readonly sentence: string;
  readonly sas?: string;
  readonly confirmed?: boolean;
}

const told = (phone: Phone): Told[] =>
  requests(phone, 'INFO').map((request) => {
    assert.equal(request.headers.get('Info-Package'), 'ringfence-protection');
    assert.equal(request.headers.get('Content-Disposition'), 'Info-Package');
    return JSON.parse(Buffer.from(request.body).toString()) as Told;
  });

async function talking(headers: readonly (readonly [string, string])[] = wanted) {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const alice = await registered(world, { name: 'alice', ...browser });
  const bob = await registered(world, { name: 'bob', transport: 'tls', address: '203.0.113.2' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { headers });
  await world.until(() => call.state === 'up');
  await world.run(1000);
  const over = async (): Promise<void> => {
    call.hangUp();
    await world.run(100_000);
    assert.deepEqual(leftovers(world), []);
  };
  return { world, alice, bob, call, over };
}

const zrtp = (world: World, endpoint: number, sas: string): void =>
  world.relay.tell({
    kind: 'secured',
    endpoint,
    by: 'zrtp',
    version: 'ZRTP 1.10',
    suite: 'AES_CM_128_HMAC_SHA1_80',
    group: 'EC38',
    cipher: 'S256 AES1 HS80',
    zrtp: {
      peerZid: new Uint8Array(12),
      sas,
      sasType: 'B32 ',
      continuity: 'new',
      verified: false,
      retained: { zid: new Uint8Array(12), rs1: new Uint8Array(32), verified: false },
    },
  });

test('RFC 6086: a phone that asks is told what protects its call, by the sentence of the record and without names', async () => {
  const { world, alice, bob, call, over } = await talking();
  assert.equal(call.final?.headers.get('Recv-Info'), 'ringfence-protection');
  assert.deepEqual(told(alice), [
    {
      grade: 'partly-protected',
      now: 'partly-protected',
      sentence:
        'Partly protected: the media of the other side is not encrypted, while the side of your phone is encrypted.',
    },
  ]);
  assert.equal(requests(bob, 'INFO').length, 0, 'who has not asked is told nothing');
  assert.equal(bob.calls[0]?.request?.headers.get('Recv-Info'), undefined);
  const [, second] = [...world.relay.endpoints.keys()];
  world.relay.tell({ kind: 'unsecured', endpoint: second!, by: 'dtls', reason: 'fingerprint', detail: '' });
  await world.run(1000);
  for (const one of told(alice)) assert.doesNotMatch(JSON.stringify(one), /alice|bob|203\.0|example/);
  await over();
});

test('RFC 6086 §5.2.1: phones that do not ask are told nothing, and their INFO of a package gets 469', async () => {
  const { alice, call, over } = await talking([]);
  assert.equal(requests(alice, 'INFO').length, 0);
  assert.equal(call.final?.headers.get('Recv-Info'), undefined);
  assert.equal(await call.inside('INFO', ofPackage, '{"confirmed":true,"sas":"abcd"}'), 469);
  await over();
});

test('a called browser is told too, because its answer asks for it', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const alice = await registered(world, { name: 'alice', ...browser, says: wanted });
  const bob = await registered(world, { name: 'bob', transport: 'tls', address: '203.0.113.2' });
  let taken: PhoneCall | undefined;
  alice.onInvite = (call) => {
    taken = call;
    assert.ok(call.request?.headers.values('Recv-Info').includes('ringfence-protection'));
    call.answer();
  };
  const call = bob.call('alice');
  await world.until(() => call.state === 'up');
  await world.run(1000);
  assert.equal(told(alice).length, 1);
  assert.equal(requests(bob, 'INFO').length, 0);
  taken?.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 6189 §7: the string is shown to who can compare it, and is confirmed by exactly that string', async () => {
  const { world, alice, call, over } = await talking();
  const [, second] = [...world.relay.endpoints.keys()];
  zrtp(world, second!, 'k3xp');
  await world.run(1000);
  assert.deepEqual([told(alice).at(-1)?.sas, told(alice).at(-1)?.confirmed], ['k3xp', false]);
  for (const body of [
    '',
    'null',
    '{"confirmed":true}',
    '{"confirmed":true,"sas":"xxxx"}',
    '{"confirmed":1,"sas":"k3xp"}',
    `{"confirmed":true,"sas":"k3xp","x":"${'x'.repeat(1024)}"}`,
  ])
    assert.equal(await call.inside('INFO', ofPackage, body), 400, body.slice(0, 40));
  assert.equal(await call.inside('INFO', [['Info-Package', 'other'], ofPackage[1]], '{}'), 469);
  assert.deepEqual(world.relay.confirmed, []);
  assert.equal(await call.inside('INFO', ofPackage, '{"confirmed":true,"sas":"k3xp"}'), 200);
  await world.run(1000);
  assert.deepEqual(world.relay.confirmed, [second]);
  assert.equal(told(alice).at(-1)?.confirmed, true);
  const changed = world.eventsOf('call.protection').at(-1)!;
  assert.equal(changed.protection[1]?.media.zrtp?.verified, true);
  await over();
});

test('one INFO is under way at a time, the last change is told after it, and a refusal ends it', async () => {
  const { world, alice, over } = await talking();
  const before = told(alice).length;
  alice.refuse = (request) =>
    Buffer.from(request.body).includes('dddd') ? makeResponse(request, 469) : undefined;
  const [, second] = [...world.relay.endpoints.keys()];
  for (const sas of ['aaaa', 'bbbb', 'cccc', 'dddd']) zrtp(world, second!, sas);
  await world.run(1000);
  assert.deepEqual(
    told(alice)
      .slice(before)
      .map(({ sas }) => sas),
    ['aaaa', 'dddd'],
  );
  zrtp(world, second!, 'eeee');
  await world.run(1000);
  assert.equal(told(alice).length, before + 2);
  await over();
});
