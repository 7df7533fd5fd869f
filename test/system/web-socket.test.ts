import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bed } from './harness/bed.ts';
import { talk } from './harness/voice.ts';
import { within } from './harness/waiting.ts';
import { openStream } from './harness/wire.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    { users: [{ name: 'alice', encryption: 'required' }, { name: 'bob' }] },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
        { name: 'ws', transport: 'ws', encryption: 'preferred' },
        { name: 'wss', transport: 'wss', origins: ['https://phone.example.com'] },
      ],
    },
  );
});
after(() => bed.close());

test('RFC 7118: a phone on a secure WebSocket calls one on UDP and is called back over its flow, with audio', async () => {
  const alice = await bed.registered('alice', 'wss');
  const bob = await bed.registered('bob', 'udp');
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const there = await bed.connect(alice, bob, 'bob', { from: suite });
  assert.equal(await talk(there.callerVoice, there.calleeVoice), undefined);
  assert.equal((await there.callee.hangUp()).status, 200);
  await within('the caller', there.caller.over);

  const back = await bed.connect(bob, alice, 'alice', { to: suite });
  assert.match(
    back.incoming.text,
    /^INVITE sip:alice@alice\.invalid;transport=ws SIP\/2\.0\r\nVia: SIP\/2\.0\/WSS /,
  );
  assert.equal(await talk(back.callerVoice, back.calleeVoice), undefined);
  assert.equal((await back.caller.hangUp()).status, 200);

  const [record] = await bed.records();
  const [, called] = record?.legs ?? [];
  assert.match(JSON.stringify(called), /"transport":"wss"/);
  assert.match(JSON.stringify(called), /X25519MLKEM768/);
});

test('RFC 7118: a plain WebSocket does not do where a device demands encryption', async () => {
  const bob = await bed.registered('bob', 'ws');
  await bob.register(0);
  const alice = await bed.phone('alice', 'ws');
  assert.equal((await alice.register()).status, 403);
});

test('a WebSocket listener lets in nobody without the subprotocol sip or with a foreign origin', async () => {
  const to = bed.edge.at('ws');
  for (const [lines, answer] of [
    ['Sec-WebSocket-Protocol: chat', '400'],
    ['Sec-WebSocket-Protocol: sip\r\nOrigin: https://phone.example.com', '403'],
  ] as const) {
    const wire = await openStream({ transport: 'tcp', to });
    const heard = new Promise<string>((resolve) => {
      wire.socket.on('data', (chunk) => resolve(String(chunk)));
    });
    wire.send(
      `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n\r\n`,
    );
    assert.match(await within('the refusal', heard), new RegExp(`^HTTP/1.1 ${answer} `));
    wire.close();
  }
});
