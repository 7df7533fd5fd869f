import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';
import { TemporaryGruus } from './temporary-gruu.ts';

const binding = { domain: 'example.test', user: 'alice', key: '"<urn:uuid:1>" 1', callId: 'one' };

const worldOf = (): World =>
  new World({ objects: { users: [user('alice'), user('bob'), user('eve', { realm: 'other.test' })] } });

interface Registering {
  readonly callId?: string;
  readonly cseq?: number;
  readonly expires?: number;
}

async function register(phone: Phone, n: number, { callId, cseq, expires = 3600 }: Registering = {}) {
  const made = phone.make('REGISTER', `sip:${phone.realm}`, [['Supported', 'gruu']]);
  const contact = `${phone.contact};+sip.instance="<urn:uuid:${n}>";expires=${expires}`;
  const response = await phone.request({
    ...made,
    ...(callId === undefined ? {} : { callId }),
    cseq: { ...made.cseq, number: cseq ?? made.cseq.number },
    headers: made.headers.clone().remove('Contact').add('Contact', contact),
    to: { uri: phone.uri('alice'), params: new Map() },
  });
  assert.ok(typeof response !== 'string');
  assert.equal(response.status, 200);
  return response;
}

const temporary = (response: SipResponse, n = 1): string => {
  const value = response.headers.values('Contact').find((one) => one.includes(`urn:uuid:${n}>`)) ?? '';
  return /;temp-gruu="([^"]+)"/.exec(value)?.[1] ?? '';
};

function phoneOf(world: World, n: number): Phone {
  const phone = new Phone(world, {
    name: 'alice',
    address: `203.0.113.${n}`,
    transport: 'tls',
    media: 'srtp',
  });
  phone.onInvite = (call) => call.answer();
  return phone;
}

test('RFC 5627 §3.1.2 and §5.1: a new temporary GRUU with each REGISTER, that says nothing of its user; all ring that phone alone', async () => {
  const world = worldOf();
  const [first, second] = [phoneOf(world, 1), phoneOf(world, 2)];
  const callId = 'the-same@203.0.113.1';
  const one = temporary(await register(first, 1, { callId, cseq: 1 }));
  const two = temporary(await register(first, 1, { callId, cseq: 5 }));
  await register(second, 2);
  assert.match(one, /^sip:tgruu\.[\w-]+@example\.test;gr$/);
  assert.notEqual(one, two);
  assert.doesNotMatch(one, /alice|uuid/);
  const bob = await registered(world, { name: 'bob', address: '203.0.113.9' });
  for (const uri of [one, two]) {
    const before = first.calls.length;
    const call = bob.call(uri);
    await world.until(() => call.state === 'up');
    assert.equal(first.calls.length, before + 1);
    // Who calls learns nothing of whom the address stands for.
    const heard = world.sentTo('203.0.113.9').join('\n');
    assert.doesNotMatch(heard, /alice/);
    call.hangUp();
    await world.run(1000);
  }
  assert.equal(second.calls.length, 0);
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5627 §5.1: temporary GRUUs end with the registration, and with another Call-ID of the phone', async () => {
  const world = worldOf();
  const phone = phoneOf(world, 1);
  const bob = await registered(world, { name: 'bob', address: '203.0.113.9' });
  const statusOf = async (uri: string): Promise<number> => {
    const call = bob.call(uri);
    await world.until(() => call.state === 'up' || call.state === 'over');
    const { status } = call;
    call.end();
    await world.run(1000);
    return status;
  };
  const one = temporary(await register(phone, 1, { callId: 'one' }));
  assert.equal(await statusOf(one), 200);
  const two = temporary(await register(phone, 1, { callId: 'two' }));
  assert.equal(await statusOf(one), 404);
  assert.equal(await statusOf(two), 200);
  await register(phone, 1, { callId: 'two', cseq: 9, expires: 0 });
  assert.equal(await statusOf(two), 404);
});

test('RFC 5627 §8: a temporary GRUU cannot be made up, altered, or carried to another tenant or key', async () => {
  const gruus = new TemporaryGruus(new Uint8Array(32).fill(1));
  const uri = gruus.make(binding)!;
  assert.equal(gruus.read(uri, 'EXAMPLE.test')?.user, 'alice');
  assert.equal(gruus.read(uri, 'example.test')?.fits(binding), true);
  assert.equal(gruus.read(uri, 'example.test')?.fits({ ...binding, callId: 'two' }), false);
  assert.equal(gruus.read(uri, 'example.test')?.fits({ ...binding, key: '"<urn:uuid:2>" 1' }), false);
  assert.equal(gruus.read(uri, 'other.test'), undefined);
  assert.equal(new TemporaryGruus(new Uint8Array(32).fill(2)).read(uri, 'example.test'), undefined);
  assert.equal(gruus.make({ ...binding, key: 'sip:alice@10.0.0.1' }), undefined);
  const name = uri.user ?? '';
  for (let i = 0; i < name.length; i += 7) {
    const altered = `${name.slice(0, i)}${name[i] === 'A' ? 'B' : 'A'}${name.slice(i + 1)}`;
    assert.equal(gruus.read({ ...uri, user: altered }, 'example.test'), undefined, altered);
    assert.equal(gruus.read({ ...uri, user: name.slice(0, i) }, 'example.test'), undefined);
  }
  for (const text of ['sip:tgruu.@example.test', `sip:tgruu.${'A'.repeat(5000)}@example.test`, 'tel:+4930']) {
    const parsed = parseUri(text);
    if (parsed.ok) assert.equal(gruus.read(parsed.value, 'example.test'), undefined);
  }
});

test('a REFER to a GRUU rings the phone that it names (RFC 5627 §5.3)', async () => {
  const world = worldOf();
  const [first, second] = [phoneOf(world, 1), phoneOf(world, 2)];
  await register(first, 1);
  const uri = temporary(await register(second, 2), 2);
  const bob = await registered(world, {
    name: 'bob',
    address: '203.0.113.9',
    transport: 'tls',
    media: 'srtp',
  });
  const call = bob.call('sip:alice@example.test;gr=urn:uuid:1');
  await world.until(() => call.state === 'up' && first.calls[0]?.confirmed === true);
  assert.equal(await first.calls[0]!.inside('REFER', [['Refer-To', `<${uri}>`]]), 202);
  await world.until(() => first.calls[0]!.hungUpByPeer);
  assert.deepEqual([first.calls.length, second.calls.length], [1, 1]);
  call.hangUp();
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
});
