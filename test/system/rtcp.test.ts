import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { encodeRtcp } from '@ringfence/rtp/rtcp-encode.ts';
import { Bed } from './harness/bed.ts';
import { talk, type Voice } from './harness/voice.ts';
import { pause, within } from './harness/waiting.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }] });
});
after(() => bed.close());

const mediaPort = (sdp: string): number => Number(/^m=audio (\d+) /m.exec(sdp)?.[1]);
/** Source of the last packet that a voice has heard. */
const sourceHeard = (voice: Voice): number =>
  Buffer.from(voice.datagrams.at(-1)?.bytes ?? new Uint8Array(12)).readUInt32BE(8);

test('RFC 3550 §6.4, RFC 3611 §4.7: what a phone reports of its leg stands in the record of that leg alone', async () => {
  const alice = await bed.registered('alice', 'udp');
  const bob = await bed.registered('bob', 'udp');
  const from = bed.edge.events.length;
  const call = await bed.connect(alice, bob, 'bob');
  assert.equal(await talk(call.callerVoice, call.calleeVoice, 20), undefined);
  const ssrc = sourceHeard(call.callerVoice);
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const metrics = new Uint8Array(40);
  new DataView(metrics.buffer).setUint32(0, 7);
  metrics.set([7, 0, 0, 8], 4);
  new DataView(metrics.buffer).setUint32(8, ssrc);
  metrics.set([26, 13], 12);
  metrics.fill(127, 24, 32);
  metrics[30] = 38;
  const report = encodeRtcp([
    {
      type: 'receiver-report',
      ssrc: 7,
      reports: [
        {
          ssrc,
          fractionLost: 32,
          cumulativeLost: 5,
          highestSequence: 20,
          jitter: 160,
          lastSenderReport: 0,
          delaySinceLastSenderReport: 0,
        },
      ],
      extension: new Uint8Array(),
    },
    { type: 'other', packetType: 207, count: 0, body: metrics },
  ]);
  socket.send(report, mediaPort(call.answerText) + 1, '127.0.0.1');
  await pause(100);
  assert.equal((await call.caller.hangUp()).status, 200);
  await within('the end', call.callee.over);
  socket.close();
  const ended = await bed.edge.event('call.ended', () => true, from);
  const [caller, callee] = ended.quality as Record<string, unknown>[];
  assert.deepEqual(caller?.reported, { lossPercent: 12.5, lost: 5, jitterMs: 20 });
  const heard = caller?.voipMetrics as Record<string, unknown> | undefined;
  assert.deepEqual([heard?.lossPercent, heard?.mosLq], [10.2, 3.8]);
  assert.ok(!('reported' in (callee ?? {})));
});
