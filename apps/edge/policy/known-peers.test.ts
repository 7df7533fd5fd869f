import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KnownPeer, KnownPeers, steadyAfter } from './known-peers.ts';
import type { LegProtection, MediaProtection } from './protection.ts';

const leg = (
  media: MediaProtection,
  fingerprint?: string,
  party = 'device:alice@example.test/desk',
): LegProtection => ({
  leg: 0,
  party,
  demanded: 'preferred',
  signalling: { transport: 'tls', ...(fingerprint === undefined ? {} : { peerFingerprint: fingerprint }) },
  media,
});
const srtp: MediaProtection = { protocol: 'srtp', keyExchange: 'sdes' };
const rtp: MediaProtection = { protocol: 'rtp' };
const dtls = (peerFingerprint: string): MediaProtection => ({
  protocol: 'srtp',
  keyExchange: 'dtls',
  dtls: { version: 'DTLSv1.2', cipher: '', group: 'X25519', peerFingerprint },
});
const kinds = (peers: KnownPeers, one: LegProtection, learns = true): string[] =>
  peers.look(one, learns).map(({ kind }) => kind);

test('a peer that always encrypted and now does not is told; once where that is taken, each time where it is not', () => {
  for (const learns of [true, false]) {
    const peers = new KnownPeers();
    for (let i = 0; i < steadyAfter; i++) assert.deepEqual(kinds(peers, leg(srtp), learns), []);
    assert.deepEqual(kinds(peers, leg(rtp), learns), ['encryption-missing']);
    assert.deepEqual(kinds(peers, leg(rtp), learns), learns ? [] : ['encryption-missing']);
  }
  const wavering = new KnownPeers();
  for (let i = 0; i < 10; i++) assert.deepEqual(kinds(wavering, leg(i % 2 === 0 ? srtp : rtp)), []);
});

test('a certificate that was steady and changes is told with both; one that changes with each call is not', () => {
  const peers = new KnownPeers();
  for (let i = 0; i < steadyAfter; i++) assert.deepEqual(kinds(peers, leg(dtls('AA'), 'T1')), []);
  const [first, second] = peers.look(leg(dtls('BB'), 'T2'), true);
  assert.deepEqual(first, {
    kind: 'dtls-certificate-changed',
    evidence: { before: 'AA', now: 'BB', calls: steadyAfter },
  });
  assert.equal(second!.kind, 'tls-certificate-changed');
  assert.deepEqual(kinds(peers, leg(dtls('BB'), 'T2')), []);
  const browser = new KnownPeers();
  for (let i = 0; i < 20; i++) assert.deepEqual(kinds(browser, leg(dtls(String(i)))), []);
  // Not learned: whoever tries again is told again, and the right one is still known.
  const strict = new KnownPeers();
  for (let i = 0; i < steadyAfter; i++) kinds(strict, leg(dtls('AA')), false);
  for (let i = 0; i < 3; i++)
    assert.deepEqual(kinds(strict, leg(dtls('BB')), false), ['dtls-certificate-changed']);
  assert.deepEqual(kinds(strict, leg(dtls('AA')), false), []);
});

test('parties and tenants are told apart, and no more are known than the bound', () => {
  const peers = new KnownPeers(100);
  for (let i = 0; i < steadyAfter; i++) kinds(peers, leg(srtp));
  assert.deepEqual(kinds(peers, leg(rtp, undefined, 'device:alice@other.test/desk')), []);
  for (let i = 0; i < 1000; i++) kinds(peers, leg(srtp, undefined, `device:u${i}@example.test/x`));
  assert.equal(peers.size, 100);
  assert.deepEqual(
    kinds(peers, leg({ protocol: 'none', awaiting: 'dtls' }, undefined, 'device:new@a.b/c')),
    [],
  );
  assert.equal(peers.size, 100);
});

test('what was steady is so after a restart; little is written, and what is forgotten goes from the store too', () => {
  const rows = new Map<string, KnownPeer>();
  let writes = 0;
  const put = (peer: KnownPeer, forget: readonly string[]): void => {
    writes += 1;
    for (const party of forget) rows.delete(party);
    rows.set(peer.party, peer);
  };
  const before = new KnownPeers(2, [], put);
  for (let i = 0; i < 1000; i += 1) before.look(leg(srtp, 'AA', 'trunk:a@x'), true);
  assert.ok(writes <= 24, `${writes} writes of 1000 calls`);
  const after = new KnownPeers(2, [...rows.values()], put);
  const [finding] = after.look(leg(srtp, 'BB', 'trunk:a@x'), false);
  assert.equal(finding?.kind, 'tls-certificate-changed');
  assert.equal(finding?.evidence.before, 'AA');
  for (const party of ['trunk:b@x', 'trunk:c@x']) after.look(leg(srtp, 'CC', party), true);
  assert.deepEqual([...rows.keys()], ['trunk:b@x', 'trunk:c@x']);
  assert.equal(after.size, 2);
});

test('a party of which nothing is known but that it talks in the clear is not written down', () => {
  let writes = 0;
  const peers = new KnownPeers(10, [], () => {
    writes += 1;
  });
  for (let i = 0; i < 5; i += 1) peers.look(leg(rtp, undefined, 'trunk:a@x'), true);
  assert.equal(writes, 0);
});
