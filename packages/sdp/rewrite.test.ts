import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import fc from 'fast-check';
import type { CryptoAttribute } from './crypto.ts';
import { parseSession } from './parse.ts';
import { longestFormatParameters, type MediaAnchor, type Rebuild, rebuild } from './rewrite.ts';
import { serializeSession } from './serialize.ts';
import type { SessionDescription } from './session.ts';

const session = (...lines: string[]): SessionDescription => {
  const text = [
    'v=0',
    'o=alice 7 8 IN IP4 10.1.2.3',
    's=phone of alice',
    'c=IN IP4 10.1.2.3',
    't=0 0',
    ...lines,
  ];
  const result = parseSession(new TextEncoder().encode(`${text.join('\r\n')}\r\n`));
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.error));
  return result.value;
};
const origin = { username: '-', sessionId: 5, version: 6, address: '192.0.2.1' };
const anchor: MediaAnchor = { address: '192.0.2.1', port: 30_000 };
const ours = (media: MediaAnchor = anchor): Rebuild => ({ origin, media: () => media });
const rebuilt = (theirs: SessionDescription, media?: MediaAnchor): string[] =>
  serializeSession(rebuild(theirs, ours(media)))
    .trimEnd()
    .split('\r\n');
const head = ['v=0', 'o=- 5 6 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0'];
const misuse = (code: string) => (error: unknown) => error instanceof MisuseError && error.code === code;

test('what is on the list passes, under our own origin, addresses and ports', () => {
  const theirs = session(
    'm=audio 4000 RTP/AVP 8 96 101',
    'b=AS:80',
    'b=X-PRIVATE:1',
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:96 opus/48000/2',
    'a=fmtp:96 useinbandfec=1;minptime=10',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-16',
    'a=ptime:20',
    'a=maxptime:60',
    'a=rtcp:4001 IN IP4 10.1.2.3',
    'a=sendonly',
  );
  assert.deepEqual(rebuilt(theirs), [
    ...head,
    'm=audio 30000 RTP/AVP 8 96 101',
    'b=AS:80',
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:96 opus/48000/2',
    'a=fmtp:96 useinbandfec=1;minptime=10',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-16',
    'a=ptime:20',
    'a=maxptime:60',
    'a=sendonly',
  ]);
});

test('nothing of the other side passes that is not on the list', () => {
  const theirs = session(
    'a=tool:SecretPhone 9',
    'a=ice-ufrag:LEAK',
    'a=group:BUNDLE LEAK',
    'm=audio 4000/3 RTP/SAVP 0',
    'i=LEAK',
    'c=IN IP4 10.9.9.9',
    'a=mid:LEAK',
    'a=label:LEAK',
    'a=candidate:1 1 UDP 1 10.1.2.3 4000 typ host',
    'a=fingerprint:sha-256 LEAK',
    'a=identity:LEAK',
    'a=ssrc:1 cname:LEAK',
    'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz',
    'a=rtcp-mux',
    'a=X-LEAK:LEAK',
    'a=rtpmap:0 PCMU/8000 LEAK',
    'a=rtpmap:77 LEAK/8000',
    'a=fmtp:77 LEAK',
    'a=fmtp:0 addr=10.1.2.3;LEAK',
    'a=ptime:20 LEAK',
    'a=rtcp-fb:0 LEAK',
    'a=rtcp-fb:77 nack',
  );
  assert.deepEqual(rebuilt(theirs, { ...anchor, protocol: 'RTP/AVP' }), [
    ...head,
    'm=audio 30000 RTP/AVP 0',
    'a=sendrecv',
  ]);
});

test('our transport: another address, a=rtcp, rtcp-mux, crypto, protocol, direction', () => {
  const crypto: CryptoAttribute = {
    tag: 1,
    suite: 'AES_CM_128_HMAC_SHA1_80',
    keys: [{ material: Uint8Array.from(Buffer.from('WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz', 'base64')) }],
  };
  const media: MediaAnchor = {
    address: '2001:db8::5',
    port: 30_000,
    protocol: 'RTP/SAVP',
    rtcpPort: 30_007,
    rtcpMux: true,
    crypto: [crypto],
    direction: 'inactive',
  };
  assert.deepEqual(rebuilt(session('m=audio 4000 RTP/AVP 0'), media).slice(5), [
    'm=audio 30000 RTP/SAVP 0',
    'c=IN IP6 2001:db8::5',
    'a=inactive',
    'a=rtcp:30007 IN IP6 2001:db8::5',
    'a=rtcp-mux',
    'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz',
  ]);
  assert.ok(
    !rebuilt(session('m=audio 4000 RTP/AVP 0'), { ...media, rtcpPort: 30_001 })
      .join()
      .includes('a=rtcp:'),
  );
});

