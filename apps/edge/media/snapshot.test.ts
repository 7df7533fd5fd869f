import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallSnapshot } from '../call/snapshot.ts';
import { aliceAndBob } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { World } from '../testing/world.ts';
import { describeRepeat } from './describe.ts';
import { restoreMedia, snapshotMedia } from './snapshot.ts';

/** What the journal holds of both legs of a call between a phone with DTLS and ICE and one with SDES. */
async function journalled() {
  const world = new World({
    objects: {
      users: [user('alice', { encryption: 'required', keying: 'dtls', ice: 'lite' }), user('bob')],
    },
  });
  const { alice, bob } = await aliceAndBob(world, { media: 'web' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  await world.run(100);
  const state = JSON.parse([...world.store.journal.values()][0]!.journal) as CallSnapshot;
  return { said: call.theirs, legs: state.legs.map(({ media }) => media), text: JSON.stringify(state) };
}

const own = (sdp: string): string[] =>
  sdp.split('\r\n').filter((line) => /^a=(fingerprint|tls-id|ice-|candidate|mid|group|rtcp-mux)/.test(line));

test('RFC 8842 §5.3, RFC 8445 §9: after a take-over a peer with DTLS and ICE is told the same as before: nothing begins anew', async () => {
  const { said, legs } = await journalled();
  const leg = restoreMedia(legs[0]!, true);
  assert.equal(leg.keyless, false);
  const repeated = describeRepeat(leg);
  assert.deepEqual(
    own(repeated).filter((line) => line !== 'a=rtcp-mux-only'),
    own(said),
  );
  // Of an offer the role is open, of the answer before it was not.
  assert.match(repeated, /^a=setup:actpass\r$/m);
  assert.deepEqual(snapshotMedia(restoreMedia(legs[0]!, true)), legs[0]);
});

test('the journal holds no key of SRTP, and a leg with SDES gets new ones at its next offer', async () => {
  const { legs, text } = await journalled();
  assert.ok(!text.includes('inline:'));
  assert.equal(restoreMedia(legs[1]!, true).keyless, true);
});
