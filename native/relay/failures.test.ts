import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startRelay } from './client.ts';
import type { EndpointSpec, RelayEvent } from './contract.ts';
import { until } from './loopback.ts';
import { native } from './native.ts';
import { FrameWriter, frameTypes, headerLength } from './protocol/frames.ts';
import { writeSpec } from './protocol/requests.ts';

const spec: EndpointSpec = { local: '127.0.0.1', ports: 'pair', dscp: 46, suites: [] };
const mostDescriptors = 200;

test('the death of the media process is told once, and everything asked afterwards says so', async () => {
  const relay = await startRelay({ threads: 1 });
  const events: RelayEvent[] = [];
  relay.onEvent((event) => events.push(event));
  const opened = await relay.open([spec]);
  assert.ok(opened.ok);
  process.kill(relay.pid, 'SIGKILL');
  await until(() => events.length > 0, 'down');
  assert.deepEqual(events, [{ kind: 'down', reason: 'ended by SIGKILL' }]);
  assert.deepEqual(await relay.open([spec]), { ok: false, error: 'relay-down' });
  assert.deepEqual(await relay.stats([opened.value[0]!.id]), []);
  assert.deepEqual(await relay.close([opened.value[0]!.id]), []);
  relay.configure(opened.value[0]!.id, { media: 'rtp' });
  await relay.stop();
  assert.equal(events.length, 1);
});

test('a full port range gives no-ports, opens nothing of the request, and is free again after a close', async () => {
  const from = 20_000 + (process.pid % 400) * 50;
  const relay = await startRelay({ threads: 1, portRange: { from, to: from + 7 } });
  try {
    const held: number[] = [];
    for (let i = 0; i < 20; i++) {
      const one = await relay.open([spec]);
      if (!one.ok) {
        assert.equal(one.error, 'no-ports');
        break;
      }
      held.push(one.value[0]!.id);
    }
    assert.ok(held.length >= 1 && held.length <= 4);
    assert.deepEqual(await relay.open([spec]), { ok: false, error: 'no-ports' });
    await relay.close([held[0]!]);
    assert.deepEqual(await relay.open([spec, spec]), { ok: false, error: 'no-ports' });
    assert.ok((await relay.open([spec])).ok);
  } finally {
    await relay.stop();
  }
});

test('addresses that are not ours, or none, give bad-address', async () => {
  const relay = await startRelay({ threads: 1 });
  try {
    for (const local of ['192.0.2.1', 'host.example', '', '1.2.3', '1:2', '256.1.1.1']) {
      assert.deepEqual(await relay.open([{ ...spec, local }]), { ok: false, error: 'bad-address' }, local);
    }
    assert.ok((await relay.open([spec])).ok);
  } finally {
    await relay.stop();
  }
});

test('without descriptors: no-descriptors, and live calls stay', async () => {
  const relay = await startRelay({ threads: 1, descriptors: mostDescriptors });
  try {
    const held: number[] = [];
    let error = '';
    for (let i = 0; i < mostDescriptors && !error; i++) {
      const one = await relay.open([spec]);
      if (one.ok) held.push(one.value[0]!.id);
      else error = one.error;
    }
    assert.equal(error, 'no-descriptors');
    assert.equal((await relay.stats(held)).length, held.length);
    await relay.close(held.slice(0, 5));
    assert.ok((await relay.open([spec])).ok);
  } finally {
    await relay.stop();
  }
});

test('the media process has no root, no environment, no way to new privileges, no core dump', async (t) => {
  const relay = await startRelay({ threads: 1 });
  try {
    const status = readFileSync(`/proc/${relay.pid}/status`, 'latin1');
    assert.match(status, /^NoNewPrivs:\t1$/m);
    if (process.getuid?.() !== 0) {
      t.skip('the rest needs root');
      return;
    }
    assert.doesNotMatch(status, /^[UG]id:.*\t0\b/m);
    assert.match(status, /^Groups:\s*$/m);
    assert.match(readFileSync(`/proc/${relay.pid}/limits`, 'latin1'), /^Max core file size +0 +0/m);
    const environment = readFileSync(`/proc/${relay.pid}/environ`, 'latin1').split('\0').filter(Boolean);
    assert.deepEqual(
      environment.filter((entry) => !entry.startsWith('NODE_COMPILE_CACHE=')),
      [],
    );
  } finally {
    await relay.stop();
  }
});

/** Has every part that a request can have. */
const broken: EndpointSpec = {
  local: '127.0.0.1',
  ports: 'pair',
  dscp: 46,
  suites: ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'],
  ice: 'full',
  dtls: true,
  zrtp: true,
  config: {
    media: 'srtp',
    remote: { address: '127.0.0.1', rtpPort: 9, rtcpPort: 10, signalling: '127.0.0.1' },
    receive: { suite: 'AES_CM_128_HMAC_SHA1_80', material: new Uint8Array(30) },
    send: { suite: 'AES_CM_128_HMAC_SHA1_80' },
    clockRates: { 8: 8000 },
    telephoneEvent: 101,
    ice: {
      ufrag: 'ufrag',
      password: 'x'.repeat(22),
      lite: false,
      controlling: true,
      candidates: [
        { foundation: '1', component: 1, priority: 1, address: '::1', port: 9, kind: 'host' },
        { foundation: '2', component: 2, priority: 2, address: '127.0.0.1', port: 9, kind: 'srflx' },
      ],
    },
    dtls: {
      role: 'client',
      fingerprints: [{ hash: 'sha-256', value: new Uint8Array(32) }],
      suites: ['AEAD_AES_256_GCM'],
    },
    zrtp: {
      mode: 'end',
      demanded: true,
      helloHash: new Uint8Array(32),
      retained: { zid: new Uint8Array(12), rs1: new Uint8Array(32), verified: true },
    },
  },
};

test('8,000 broken requests are refused, none crashes', () => {
  const relay = native();
  relay.start(30_000, 30_100, 1, 0, 1000);
  try {
    const out = new Uint8Array(65_536);
    const frames = new FrameWriter();
    frames.begin(frameTypes.open, 1);
    frames.u8(1);
    writeSpec(frames, broken);
    frames.end();
    const good = Uint8Array.from(frames.take().subarray(headerLength));
    const length = relay.request(1, good, out);
    assert.ok(length > 0 && out[0] === 0, 'the request that is broken below is good');
    const id = new DataView(out.buffer).getUint32(2);
    let state = 7;
    const below = (limit: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    let executed = 0;
    for (let i = 0; i < good.length; i++, executed++)
      assert.equal(relay.request(1, good.subarray(0, i), out), -1);
    for (let i = 0; i < 8000; i++, executed++) {
      const bytes = Uint8Array.from(good.subarray(0, 1 + below(good.length)));
      for (let j = below(4); j >= 0; j--) bytes[below(bytes.length)] = below(256);
      const type = below(9);
      const written = relay.request(type, bytes, out);
      if (type === 0 || type > 6) assert.equal(written, -1);
      if (type === 1 && written > 1) {
        const view = new DataView(out.buffer);
        relay.request(5, Uint8Array.from([0, 1, ...new Uint8Array(out.buffer, 2, 4)]), new Uint8Array(400));
        assert.notEqual(view.getUint32(2), id);
      }
    }
    assert.ok(executed >= 8000);
    assert.ok(relay.request(6, Uint8Array.from([0, 1, id >>> 24, id >>> 16, id >>> 8, id]), out) > 0);
  } finally {
    relay.stop();
  }
});
