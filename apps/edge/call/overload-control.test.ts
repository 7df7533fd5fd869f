import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const carrierAt = '192.0.2.10';

const worldOf = (): World =>
  new World({
    objects: {
      users: [user('alice')],
      trunks: [trunk('carrier', { addresses: [carrierAt] })],
      routes: [route('+49*', { trunk: 'carrier' })],
    },
  });

test('RFC 7339 §5.1: oc in the Via of a request is given back without a value, which says that we do not do it', async () => {
  const world = worldOf();
  const carrier = new Phone(world, { name: 'carrier', address: carrierAt });
  carrier.raw(
    [
      'OPTIONS sip:example.test SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKoc;oc;oc-algo="loss,A,rate"',
      'From: <sip:carrier@192.0.2.10>;tag=a',
      'To: <sip:example.test>',
      'Call-ID: oc@192.0.2.10',
      'CSeq: 1 OPTIONS',
      'Max-Forwards: 70',
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n'),
  );
  await world.run(100);
  const via = /^Via: (.*)\r$/m.exec(world.sentTo(carrierAt)[0] ?? '')?.[1] ?? '';
  assert.match(via, /;oc;oc-algo="loss,A,rate"/);
});

for (const [what, params] of [
  ['RFC 7339 §4: a loss rate', { oc: '100', 'oc-algo': '"loss"', 'oc-validity': '60000', 'oc-seq': '1.1' }],
  ['RFC 7415 §3.1: a rate of nothing', { oc: '0', 'oc-algo': '"rate"', 'oc-validity': '60000' }],
  ['values that are none', { oc: '9'.repeat(400), 'oc-algo': '"', 'oc-validity': '-1', 'oc-seq': '..' }],
] as const)
  test(`${what} that nobody asked for does not stop calls to a trunk`, async () => {
    const world = worldOf();
    const carrier = new Phone(world, { name: 'carrier', address: carrierAt }).listen();
    let asked = 0;
    carrier.refuse = (request) => {
      if (request.method !== 'INVITE' || ++asked > 1) return undefined;
      const response = makeResponse(request, 486, undefined, { toTag: 'busy' });
      const [top, ...rest] = response.via;
      if (top === undefined) return response;
      // The quote that stands alone cannot be written, so it is left out there.
      const set = Object.entries(params).filter(([, value]) => value !== '"');
      return { ...response, via: [{ ...top, params: new Map([...top.params, ...set]) }, ...rest] };
    };
    carrier.onInvite = (call) => call.answer();
    const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
    const first = alice.call('+4930123456');
    await world.until(() => first.state === 'over');
    assert.equal(first.status, 486);
    // No request of ours carries oc, so no answer to it can be meant for us.
    assert.ok(world.sentTo(carrierAt).every((text) => !/^Via:.*;oc/m.test(text)));
    const second = alice.call('+4930123456');
    await world.until(() => second.state === 'up' || second.state === 'over');
    assert.equal(second.state, 'up');
    second.hangUp();
    await world.run(40_000);
    assert.deepEqual(leftovers(world), []);
  });
