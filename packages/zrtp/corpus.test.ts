import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corpusFile, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { hash } from './hash.ts';
import { image, sealFits } from './hash-chain.ts';
import { deriveKey } from './key-derivation.ts';
import { decodeCommit, encodeCommit } from './message/commit.ts';
import { decodeConfirmContent, encodeConfirmContent } from './message/confirm.ts';
import { decodeDhPart, encodeDhPart } from './message/dh-part.ts';
import { decodeEncrypted, encodeEncrypted } from './message/encrypted.ts';
import { messageTypeOf } from './message/frame.ts';
import { decodeHello, encodeHello } from './message/hello.ts';
import { encodeAcknowledgement } from './message/short.ts';
import { decodePacket, encodePacket } from './packet.ts';
import { Peer } from './peer.ts';
import { helloHashOf, parseHelloHash } from './zrtp-hash.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

const kdfFile = 'zrtp/kdf-s256.json';
interface KdfVectors {
  readonly KI: string;
  readonly vectors: readonly {
    readonly label: string;
    readonly length_octets: number;
    readonly context: string;
    readonly output: string;
  }[];
}

test('RFC 6189 §4.5.1: the key derivation function, vectors of GNU ZRTP', needsCorpus(kdfFile), () => {
  const file = JSON.parse(Buffer.from(corpusFile(kdfFile)).toString()) as KdfVectors;
  for (const vector of file.vectors) {
    const derived = deriveKey(
      'S256',
      bytes(file.KI),
      vector.label,
      bytes(vector.context),
      vector.length_octets,
    );
    assert.equal(hexOf(derived), vector.output, vector.label);
  }
  assert.equal(file.vectors.length, 9);
});

const exchangeFile = 'zrtp/bzrtp-dh3k-exchange.json';
interface CapturedExchange {
  readonly zrtp_hash: Record<string, string>;
  readonly H0_to_H3: Record<string, readonly string[]>;
  readonly confirm_keys: Record<'mackeyi' | 'mackeyr' | 'zrtpkeyi' | 'zrtpkeyr', string>;
  readonly packets: readonly {
    readonly type: string;
    readonly ssrc: string;
    readonly seq: number;
    readonly hex: string;
    readonly decrypted?: string;
  }[];
}

const responder = '12345678';
const initiator = '87654321';

function captured() {
  const file = JSON.parse(Buffer.from(corpusFile(exchangeFile)).toString()) as CapturedExchange;
  const message = (type: string, ssrc: string): Uint8Array => {
    const packet = file.packets.find((one) => one.type === type && one.ssrc === ssrc);
    assert.ok(packet, `${type} of ${ssrc}`);
    const decoded = decodePacket(bytes(packet.hex));
    assert.ok(decoded.ok);
    return decoded.value.message;
  };
  return { file, message };
}

/** The octets of a sealed message with its MAC taken out, as our encoders leave it. */
const unsealed = (message: Uint8Array): Uint8Array => message.map((b, i) => (i < message.length - 8 ? b : 0));

test('RFC 6189 §5: packets of a captured exchange, with their CRC', needsCorpus(exchangeFile), () => {
  const { file } = captured();
  for (const packet of file.packets) {
    const decoded = decodePacket(bytes(packet.hex));
    assert.ok(decoded.ok, packet.type);
    assert.equal(decoded.value.ssrc, Number.parseInt(packet.ssrc, 16));
    assert.equal(decoded.value.sequence, packet.seq);
    assert.equal(messageTypeOf(decoded.value.message).trim(), packet.type);
    assert.equal(hexOf(encodePacket(decoded.value)), packet.hex);
    const damaged = bytes(packet.hex);
    damaged[20]! ^= 1;
    assert.deepEqual(decodePacket(damaged), { ok: false, error: 'checksum' });
  }
  assert.equal(file.packets.length, 9);
});

test('RFC 6189 §5.2 to §5.8: captured messages, read and written again', needsCorpus(exchangeFile), () => {
  const { message } = captured();
  for (const ssrc of [responder, initiator]) {
    const hello = message('Hello', ssrc);
    assert.deepEqual(encodeHello(decodeHello(hello)!), unsealed(hello));
  }
  const commit = message('Commit', initiator);
  assert.deepEqual(encodeCommit(decodeCommit(commit)!), unsealed(commit));
  const part1 = message('DHPart1', responder);
  assert.deepEqual(encodeDhPart(decodeDhPart('DHPart1 ', part1)!), unsealed(part1));
  const part2 = message('DHPart2', initiator);
  assert.deepEqual(encodeDhPart(decodeDhPart('DHPart2 ', part2)!), unsealed(part2));
  assert.deepEqual(encodeAcknowledgement('HelloACK'), message('HelloACK', responder));
  assert.deepEqual(encodeAcknowledgement('Conf2ACK'), message('Conf2ACK', responder));
});

test(
  'RFC 6189 §8.1, §9: zrtp-hash, hash chain and MACs of a captured exchange',
  needsCorpus(exchangeFile),
  () => {
    const { file, message } = captured();
    for (const ssrc of [responder, initiator]) {
      const images = file.H0_to_H3[ssrc]!.map(bytes);
      for (let at = 0; at < 3; at++) assert.deepEqual(image(images[at]!), new Uint8Array(images[at + 1]!));
      const hello = message('Hello', ssrc);
      assert.deepEqual(parseHelloHash(file.zrtp_hash[ssrc]!)?.helloHash, helloHashOf(hello));
      const peer = new Peer(decodeHello(hello)!, hello);
      peer.await('dhPart', message(ssrc === responder ? 'DHPart1' : 'DHPart2', ssrc));
      if (ssrc === initiator) peer.await('commit', message('Commit', ssrc));
      assert.equal(peer.show(0, images[0]!), 'ok');
      assert.ok(sealFits(hello, images[2]!));
    }
  },
);

test('RFC 6189 §4.4.1.1: the commitment of a captured exchange', needsCorpus(exchangeFile), () => {
  const { message } = captured();
  const commit = decodeCommit(message('Commit', initiator))!;
  const part2 = message('DHPart2', initiator);
  const hello = message('Hello', responder);
  assert.deepEqual(hash('S256', part2, hello), new Uint8Array(commit.commitment));
  part2[60]! ^= 1;
  assert.notDeepEqual(hash('S256', part2, hello), new Uint8Array(commit.commitment));
});

test('RFC 6189 §5.7: Confirms of a captured exchange, decrypted', needsCorpus(exchangeFile), () => {
  const { file, message } = captured();
  for (const [type, ssrc, who] of [
    ['Confirm1', responder, 'r'],
    ['Confirm2', initiator, 'i'],
  ] as const) {
    const confirm = message(type, ssrc);
    const keys = {
      hash: 'S256',
      mac: bytes(file.confirm_keys[`mackey${who}`]),
      cipher: bytes(file.confirm_keys[`zrtpkey${who}`]),
    } as const;
    const opened = decodeEncrypted(confirm, keys);
    assert.ok(opened.ok);
    assert.equal(hexOf(opened.value), file.packets.find((packet) => packet.type === type)?.decrypted);
    const content = decodeConfirmContent(opened.value)!;
    assert.equal(hexOf(content.h0), file.H0_to_H3[ssrc]![0]);
    assert.equal(content.cacheSeconds, 0xffff_ffff);
    const vector = confirm.subarray(20, 36);
    assert.deepEqual(encodeEncrypted(type, keys, vector, encodeConfirmContent(content)), confirm);
    confirm[70]! ^= 1;
    assert.deepEqual(decodeEncrypted(confirm, keys), { ok: false, error: 'mac' });
  }
});
