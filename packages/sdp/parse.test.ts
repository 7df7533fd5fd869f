import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import fc from 'fast-check';
import { codecOf, direction } from './attribute.ts';
import { cryptoLines } from './crypto.ts';
import { defaultLimits, parseSession } from './parse.ts';
import { rebuild } from './rewrite.ts';
import { serializeSession } from './serialize.ts';
import type { SessionDescription } from './session.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n`;
const parsed = (text: string): SessionDescription => {
  const result = parseSession(bytes(text));
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.error));
  return result.value;
};
const codeOf = (text: string): string => {
  const result = parseSession(bytes(text));
  return result.ok ? 'ok' : result.error.code;
};

const opening = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-'];
const stream = ['c=IN IP4 192.0.2.1', 't=0 0', 'm=audio 4000 RTP/AVP 0'];

test('RFC 8866 5: the example, read and written back the same', () => {
  const text = lines(
    'v=0',
    'o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1',
    's=Call to John Smith',
    'i=SDP Offer #1',
    'u=http://www.jdoe.example.com/home.html',
    'e=Jane Doe <jane@jdoe.example.com>',
    'p=+1 617 555-6011',
    'c=IN IP4 198.51.100.1',
    't=0 0',
    'm=audio 49170 RTP/AVP 0',
    'm=audio 49180 RTP/AVP 0',
    'm=video 51372 RTP/AVP 99',
    'c=IN IP6 2001:db8::2',
    'a=rtpmap:99 h263-1998/90000',
  );
  const session = parsed(text);
  assert.deepEqual(session.origin, {
    username: 'jdoe',
    sessionId: '3724394400',
    version: '3724394405',
    addressType: 'IP4',
    address: '198.51.100.1',
  });
  assert.deepEqual(session.media[2]?.connection, { addressType: 'IP6', address: '2001:db8::2' });
  assert.deepEqual(codecOf(session.media[2]!, '99'), {
    payloadType: 99,
    encoding: 'h263-1998',
    clockRate: 90_000,
  });
  assert.deepEqual(codecOf(session.media[0]!, '0')?.encoding, 'PCMU');
  assert.equal(direction(session, session.media[0]!), 'sendrecv');
  assert.equal(serializeSession(session), text);
});

test('RFC 8866 5.7 to 5.11: multicast, times, repeats, zones, bandwidths, written back the same', () => {
  const text = lines(
    ...opening,
    'c=IN IP4 233.252.0.1/127/3',
    'b=AS:128',
    'b=X-YZ:256',
    't=3724394400 3724398000',
    'r=604800 3600 0 90000',
    'r=7d 1h 0 25h',
    't=0 0',
    'z=3730928400 -1h 3749680800 0',
    'a=recvonly',
    'm=video 49170/2 RTP/AVP 31',
    'c=IN IP6 ff00::db8:0:101/3',
    'c=IN IP6 ff00::db8:0:201',
    'b=TIAS:64000',
  );
  assert.equal(serializeSession(parsed(text)), text);
});

test('RFC 8866 9: LF alone, no last line end, blank lines at the end', () => {
  const good = [...opening, ...stream];
  assert.equal(codeOf(good.join('\n')), 'ok');
  assert.equal(codeOf(`${good.join('\n')}\n`), 'ok');
  assert.equal(codeOf(`${good.join('\r\n')}`), 'ok');
  assert.equal(codeOf(`${good.join('\r\n')}\r\n\r\n\n`), 'ok');
  assert.equal(codeOf(`${good.join('\r\n')}\r\n\r\na=x`), 'malformed-line');
});

test('lines out of order pass where nothing depends on it, and t= may be absent', () => {
  assert.equal(
    codeOf(lines(...opening, 'a=sendrecv', 't=0 0', 'b=AS:1', 'c=IN IP4 192.0.2.1', 'm=audio 1 RTP/AVP 0')),
    'ok',
  );
  assert.equal(codeOf(lines(...opening, 'c=IN IP4 192.0.2.1', 'm=audio 1 RTP/AVP 0')), 'ok');
  assert.ok(serializeSession(parsed(lines(...opening))).includes('t=0 0\r\n'));
});

