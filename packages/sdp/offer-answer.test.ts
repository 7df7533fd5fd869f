import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Direction, directions, isHeld } from './attribute.ts';
import { answerDirection, checkReoffer, compareDigits, mirror, narrow, negotiate } from './offer-answer.ts';
import { parseSession } from './parse.ts';
import { serializeSession } from './serialize.ts';
import type { SessionDescription } from './session.ts';

const session = (originLine: string, ...lines: string[]): SessionDescription => {
  const host = originLine.split(' ').at(-1);
  const text = ['v=0', `o=${originLine}`, 's=', `c=IN IP4 ${host}`, 't=0 0', ...lines].join('\r\n');
  const result = parseSession(new TextEncoder().encode(`${text}\r\n`));
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.error));
  return result.value;
};
const alice = (version: number) => `alice 2890844526 ${version} IN IP4 host.anywhere.com`;
const bob = (version: number) => `bob 2890844730 ${version} IN IP4 host.example.com`;
const isSame = (a: SessionDescription, b: SessionDescription) => serializeSession(a) === serializeSession(b);

const pcmu = ['a=rtpmap:0 PCMU/8000'];
const offer = session(
  alice(2890844526),
  'm=audio 49170 RTP/AVP 0',
  ...pcmu,
  'm=video 51372 RTP/AVP 31',
  'a=rtpmap:31 H261/90000',
  'm=video 53000 RTP/AVP 32',
  'a=rtpmap:32 MPV/90000',
);
const answer = session(
  bob(2890844730),
  'm=audio 49920 RTP/AVP 0',
  ...pcmu,
  'm=video 0 RTP/AVP 31',
  'm=video 53000 RTP/AVP 32',
  'a=rtpmap:32 MPV/90000',
);

const negotiated = (a: SessionDescription, b: SessionDescription) => {
  const result = negotiate(a, b);
  assert.ok(result.ok, result.ok ? '' : result.error.code);
  return result.value;
};
const codeOf = (a: SessionDescription, b: SessionDescription) => {
  const result = negotiate(a, b);
  return result.ok ? 'ok' : `${result.error.code} ${result.error.index}`;
};

test('RFC 3264 10.1: basic exchange, then a change of port and a stream more', () => {
  assert.deepEqual(
    negotiated(offer, answer).map(
      (media) => media.accepted && media.formats.map(({ codec }) => codec?.encoding),
    ),
    [['PCMU'], false, ['MPV']],
  );
  const change = session(
    bob(2890844731),
    'm=audio 65422 RTP/AVP 0',
    ...pcmu,
    'm=video 0 RTP/AVP 31',
    'm=video 53000 RTP/AVP 32',
    'a=rtpmap:32 MPV/90000',
    'm=audio 51434 RTP/AVP 110',
    'a=rtpmap:110 telephone-event/8000',
    'a=recvonly',
  );
  assert.deepEqual(checkReoffer(answer, change, isSame), { ok: true, value: 'changed' });
  const accepted = session(
    alice(2890844527),
    'm=audio 49170 RTP/AVP 0',
    ...pcmu,
    'm=video 0 RTP/AVP 31',
    'm=video 53000 RTP/AVP 32',
    'a=rtpmap:32 MPV/90000',
    'm=audio 53122 RTP/AVP 110',
    'a=rtpmap:110 telephone-event/8000',
    'a=sendonly',
  );
  const [, , , events] = negotiated(change, accepted);
  assert.ok(events?.accepted);
  assert.equal(events.direction, 'recvonly');
});

test('RFC 3264 10.2: one of several codecs, in the order of the answerer', () => {
  const many = session(
    alice(1),
    'm=audio 62986 RTP/AVP 0 4 18',
    ...pcmu,
    'a=rtpmap:4 G723/8000',
    'a=rtpmap:18 G729/8000',
  );
  const two = session(bob(1), 'm=audio 54344 RTP/AVP 4 0', ...pcmu, 'a=rtpmap:4 G723/8000');
  const [media] = negotiated(many, two);
  assert.ok(media?.accepted);
  assert.deepEqual(
    media.formats.map(({ answered }) => answered),
    ['4', '0'],
  );
});

test('RFC 3264 6: an answer that does not fit its offer', () => {
  const one = (line: string, ...rest: string[]) => session(alice(1), line, ...rest);
  const voice = one('m=audio 4000 RTP/AVP 0 101', 'a=rtpmap:101 telephone-event/8000');
  assert.equal(codeOf(offer, session(bob(1), 'm=audio 1 RTP/AVP 0')), 'media-count -1');
  assert.equal(codeOf(voice, session(bob(1), 'm=video 1 RTP/AVP 0')), 'media-type 0');
  assert.equal(codeOf(voice, session(bob(1), 'm=audio 1 RTP/SAVP 0')), 'protocol 0');
  assert.equal(codeOf(voice, session(bob(1), 'm=audio 1 RTP/AVP 8')), 'no-common-format 0');
  assert.equal(
    codeOf(voice, session(bob(1), 'm=audio 1 RTP/AVP 101', 'a=rtpmap:101 telephone-event/8000')),
    'no-common-format 0',
  );
  assert.equal(codeOf(voice, session(bob(1), 'm=audio 1 RTP/AVP 0', 'a=rtcp-mux')), 'rtcp-mux 0');
  assert.equal(codeOf(voice, session(bob(1), 'm=audio 0 RTP/SAVP 99')), 'ok');
});

