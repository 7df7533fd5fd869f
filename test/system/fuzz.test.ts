import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { corpusPath } from '@ringfence/testkit/corpus.ts';
import type { Agent } from './harness/agent.ts';
import { Bed, type Pair } from './harness/bed.ts';
import { requestText, token, usualFields } from './harness/compose.ts';
import { residentKib } from './harness/edge-process.ts';
import { Chance, mutate } from './harness/mutate.ts';
import { talk } from './harness/voice.ts';
import { pause, until } from './harness/waiting.ts';
import { openStream, openWire, type StreamWire, type Wire } from './harness/wire.ts';

/** The same every time; another one finds other things. */
const seed = Number(process.env.RINGFENCE_TEST_SEED ?? 20_260_731);
const datagrams = 13_000;
const streamed = { tcp: 5_500, tls: 1_500 } as const;
const mediaPackets = 6_000;
/** Sent before somebody must get an answer: so that nothing overflows, and a hang is noticed where it happens. */
const atOnce = 50;
/** Half of it is the thread that makes the evidence of the incident that all of this is. */
const grownKib = 140_000;
const trunkAddress = '127.0.0.77';

let bed: Bed;
let trunk: Agent;
let live: Pair;

before(async () => {
  bed = await Bed.open(
    { users: ['alice', 'bob', 'carol', 'dave', 'eve'].map((name) => ({ name })) },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tcp', transport: 'tcp', encryption: 'preferred' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
      ],
      more: { log: '{ format: json, level: notice }' },
    },
  );
  trunk = await bed.phone('carrier', 'udp', { from: trunkAddress });
  await bed.apply({
    trunks: [
      {
        name: 'carrier',
        target: `sip:${trunkAddress}:${trunk.local.port}`,
        addresses: [`${trunkAddress}/32`],
        encryption: 'none',
      },
    ],
    routes: [{ name: 'out', match: '+*', to: { trunk: 'carrier' } }],
  });
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'udp');
  live = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
  // Whoever rings carol is told that she is busy.
  await bed.registered('carol', 'udp');
});
after(() => bed.close());

const sdp =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.77\r\ns=-\r\nc=IN IP4 127.0.0.77\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:32\r\n';

/** Messages that are in order, of every kind. */
function ownSeeds(): Buffer[] {
  const texts: string[] = [];
  for (const method of ['INVITE', 'REGISTER', 'OPTIONS', 'BYE', 'CANCEL', 'ACK', 'MESSAGE', 'SUBSCRIBE'])
    for (const uri of [
      'sip:carol@system.test',
      'sip:+442079460000@system.test',
      'tel:+442079460000',
      'sip:911@x',
    ])
      texts.push(
        requestText({
          method,
          uri,
          transport: 'UDP',
          sentBy: `${trunkAddress}:5060`,
          from: `"Caller" <sip:+442079461111@carrier.test>;tag=${token()}`,
          to: `<${uri}>`,
          more: [
            ...usualFields,
            ['Contact', `<sip:x@${trunkAddress}:5060;transport=udp>;expires=60`],
            ['Content-Type', 'application/sdp'],
            [
              'Authorization',
              'Digest username="alice",realm="system.test",nonce="x",uri="sip:x",response="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",algorithm=SHA-256,qop=auth,nc=00000001,cnonce="y"',
            ],
          ],
          body: method === 'INVITE' ? sdp : '',
        }),
      );
  for (const status of ['100 Trying', '180 Ringing', '200 OK', '401 Unauthorized', '486 Busy Here', '503 x'])
    texts.push(
      requestText({
        method: 'INVITE',
        uri: 'x',
        transport: 'UDP',
        sentBy: '127.0.0.1:5060',
        from: '<sip:a@b>;tag=1',
        to: '<sip:c@d>;tag=2',
        body: sdp,
      }).replace(/^INVITE x SIP\/2\.0/, `SIP/2.0 ${status}`),
    );
  return texts.map((text) => Buffer.from(text));
}