test('RFC 8866 5: refused, each with its code', () => {
  const cases: readonly (readonly [code: string, ...text: string[]])[] = [
    ['missing', ''],
    ['missing', 'v=0'],
    ['missing', 'v=0', 'o=- 1 1 IN IP4 192.0.2.1'],
    ['missing', 'o=- 1 1 IN IP4 192.0.2.1', 'v=0', 's=-'],
    ['missing', 'v=0', 's=-', 'o=- 1 1 IN IP4 192.0.2.1'],
    ['missing', ...opening, 't=0 0', 'm=audio 4000 RTP/AVP 0'],
    ['version', 'v=1', ...opening.slice(1)],
    ['version', 'v=', ...opening.slice(1)],
    ['duplicate', ...opening, 'v=0'],
    ['duplicate', ...opening, 'o=- 2 2 IN IP4 192.0.2.2'],
    ['duplicate', ...opening, 's=again'],
    ['duplicate', ...opening, 'c=IN IP4 192.0.2.1', 'c=IN IP4 192.0.2.2'],
    ['duplicate', ...opening, ...stream, 'c=IN IP4 192.0.2.1', 'c=IN IP4 192.0.2.2'],
    ['duplicate', ...opening, 'i=a', 'i=b'],
    ['duplicate', ...opening, 'u=a', 'u=b'],
    ['duplicate', ...opening, 'z=a', 'z=b'],
    ['misplaced', ...opening, ...stream, 't=0 0'],
    ['misplaced', ...opening, ...stream, 'u=http://example.com'],
    ['misplaced', ...opening, 'r=1 1 0'],
    ['unknown-type', ...opening, 'x=1'],
    ['unknown-type', ...opening, ...stream, 'A=sendrecv'],
    ['malformed-line', ...opening, 'a'],
    ['malformed-line', ...opening, ' a=x'],
    ['malformed-line', ...opening, 'a =x'],
    ['malformed-line', ...opening, 'a=x\0'],
    ['malformed-line', ...opening, 'a=x\rm=audio 1 RTP/AVP 0'],
    ['malformed-value', 'v=0', 'o=- 1 1 IN IP4', 's=-'],
    ['malformed-value', 'v=0', 'o=- x 1 IN IP4 192.0.2.1', 's=-'],
    ['malformed-value', 'v=0', 'o=- 1 -1 IN IP4 192.0.2.1', 's=-'],
    ['malformed-value', 'v=0', 'o=- 1 1 ATM NSAP 47', 's=-'],
    ['malformed-value', 'v=0', 'o=- 1 1 IN IP4 192.0.2.1 more', 's=-'],
    ['malformed-value', ...opening, 'b=AS'],
    ['malformed-value', ...opening, 'b='],
    ['malformed-value', ...opening, 'b=:1'],
    ['malformed-value', ...opening, 'b=AS:'],
    ['malformed-value', ...opening, 'b=AS:-1'],
    ['malformed-value', ...opening, 't=0'],
    ['malformed-value', ...opening, 't=a b'],
    ['malformed-value', ...opening, 'c=IN IP4 256.1.1.1'],
    ['malformed-value', ...opening, 'c=IN IP4 1.2.3'],
    ['malformed-value', ...opening, 'c=IN IP4 010.1.1.1'],
    ['malformed-value', ...opening, 'c=IN IP4 2001:db8::1'],
    ['malformed-value', ...opening, 'c=IN IP6 192.0.2.1'],
    ['malformed-value', ...opening, 'c=IN IP6 2001:db8::1::2'],
    ['malformed-value', ...opening, 'c=IN IP5 192.0.2.1'],
    ['malformed-value', ...opening, 'c=IN IP4 192.0.2.1/999'],
    ['malformed-value', ...opening, 'a='],
    ['malformed-value', ...opening, 'a=:x'],
    ['malformed-value', ...opening, 'a=na me:x'],
    ['malformed-value', ...opening, 'm=audio 4000 RTP/AVP'],
    ['malformed-value', ...opening, 'm=audio 65536 RTP/AVP 0'],
    ['malformed-value', ...opening, 'm=audio -1 RTP/AVP 0'],
    ['malformed-value', ...opening, 'm=audio 4000/0 RTP/AVP 0'],
    ['malformed-value', ...opening, 'm=audio 4000 RTP//AVP 0'],
    ['malformed-value', ...opening, 'm=au(dio 4000 RTP/AVP 0'],
    ['malformed-value', ...opening, 'm=audio  4000 RTP/AVP 0'],
  ];
  for (const [code, ...text] of cases) assert.equal(codeOf(lines(...text)), code, text.join(' | '));
});

test('an unused stream needs no connection, RFC 3264 6', () => {
  assert.equal(codeOf(lines(...opening, 't=0 0', 'm=audio 0 RTP/AVP 0')), 'ok');
});

test('RFC 8866 5.12: k= is read and not kept', () => {
  assert.ok(!serializeSession(parsed(lines(...opening, 'k=clear:secret', ...stream))).includes('secret'));
});

