import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { encodeRtp, parseRtp } from '@ringfence/rtp/packet.ts';
import { Bed } from './harness/bed.ts';
import { pause, until, within } from './harness/waiting.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    {
      users: [
        { name: 'alice', encryption: 'none' },
        { name: 'bob', encryption: 'none' },
      ],
    },
    { media: 'bridgeDigits: true' },
  );
});
after(() => bed.close());

const eventType = 101;
const withEvents = (sdp: string): string =>
  `${sdp.replace(/^(m=audio [^\r]*)/m, `$1 ${eventType}`)}a=rtpmap:${eventType} telephone-event/8000\r\n`;

/** RFC 4733 §2.3. */
const eventPacket = (sequence: number, event: number, duration: number, end: boolean): Uint8Array =>
  encodeRtp({
    padding: 0,
    marker: false,
    payloadType: eventType,
    sequence,
    timestamp: 5000,
    ssrc: 77,
    csrcs: [],
    payload: Uint8Array.of(event, end ? 0x8a : 0x0a, duration >> 8, duration & 255),
  });

test('RFC 4733: a phone with events and one with INFO alone hear of each other’s keys', async () => {
  const alice = await bed.registered('alice', 'udp');
  const bob = await bed.registered('bob', 'udp');
  const [voice, other] = [await bed.voice(), await bed.voice()];
  let offered = '';
  let over: Promise<void> | undefined;
  bob.onInvite = (incoming) => {
    offered = incoming.sdp;
    other.take(incoming.sdp);
    over = incoming.accept(withEvents(other.describe())).over;
  };
  const { leg } = await alice.call('bob', voice.describe());
  assert.ok(leg !== undefined && over !== undefined);
  assert.match(offered, /a=rtpmap:101 telephone-event\/8000/);
  assert.doesNotMatch(leg.remoteSdp, /telephone-event/);
  voice.take(leg.remoteSdp);

  for (let i = 0; i < 5; i += 1) other.send(eventPacket(100 + i, 4, 160 * Math.min(i + 1, 3), i > 1));
  const info = await until('INFO', () => alice.requests.find(({ message }) => message.method === 'INFO'));
  assert.match(info.text, /\r\n\r\nSignal=4\r\nDuration=60\r\n$/);

  const sent = leg.send('INFO', 'Signal=#\r\nDuration=100\r\n', [['Content-Type', 'application/dtmf-relay']]);
  assert.equal((await sent.final).status, 200);
  await pause(50);
  await voice.say(20);
  const events = (): readonly (readonly [number, number])[] =>
    other.datagrams.flatMap(({ bytes }) => {
      const packet = parseRtp(bytes);
      if (!packet.ok || packet.value.payloadType !== eventType) return [];
      const { payload } = packet.value;
      return [[payload[0] ?? 0, (payload[1] ?? 0) >> 7]] as const;
    });
  await until('the key in RTP', () => events().length === 7);
  assert.deepEqual(new Set(events().map(([event]) => event)), new Set([11]));
  assert.equal(events().filter(([, end]) => end === 1).length, 3);
  assert.equal((await leg.hangUp()).status, 200);
  await within('the end', over);
  const told = bed.edge.events.filter(({ event }) => event === 'call.dtmf');
  assert.deepEqual(
    told.map(({ leg: index, by }) => [index, by]),
    [
      [1, 'rtp'],
      [0, 'info'],
    ],
  );
});
