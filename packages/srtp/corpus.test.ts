import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corpusFile, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { SrtpContext } from './context.ts';
import { deriveKey, type label } from './key-derivation.ts';
import { type Suite, suiteParameters } from './suite.ts';
import { hex } from './vectors/hex.ts';

const json = <T>(file: string): T => JSON.parse(Buffer.from(corpusFile(file)).toString()) as T;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface PacketVector {
  readonly id: string;
  readonly suite: string;
  readonly master_key: string;
  readonly master_salt: string;
  readonly roc: number;
  readonly srtcp_index?: number;
  readonly rtp: string;
  readonly srtp: string;
  readonly rtcp?: string;
  readonly srtcp?: string;
  readonly cryptex?: boolean;
  readonly encrypted_header_extension_ids?: readonly number[];
}

test(
  'packets of other implementations: protect and unprotect byte for byte',
  needsCorpus('srtp/packet-vectors.json'),
  () => {
    let ran = 0;
    for (const vector of json<readonly PacketVector[]>('srtp/packet-vectors.json')) {
      // NULL and AES-192 are no suites of ours; RFC 6904 and 9335 encrypt header extensions, which we do not.
      if (!Object.hasOwn(suiteParameters, vector.suite)) continue;
      if (vector.cryptex === true || vector.encrypted_header_extension_ids !== undefined) continue;
      const options = {
        suite: vector.suite as Suite,
        material: hex(vector.master_key + vector.master_salt),
        rolloverCounter: vector.roc,
      };
      const sender = new SrtpContext(options);
      const receiver = new SrtpContext(options);
      const wire = sender.protectRtp(hex(vector.rtp));
      assert.ok(wire.ok);
      assert.equal(text(wire.value), vector.srtp, vector.id);
      const plain = receiver.unprotectRtp(hex(vector.srtp));
      assert.ok(plain.ok);
      assert.equal(text(plain.value), vector.rtp, vector.id);
      ran += 1;
      if (vector.rtcp === undefined || vector.srtcp === undefined) continue;
      let report = sender.protectRtcp(hex(vector.rtcp));
      for (let index = 0; index < vector.srtcp_index!; index += 1)
        report = sender.protectRtcp(hex(vector.rtcp));
      assert.ok(report.ok);
      assert.equal(text(report.value), vector.srtcp, vector.id);
      const clear = receiver.unprotectRtcp(hex(vector.srtcp));
      assert.ok(clear.ok);
      assert.equal(text(clear.value), vector.rtcp, vector.id);
    }
    assert.equal(ran, 3);
  },
);

test(
  'key derivation: all six labels, as others compute them',
  needsCorpus('srtp/kdf-and-keystream.json'),
  () => {
    const { kdf } = json<{ readonly kdf: readonly Record<string, string>[] }>('srtp/kdf-and-keystream.json');
    let ran = 0;
    for (const vector of kdf) {
      for (const [name, expected] of Object.entries(vector)) {
        const which = /^label(\d)_/.exec(name)?.[1];
        if (which === undefined) continue;
        const number = Number(which) as (typeof label)[keyof typeof label];
        const key = deriveKey(hex(vector.master_key!), hex(vector.master_salt!), number, expected.length / 2);
        assert.equal(text(key), expected, `${vector.name} ${name}`);
        ran += 1;
      }
    }
    assert.equal(ran, 18);
  },
);

/** UDP payloads of a classic pcap file over Ethernet, IPv4 or raw links. */
function* udpPayloads(file: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const little = view.getUint32(0, true) === 0xa1b2c3d4;
  const link = view.getUint32(20, little);
  const linkLength = { 1: 14, 101: 0, 113: 16, 0: 4 }[link];
  assert.notEqual(linkLength, undefined, `link type ${link}`);
  for (let at = 24; at + 16 <= file.length; ) {
    const length = view.getUint32(at + 8, little);
    const ip = at + 16 + linkLength!;
    const headerLength = (file[ip]! & 0x0f) * 4;
    if (file[ip]! >> 4 === 4 && file[ip + 9] === 17)
      yield file.subarray(ip + headerLength + 8, ip + headerLength + view.getUint16(ip + headerLength + 4));
    at += 16 + length;
  }
}

for (const [side, key, packets] of [
  ['alice', '9sOd+W72ilwfNgNt0FzlGYj6YZPMqN1sJJx43UuS', 1556],
  ['bob', 'NhqBK/JjtVJgmOgPyDKpvMTEjvFCQ4eiyVQelF6x', 1564],
] as const) {
  const name = `srtp/captures/rtpproxy-${side}_srtp.pcap`;
  test(
    `a captured call, side of ${side}: every packet opens with its SDES key and none with another`,
    needsCorpus(name),
    () => {
      const suite = 'AES_CM_128_HMAC_SHA1_80';
      const receiver = new SrtpContext({ suite, material: Uint8Array.from(Buffer.from(key, 'base64')) });
      const stranger = new SrtpContext({ suite, material: new Uint8Array(30) });
      let opened = 0;
      for (const packet of udpPayloads(corpusFile(name))) {
        if (packet[0]! >> 6 !== 2 || (packet[1]! >= 192 && packet[1]! < 224)) continue;
        assert.equal(stranger.unprotectRtp(packet).ok, false);
        if (receiver.unprotectRtp(packet).ok) opened += 1;
      }
      assert.equal(opened, packets);
    },
  );
}
