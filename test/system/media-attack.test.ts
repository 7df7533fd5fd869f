import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { after, before, test } from 'node:test';
import { encodeRtp } from '@ringfence/rtp/packet.ts';
import { Bed, type Pair } from './harness/bed.ts';
import { heardExactly, type Protection, talk } from './harness/voice.ts';
import { pause, until, within } from './harness/waiting.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }] },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
      ],
    },
  );
});
after(() => bed.close());

/** A socket that sends to every port and listens for what comes back. */
class Sprayer {
  received = 0;
  sent = 0;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('message', () => {
      this.received += 1;
    });
  }

  static open(address: string): Promise<Sprayer> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, address, () => resolve(new Sprayer(socket)));
    });
  }

  /** Each of these to every media port there may be. */
  async spray(packets: readonly Uint8Array[]): Promise<void> {
    const { from, to } = bed.home.media;
    for (const packet of packets) {
      for (let port = from; port <= to; port += 1) {
        this.#socket.send(packet, port, '127.0.0.1');
        this.sent += 1;
      }
      await pause(2);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

const evil = Buffer.alloc(160, 0xee);

/** What RTP bleed and injection are tried with (EnableSecurity ES2025-01): RTP, RTCP, noise, of several SSRCs. */
function weapons(): Uint8Array[] {
  const rtp = (payloadType: number, sequence: number): Uint8Array =>
    encodeRtp({
      padding: 0,
      marker: false,
      payloadType,
      sequence,
      timestamp: 160 * sequence,
      ssrc: randomBytes(4).readUInt32BE(),
      csrcs: [],
      payload: evil,
    });
  return [
    rtp(0, 1),
    rtp(0, 30_000),
    rtp(0, 1001),
    rtp(96, 65_535),
    Buffer.concat([rtp(0, 2), randomBytes(10)]),
    Buffer.concat([Buffer.from([0x80, 200, 0, 6]), randomBytes(24)]),
    Buffer.concat([Buffer.from([0x80, 201, 0, 7]), randomBytes(28)]),
    Buffer.from('000100002112a442000000000000000000000000', 'hex'),
    Buffer.from('16fefd0000000000000000', 'hex'),
    randomBytes(200),
    Buffer.alloc(0),
  ];
}

const isEvil = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes(evil.subarray(0, 32));

for (const [protection, attackers] of [
  // Plain RTP is told apart by address alone: whoever has the phone's own address cannot be told apart.
  ['RTP', ['127.0.0.66', '127.0.0.1']],
  ['AES_CM_128_HMAC_SHA1_80', ['127.0.0.66', '127.0.0.21', '127.0.0.1']],
  ['AEAD_AES_256_GCM', ['127.0.0.66', '127.0.0.21', '127.0.0.1']],
] as readonly [Protection, readonly string[]][])
  test(`M1, M2: ${protection}: sprays over all media ports before, during and after learning get and give nothing`, async () => {
    const alice = await bed.registered('alice', 'tls', { from: '127.0.0.21' });
    const bob = await bed.registered('bob', 'udp', { from: '127.0.0.22' });
    const sprayers = await Promise.all(attackers.map((address) => Sprayer.open(address)));
    try {
      const callerVoice = await bed.voice(protection, '127.0.0.21');
      const calleeVoice = await bed.voice('RTP', '127.0.0.22');
      const spray = (): Promise<unknown> => Promise.all(sprayers.map((sprayer) => sprayer.spray(weapons())));
      bob.onInvite = (incoming) => {
        if (calleeVoice.take(incoming.sdp) !== undefined) return incoming.respond(488, 'Not Acceptable Here');
        incoming.ring();
        // While it rings the ports are open already.
        void spray().then(() => incoming.accept(calleeVoice.describe()));
      };
      const { leg } = await alice.call('bob', callerVoice.describe());
      assert.ok(leg !== undefined);
      assert.equal(callerVoice.take(leg.remoteSdp), undefined);
      // Before either has said a word.
      await spray();
      assert.equal(callerVoice.datagrams.length + calleeVoice.datagrams.length, 0, 'nobody heard anything');
      // While both talk.
      const [, problem] = await Promise.all([spray(), talk(callerVoice, calleeVoice, 25)]);
      assert.equal(problem, undefined);
      // And after: the source that was learned stays.
      await spray();
      assert.equal(await talk(callerVoice, calleeVoice, 10), undefined);
      for (const voice of [callerVoice, calleeVoice])
        assert.ok(voice.datagrams.every(({ bytes }) => !isEvil(bytes)));
      for (const sprayer of sprayers) {
        assert.ok(sprayer.sent > 4_000);
        assert.equal(sprayer.received, 0, 'no packet bled to the attacker');
      }
      assert.equal((await leg.hangUp()).status, 200);
      await spray();
      assert.ok(sprayers.every(({ received }) => received === 0));
    } finally {
      for (const sprayer of sprayers) sprayer.close();
    }
  });

async function connected(protection: Protection): Promise<Pair> {
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'udp');
  return bed.connect(alice, bob, 'bob', { from: protection });
}

test('M3: thousands of broken and replayed SRTP packets end no call, and none gets through', async () => {
  const call = await connected('AES_CM_128_HMAC_SHA1_80');
  const { callerVoice, calleeVoice } = call;
  assert.equal(await talk(callerVoice, calleeVoice, 10), undefined);
  const from = bed.edge.events.length;
  const once = callerVoice.packet();
  callerVoice.send(once);
  await until('the packet', () => calleeVoice.heard.length === 11);
  for (let i = 0; i < 3_000; i += 1) {
    // The phone's own socket: what an attacker on its path can do.
    const bad = Buffer.from(once);
    // Another sequence number: the same would be taken for a replay, and not be looked at further.
    bad.writeUInt16BE((bad.readUInt16BE(2) + 1 + (i % 5_000)) & 0xffff, 2);
    callerVoice.send(i % 2 === 0 ? bad : once);
    if (i % 100 === 0) await pause(2);
  }
  await pause(50);
  assert.equal(calleeVoice.heard.length, 11);
  assert.equal(await talk(callerVoice, calleeVoice, 10), undefined);
  await bed.edge.event('media.refused', ({ reason }) => reason === 'authentication', from);
  await bed.edge.event('media.refused', ({ reason }) => reason === 'replay', from);
  assert.equal(bed.edge.ofType('call.ended', from).length, 0);
  assert.equal((await call.caller.hangUp()).status, 200);
});

test('M1: a packet that authenticates moves nothing when it is sent again from elsewhere', async () => {
  const call = await connected('AEAD_AES_128_GCM');
  const { callerVoice, calleeVoice } = call;
  assert.equal(await talk(callerVoice, calleeVoice, 5), undefined);
  const thief = await Sprayer.open('127.0.0.66');
  try {
    const captured: Uint8Array[] = [];
    for (let i = 0; i < 5; i += 1) captured.push(callerVoice.packet());
    for (const packet of captured) callerVoice.send(packet);
    await until('all five', () => calleeVoice.heard.length === 10);
    await thief.spray(captured);
    // Not even one that has never been seen: the source was learned.
    await thief.spray([callerVoice.packet()]);
    await pause(50);
    assert.equal(calleeVoice.heard.length, 10);
    assert.equal(await talk(callerVoice, calleeVoice, 5), undefined);
    assert.equal(thief.received, 0);
  } finally {
    thief.close();
  }
  assert.equal((await call.caller.hangUp()).status, 200);
});

test('one-way audio is noticed and told of', async () => {
  const own = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }] },
    {
      listeners: [{ name: 'udp', transport: 'udp', encryption: 'preferred' }],
      media: 'silenceSeconds: 2',
    },
  );
  try {
    const alice = await own.registered('alice', 'udp');
    const bob = await own.registered('bob', 'udp');
    const call = await own.connect(alice, bob, 'bob');
    let told = false;
    const event = own.edge
      .event('call.one-way', () => true, 0, 20_000)
      .finally(() => {
        told = true;
      });
    // Silence on both sides would be a hold, so the caller goes on.
    const end = performance.now() + 20_000;
    while (!told && performance.now() < end) await call.callerVoice.say(5);
    const { leg, seconds, severity } = await event;
    assert.equal(leg, 1, 'the called side is silent');
    assert.ok(Number(seconds) >= 2);
    assert.equal(severity, 'warning');
    assert.equal((await call.caller.hangUp()).status, 200);
    await within('the end', call.callee.over);
    assert.ok(heardExactly(call.callerVoice.said, call.calleeVoice.heard));
  } finally {
    await own.close();
  }
});
