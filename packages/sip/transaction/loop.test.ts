import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromPeer, testRequest } from '@ringfence/testkit/layer-probe.ts';
import { digestHex } from '../digest/algorithm.ts';
import type { SipRequest } from '../message/types.ts';
import { sipUri } from '../message/uri.ts';
import { isLoop, loopBranch, loopHash, nextHop, shareBreadth } from './loop.ts';

const digest = (text: string): string => digestHex('SHA-256', text).slice(0, 16);

test('RFC 3261 §16.3: Max-Forwards is counted down, 0 is 483, a missing one is 70', () => {
  const request = testRequest('INVITE');
  assert.deepEqual(nextHop({ ...request, maxForwards: 10 }), { ok: true, maxForwards: 9 });
  assert.deepEqual(nextHop({ ...request, maxForwards: 1 }), { ok: true, maxForwards: 0 });
  assert.deepEqual(nextHop({ ...request, maxForwards: 0 }), {
    ok: false,
    status: 483,
    reason: 'Too Many Hops',
  });
  assert.deepEqual(nextHop({ ...request, maxForwards: undefined }), { ok: true, maxForwards: 70 });
  assert.deepEqual(nextHop({ ...request, maxForwards: 255 }), { ok: true, maxForwards: 69 });
});

test('RFC 5393 §4.2: what comes back unchanged is a loop, with another Request-URI a spiral', () => {
  const request = testRequest('INVITE');
  const hash = loopHash(request, digest);
  const returned = fromPeer(request, loopBranch('z9hG4bKours', hash), '192.0.2.1');
  const ours = (via: SipRequest['via'][number]) => via.host === '192.0.2.1';
  assert.ok(isLoop(returned, ours, loopHash(returned, digest)));
  const spiral = { ...returned, uri: sipUri({ user: 'carol', host: 'example.com' }) };
  assert.ok(!isLoop(spiral, ours, loopHash(spiral, digest)));
  assert.ok(!isLoop(returned, () => false, hash));
  assert.ok(!isLoop({ ...request, via: [] }, ours, hash));
});

test('RFC 5393 §4.2.1: the hash covers what routes a request and nothing else', () => {
  const request = testRequest('INVITE');
  const hash = loopHash(request, digest);
  const route = testRequest('INVITE');
  route.headers.add('Route', '<sip:p.example.com;lr>');
  assert.notEqual(loopHash(route, digest), hash);
  assert.notEqual(loopHash({ ...request, cseq: { number: 2, method: 'INVITE' } }, digest), hash);
  const subject = testRequest('INVITE');
  subject.headers.add('Subject', 'x');
  assert.equal(loopHash({ ...subject, maxForwards: 3 }, digest), hash);
});

test('RFC 5393 §5.3.3: Max-Breadth is shared among forks, too little of it is 440', () => {
  assert.deepEqual(shareBreadth(7, 3), { ok: true, shares: [3, 2, 2] });
  assert.deepEqual(shareBreadth(undefined, 2), { ok: true, shares: [30, 30] });
  assert.deepEqual(shareBreadth(10_000, 1), { ok: true, shares: [60] });
  assert.deepEqual(shareBreadth(2, 3), { ok: false, status: 440, reason: 'Max-Breadth Exceeded' });
});
