import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Trunk } from '../../objects/types.ts';
import { leftovers, registered } from '../../testing/cast.ts';
import { route, trunk, user } from '../../testing/objects.ts';
import { Phone } from '../../testing/phone.ts';
import { Provider } from '../../testing/provider.ts';
import { World } from '../../testing/world.ts';
import { backOff } from './back-off.ts';

const at = '192.0.2.50';
const outbound = { username: 'us', password: Secret.fromText('our-secret'), allowMd5: false };

function cast(
  fields: Partial<Trunk> = {},
  prepare: (provider: Provider) => void = () => {},
  nonceMs = 60_000,
) {
  const world = new World({
    objects: {
      users: [user('alice', { number: '+4930123401' })],
      trunks: [
        trunk('provider', {
          target: `sip:${at}`,
          outbound,
          registration: { expiresSeconds: 3600 },
          ...fields,
        }),
      ],
      routes: [route('default', { trunk: 'provider' })],
    },
  });
  const provider = new Provider(world, { address: at }, nonceMs);
  prepare(provider);
  const state = () => world.edge.registrations.reports()[0]!;
  return { world, provider, state };
}

const expires = (requests: readonly SipRequest[]): number[] =>
  requests.map(({ headers }) => Number(headers.get('Expires')));

test('the edge registers with digest and refreshes before what was granted has run out (RFC 3261 §10.2)', async () => {
  const { world, provider, state } = cast({}, (p) => {
    p.granted = 600;
  });
  await world.until(() => state().state === 'registered');
  assert.equal(provider.registers.length, 2);
  const [first, second] = provider.registers;
  assert.equal(serializeUri(first!.uri), `sip:${at}`);
  assert.equal(serializeUri(first!.to.uri), `sip:us@${at}`);
  assert.equal(first!.callId, second!.callId);
  assert.equal(second!.cseq.number, first!.cseq.number + 1);
  assert.deepEqual(
    world.eventsOf('trunk.registered').map((event) => [event.owner, event.expires]),
    [['trunk:provider@example.test', 600]],
  );
  await world.run(415_000);
  assert.equal(provider.registers.length, 2);
  await world.run(100_000);
  assert.equal(provider.registers.length, 4);
  // A refresh is no news.
  assert.equal(world.eventsOf('trunk.registered').length, 1);
  assert.equal(state().state, 'registered');
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
});

test('423 with Min-Expires leads to a longer expiry (RFC 3261 §10.2.8)', async () => {
  const { world, provider, state } = cast({ registration: { expiresSeconds: 300 } }, (p) => {
    p.least = 1800;
  });
  await world.until(() => state().state === 'registered');
  assert.deepEqual(expires(provider.registers), [300, 300, 1800, 1800]);
});

test('a nonce that became stale is answered again; wrong credentials are tried once (RFC 7616 §3.3, RFC 3261 §22.2)', async () => {
  const stale = cast({}, undefined, 1);
  await stale.world.run(2000);
  assert.ok(stale.provider.registers.length <= 4);
  const wrong = cast({ outbound: { ...outbound, password: Secret.fromText('wrong') } });
  await wrong.world.run(5000);
  assert.equal(wrong.provider.registers.length, 2);
  assert.deepEqual([wrong.state().state, wrong.state().failure], ['waiting', '401']);
  assert.equal(wrong.world.eventsOf('trunk.registration-failed')[0]!.reason, '401');
});

test('the wait doubles with every failure in a row, up to half an hour, drawn between half and all (RFC 5626 §4.5)', async () => {
  assert.deepEqual(
    [1, 2, 3, 6, 50].map((failures) => [backOff(failures, 0), backOff(failures, 1)]),
    [
      [30_000, 60_000],
      [60_000, 120_000],
      [120_000, 240_000],
      [900_000, 1_800_000],
      [900_000, 1_800_000],
    ],
  );
  const { world, provider } = cast({}, (p) => {
    p.instead = (request) => makeResponse(request, 503, undefined, { toTag: 't' });
  });
  const times: number[] = [];
  let seen = 0;
  await world.until(() => {
    if (provider.registers.length > seen) {
      seen = provider.registers.length;
      times.push(world.time.now);
    }
    return seen === 6;
  }, 4_000_000);
  const waits = times.slice(1).map((time, i) => time - times[i]!);
  for (const [i, wait] of waits.entries()) {
    const bound = Math.min(1_800_000, 30_000 * 2 ** (i + 1));
    assert.ok(wait >= bound / 2 && wait <= bound + 100, `${i}: ${wait}`);
  }
});

test('Retry-After of a refusal is kept (RFC 3261 §20.33)', async () => {
  const { world, provider } = cast({}, (p) => {
    p.instead = (request) =>
      makeResponse(request, 503, undefined, { toTag: 't', headers: [['Retry-After', '900 (later)']] });
  });
  await world.run(890_000);
  assert.equal(provider.registers.length, 1);
  await world.run(20_000);
  assert.equal(provider.registers.length, 2);
});