test('whatever a peer can make grow is bounded', () => {
  const many = (line: string, count: number) =>
    lines(...opening, ...stream, ...new Array<string>(count).fill(line));
  assert.equal(codeOf(many('a=x', 256)), 'ok');
  assert.equal(codeOf(many('a=x', 257)), 'limit');
  assert.equal(codeOf(many('b=AS:1', 17)), 'limit');
  assert.equal(codeOf(many('m=audio 1 RTP/AVP 0', 32)), 'limit');
  assert.equal(codeOf(many('c=IN IP4 224.0.0.1', 18)), 'limit');
  assert.equal(codeOf(lines(...opening, `m=audio 1 RTP/AVP ${new Array(65).fill('0').join(' ')}`)), 'limit');
  assert.equal(codeOf(lines(...opening, ...new Array<string>(17).fill('t=0 0'))), 'limit');
  assert.equal(codeOf(lines(...opening, 't=0 0', ...new Array<string>(17).fill('r=1 1 0'))), 'limit');
  assert.equal(codeOf(lines(...opening, ...new Array<string>(17).fill('e=a@b'))), 'limit');
  assert.equal(codeOf(lines(...opening, `a=x:${'y'.repeat(16_384)}`)), 'limit');
  const small = parseSession(bytes(lines(...opening, ...stream)), { ...defaultLimits, media: 0 });
  assert.ok(!small.ok && small.error.code === 'limit');
});

test('an error names the line and quotes nothing of the peer', () => {
  const result = parseSession(bytes(lines(...opening, 'b=EVIL')));
  assert.ok(!result.ok);
  assert.equal(result.error.line, 4);
  assert.ok(!result.error.detail.includes('EVIL'));
});

const anchor = { address: '192.0.2.9', port: 30_000 };
const origin = { username: '-', sessionId: 1, version: 1, address: '192.0.2.9' };

/** Everything that reads a description, on whatever it may be; says whether it parsed. */
function exercise(input: Uint8Array): boolean {
  const result = parseSession(input);
  if (!result.ok) return false;
  for (const media of result.value.media) cryptoLines(media);
  const again = parseSession(bytes(serializeSession(result.value)));
  // What is not UTF-8 grows by its replacement, and may then be too large: nothing else may fail.
  if (again.ok) assert.deepEqual(again.value, result.value);
  else assert.equal(again.error.code, 'limit');
  assert.ok(parseSession(bytes(serializeSession(rebuild(result.value, { origin, media: () => anchor })))).ok);
  return true;
}

test('property: arbitrary bytes and arbitrary lines never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (input) => void exercise(input)),
    { numRuns: 500 },
  );
  const line = fc.oneof(
    fc
      .tuple(fc.constantFrom(...'vosiuepcbtrzkam'), fc.string({ maxLength: 30 }))
      .map(([letter, value]) => `${letter}=${value}`),
    fc.constantFrom(
      'm=audio 1 RTP/SAVP 0 96',
      'a=rtpmap:96 opus/48000/2',
      'a=fmtp:96 a=b',
      'a=inactive',
      'm=image 5 udptl t38',
      'c=IN IP6 ::',
    ),
    fc.constantFrom(
      'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:',
      'a=rtcp:1',
      'b=TIAS:5',
      'a=T38FaxVersion:0',
      'c=IN IP4 0.0.0.0',
    ),
  );
  let read = 0;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (rest) => {
      if (exercise(bytes(lines(...opening, 'c=IN IP4 192.0.2.1', ...rest)))) read += 1;
    }),
    { numRuns: 1000 },
  );
  assert.ok(read > 20, `${read} parsed`);
});

for (const folder of ['fuzz-seeds/pjsip-fuzz-sdp', 'fuzz-seeds/pjsip-fuzz-sdes', 'fuzz-seeds/webrtc-sdp']) {
  test(`${folder}: seeds, cut and mutated, never throw`, needsCorpus(folder), () => {
    let ran = 0;
    let read = 0;
    for (const name of readdirSync(corpusPath(folder))) {
      const seed = corpusFile(`${folder}/${name}`);
      const step = Math.max(1, Math.floor(seed.length / 60));
      for (let at = 0; at < seed.length; at += step) {
        for (const octet of [0, 0x0a, 0x3d, 0xff]) {
          const mutated = Uint8Array.from(seed);
          mutated[at] = octet;
          if (exercise(mutated)) read += 1;
          ran += 1;
        }
        exercise(seed.subarray(0, at));
      }
    }
    assert.ok(ran > 300, `${ran} ran`);
    assert.ok(read > 0 || folder.endsWith('sdes'), `${read} parsed`);
  });
}
