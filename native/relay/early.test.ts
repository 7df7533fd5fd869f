import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { startRelay } from './client.ts';
import type { RunningRelay } from './control.ts';
import { materialOf, openAll, Phone, protect, rtpPacket, statsOf, until } from './loopback.ts';

let relay: RunningRelay;
before(async () => {
  relay = await startRelay({ portRange: { from: 25_000, to: 25_999 }, threads: 2 });
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const suite: Suite = 'AES_CM_128_HMAC_SHA1_80';
const spec = { local: '127.0.0.1', ports: 'pair', dscp: 0 } as const;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function pair() {
  const [a, b, stranger] = [await Phone.open(), await Phone.open(), await Phone.open()];
  const [left, right] = await openAll(relay, [
    { ...spec, suites: [suite] },
    { ...spec, suites: [] },
  ]);
  assert.ok(left && right);
  const sending = new SrtpContext({ suite, material: materialOf(suite, 1) });
  return {
    a,
    b,
    stranger,
    left,
    right,
    sayA: (packet: Uint8Array) => a.rtp.send(protect(sending, packet), left.rtpPort, '127.0.0.1'),
    sayB: (packet: Uint8Array) => b.rtp.send(packet, right.rtpPort, '127.0.0.1'),
    agree: async () => {
      const receive = { suite, material: materialOf(suite, 1) };
      relay.configure(left.id, { media: 'srtp', remote: a.remote, receive, send: { suite } });
      relay.configure(right.id, { media: 'rtp', remote: b.remote });
      relay.link(left.id, right.id);
      await relay.flush();
    },
  };
}

test('what either side says before it is linked is heard once it is, in order: no first word is lost', async () => {
  const { a, b, sayA, sayB, agree, left } = await pair();
  for (let i = 0; i < 3; i++) {
    sayA(rtpPacket(10 + i));
    sayB(rtpPacket(20 + i));
  }
  await pause(50);
  assert.equal(b.rtpReceived.length, 0);
  await agree();
  sayA(rtpPacket(13));
  await until(() => b.rtpReceived.length === 4 && a.rtpReceived.length === 3, 'all of it');
  assert.deepEqual(
    b.rtpReceived.map((packet) => packet.readUInt16BE(2)),
    [10, 11, 12, 13],
  );
  assert.equal((await statsOf(relay, left.id)).received.packets, 4);
});

test('only the latest four are kept, half a second long; none of it is believed without its source and key', async () => {
  const { a, b, stranger, sayA, sayB, agree, left, right } = await pair();
  for (let i = 0; i < 9; i++) sayA(rtpPacket(100 + i));
  await pause(600);
  for (let i = 0; i < 9; i++) sayB(rtpPacket(200 + i));
  stranger.rtp.send(rtpPacket(5), left.rtpPort, '127.0.0.1');
  stranger.rtp.send(rtpPacket(6), right.rtpPort, '127.0.0.1');
  await pause(50);
  await agree();
  await until(() => a.rtpReceived.length === 3, 'what was young enough');
  assert.equal(b.rtpReceived.length, 0);
  const { dropped } = await statsOf(relay, left.id);
  assert.equal(dropped.authentication, 1);
  assert.equal((await statsOf(relay, right.id)).dropped.source, 1);
});

test('what is closed before it was linked takes what was kept with it', async () => {
  const { b, sayA, left, right } = await pair();
  sayA(rtpPacket(1));
  await pause(20);
  await relay.close([left.id, right.id]);
  assert.equal(b.rtpReceived.length, 0);
});
