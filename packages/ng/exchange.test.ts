import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NgExchanges, type NgOutcome } from './exchange.ts';
import { deleteRequest, offerRequest, pingRequest, refusalOf } from './session.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

function setUp(most?: number): { exchanges: NgExchanges; outcomes: NgOutcome[]; ask(now: number): void } {
  let count = 0;
  const exchanges = new NgExchanges({
    newCookie: () => {
      count += 1;
      return `c${count}`;
    },
    ...(most === undefined ? {} : { most }),
  });
  const outcomes: NgOutcome[] = [];
  const ask = (now: number): void => exchanges.request(pingRequest, now, (outcome) => outcomes.push(outcome));
  return { exchanges, outcomes, ask };
}

test('a request leaves with its cookie, and the reply with that cookie ends it', () => {
  const { exchanges, outcomes, ask } = setUp();
  ask(0);
  assert.deepEqual(exchanges.drain().map(text), ['c1 d7:command4:pinge']);
  exchanges.receive(bytes('c9 d6:result4:ponge'));
  exchanges.receive(bytes('no cookie here'));
  exchanges.receive(bytes(' d6:result4:ponge'));
  assert.equal(outcomes.length, 0);
  exchanges.receive(bytes('c1 d6:result4:ponge'));
  exchanges.receive(bytes('c1 d6:result5:errore'));
  assert.equal(outcomes.length, 1);
  assert.ok(outcomes[0]?.ok);
  assert.equal(refusalOf(outcomes[0].value), '');
  assert.equal(exchanges.size, 0);
  assert.equal(exchanges.nextTimeout(), Number.POSITIVE_INFINITY);
});

test('what is not answered is repeated after 150, 300, 600 ms and given up after 2 s', () => {
  const { exchanges, outcomes, ask } = setUp();
  ask(0);
  exchanges.drain();
  const repeated: number[] = [];
  while (exchanges.nextTimeout() < Number.POSITIVE_INFINITY) {
    const now = exchanges.nextTimeout();
    exchanges.handleTimeout(now);
    for (const datagram of exchanges.drain()) {
      assert.equal(text(datagram), 'c1 d7:command4:pinge');
      repeated.push(now);
    }
  }
  assert.deepEqual(repeated, [150, 450, 1050]);
  assert.deepEqual(outcomes, [{ ok: false, error: 'timeout' }]);
});

test('a reply that is no dictionary ends the request as malformed', () => {
  const { exchanges, outcomes, ask } = setUp();
  ask(0);
  exchanges.receive(bytes('c1 i5e'));
  assert.deepEqual(outcomes, [{ ok: false, error: 'malformed' }]);
});

test('requests under way are bounded', () => {
  const { exchanges, outcomes, ask } = setUp(2);
  for (let i = 0; i < 3; i += 1) ask(0);
  assert.deepEqual(outcomes, [{ ok: false, error: 'busy' }]);
  assert.equal(exchanges.drain().length, 2);
  exchanges.abandon();
  assert.equal(outcomes.length, 3);
  assert.equal(exchanges.size, 0);
});

test('the octets of a request, which may hold keys, are overwritten once it is over', () => {
  const { exchanges, ask } = setUp();
  ask(0);
  const [datagram] = exchanges.drain();
  exchanges.receive(bytes('c1 d6:result4:ponge'));
  assert.ok(datagram?.every((octet) => octet === 0));
});

test('an offer names every suite that is not wanted, keeps its ports, learns no source inside', () => {
  const request = offerRequest({
    callId: 'a',
    fromTag: 'in',
    toTag: 'out',
    sdp: 'v=0',
    transport: 'RTP/SAVP',
    suites: ['AEAD_AES_256_GCM'],
    mux: false,
    family: 'IP6',
    endRtcp: true,
    dscp: 46,
  });
  assert.ok(Array.isArray(request.SDES) && request.SDES.includes('no-NULL_HMAC_SHA1_80'));
  assert.ok(!request.SDES.includes('no-AEAD_AES_256_GCM'));
  assert.deepEqual(request.flags, ['strict-source', 'port-latching', 'asymmetric']);
  assert.equal(request.TOS, 184);
  assert.equal(request['generate RTCP'], 'on');
  assert.equal(request['address-family'], 'IP6');
  assert.equal(deleteRequest('a', 'in')['delete-delay'], 0);
});