test('RFC 3264 6 and 8.2: refused streams keep their place and nothing else', () => {
  const theirs = session(
    'm=audio 4000 RTP/AVP 0',
    'a=ptime:20',
    'm=video 4002 RTP/AVP 99',
    'a=rtpmap:99 VP8/90000',
  );
  const both = rebuild(theirs, {
    origin,
    media: (_, { media }) => (media === 'audio' ? anchor : { ...anchor, port: 0 }),
  });
  assert.equal(both.media.length, 2);
  assert.deepEqual(serializeSession(both).trimEnd().split('\r\n').slice(-1), ['m=video 0 RTP/AVP 99']);
});

test('formats are filtered, made unique, and a stream that keeps none is refused', () => {
  const theirs = session(
    'm=audio 4000 RTP/AVP 0 0 200 08 nonsense 8',
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:8 LEAK/8000',
  );
  assert.deepEqual(rebuilt(theirs).slice(5), [
    'm=audio 30000 RTP/AVP 0 8',
    'a=rtpmap:8 PCMA/8000',
    'a=sendrecv',
  ]);
  assert.deepEqual(
    rebuilt(theirs, { ...anchor, keepFormat: (format) => format === '8' })[5],
    'm=audio 30000 RTP/AVP 8',
  );
  assert.deepEqual(rebuilt(theirs, { ...anchor, keepFormat: () => false }).slice(5), ['m=audio 0 RTP/AVP 0']);
});

test('RFC 3264 8.4: the hold address of RFC 2543 becomes a direction, since the address does not pass', () => {
  const held = (...lines: string[]) =>
    rebuilt(session('m=audio 4000 RTP/AVP 0', 'c=IN IP4 0.0.0.0', ...lines)).at(-1);
  assert.equal(held(), 'a=sendonly');
  assert.equal(held('a=recvonly'), 'a=inactive');
  assert.equal(held('a=sendonly'), 'a=sendonly');
});

test('T.38 annex D: fax parameters pass, vendor information does not', () => {
  const theirs = session(
    'm=image 4000 udptl t38',
    'a=T38FaxVersion:0',
    'a=T38MaxBitRate:14400',
    'a=T38FaxRateManagement:transferredTCF',
    'a=T38FaxMaxDatagram:400',
    'a=T38FaxMaxDatagram:500',
    'a=T38FaxUdpEC:t38UDPRedundancy',
    'a=T38FaxTranscodingMMR',
    'a=T38VendorInfo:LEAK',
    'a=T38FaxMaxBuffer:LEAK LEAK',
  );
  assert.deepEqual(rebuilt(theirs).slice(5), [
    'm=image 30000 udptl t38',
    'a=T38FaxVersion:0',
    'a=T38MaxBitRate:14400',
    'a=T38FaxRateManagement:transferredTCF',
    'a=T38FaxMaxDatagram:400',
    'a=T38FaxUdpEC:t38UDPRedundancy',
    'a=T38FaxTranscodingMMR',
  ]);
});

test('RFC 4585 4.2: known feedback passes for formats that are kept', () => {
  const theirs = session(
    'm=video 4000 RTP/AVPF 96',
    'a=rtpmap:96 VP8/90000',
    'a=rtcp-fb:96 nack pli',
    'a=rtcp-fb:* ccm fir',
    'a=rtcp-fb:96 transport-cc',
  );
  assert.deepEqual(rebuilt(theirs).slice(7, 9), ['a=rtcp-fb:96 nack pli', 'a=rtcp-fb:* ccm fir']);
});

test('format parameters are printable and bounded', () => {
  const passes = (parameters: string) =>
    rebuilt(session('m=audio 4000 RTP/AVP 96', `a=fmtp:96 ${parameters}`)).some((line) =>
      line.startsWith('a=fmtp'),
    );
  assert.ok(passes('a=b'));
  assert.ok(passes('x'.repeat(longestFormatParameters)));
  assert.ok(!passes('x'.repeat(longestFormatParameters + 1)));
  assert.ok(!passes('tab\there'));
  assert.ok(!passes('é'));
  assert.ok(!passes('via 10.1.2.3 here'));
});

