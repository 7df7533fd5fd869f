import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers, registered } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { carrierAt } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';
import { openBody } from './parts.ts';

const sdp =
  'v=0\r\no=- 1 1 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n';
const part = (headers: string, body: string): string => `--b\r\n${headers}\r\n\r\n${body}\r\n`;
const described = part('Content-Type: application/sdp', sdp);
const place = (handling: string): string =>
  part(`Content-Type: application/pidf+xml${handling}`, '<presence>secret</presence>');
const optional = '\r\nContent-Disposition: render;handling=optional';

async function dial(number: string, body: string, type = 'multipart/mixed;boundary=b') {
  const world = new World({
    objects: {
      users: [user('alice')],
      trunks: [trunk('carrier', { addresses: [carrierAt] })],
      routes: [route('+*', { trunk: 'carrier' }), route('112', { trunk: 'carrier' })],
    },
  });
  const alice = await registered(world, {
    name: 'alice',
    address: '203.0.113.1',
    transport: 'tls',
    port: 40_001,
    media: 'rtp',
  });
  const carrier = new Phone(world, { name: '+4989555', address: carrierAt }).listen();
  carrier.onInvite = (one) => one.answer();
  const call = alice.call(number, { sdp: body, headers: [['Content-Type', type]] });
  await world.until(() => call.state === 'over' || call.state === 'up');
  const { status } = call;
  const invite = carrier.calls[0]?.request;
  call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
  const refused = world.eventsOf('request.refused').at(-1);
  return {
    status,
    told: invite === undefined ? '' : `${invite.headers.get('Content-Type')}\n${Buffer.from(invite.body)}`,
    rule: refused?.decision.reasons[0]?.rule,
  };
}

test('RFC 5621 §3: the description among other parts of an INVITE counts, and nothing else of them passes', async () => {
  const { status, told } = await dial('+498912345', `${place(optional)}${described}--b--\r\n`);
  assert.equal(status, 200);
  assert.match(told, /^application\/sdp\nv=0/);
  assert.doesNotMatch(told, /secret|presence/);
});

test('RFC 5621 §6: a part that must be understood and is not is 415, with its reason', async () => {
  const { status, rule, told } = await dial('+498912345', `${described}${place('')}--b--\r\n`);
  assert.deepEqual([status, rule, told], [415, 'body.parts', '']);
});

test('parts that cannot be told apart are 400', async () => {
  const { status, rule } = await dial('+498912345', `${described}no end`);
  assert.deepEqual([status, rule], [400, 'body.parts']);
});

test('a call for help passes whatever parts come with it', async () => {
  const { status, told } = await dial('112', `${described}${place('')}--b--\r\n`);
  assert.equal(status, 200);
  assert.doesNotMatch(told, /secret/);
});

test('RFC 2046 §5.1.4: of alternatives the last description counts', () => {
  const body = Buffer.from(`${part('Content-Type: application/sdp', 'first')}${described}--b--\r\n`);
  assert.equal(Buffer.from(openBody('multipart/alternative;boundary=b', body)!.sdp!).toString(), sdp);
  assert.equal(Buffer.from(openBody('multipart/mixed;boundary=b', body)!.sdp!).toString(), 'first');
});
