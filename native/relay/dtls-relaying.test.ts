import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRelay } from './client.ts';
import type { EndpointOpened, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { type DtlsConfig, dtlsSuites } from './handshake.ts';
import { hex, openAll, Phone, rtcpPacket, rtpPacket, until } from './loopback.ts';

let relay: RunningRelay;
const events: RelayEvent[] = [];
before(async () => {
  relay = await startRelay({ threads: 2, pollMs: 20, dtls: { retransmitMs: 30, giveUpMs: 1500 } });
  relay.onEvent((event) => events.push(event));
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const leg = { local: '127.0.0.1', ports: 'mux', dscp: 46, suites: [] } as const;
const at = ({ rtpPort }: EndpointOpened) => ({ address: '127.0.0.1', rtpPort, rtcpPort: rtpPort });
const of = (id: number) => events.filter((event) => 'endpoint' in event && event.endpoint === id);
const secured = (id: number) => of(id).find((event) => event.kind === 'secured');

for (const suite of dtlsSuites) {
  test(`RFC 5764 §4.2: two legs agree on ${suite} and understand each other`, async () => {
    const phones = [await Phone.open('127.0.0.1', true), await Phone.open('127.0.0.1', true)] as const;
    const opened = await openAll(relay, [
      { ...leg, dtls: true },
      { ...leg, dtls: true },
      { ...leg, config: { media: 'rtp', remote: phones[0].remote } },
      { ...leg, config: { media: 'rtp', remote: phones[1].remote } },
    ]);
    const [a, b, a2, b2] = opened as [EndpointOpened, EndpointOpened, EndpointOpened, EndpointOpened];
    assert.ok(a.dtls && b.dtls);
    relay.link(a.id, a2.id);
    relay.link(b.id, b2.id);
    const dtls = (role: DtlsConfig['role']) => ({
      role,
      fingerprints: [role === 'client' ? a.dtls! : b.dtls!],
      suites: [suite],
    });
    relay.configure(a.id, { media: 'srtp', remote: at(b), dtls: dtls('server') });
    relay.configure(b.id, { media: 'srtp', remote: at(a), dtls: dtls('client') });
    await until(() => secured(a.id) !== undefined && secured(b.id) !== undefined, 'keys');
    const it = secured(a.id);
    assert.ok(it?.kind === 'secured');
    assert.deepEqual(
      { ...it, fingerprint: hex(it.fingerprint) },
      {
        kind: 'secured',
        endpoint: a.id,
        by: 'dtls',
        version: 'DTLSv1.2',
        suite,
        group: 'X25519',
        cipher: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
        fingerprint: hex(b.dtls.value),
      },
    );
    for (let i = 1; i <= 30; i++) {
      phones[0].rtp.send(rtpPacket(i, 1), a2.rtpPort, '127.0.0.1');
      await until(() => phones[1].rtpReceived.length === i, 'a packet there');
      phones[1].rtp.send(rtpPacket(i, 2), b2.rtpPort, '127.0.0.1');
      await until(() => phones[0].rtpReceived.length === i, 'a packet back');
      assert.equal(hex(phones[1].rtpReceived[i - 1]), hex(rtpPacket(i, 1)));
      assert.equal(hex(phones[0].rtpReceived[i - 1]), hex(rtpPacket(i, 2)));
    }
    phones[0].rtp.send(rtcpPacket(1), a2.rtpPort, '127.0.0.1');
    await until(() => phones[1].rtpReceived.length === 31, 'RTCP');
    assert.equal(hex(phones[1].rtpReceived[30]), hex(rtcpPacket(1)));
    await relay.close(opened.map(({ id }) => id));
    for (const phone of phones) phone.close();
  });
}