test('a registrar that has moved is followed, three times at most, and never from TLS to plain (RFC 3261 §21.3)', async () => {
  const { world, state } = cast({}, (p) => {
    p.instead = (request) =>
      makeResponse(request, 302, undefined, { toTag: 't', headers: [['Contact', '<sip:192.0.2.51>']] });
  });
  const other = new Provider(world, { address: '192.0.2.51' });
  await world.until(() => state().state === 'registered');
  assert.equal(state().registrar, 'sip:192.0.2.51');
  assert.equal(serializeUri(other.registers[0]!.to.uri), `sip:us@${at}`);

  const loop = cast({}, (p) => {
    p.instead = (request) =>
      makeResponse(request, 302, undefined, { toTag: 't', headers: [['Contact', `<sip:${at}>`]] });
  });
  await loop.world.run(5000);
  assert.deepEqual([loop.provider.registers.length, loop.state().failure], [4, '302']);

  const secure = cast({ target: `sip:${at};transport=tls`, encryption: 'required' });
  const tls = new Provider(secure.world, { address: at, port: 5061, transport: 'tls' });
  tls.instead = (request) =>
    makeResponse(request, 302, undefined, { toTag: 't', headers: [['Contact', '<sip:192.0.2.51>']] });
  const plain = new Provider(secure.world, { address: '192.0.2.51' });
  await secure.world.run(5000);
  assert.equal(tls.registers.length, 1);
  assert.deepEqual([plain.registers.length, secure.state().failure], [0, 'transport']);
});

test('Service-Route is the way out, Path is kept for people (RFC 3608 §6.1, RFC 3327)', async () => {
  const { world, provider, state } = cast({}, (p) => {
    p.serviceRoute = ['<sip:192.0.2.52;lr>', '<sip:inner.provider.example;lr>'];
  });
  const proxy = new Phone(world, { name: 'proxy', address: '192.0.2.52' }).listen();
  proxy.onInvite = (call) => call.answer();
  await world.until(() => state().state === 'registered');
  assert.deepEqual(state().serviceRoute, provider.serviceRoute);
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const call = alice.call('+49891');
  await world.until(() => call.state === 'up');
  const { request } = proxy.calls[0]!;
  assert.equal(serializeUri(request!.uri), `sip:+49891@${at}`);
  assert.deepEqual(request!.headers.all('Route'), provider.serviceRoute);
  call.hangUp();
  await world.run(40_000);
});

test('a call to the registered contact is of that trunk, for whom To names; over another way the contact proves nothing', async () => {
  const { world, provider, state } = cast();
  await world.until(() => state().state === 'registered');
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  alice.onInvite = (call) => call.answer();
  const contact = provider.contact.slice(1, -1);
  const uri = provider.phone.uri(contact);
  assert.match('user' in uri ? (uri.user ?? '') : '', /^[A-Za-z0-9_-]{24}$/);
  const call = (phone: Phone, headers: readonly (readonly [string, string])[] = []) => {
    const made = phone.call(contact, { headers });
    return made;
  };
  const known = call(provider.phone, [['P-Called-Party-ID', '<sip:+4930123401@provider.example>']]);
  await world.until(() => known.state === 'up');
  const [started] = world.eventsOf('call.started');
  assert.deepEqual([started!.principal, started!.callee], ['trunk:provider@example.test', '+4930123401']);
  assert.equal(started!.decision.reasons[0]!.evidence.proof, 'registration');
  known.hangUp();
  const thief = new Phone(world, { name: 'x', address: '192.0.2.66', password: 'guess' });
  const refused = call(thief);
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 401);
  await world.run(40_000);
});

test('a broken connection is registered over anew; drain takes the contact back', async () => {
  const { world } = cast({ target: `sip:${at};transport=tcp` });
  const tcp = new Provider(world, { address: at, transport: 'tcp' });
  world.network.break(tcp.phone.flow);
  await world.until(() => tcp.contact !== '');
  const before = tcp.registers.length;
  const flow = world.network.log.findLast(({ text }) => text.startsWith('REGISTER'))!.flow;
  assert.ok(world.network.kept.has(flow.id));
  world.network.break(flow);
  await world.until(() => tcp.registers.length > before);
  await world.run(1000);
  assert.notEqual(tcp.contact, '');
  world.edge.drain();
  await world.until(() => tcp.contact === '');
  assert.equal(world.eventsOf('trunk.unregistered').length, 1);
  await world.run(40_000);
  const last = tcp.registers.length;
  await world.run(4_000_000);
  assert.equal(tcp.registers.length, last);
  assert.deepEqual(leftovers(world), []);
});

test('while a provider does not know us its trunk is passed over, but not by an emergency call', async () => {
  const { world, provider, state } = cast({}, (p) => {
    p.instead = (request) => makeResponse(request, 403, undefined, { toTag: 't' });
    p.phone.onInvite = (call) => call.answer();
  });
  await world.until(() => state().state === 'waiting');
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const call = alice.call('+49891');
  await world.until(() => call.state === 'over');
  assert.equal(provider.phone.calls.length, 0);
  const help = alice.call('112');
  await world.until(() => help.state === 'up');
  help.hangUp();
  await world.run(20_000);
});

test('an edge that hands over goes quiet: no probe, no refresh, no farewell', async () => {
  const { world, provider, state } = cast({
    health: { options: true, intervalSeconds: 5, failures: 1, recoveries: 1, statuses: [] },
  });
  await world.until(() => state().state === 'registered');
  world.edge.stop();
  await world.run(40_000);
  const before = world.network.log.length;
  world.edge.replaceObjects(world.objects);
  await world.run(4_000_000);
  assert.equal(world.network.log.length, before);
  assert.notEqual(provider.contact, '');
});
