import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceAndBob } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { trunkCast } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';

/** Header fields that name something to fetch, RFC 8224 §4, RFC 3261 §20.4, §20.9, §20.5, RFC 4483, RFC 6442. */
const fetchable = [
  [
    'Identity',
    'eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://169.254.169.254/latest/meta-data>;alg=ES256;ppt=shaken',
  ],
  ['Call-Info', '<http://127.0.0.1:8080/photo.jpg>;purpose=icon'],
  ['Error-Info', '<sip:collect@evil.example>'],
  ['Alert-Info', '<http://evil.example/ring.wav>'],
  ['Content-Indirection', 'https://evil.example/'],
  ['Geolocation', '<https://evil.example/location>'],
  ['Refer-To', '<sip:evil.example?X=1>'],
] as const;

test('S15: what a request names is not fetched, not looked up and not passed on (siphon-ai#116)', async () => {
  const asked: string[] = [];
  const { world, alice, carrier } = await trunkCast({}, {}, {
    hosts: new Proxy<Record<string, readonly string[]>>(
      {},
      {
        get: (_, host) => {
          asked.push(String(host));
          return undefined;
        },
      },
    ),
  } as object);
  alice.onInvite = (call) => call.answer();
  const call = carrier.call('alice', { headers: fetchable });
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(5_000);
  assert.deepEqual(asked, []);
  const seen = world.sentTo('203.0.113.1').join('\n');
  for (const text of ['evil.example', '169.254.169.254', 'photo.jpg', 'info='])
    assert.ok(!seen.includes(text), text);
  assert.deepEqual(world.errors, []);
});

test('S12: text of peers stands in events as data: one line of JSON each, whatever is in it', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice } = await aliceAndBob(world);
  const nasty = '<img src=x onerror=alert(1)>%0a{"type":"forged"}\'";--';
  const call = alice.call(`sip:${encodeURIComponent(nasty).replaceAll("'", '%27')}@example.test`, {
    headers: [['Subject', nasty]],
    display: nasty,
  });
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 404);
  for (const event of world.events) {
    const line = JSON.stringify(event);
    assert.ok(!line.includes('\n') && !line.includes('\r'));
    assert.deepEqual(JSON.parse(line), event);
  }
  assert.ok(!world.events.some(({ type }) => String(type) === 'forged'));
});
