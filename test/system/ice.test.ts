import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { after, afterEach, before, test } from 'node:test';
import type { IceMode } from '@ringfence/ice/agent.ts';
import { encodeStun } from '@ringfence/ice/stun/encode.ts';
import { encodeRtp } from '@ringfence/rtp/packet.ts';
import { Bed } from './harness/bed.ts';
import { IcedVoice } from './harness/iced-voice.ts';
import { talk } from './harness/voice.ts';
import { pause, until } from './harness/waiting.ts';

let bed: Bed;
const voices: IcedVoice[] = [];
before(async () => {
  bed = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }] },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred', ice: 'lite' },
        { name: 'full', transport: 'udp', encryption: 'preferred', ice: 'full' },
        { name: 'none', transport: 'udp', encryption: 'preferred', ice: 'off' },
      ],
    },
  );
});
afterEach(() => {
  for (const voice of voices.splice(0)) voice.close();
});
after(() => bed.close());

async function iced(mode: IceMode, address: string): Promise<IcedVoice> {
  const voice = new IcedVoice(await bed.voice('RTP', address), mode);
  voices.push(voice);
  return voice;
}

interface Modes {
  readonly caller: IceMode;
  readonly callee: IceMode;
  readonly listener: 'udp' | 'full';
}

/** A call between two phones that do ICE with the edge, both connected. */
async function call({ caller, callee, listener }: Modes) {
  const alice = await bed.registered('alice', 'udp', { listener, from: '127.0.0.21' });
  const bob = await bed.registered('bob', 'udp', { listener, from: '127.0.0.22' });
  const ours = await iced(caller, '127.0.0.21');
  const theirs = await iced(callee, '127.0.0.22');
  let problem: string | undefined = 'nobody was rung';
  bob.onInvite = (incoming) => {
    problem = theirs.take(incoming.sdp, false);
    if (problem !== undefined) return incoming.respond(488, 'Not Acceptable Here');
    incoming.ring();
    incoming.accept(theirs.describe());
  };
  const { leg, answer } = await alice.call('bob', ours.describe());
  assert.ok(leg !== undefined, `${answer.text} ${problem}`);
  assert.equal(ours.take(leg.remoteSdp, true), undefined);
  await until('both phones to be connected', () => ours.connected && theirs.connected);
  return { leg, ours, theirs };
}

for (const modes of [
  { caller: 'full', callee: 'full', listener: 'udp' },
  { caller: 'lite', callee: 'full', listener: 'udp' },
  { caller: 'full', callee: 'lite', listener: 'full' },
  { caller: 'full', callee: 'full', listener: 'full' },
] as const satisfies readonly Modes[]) {
  const { caller, callee, listener } = modes;
  const edge = listener === 'udp' ? 'lite' : 'full';
  test(`RFC 8445 §2.5, §6.1.1: through the daemon, which is ${edge}: a phone that is ${caller} calls one that is ${callee}`, async () => {
    const { leg, ours, theirs } = await call(modes);
    assert.equal(await talk(ours.voice, theirs.voice, 10), undefined);
    // RFC 8839 §5.3: the edge says that it only answers, where it does.
    assert.equal(theirs.theirs?.lite, edge === 'lite');
    assert.equal((await leg.hangUp()).status, 200);
  });
}

test('RFC 8839 §4.2.5: where ICE is off nothing of it is answered, and media keeps to the addresses of SDP', async () => {
  const alice = await bed.registered('alice', 'udp', { listener: 'none', from: '127.0.0.21' });
  const bob = await bed.registered('bob', 'udp', { listener: 'none', from: '127.0.0.22' });
  const ours = await iced('full', '127.0.0.21');
  const theirs = await bed.voice('RTP', '127.0.0.22');
  bob.onInvite = (incoming) => {
    assert.ok(!incoming.sdp.includes('a=ice') && !incoming.sdp.includes('a=candidate'));
    // Keys are offered first, and not taken.
    if (theirs.take(incoming.sdp) !== undefined) return incoming.respond(488, 'Not Acceptable Here');
    incoming.accept(theirs.describe());
  };
  const { leg } = await alice.call('bob', ours.describe());
  assert.ok(leg !== undefined);
  assert.equal(ours.take(leg.remoteSdp, true), 'no ICE');
  assert.equal(ours.voice.take(leg.remoteSdp), undefined);
  assert.equal(await talk(ours.voice, theirs, 10), undefined);
  assert.equal((await leg.hangUp()).status, 200);
});

