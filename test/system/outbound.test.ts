import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Agent, Answer, Incoming } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { usualFields } from './harness/compose.ts';
import { until } from './harness/waiting.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }] },
    { more: { registrar: '{ flowSeconds: 20 }' } },
  );
});
after(() => bed.close());

/** Registers one flow of a phone. */
async function outbound(phone: Agent, registration: number): Promise<Answer> {
  const contact = `${phone.contact};+sip.instance="<urn:x-test:desk>";reg-id=${registration}`;
  const { answer } = await phone.authenticated('REGISTER', {
    more: [...usualFields, ['Supported', 'path, outbound'], ['Contact', contact], ['Expires', '600']],
  });
  return answer;
}

test('RFC 5626: a phone with two flows is rung over the latest, and over the other one once that has broken', async () => {
  const first = await bed.phone('alice', 'tls');
  const second = await bed.phone('alice', 'tcp');
  for (const [phone, id] of [
    [first, 1],
    [second, 2],
  ] as const) {
    const answer = await outbound(phone, id);
    assert.equal(answer.status, 200);
    assert.match(answer.text, /^Require: outbound\r$/m);
    assert.match(answer.text, /^Flow-Timer: 20\r$/m);
  }
  const rung: string[] = [];
  const ring = (name: string) => (incoming: Incoming) => {
    rung.push(name);
    incoming.respond(486, 'Busy Here');
  };
  first.onInvite = ring('first');
  second.onInvite = ring('second');
  const bob = await bed.registered('bob', 'udp');
  const voice = await bed.voice();
  assert.equal((await bob.call('alice', voice.describe())).answer.status, 486);
  assert.deepEqual(rung, ['second']);

  const from = bed.edge.events.length;
  second.close();
  await bed.edge.event('flow.closed', () => true, from);
  assert.equal((await bob.call('alice', voice.describe())).answer.status, 486);
  assert.deepEqual(rung, ['second', 'first']);
});

test('RFC 6223: keep in a Via is answered, by the running daemon', async () => {
  const phone = await bed.phone('alice', 'tls');
  const branch = 'z9hG4bKkeepalive';
  const text = [
    'REGISTER sip:system.test SIP/2.0',
    `Via: SIP/2.0/TLS ${phone.sentBy};branch=${branch};rport;keep`,
    'From: <sip:alice@system.test>;tag=keep',
    'To: <sip:alice@system.test>',
    'Call-ID: keep@system.test',
    'CSeq: 1 REGISTER',
    'Max-Forwards: 70',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
  const challenge = await phone.exchange(text, branch, 'REGISTER').final;
  const authorization = phone.credentials(challenge, 'REGISTER', 'sip:system.test');
  const again = text
    .replace(branch, `${branch}2`)
    .replace('CSeq: 1', 'CSeq: 2')
    .replace('Max-Forwards', `Authorization: ${authorization}\r\nMax-Forwards`);
  const answer = await phone.exchange(again, `${branch}2`, 'REGISTER').final;
  assert.equal(answer.status, 200);
  assert.match(answer.text, /^Via: [^\r]*;keep=20[;\r]/m);
});

test('RFC 5626 §3.5.2: a STUN keepalive over UDP is answered to a registered phone alone', async () => {
  const keepalive = Buffer.from('000100002112a442b7e7a701bc34d686fa87dfae', 'hex');
  const stranger = await bed.phone('bob', 'udp');
  const phone = await bed.phone('bob', 'udp');
  const answer = await outbound(phone, 1);
  assert.match(answer.text, /^Flow-Timer: 20\r$/m);
  for (const { wire } of [stranger, phone]) wire.send(keepalive);
  const told = await until('the answer', () => phone.wire.received.find((bytes) => bytes[0] === 1));
  assert.equal(Buffer.from(told).toString('hex', 0, 4), '0101000c');
  assert.equal(Buffer.from(told).readUInt16BE(26) ^ 0x2112, phone.local.port);
  assert.ok(stranger.wire.received.every((bytes) => bytes[0] !== 1));
});
