import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSession } from './parse.ts';
import { parseZrtpHash, serializeZrtpHash, zrtpHash } from './zrtp.ts';

// RFC 6189 §8
const printed = '1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df';

function session(ofSession: string, ofMedia: string) {
  const text = `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n${ofSession}m=audio 4000 RTP/AVP 0\r\n${ofMedia}`;
  const parsed = parseSession(Buffer.from(text));
  assert.ok(parsed.ok);
  return parsed.value;
}

test('RFC 6189 §8: the attribute as printed is read and written', () => {
  const hash = parseZrtpHash(printed);
  assert.equal(hash?.version, '1.10');
  assert.equal(hash?.value.length, 32);
  assert.equal(hash?.value[0], 0xfe);
  assert.ok(hash !== undefined);
  assert.equal(serializeZrtpHash(hash), printed);
  assert.deepEqual(parseZrtpHash(printed.toUpperCase()), hash);
});

test('RFC 6189 §8: what is no hash of a Hello is not taken', () => {
  const hex = printed.slice(5);
  for (const value of [
    '',
    '1.10',
    `1.10 ${hex.slice(2)}`,
    `1.10 ${hex}00`,
    `1.10 ${hex.slice(0, 62)}zz`,
    `1.1 ${hex}`,
    `x.10 ${hex}`,
    `1.10${hex}`,
    `1.10 ${'00'.repeat(100)}`,
  ])
    assert.equal(parseZrtpHash(value), undefined, value);
});

test('RFC 6189 §8: a stream has its own line, else that of the session', () => {
  const other = printed.replace('fe30', '0000');
  const own = session(`a=zrtp-hash:${other}\r\n`, `a=zrtp-hash:${printed}\r\n`);
  const [media] = own.media;
  assert.ok(media !== undefined);
  assert.equal(zrtpHash(own, media)?.value[0], 0xfe);
  const shared = session(`a=zrtp-hash:${other}\r\n`, '');
  const [bare] = shared.media;
  assert.ok(bare !== undefined);
  assert.equal(zrtpHash(shared, bare)?.value[0], 0);
  assert.equal(zrtpHash({ ...shared, attributes: [] }, bare), undefined);
});

test('RFC 6189 §8: only a whole hash of ours is written', () => {
  assert.throws(() => serializeZrtpHash({ version: '1.10', value: new Uint8Array(31) }), {
    code: 'sdp-zrtp-hash',
  });
  assert.throws(() => serializeZrtpHash({ version: '1', value: new Uint8Array(32) }), {
    code: 'sdp-zrtp-hash',
  });
});
