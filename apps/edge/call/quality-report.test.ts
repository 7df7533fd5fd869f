import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { aliceAndBob } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

async function publish(
  phone: Phone,
  body: string,
  type = 'application/vq-rtcpxr',
  event = 'vq-rtcpxr',
): Promise<SipResponse> {
  const made = phone.make('PUBLISH', 'alice', [
    ['Content-Type', type],
    ['Event', event],
  ]);
  const request: SipRequest = { ...made, body: Buffer.from(body, 'utf8') };
  const response = await phone.request(request);
  if (typeof response === 'string') throw new Error(response);
  return response;
}

const report = [
  'VQSessionReport: CallTerm',
  'CallID: abc@10.0.0.5',
  'LocalAddr: IP=10.0.0.5 PORT=5000 SSRC=1a3b5c7d',
  'LocalMetrics:',
  'PacketLoss: NLR=1.5 JDR=0.5',
  'QualityEst: MOSLQ=4.1 MOSCQ=4.0',
].join('\r\n');

test('RFC 6035 §3.1: a report of a known phone is told of, with nothing in it that was not asked for', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice } = await aliceAndBob(world);
  const response = await publish(alice, report);
  assert.equal(response.status, 200);
  assert.ok(response.headers.has('SIP-ETag'));
  assert.equal(response.headers.get('Expires'), '0');
  const [told] = world.eventsOf('call.quality-report');
  assert.deepEqual(told?.local, { lossPercent: 1.5, discardPercent: 0.5, mosLq: 4.1, mosCq: 4 });
  assert.deepEqual(
    [told?.user, told?.device, told?.kind, told?.callId],
    ['alice', 'alice', 'session', 'abc@10.0.0.5'],
  );
  assert.ok(!JSON.stringify(told).includes('1a3b5c7d'));
});

test('RFC 6035 §3.1: other bodies, other packages, broken reports and strangers are refused', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice } = await aliceAndBob(world);
  assert.equal((await publish(alice, report, 'text/plain')).status, 415);
  assert.equal((await publish(alice, 'VQSessionReport: x')).status, 400);
  assert.equal((await publish(alice, `${report}\r\n${'X: y\r\n'.repeat(200)}`)).status, 413);
  assert.notEqual((await publish(alice, report, 'application/vq-rtcpxr', 'presence')).status, 200);
  const stranger = new Phone(world, {
    name: 'alice',
    address: '203.0.113.99',
    transport: 'tls',
    port: 40_009,
    password: 'wrong',
  });
  assert.equal((await publish(stranger, report)).status, 401);
  assert.deepEqual(world.eventsOf('call.quality-report'), []);
  assert.deepEqual(world.errors, []);
});