/** Small files of the corpora, where they are there. */
function corpusSeeds(folders: readonly string[]): Buffer[] {
  const seeds: Buffer[] = [];
  for (const folder of folders) {
    const path = corpusPath(folder);
    if (!existsSync(path)) continue;
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (!entry.isFile() || entry.name.endsWith('.json')) continue;
      const bytes = readFileSync(join(path, entry.name));
      if (bytes.length > 0 && bytes.length < 8_000) seeds.push(bytes);
    }
  }
  return seeds;
}

const sipFolders = [
  'sip/rfc4475',
  'sip/rfc5118',
  'sip/nist-torture',
  'sip/kamailio-misc',
  'sip/resip-rsp',
  'sip/unit-test-messages',
  'fuzz-seeds/pjsip-fuzz-sip',
  'fuzz-seeds/pjsip-fuzz-sip-dialog',
  'fuzz-seeds/zeek-sip',
];
const sdpFolders = ['fuzz-seeds/pjsip-fuzz-sdp', 'fuzz-seeds/pjsip-fuzz-sdes', 'fuzz-seeds/webrtc-sdp'];

const invitation = (body: Buffer): Buffer => {
  const text = requestText({
    method: 'INVITE',
    uri: 'sip:carol@system.test',
    transport: 'UDP',
    sentBy: `${trunkAddress}:5060`,
    from: `<sip:x@y>;tag=${token()}`,
    to: '<sip:carol@system.test>',
    more: [...usualFields, ['Contact', `<sip:x@${trunkAddress}>`], ['Content-Type', 'application/sdp']],
    body: body.toString('latin1'),
  });
  return Buffer.from(text, 'latin1');
};

const chance = new Chance(seed);
const seeds = [...ownSeeds(), ...corpusSeeds(sipFolders), ...corpusSeeds(sdpFolders).map(invitation)];
const next = (): Buffer => mutate(chance.pick(seeds), chance, chance.pick(seeds));

/** The call that was there before still carries every octet, and a new one can be made. */
async function servesCalls(): Promise<void> {
  assert.equal(await talk(live.callerVoice, live.calleeVoice, 5), undefined);
  const dave = await bed.registered('dave', 'tcp');
  live.callee.agent.onInvite = (incoming) => incoming.respond(486, 'Busy Here');
  assert.equal((await dave.call('bob', (await bed.voice()).describe())).answer.status, 486);
}

/** Everything sent before has been dealt with: the edge is one thread. */
async function caughtUp(probe: Agent): Promise<void> {
  assert.equal((await probe.send('OPTIONS').final).status, 401, `the edge hangs, seed ${seed}`);
}

let executions = 0;

test(`${datagrams} broken datagrams, half of them from a trunk's address`, async () => {
  const probe = await bed.phone('alice', 'tcp');
  const wires: Wire[] = [
    await openWire({ transport: 'udp', to: bed.edge.at('udp') }),
    await openWire({ transport: 'udp', to: bed.edge.at('udp'), from: trunkAddress }),
  ];
  for (let i = 0; i < datagrams; i += 1) {
    // Own branches, so that not all of them are repetitions of each other.
    const bytes = next();
    wires[i % 2]?.send(bytes);
    executions += 1;
    if (i % atOnce === atOnce - 1) await caughtUp(probe);
    if (i === 2_000) base = residentKib(bed.edge.pid);
    if (i % 4_000 === 3_999) await servesCalls();
  }
  for (const wire of wires) wire.close();
});
let base = 0;

for (const transport of ['tcp', 'tls'] as const)
  test(`${streamed[transport]} broken messages over ${transport}, the connection made anew where it was closed`, async () => {
    const probe = await bed.phone('alice', 'udp');
    const pool: StreamWire[] = [];
    const open = (): Promise<StreamWire> => openStream({ transport, to: bed.edge.at(transport) });
    for (let i = 0; i < 8; i += 1) pool.push(await open());
    for (let i = 0; i < streamed[transport]; i += 1) {
      const at = i % pool.length;
      let wire = pool[at];
      if (wire === undefined || wire.closed || wire.socket.destroyed) {
        wire?.close();
        wire = await open();
        pool[at] = wire;
      }
      wire.send(next());
      executions += 1;
      if (i % atOnce === atOnce - 1) await caughtUp(probe);
    }
    for (const wire of pool) wire.close();
  });

