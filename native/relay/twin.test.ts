import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { type Suite, suiteParameters, suites } from '@ringfence/srtp/suite.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import {
  createContext,
  protectRtcp,
  protectRtp,
  type SrtpRefusal,
  unprotectRtcp,
  unprotectRtp,
} from './srtp.ts';

const materialOf = (suite: Suite, fill: number): Uint8Array => {
  const { masterKeyLength, masterSaltLength } = suiteParameters[suite];
  return Uint8Array.from({ length: masterKeyLength + masterSaltLength }, (_, i) => (i * 7 + fill) & 0xff);
};

function rtp(sequence: number, ssrc: number, payload: number, extras = 0): Uint8Array {
  const csrcs = extras & 3;
  const extension = (extras & 4) !== 0;
  const header = 12 + 4 * csrcs + (extension ? 8 : 0);
  const packet = new Uint8Array(header + payload);
  const view = new DataView(packet.buffer);
  packet[0] = 0x80 | csrcs | (extension ? 0x10 : 0);
  packet[1] = 8;
  view.setUint16(2, sequence);
  view.setUint32(4, sequence * 160);
  view.setUint32(8, ssrc);
  if (extension) view.setUint32(12 + 4 * csrcs, 0xbede_0001);
  for (let i = header; i < packet.length; i++) packet[i] = (i * sequence) & 0xff;
  return packet;
}

function rtcp(ssrc: number, words: number): Uint8Array {
  const packet = new Uint8Array(8 + 4 * words);
  const view = new DataView(packet.buffer);
  packet[0] = 0x80;
  packet[1] = 200;
  view.setUint16(2, packet.length / 4 - 1);
  view.setUint32(4, ssrc);
  for (let i = 8; i < packet.length; i++) packet[i] = i & 0xff;
  return packet;
}

const bytesOf = (result: { ok: true; value: Uint8Array } | { ok: false; error: unknown }): string =>
  result.ok ? Buffer.from(result.value).toString('hex') : 'refused';

/** The twin is finer in its reasons. */
const coarse: Record<string, SrtpRefusal> = { mki: 'authentication', unencrypted: 'authentication' };
const codeOf = (result: { ok: boolean; error?: { code: string } | string }): string => {
  if (result.ok || result.error === undefined) return 'ok';
  const code = typeof result.error === 'string' ? result.error : result.error.code;
  return coarse[code] ?? code;
};

