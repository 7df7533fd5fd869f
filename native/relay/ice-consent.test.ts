import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { encodeStun } from '@ringfence/ice/stun/encode.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import type { HandshakeEvent } from './handshake.ts';
import { iceParticipants } from './ice.ts';
import type { Door, Transport } from './uplink.ts';

const ours = { ufrag: 'edge', password: 'the+password+of+the+edge' };
const theirs = { ufrag: 'phone', password: 'the+password+of+the+phone' };
const phone: Transport = { address: '198.51.100.7', port: 4000 };

/** A stream in virtual time, behind a door that only writes down. */
function stream(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const random = new SeededRandom(2);
  const clock = { now: 0 };
  const chosen: (Transport | undefined)[] = [];
  const told: HandshakeEvent[] = [];
  let sent = 0;
  const door: Door = {
    send: () => {
      sent += 1;
      return true;
    },
    validate: () => true,
    invalidate: () => true,
    choose: (_id, _component, remote) => {
      chosen.push(remote);
      return true;
    },
    secure: () => false,
    passMedia: () => false,
    tell: (event) => told.push(event),
  };
  const make = iceParticipants({ now: () => clock.now, random: (octets) => random.bytes(octets) });
  const endpoint = {
    id: 7,
    address: '192.0.2.1',
    rtpPort: 30_000,
    rtcpPort: 30_000,
    ice: { ...ours, full: false },
  };
  const participant = make(endpoint, door);
  participant.configure({ ...theirs, lite: false, controlling: false, candidates: [] });
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 100) {
      clock.now += 100;
      t.mock.timers.tick(100);
    }
  };
  const check = (useCandidate: boolean) =>
    participant.receive({
      ...phone,
      component: 1,
      passing: false,
      bytes: encodeStun(
        {
          class: 'request',
          method: 1,
          transactionId: random.bytes(12),
          attributes: {
            username: `${ours.ufrag}:${theirs.ufrag}`,
            priority: 9,
            iceControlling: 1n,
            ...(useCandidate ? { useCandidate } : {}),
          },
        },
        { key: new TextEncoder().encode(ours.password) },
      ),
    });
  return { participant, chosen, told, pass, check, sent: () => sent };
}

test('RFC 7675 5.1: 30 s after the last check nothing is sent any more, and the edge is told', (t) => {
  const { chosen, told, pass, check } = stream(t);
  check(true);
  assert.deepEqual(chosen, [phone]);
  for (let i = 0; i < 12; i += 1) {
    pass(5000);
    check(false);
  }
  assert.equal(told.length, 1);
  pass(29_000);
  assert.equal(chosen.length, 1);
  pass(1500);
  assert.deepEqual(chosen, [phone, undefined]);
  assert.deepEqual(told, [
    { kind: 'ice', endpoint: 7, state: 'connected', remote: phone },
    { kind: 'ice', endpoint: 7, state: 'lost' },
  ]);
  // It comes back: a network that was gone for a while.
  check(true);
  assert.deepEqual(chosen.at(-1), phone);
  assert.deepEqual(told.at(-1), { kind: 'ice', endpoint: 7, state: 'connected', remote: phone });
});

test('RFC 8863 4: a peer that never checks has failed after 39.5 s, and media never had a way', (t) => {
  const { chosen, told, pass } = stream(t);
  pass(39_000);
  assert.deepEqual(told, []);
  pass(1000);
  assert.deepEqual(told, [{ kind: 'ice', endpoint: 7, state: 'failed' }]);
  assert.deepEqual(chosen, []);
});

test('a stream that is closed leaves no timer, and tells nothing any more', (t) => {
  const { participant, told, pass, check } = stream(t);
  check(true);
  participant.close();
  pass(60_000);
  assert.equal(told.length, 1);
});