test(`${mediaPackets} broken RTP, RTCP and STUN packets at the ports of a call, from the phone itself and from others`, async () => {
  const packets = [
    ...corpusSeeds([
      'fuzz-seeds/pjsip-fuzz-rtp',
      'fuzz-seeds/pjsip-fuzz-rtcp',
      'fuzz-seeds/webrtc-rtcp',
      'fuzz-seeds/pjsip-fuzz-stun',
    ]),
    Buffer.from(live.callerVoice.packet()),
    Buffer.from(live.calleeVoice.packet()),
    Buffer.concat([Buffer.from([0x80, 200, 0, 6]), chance.bytes(24)]),
    chance.bytes(172),
  ];
  const stranger = createSocket('udp4');
  try {
    for (let i = 0; i < mediaPackets; i += 1) {
      const bytes = mutate(chance.pick(packets), chance, chance.pick(packets)).subarray(0, 1_400);
      for (const voice of [live.callerVoice, live.calleeVoice]) {
        const to = voice.remote;
        if (to === undefined) continue;
        const port = to.port + (i % 3 === 2 ? 1 : 0);
        if (i % 2 === 0 && voice === live.callerVoice) voice.send(bytes, { ...to, port });
        else stranger.send(bytes, port, to.address);
        executions += 1;
      }
      if (i % atOnce === 0) await pause(1);
    }
  } finally {
    stranger.close();
  }
  assert.equal(await talk(live.callerVoice, live.calleeVoice, 20), undefined);
});

const offers = 400;
test(`${offers} broken offers and answers within a call`, async () => {
  const bodies = [Buffer.from(sdp), ...corpusSeeds(sdpFolders)];
  const broken = (voice: string): string =>
    mutate(
      chance.next(3) === 0 ? chance.pick(bodies) : Buffer.from(voice),
      chance,
      chance.pick(bodies),
    ).toString();
  const eve = await bed.registered('eve', 'tcp');
  const connect = async (): Promise<Pair> => {
    const pair = await bed.connect(trunk, eve, 'eve', { place: trunkAddress });
    pair.callee.onReinvite = (incoming) =>
      incoming.respond(200, 'OK', [['Contact', eve.contact]], broken(pair.calleeVoice.describe()));
    return pair;
  };
  let pair = await connect();
  const statuses = new Set<number>();
  for (let i = 0; i < offers; i += 1) {
    if (pair.callee.ended || pair.caller.ended) pair = await connect();
    statuses.add((await pair.caller.reinvite(broken(pair.callerVoice.describe()))).status);
  }
  await pair.caller.hangUp();
  assert.ok(statuses.has(400) && statuses.has(488), [...statuses].join());
  assert.ok(
    [...statuses].every((status) => status < 500),
    [...statuses].join(),
  );
});

test('more than 20,000 executions: the edge lives, has not grown, reports no defect and serves calls', async (t) => {
  t.diagnostic(`${executions} executions with seed ${seed}, from ${seeds.length} messages`);
  assert.equal(executions, datagrams + streamed.tcp + streamed.tls + 2 * mediaPackets);
  assert.ok(executions - 2 * mediaPackets >= 20_000);
  assert.ok(bed.edge.alive);
  await servesCalls();
  const defects = bed.edge.ofType('edge.error').filter(({ where }) => !String(where).startsWith('listener '));
  assert.deepEqual(defects, []);
  assert.equal(bed.edge.ofType('media.down').length, 0);
  const grown = residentKib(bed.edge.pid) - base;
  t.diagnostic(`grown by ${(grown / 1024).toFixed(1)} MiB`);
  assert.ok(grown < grownKib, `grew by ${grown} KiB`);
  assert.equal((await live.caller.hangUp()).status, 200);
  await until('the end', () => live.callee.ended);
});