/** Somebody who has seen the whole of signalling but its passwords, and every check on its way. */
class Attacker {
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

  static open(address: string): Promise<Attacker> {
    const socket = createSocket('udp4');
    return new Promise((resolve) => {
      socket.bind(0, address, () => resolve(new Attacker(socket)));
    });
  }

  send(bytes: Uint8Array, port: number): void {
    this.sent += 1;
    this.#socket.send(bytes, port, '127.0.0.1');
  }

  close(): void {
    this.#socket.close();
  }
}

const evil = Buffer.alloc(160, 0xee);

/** Forged checks of right names and wrong keys, checks that were seen, a ClientHello, voice: without end. */
function* weapons({ credentials, theirs, checks }: IcedVoice): Generator<Uint8Array> {
  assert.ok(theirs);
  const key = new TextEncoder().encode('A'.repeat(24));
  for (let i = 0; ; i += 1) {
    const transactionId = Buffer.alloc(12, i);
    transactionId.writeUInt32BE(i, 0);
    const username = `${theirs.ufrag}:${credentials.ufrag}`;
    const role = i % 2 === 0 ? { iceControlling: 2n ** 64n - 1n } : { iceControlled: 2n ** 64n - 1n };
    yield encodeStun(
      {
        class: 'request',
        method: 1,
        transactionId,
        attributes: { username, priority: 2 ** 31 - 1, useCandidate: true, ...role },
      },
      { key },
    );
    const seen = checks[i % checks.length];
    if (seen !== undefined) yield seen.bytes;
    if (i % 50 === 0) {
      yield Buffer.concat([Buffer.from('16fefd00000000000000000030', 'hex'), Buffer.alloc(48, 1)]);
      yield encodeRtp({
        padding: 0,
        marker: false,
        payloadType: 0,
        sequence: i & 0xffff,
        timestamp: 160 * i,
        ssrc: 7,
        csrcs: [],
        payload: evil,
      });
    }
  }
}

test('RFC 8445 §19.2, RFC 8489 §16.1: 16,000 forged and repeated checks, ClientHellos and packets in a call move nothing and get nothing', async () => {
  const { leg, ours, theirs } = await call({ caller: 'full', callee: 'full', listener: 'udp' });
  const attackers = [await Attacker.open('127.0.0.66'), await Attacker.open('127.0.0.21')];
  try {
    const media = ours.voice.remote;
    const other = theirs.voice.remote;
    assert.ok(media && other);
    let over = false;
    const flood = Promise.all(
      (
        [
          [ours, media.port],
          [theirs, other.port],
        ] as const
      ).map(async ([phone, port]) => {
        const source = weapons(phone);
        for (let burst = 0; burst < 100; burst += 1) {
          for (const attacker of attackers)
            for (let i = 0; i < 40; i += 1) attacker.send(source.next().value as Uint8Array, port);
          await pause(10);
        }
      }),
    ).finally(() => {
      over = true;
    });
    let rounds = 0;
    do {
      assert.equal(await talk(ours.voice, theirs.voice, 10), undefined);
      rounds += 1;
    } while (!over);
    await flood;
    assert.ok(rounds >= 3, `${rounds} rounds of talking`);
    assert.equal(await talk(ours.voice, theirs.voice, 10), undefined);
    for (const { voice } of [ours, theirs])
      assert.ok(voice.datagrams.every(({ bytes }) => !Buffer.from(bytes).includes(evil.subarray(0, 32))));
    for (const attacker of attackers) {
      assert.equal(attacker.sent, 8_000);
      assert.equal(attacker.received, 0, 'nothing bled to the attacker');
    }
    assert.deepEqual([ours.connected, theirs.connected], [true, true]);
    assert.equal((await leg.hangUp()).status, 200);
  } finally {
    for (const attacker of attackers) attacker.close();
  }
});
