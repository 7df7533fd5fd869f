import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { SoundCodec } from '../sound/frames.ts';
import type { Clip, Sounds } from '../sound/sounds.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { naming, talk, transferCast } from '../testing/transfer-cast.ts';
import { World, type WorldOptions } from '../testing/world.ts';

/** Files that are there, each asked for in which codec. */
class FakeSounds implements Sounds {
  readonly asked: [string, SoundCodec][] = [];
  problem: string | undefined = undefined;

  clip(path: string, codec: SoundCodec): Promise<Result<Clip, string>> {
    this.asked.push([path, codec]);
    return Promise.resolve(
      this.problem === undefined ? ok({ frames: [new Uint8Array(160)], step: 160 }) : err(this.problem),
    );
  }

  forget(): void {}
}

const withMusic = (sounds: FakeSounds): Partial<WorldOptions> => ({
  sounds,
  config: (defaults) => ({ ...defaults, sounds: { ...defaults.sounds, holdMusic: '/music.wav' } }),
});

const people: WorldOptions = { objects: { users: [user('alice'), user('bob')] } };

async function scene() {
  const sounds = new FakeSounds();
  const world = new World({ ...people, ...withMusic(sounds) });
  const { alice, bob } = await aliceAndBob(world);
  const [call, taken] = await talk(world, alice, bob, 'bob');
  return { world, sounds, alice, bob, call, taken };
}

async function offer(world: World, one: PhoneCall, direction: string): Promise<void> {
  const count = one.reinviteStatus.length;
  one.reinvite(one.again(direction));
  await world.until(() => one.reinviteStatus.length > count);
  assert.equal(one.reinviteStatus.at(-1), 200);
  await world.run(100);
}

/** Addresses of those who hear music. */
const hearing = (world: World): string[] =>
  [...world.relay.playing.keys()].map(
    (id) => world.relay.endpoints.get(id)?.config?.remote?.address ?? 'nobody',
  );

async function over(world: World, call: PhoneCall): Promise<void> {
  call.hangUp();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

test('RFC 5359 §2.3: music on hold: whoever is held hears the file until taken back, whichever side holds', async () => {
  const { world, sounds, alice, bob, call, taken } = await scene();
  for (const [one, other] of [
    [taken, alice],
    [call, bob],
  ] as const) {
    await offer(world, one, 'sendonly');
    assert.deepEqual(hearing(world), [other.options.address]);
    const [played] = world.relay.playing.values();
    assert.equal(played?.loop, true);
    await offer(world, one, 'sendrecv');
    assert.deepEqual(hearing(world), []);
  }
  assert.deepEqual([...new Set(sounds.asked.map(([path]) => path))], ['/music.wav']);
  assert.equal(world.relay.clips.size, 1);
  await over(world, call);
});

test('who holds with inactive, and who holds back, hear nothing', async () => {
  const { world, call, taken } = await scene();
  await offer(world, taken, 'inactive');
  assert.deepEqual(hearing(world), []);
  await offer(world, taken, 'sendonly');
  assert.equal(hearing(world).length, 1);
  await offer(world, call, 'inactive');
  assert.deepEqual(hearing(world), []);
  await over(world, call);
});

test('a file that cannot be played is told of, and the call goes on', async () => {
  const { world, sounds, call, taken } = await scene();
  sounds.problem = '/music.wav cannot be played: no RIFF/WAVE file';
  await offer(world, taken, 'sendonly');
  assert.deepEqual(hearing(world), []);
  const told = world.events.find((event) => event.type === 'edge.error' && event.where === 'sounds');
  assert.match(told?.type === 'edge.error' ? told.detail : '', /no music for call \S+: \/music\.wav/);
  assert.equal(call.state, 'up');
  call.hangUp();
  await world.run(120_000);
  assert.equal(leftovers(world).length, 1);
});

test('music goes on after the media process was replaced, and ends with the call', async () => {
  const { world, call, taken } = await scene();
  await offer(world, taken, 'sendonly');
  world.replaceRelay();
  await world.until(() => world.events.some(({ type }) => type === 'call.media-recovered'));
  await world.run(100);
  assert.deepEqual(hearing(world), ['203.0.113.1']);
  await over(world, call);
});

test('nothing is played where it is not configured', async () => {
  const sounds = new FakeSounds();
  const world = new World({ ...people, sounds });
  const { alice, bob } = await aliceAndBob(world);
  const [call, taken] = await talk(world, alice, bob, 'bob');
  await offer(world, taken, 'sendonly');
  assert.deepEqual(sounds.asked, []);
  await over(world, call);
});

test('an attended transfer: who was held hears the new party, not the music', async () => {
  const sounds = new FakeSounds();
  const { world, alice, bob, carol } = await transferCast(withMusic(sounds));
  const [first, taken] = await talk(world, alice, bob, 'bob');
  await offer(world, taken, 'sendonly');
  assert.equal(hearing(world).length, 1);
  const [second] = await talk(world, bob, carol, 'carol');
  const linked = (): string[] =>
    [...world.relay.endpoints.values()].map(({ config }) => config?.remote?.address ?? '').sort();
  assert.equal(await taken.inside('REFER', [['Refer-To', naming(second, 'carol')]]), 202);
  await world.until(() => taken.hungUpByPeer);
  await world.run(1000);
  assert.deepEqual(linked(), ['203.0.113.1', '203.0.113.3']);
  await over(world, first);
});
