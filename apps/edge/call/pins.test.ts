import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pins } from '../policy/pins.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import type { MediaHabit } from '../testing/description.ts';
import { trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const right = Array.from({ length: 32 }, () => 'AB').join(':');
const wrong = Array.from({ length: 32 }, () => 'CD').join(':');

interface Talk {
  readonly world: World;
  readonly call: PhoneCall;
}

/** Alice calls; whoever is pinned is so by configuration, and shows what `phone` says. */
async function talk(
  who: 'alice' | 'bob',
  pinned: Pins,
  phone: Partial<PhoneOptions> & { media?: MediaHabit },
  to = 'bob',
): Promise<Talk> {
  const encryption = 'required';
  const world = new World({
    objects: {
      users: ['alice', 'bob'].map((name) => user(name, { encryption, ...(name === who ? { pinned } : {}) })),
      trunks: [trunk('carrier', { addresses: ['192.0.2.10'] })],
    },
  });
  const carrier = new Phone(world, { name: 'psap', address: '192.0.2.10' }).listen();
  carrier.onInvite = (call) => call.answer();
  const { alice, bob } = await aliceAndBob(world, who === 'alice' ? phone : {}, who === 'bob' ? phone : {});
  bob.onInvite = (call) => call.answer();
  const call = alice.call(to, { secure: true });
  await world.until(() => call.state !== 'calling' && call.state !== 'ringing');
  await world.run(500);
  return { world, call };
}

async function quiet({ world, call }: Talk): Promise<void> {
  call.end();
  await world.run(60_000);
  assert.deepEqual(leftovers(world), []);
  assert.deepEqual(world.errors, []);
}

const told = ({ world }: Talk): unknown[] =>
  world.eventsOf('call.tampering').map(({ kind, outcome, leg, evidence }) => [kind, outcome, leg, evidence]);

test('a caller with the certificate that it is pinned to gets through; with another, or none, 403 with the evidence', async () => {
  for (const shown of [right, right.toLowerCase(), wrong, undefined]) {
    const tls = shown === undefined ? {} : { peerFingerprint: shown };
    const all = await talk('alice', { tls: [right] }, { tls });
    const good = shown !== undefined && shown !== wrong;
    assert.deepEqual([all.call.state, all.call.status], good ? ['up', 200] : ['over', 403]);
    if (!good) {
      const [refused] = all.world.eventsOf('request.refused');
      const reason = refused?.decision.reasons[0];
      assert.equal(reason?.rule, 'signalling.certificate-pinned');
      assert.equal(reason.evidence.seen, shown ?? 'no certificate');
      assert.equal(reason.threshold, right);
    }
    await quiet(all);
  }
});

test('a caller that is pinned to an authority needs a certificate of it', async () => {
  const issuer = wrong;
  for (const peerIssuers of [[right, issuer], [right], []]) {
    const all = await talk(
      'alice',
      { tlsIssuers: [issuer] },
      { tls: { peerFingerprint: right, peerIssuers } },
    );
    assert.equal(all.call.status, peerIssuers.includes(issuer) ? 200 : 403);
    await quiet(all);
  }
});

test('an emergency call passes whatever its certificate', async () => {
  const all = await talk(
    'alice',
    { tls: [right], dtls: [right] },
    { tls: { peerFingerprint: wrong } },
    '112',
  );
  assert.equal(all.call.state, 'up');
  assert.deepEqual(told(all), []);
  await quiet(all);
});

test('a called phone that shows another certificate is hung up before the caller hears it', async () => {
  const good = await talk('bob', { tls: [right] }, { tls: { peerFingerprint: right } });
  assert.equal(good.call.state, 'up');
  await quiet(good);
  const all = await talk('bob', { tls: [right] }, { tls: { peerFingerprint: wrong } });
  assert.deepEqual([all.call.state, all.call.status], ['over', 488]);
  assert.deepEqual(told(all), [
    ['certificate-pinned', 'refused', 1, { in: 'tls', seen: wrong, pinned: right }],
  ]);
  await quiet(all);
});

test('DTLS is held to the pinned certificate in the media process, whatever signalling names', async () => {
  const all = await talk('alice', { dtls: [right] }, { media: 'dtls' });
  const keyed = [...all.world.relay.endpoints.values()].filter(({ config }) => config?.dtls !== undefined);
  assert.deepEqual(
    keyed.map(({ config }) => config?.dtls?.fingerprints),
    [[{ hash: 'sha-256', value: new Uint8Array(32).fill(0xab) }]],
  );
  await quiet(all);
});

test('media of a party that is pinned in DTLS and whose keys come by SDES ends the call', async () => {
  const all = await talk('alice', { dtls: [right] }, { media: 'srtp' });
  assert.equal(all.call.state, 'over');
  assert.deepEqual(told(all), [
    ['certificate-pinned', 'ended', 0, { in: 'dtls', seen: 'keys by sdes', pinned: right }],
  ]);
  assert.equal(all.world.finished.at(-1)?.cause, 'policy');
  await quiet(all);
});
