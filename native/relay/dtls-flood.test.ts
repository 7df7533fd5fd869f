import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRelay } from './client.ts';
import type { RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { NativeCertificate } from './dtls.ts';
import { DtlsPeer, dtlsCall, isDtls, mux, told } from './dtls-loopback.ts';
import { openAll, Phone, rtpPacket, statsOf, until } from './loopback.ts';

let relay: RunningRelay;
const events: RelayEvent[] = [];
before(async () => {
  relay = await startRelay({ threads: 2, pollMs: 20 });
  relay.onEvent((event) => events.push(event));
});
after(async () => {
  DtlsPeer.stopAll();
  Phone.closeAll();
  await relay.stop();
});

const streams = 100;
const rounds = 20;
const hellosPerRound = 1000;

for (const [who, address] of [
  ['an address that nobody has named', '127.0.0.2'],
  ['the address that signalling named, without ever answering', '127.0.0.1'],
] as const) {
  test(`20,000 ClientHellos of ${who}; 100 streams lose nothing, and the phone itself gets through`, async () => {
    const phones = [await Phone.open('127.0.0.1', true), await Phone.open('127.0.0.1', true)] as const;
    const opened = [];
    for (let i = 0; i < streams; i += 1) {
      const pair = await openAll(relay, [
        { ...mux, config: { media: 'rtp', remote: phones[0].remote } },
        { ...mux, config: { media: 'rtp', remote: phones[1].remote } },
      ]);
      relay.link(pair[0]!.id, pair[1]!.id);
      opened.push(...pair);
    }
    const it = await dtlsCall(relay);
    const flooder = address === '127.0.0.1' ? it.phone : await Phone.open(address, true);
    const certificate = new NativeCertificate();
    it.configure({ role: 'server', fingerprints: [certificate.fingerprint] });
    await relay.flush();
    const hello = new DtlsPeer({ phone: flooder, near: it.near }, 'client');
    hello.stop();
    const [datagram] = hello.association.start();
    assert.ok(datagram);

    let sent = 0;
    for (let round = 1; round <= rounds; round += 1) {
      for (let i = 0; i < hellosPerRound; i += 1, sent += 1) {
        // Another random each time, so that each costs what a new one costs.
        datagram[30] = sent & 0xff;
        datagram[31] = sent >> 8;
        flooder.rtp.send(datagram, it.near.rtpPort, '127.0.0.1');
        const stream = i % (hellosPerRound / streams) === 0 ? i / (hellosPerRound / streams) : -1;
        if (stream >= 0)
          phones[0].rtp.send(rtpPacket(round, stream + 1), opened[2 * stream]!.rtpPort, '127.0.0.1');
      }
      await until(() => phones[1].rtpReceived.length === round * streams, `all streams of round ${round}`);
    }
    assert.equal(sent, rounds * hellosPerRound);
    assert.equal(phones[1].rtpReceived.length, rounds * streams);
    const answers = flooder.rtpReceived.filter(isDtls);
    if (flooder === it.phone) {
      for (const answer of answers) assert.ok(answer.length < datagram.length && answer[13] === 3);
      assert.ok(answers.length <= 50 * 60, `${answers.length} answers`);
    } else {
      assert.equal(answers.length, 0);
      assert.ok((await statsOf(relay, it.near.id)).dropped.source > 0);
    }
    assert.equal(told(events, 'secured', it.near.id).length, 0);
    const peer = new DtlsPeer(it, 'client', { certificate });
    peer.start();
    await until(() => told(events, 'secured', it.near.id).length === 1, 'the phone itself');
    peer.stop();
    flooder.close();
    await it.close();
    await relay.close(opened.map(({ id }) => id));
    for (const phone of phones) phone.close();
  });
}