for (const suite of suites) {
  for (const mki of [undefined, Uint8Array.of(1, 2, 3, 4)]) {
    const name = `${suite}${mki ? ' with MKI' : ''}`;
    const material = materialOf(suite, 3);
    const pair = () => ({
      sender: createContext(suite, 'send', material, mki),
      receiver: createContext(suite, 'receive', material, mki),
      twinSender: new SrtpContext({ suite, material, ...(mki ? { mki } : {}) }),
      twinReceiver: new SrtpContext({ suite, material, ...(mki ? { mki } : {}) }),
    });

    test(`RFC 3711 3.3: ${name}: native and TypeScript give the same packets, reordered over a rollover`, () => {
      const { sender, receiver, twinSender, twinReceiver } = pair();
      const random = new SeededRandom(11);
      const order = Array.from({ length: 300 }, (_, i) => 65_400 + i);
      for (let i = 0; i + 8 < order.length; i += 3) {
        const j = i + random.integer(0, 7);
        [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
      }
      for (const [i, number] of order.entries()) {
        const packet = rtp(number & 0xffff, 0xfeed_0000, (i * 13) % 700, i);
        const native = protectRtp(sender, packet);
        assert.equal(bytesOf(native), bytesOf(twinSender.protectRtp(packet)));
        assert.ok(native.ok);
        assert.equal(bytesOf(unprotectRtp(receiver, native.value)), Buffer.from(packet).toString('hex'));
        assert.equal(bytesOf(twinReceiver.unprotectRtp(native.value)), Buffer.from(packet).toString('hex'));
        assert.equal(codeOf(unprotectRtp(receiver, native.value)), 'replay');
        assert.equal(codeOf(protectRtp(sender, packet)), 'replay');
      }
      for (let i = 0; i < 40; i++) {
        const packet = rtcp(0xfeed_0000, i);
        const native = protectRtcp(sender, packet);
        assert.equal(bytesOf(native), bytesOf(twinSender.protectRtcp(packet)));
        assert.ok(native.ok);
        assert.equal(bytesOf(unprotectRtcp(receiver, native.value)), Buffer.from(packet).toString('hex'));
        assert.equal(codeOf(unprotectRtcp(receiver, native.value)), 'replay');
      }
    });

    test(`${name}: 6,000 mutated packets get the same verdict from both, and none is taken`, () => {
      const { sender, receiver, twinReceiver } = pair();
      const random = new SeededRandom(29);
      const below = (limit: number) => (limit === 0 ? 0 : random.integer(0, limit - 1));
      let executed = 0;
      for (let i = 0; i < 3000; i++) {
        for (const kind of ['rtp', 'rtcp'] as const) {
          const plain = kind === 'rtp' ? rtp(i, 7, below(300), i) : rtcp(7, below(60));
          const good = kind === 'rtp' ? protectRtp(sender, plain) : protectRtcp(sender, plain);
          assert.ok(good.ok);
          let bad: Uint8Array = Uint8Array.from(good.value);
          const change = below(4);
          if (change === 0) bad = bad.subarray(0, below(bad.length));
          else if (change === 1) bad = Uint8Array.from({ length: below(200) }, () => below(256));
          else if (change === 2) bad = Uint8Array.from([...bad, below(256)]);
          else {
            const at = below(bad.length);
            bad[at] = (bad[at] ?? 0) ^ (1 << below(8));
          }
          const native = kind === 'rtp' ? unprotectRtp(receiver, bad) : unprotectRtcp(receiver, bad);
          const twin = kind === 'rtp' ? twinReceiver.unprotectRtp(bad) : twinReceiver.unprotectRtcp(bad);
          assert.equal(native.ok, false);
          assert.equal(codeOf(native), codeOf(twin));
          executed++;
        }
      }
      assert.equal(executed, 6000);
      // Bad packets moved nothing: the next good one is taken.
      const plain = rtp(3000, 7, 160);
      const good = protectRtp(sender, plain);
      assert.ok(good.ok);
      assert.equal(bytesOf(unprotectRtp(receiver, good.value)), Buffer.from(plain).toString('hex'));
    });
  }

  test(`RFC 3711 3.3.1: ${suite}: far into 2^48, and the key is spent at its end`, () => {
    const material = materialOf(suite, 5);
    const sender = createContext(suite, 'send', material);
    const twin = new SrtpContext({ suite, material, rolloverCounter: 0x1234_5678 });
    sender.resume(9, 0x1234_5678 * 65536 + 10, 0);
    const packet = rtp(11, 9, 160);
    assert.equal(bytesOf(protectRtp(sender, packet)), bytesOf(twin.protectRtp(packet)));

    sender.resume(9, 2 ** 48 - 2, 2 ** 31 - 1);
    assert.ok(protectRtp(sender, rtp(65_535, 9, 160)).ok);
    assert.equal(codeOf(protectRtp(sender, rtp(0, 9, 160))), 'exhausted');
    assert.ok(protectRtcp(sender, rtcp(9, 4)).ok);
    assert.equal(codeOf(protectRtcp(sender, rtcp(9, 4))), 'exhausted');
  });

  test(`${suite}: an SSRC that made room never begins again under the same key`, () => {
    const sender = createContext(suite, 'send', materialOf(suite, 6));
    for (let ssrc = 1; ssrc <= 64; ssrc++) assert.ok(protectRtp(sender, rtp(1, ssrc, 20)).ok);
    assert.equal(codeOf(protectRtp(sender, rtp(1, 1, 20))), 'exhausted');
    assert.equal(codeOf(protectRtp(sender, rtp(1, 65, 20))), 'exhausted');
    assert.ok(protectRtp(sender, rtp(2, 64, 20)).ok);
  });
}