test('what is ours and does not fit is misuse', () => {
  const theirs = session('m=audio 4000 RTP/AVP 0');
  const withOrigin = (change: object) => () =>
    rebuild(theirs, { ...ours(), origin: { ...origin, ...change } });
  assert.throws(withOrigin({ address: 'pbx.example.com' }), misuse('sdp-anchor'));
  assert.throws(withOrigin({ username: 'a b' }), misuse('sdp-anchor'));
  assert.throws(withOrigin({ username: 'a\r\nb' }), misuse('sdp-anchor'));
  assert.throws(withOrigin({ version: '1 2' }), misuse('sdp-anchor'));
  for (const change of [
    { port: 65_536 },
    { port: 1.5 },
    { address: '1.2.3' },
    { protocol: 'RTP AVP' },
    { rtcpPort: 0 },
  ])
    assert.throws(
      () => rebuild(theirs, ours({ ...anchor, ...change })),
      misuse('sdp-anchor'),
      JSON.stringify(change),
    );
  assert.throws(
    () => serializeSession(rebuild(theirs, { ...ours(), sessionName: 'a\r\nm=audio 1 RTP/AVP 0' })),
    misuse('sdp-injection'),
  );
});

test('RFC 8866 9: no value of any field can begin a line of its own', () => {
  const good = session('m=audio 4000 RTP/AVP 0', 'a=x:y');
  const [media] = good.media;
  for (const bad of ['\r', '\n', '\r\n', '\0']) {
    const value = `x${bad}a=y`;
    for (const broken of [
      { ...good, origin: { ...good.origin, username: value } },
      { ...good, origin: { ...good.origin, address: value } },
      { ...good, sessionName: value },
      { ...good, information: value },
      { ...good, uri: value },
      { ...good, emails: [value] },
      { ...good, phones: [value] },
      { ...good, zones: value },
      { ...good, connection: { addressType: 'IP4' as const, address: value } },
      { ...good, bandwidths: [{ type: value, value: 1 }] },
      { ...good, timing: [{ start: value, stop: '0', repeats: [] }] },
      { ...good, timing: [{ start: '0', stop: '0', repeats: [value] }] },
      { ...good, attributes: [{ name: value }] },
      { ...good, attributes: [{ name: 'x', value }] },
      { ...good, media: [{ ...media!, media: value }] },
      { ...good, media: [{ ...media!, protocol: value }] },
      { ...good, media: [{ ...media!, formats: [value] }] },
      { ...good, media: [{ ...media!, information: value }] },
    ])
      assert.throws(() => serializeSession(broken), misuse('sdp-injection'));
  }
});

test('property: no word of the other side passes outside the list, whatever its lines', () => {
  const word = 'LEAKLEAK';
  const line = fc.oneof(
    fc.constantFrom('a=sendrecv', 'a=rtpmap:96 opus/48000', 'a=ptime:20'),
    fc.stringMatching(/^[a-z-]{1,12}$/).map((name) => `a=${name}:${word}`),
    fc
      .constantFrom('rtpmap', 'ptime', 'rtcp', 'mid', 'rtcp-fb', 'maxptime')
      .map((name) => `a=${name}:96 ${word}`),
    fc.nat({ max: 127 }).map((format) => `a=rtpmap:${format} ${word}`),
    fc.constantFrom(`i=${word}`, `b=${word}:1`, `a=${word}`, `a=T38VendorInfo:${word}`),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(line, { maxLength: 20 }),
      fc.constantFrom('RTP/AVP 96', 'udptl t38'),
      (lines, rest) => {
        const once = lines.filter(
          (text, i) => !text.startsWith('i=') || lines.findIndex((t) => t.startsWith('i=')) === i,
        );
        const text = rebuilt(session(`m=audio 4000 ${rest}`, ...once)).join('\n');
        assert.ok(!text.includes(word), text);
        assert.ok(!text.includes('10.1.2.3'), text);
        assert.ok(!text.includes('alice'), text);
      },
    ),
    { numRuns: 300 },
  );
});
