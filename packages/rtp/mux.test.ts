import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demultiplex, isMuxablePayloadType } from './mux.ts';

test('RFC 5761 4 and RFC 7983 7: all 65,536 pairs of first octets', () => {
  const expected = (first: number, second: number): string => {
    if (first < 4) return 'stun';
    if (first > 15 && first < 20) return 'zrtp';
    if (first > 19 && first < 64) return 'dtls';
    if (first > 63 && first < 80) return 'turn-channel';
    if (first > 127 && first < 192) return second > 191 && second < 224 ? 'rtcp' : 'rtp';
    return 'unknown';
  };
  const datagram = new Uint8Array(2);
  for (let first = 0; first < 256; first += 1)
    for (let second = 0; second < 256; second += 1) {
      datagram[0] = first;
      datagram[1] = second;
      assert.equal(demultiplex(datagram), expected(first, second));
    }
  assert.equal(demultiplex(Uint8Array.of(0x80)), 'unknown');
  assert.equal(demultiplex(new Uint8Array(0)), 'unknown');
});

test('RFC 5761 4: payload types 64 to 95 would look like RTCP', () => {
  assert.deepEqual([0, 63, 64, 72, 95, 96, 127, 128, -1].map(isMuxablePayloadType), [
    true,
    true,
    false,
    false,
    false,
    true,
    true,
    false,
    false,
  ]);
});
