import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Secured } from '@ringfence/relay/handshake.ts';
import type { ZrtpPolicy } from '../config/zrtp.ts';
import { aliceAndBob } from '../testing/cast.ts';
import { domain, trunk, user } from '../testing/objects.ts';
import { Recorder } from '../testing/recorder.ts';
import { World, type WorldOptions } from '../testing/world.ts';
import { handleCalls } from './calls.ts';
import type { ControlAnswer } from './protocol.ts';
import { ControlServer } from './server.ts';

type Asked = (command: string, args: object) => Promise<ControlAnswer>;

function commanding(world: World): Asked {
  const control = new ControlServer(world.bus);
  handleCalls(control, world.edge, world.bus);
  return (command, args) => control.do({ id: 1, command, args, by: 'jane' });
}

const codeOf = (answer: ControlAnswer): string => (answer.ok ? 'done' : answer.error.code);

/** A call whose caller has ZRTP with the edge; `both`: the called one, too. */
async function secured(zrtp: ZrtpPolicy, both = false, config?: WorldOptions['config']) {
  const world = new World({
    objects: { users: ['alice', 'bob'].map((name) => user(name, { encryption: 'none', zrtp })) },
    ...(config === undefined ? {} : { config }),
  });
  const habit = { transport: 'udp', media: 'rtp', listener: 'open' } as const;
  const { alice, bob } = await aliceAndBob(world, habit, habit);
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  const [made] = world.edge.calls.values();
  assert.ok(made !== undefined);
  for (const leg of both ? [0, 1] : [0]) {
    const endpoint = [...world.relay.endpoints.keys()].find((id) => made.legOfEndpoint(id) === leg);
    assert.ok(endpoint !== undefined);
    const zid = new Uint8Array(12).fill(0xa0 + leg);
    const event: Secured = {
      kind: 'secured',
      endpoint,
      by: 'zrtp',
      version: 'ZRTP 1.10',
      suite: 'AES_CM_128_HMAC_SHA1_80',
      group: 'X25519',
      cipher: 'S256 AES1 HS80',
      zrtp: {
        peerZid: zid,
        sas: leg === 0 ? 'k9ds' : 'w3rt',
        sasType: 'B32 ',
        continuity: 'new',
        verified: false,
        retained: { zid, rs1: new Uint8Array(32).fill(1), verified: false },
      },
    };
    world.edge.run(() => made.handshake(leg, event));
  }
  return { world, call, made, asked: commanding(world) };
}

test('call sas --confirm: the string that was compared counts as verified, and the record says who said so', async () => {
  const { world, made, asked } = await secured('end');
  assert.deepEqual(await asked('call sas', { call: made.id, same: true }), {
    id: 1,
    ok: true,
    result: { call: made.id, sas: 'k9ds' },
  });
  assert.equal(made.protection()[0]?.media.zrtp?.verified, true);
  const [told] = world.eventsOf('zrtp.sas-confirmed');
  assert.deepEqual([told?.sas, told?.by, told?.leg], ['k9ds', 'administrator', 0]);
  assert.equal(world.relay.confirmed?.length, 1);
});

test('call sas --deny is tampering: secrets of the phone are forgotten, and the call ends where policy says so', async () => {
  for (const tampering of ['tell', 'end'] as const) {
    const { world, call, made, asked } = await secured('end', false, (config) => ({
      ...config,
      media: { ...config.media, zrtp: { ...config.media.zrtp, tampering } },
    }));
    const party = 'device:alice@example.test/alice';
    await world.run(1000);
    assert.equal(world.store.zrtp.get(party)?.rs1.length, 32);
    assert.equal(codeOf(await asked('call sas', { call: made.id, same: false })), 'done');
    await world.run(1000);
    assert.equal(world.store.zrtp.get(party)?.rs1.length, 0);
    assert.deepEqual(
      world.eventsOf('call.tampering').map(({ kind, outcome, evidence }) => [kind, outcome, evidence.sas]),
      [['zrtp-string', tampering === 'end' ? 'ended' : 'told', 'k9ds']],
    );
    assert.equal(call.state, tampering === 'end' ? 'over' : 'up');
  }
});

test('call sas: of two strings it has to be said which, and without one it is refused', async () => {
  const both = await secured('end', true);
  assert.equal(codeOf(await both.asked('call sas', { call: both.made.id, same: true })), 'which-side');
  const called = await both.asked('call sas', { call: both.made.id, same: true, side: 'called' });
  assert.ok(called.ok);
  assert.deepEqual(called.result, { call: both.made.id, sas: 'w3rt' });
  assert.equal(both.made.protection()[0]?.media.zrtp?.verified, false);
  const one = await secured('end');
  assert.equal(
    codeOf(await one.asked('call sas', { call: one.made.id, same: true, side: 'called' })),
    'no-string',
  );
  assert.equal(codeOf(await one.asked('call sas', { call: 'nobody', same: true })), 'no-such-call');
  assert.equal(codeOf(await one.asked('call sas', { call: one.made.id })), 'bad-arguments');
});

test('call record: start, pause, resume and stop by hand, each an audit event with who asked; never beyond the policy', async () => {
  const recorderAt = '192.0.2.50';
  const world = new World({
    objects: {
      users: [user('alice'), user('bob')],
      trunks: [trunk('vault', { target: `sips:srs@${recorderAt}:5061`, addresses: [recorderAt] })],
      domains: [
        {
          domain,
          name: domain,
          recording: {
            recorder: 'vault',
            users: ['alice'],
            consent: 'notified',
            start: 'request',
            whenDown: 'go-on',
          },
        },
      ],
    },
  });
  const { alice, bob } = await aliceAndBob(world);
  const recorder = new Recorder(world, { address: recorderAt });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  const [id] = world.edge.calls.keys();
  const asked = commanding(world);
  const does = async (action: string, more = {}): Promise<string> =>
    codeOf(await asked('call record', { call: id, action, ...more }));
  assert.equal(await does('pause'), 'not-recorded');
  assert.equal(await does('start', { recorder: 'cellar' }), 'other-recorder');
  assert.equal(await does('erase'), 'bad-arguments');
  assert.equal(recorder.asked.length, 0);
  assert.equal(await does('start', { recorder: 'vault' }), 'done');
  await world.run(1000);
  assert.equal(recorder.asked.length, 1);
  for (const action of ['pause', 'resume', 'stop']) {
    assert.equal(await does(action), 'done');
    await world.run(1000);
  }
  const steps = world.events.flatMap((event) =>
    event.type.startsWith('recording.') && 'by' in event ? [[event.type, event.by]] : [],
  );
  assert.deepEqual(
    steps,
    ['started', 'paused', 'resumed', 'stopped'].map((step) => [`recording.${step}`, 'administrator jane']),
  );
  assert.equal(call.state, 'up');
  assert.deepEqual(world.errors, []);
});

test('call record is refused where the domain has no policy for recording', async () => {
  const { made, asked, world } = await secured('end');
  assert.equal(codeOf(await asked('call record', { call: made.id, action: 'start' })), 'no-policy');
  assert.equal(world.eventsOf('administration.command').at(-1)?.refused, 'no-policy');
});