test('RFC 3264 6: a stream offered with port 0 stays refused', () => {
  const closed = session(alice(1), 'm=audio 0 RTP/AVP 0');
  assert.deepEqual(negotiated(closed, session(bob(1), 'm=audio 5000 RTP/AVP 0')), [{ accepted: false }]);
});

test('RFC 3264 6.1: dynamic payload types may differ, names have no case', () => {
  const offered = session(alice(1), 'm=audio 4000 RTP/AVP 96', 'a=rtpmap:96 opus/48000/2');
  const [media] = negotiated(
    offered,
    session(bob(1), 'm=audio 5000 RTP/AVP 111', 'a=rtpmap:111 OPUS/48000/2'),
  );
  assert.ok(media?.accepted);
  assert.deepEqual([media.formats[0]?.offered, media.formats[0]?.answered], ['96', '111']);
  assert.equal(
    codeOf(offered, session(bob(1), 'm=audio 5000 RTP/AVP 96', 'a=rtpmap:96 opus/48000')),
    'no-common-format 0',
  );
});

test('formats of other protocols compare by name', () => {
  const fax = session(alice(1), 'm=image 4000 udptl t38');
  const [media] = negotiated(fax, session(bob(1), 'm=image 5000 UDPTL T38'));
  assert.deepEqual(media?.accepted && media.formats, [{ offered: 'T38', answered: 'T38' }]);
});

test('RFC 3264 6.1: directions, all sixteen pairs', () => {
  const table: Record<Direction, readonly [Direction, Direction, Direction, Direction]> = {
    // Answers wanted: sendrecv, sendonly, recvonly, inactive.
    sendrecv: ['sendrecv', 'sendonly', 'recvonly', 'inactive'],
    sendonly: ['recvonly', 'inactive', 'recvonly', 'inactive'],
    recvonly: ['sendonly', 'sendonly', 'inactive', 'inactive'],
    inactive: ['inactive', 'inactive', 'inactive', 'inactive'],
  };
  for (const offered of directions)
    for (const [i, wanted] of directions.entries())
      assert.equal(answerDirection(offered, wanted), table[offered][i], `${offered} ${wanted}`);
});

test('RFC 3264 6.1: an answer wider than its offer is narrowed', () => {
  const held = session(alice(1), 'm=audio 4000 RTP/AVP 0', 'a=sendonly');
  const [media] = negotiated(held, session(bob(1), 'm=audio 5000 RTP/AVP 0', 'a=sendrecv'));
  assert.equal(media?.accepted && media.direction, 'sendonly');
});

test('RFC 3264 8.4: hold by direction, and by the address of RFC 2543', () => {
  const held = (...lines: string[]) => {
    const description = session(alice(1), 'm=audio 4000 RTP/AVP 0', ...lines);
    return isHeld(description, description.media[0]!);
  };
  assert.equal(held(), false);
  assert.equal(held('a=recvonly'), false);
  assert.equal(held('a=sendonly'), true);
  assert.equal(held('a=inactive'), true);
  assert.equal(held('c=IN IP4 0.0.0.0'), true);
  assert.equal(held('c=IN IP6 ::'), true);
});

test('RFC 3264 8: what the next description of one side may change', () => {
  const check = (next: SessionDescription) => {
    const result = checkReoffer(offer, next, isSame);
    return result.ok ? result.value : result.error.code;
  };
  const media = ['m=audio 49170 RTP/AVP 0', 'm=video 51372 RTP/AVP 31', 'm=video 53000 RTP/AVP 32'];
  assert.equal(check(offer), 'unchanged');
  assert.equal(check(session(alice(2890844526), ...media)), 'version');
  assert.equal(check(session(alice(2890844525), ...media)), 'version');
  assert.equal(check(session(alice(2890844527), ...media)), 'changed');
  assert.equal(check(session(alice(2890844529), ...media)), 'changed');
  assert.equal(check(session(bob(2890844527), ...media)), 'origin');
  assert.equal(check(session(alice(2890844527), ...media.slice(0, 2))), 'media-count');
  assert.equal(check(session(alice(2890844527), 'm=text 1 RTP/AVP 98', ...media.slice(1))), 'media-type');
  const closed = session(alice(1), 'm=audio 0 RTP/AVP 0');
  assert.ok(checkReoffer(closed, session(alice(2), 'm=text 1 RTP/AVP 98'), isSame).ok);
});

test('property: numbers of any length compare as big integers do', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{1,25}$/), fc.stringMatching(/^[0-9]{1,25}$/), (a, b) => {
      const expected = BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0;
      assert.equal(Math.sign(compareDigits(a, b)), expected);
    }),
    { numRuns: 500 },
  );
});

test('property: mirroring twice changes nothing, narrowing never widens', () => {
  for (const a of directions) {
    assert.equal(mirror(mirror(a)), a);
    for (const b of directions) {
      assert.equal(narrow(a, b), narrow(b, a));
      assert.equal(narrow(narrow(a, b), a), narrow(a, b));
    }
  }
});
