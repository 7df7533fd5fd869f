import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok, type Result } from '@ringfence/bytes/result.ts';
import type { SoundCodec } from '../sound/frames.ts';
import type { Clip, Sounds } from '../sound/sounds.ts';
import { leftovers } from '../testing/cast.ts';
import { transferCast } from '../testing/transfer-cast.ts';
import type { World } from '../testing/world.ts';

/** Three seconds of each file, and nothing where `broken`. */
class FakeSounds implements Sounds {
  readonly asked: [string, SoundCodec][] = [];
  broken = false;

  clip(path: string, codec: SoundCodec): Promise<Result<Clip, string>> {
    this.asked.push([path, codec]);
    return Promise.resolve(
      this.broken
        ? { ok: false, error: `${path} cannot be played` }
        : ok({ frames: Array.from({ length: 150 }, () => new Uint8Array(160)), step: 160 }),
    );
  }

  forget(): void {}
}

async function scene(sounds = new FakeSounds(), options: Parameters<typeof transferCast>[1] = {}) {
  const cast = await transferCast(
    {
      sounds,
      config: (defaults) => ({
        ...defaults,
        sounds: { refused: { policy: '/blocked.wav', 'no-route': '/nobody.wav' } },
      }),
    },
    options,
  );
  return { ...cast, sounds };
}

async function over(world: World): Promise<void> {
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.relay.endpoints.size, 0);
}

test('a caller that is refused hears why as early media, encrypted as its offer is, and then gets the refusal (RFC 3960 §3.1)', async () => {
  for (const [number, path, status] of [
    ['+1900555', '/blocked.wav', 403],
    ['nobody', '/nobody.wav', 404],
  ] as const) {
    const { world, alice, sounds } = await scene();
    const call = alice.call(number);
    await world.until(() => world.relay.playing.size === 1);
    assert.deepEqual(sounds.asked, [[path, 'PCMA']]);
    const [id, played] = [...world.relay.playing][0]!;
    assert.equal(played.loop, false);
    const { config } = world.relay.endpoints.get(id)!;
    assert.equal(config?.media, 'srtp');
    assert.ok(config?.send);
    await world.until(() => call.theirs !== '');
    assert.match(call.theirs, /m=audio \d+ RTP\/SAVP 8\r\n/);
    assert.match(call.theirs, /a=sendonly/);
    const before = world.time.now;
    await world.until(() => call.state === 'over');
    assert.equal(call.status, status);
    assert.ok(world.time.now - before >= 2900);
    await over(world);
    assert.equal(world.finished.length, 1);
    assert.equal(world.finished[0]!.disposition, 'refused');
    assert.equal(world.finished[0]!.status, status);
  }
});

test('who hangs up meanwhile gets 487 and hears nothing more', async () => {
  const { world, alice } = await scene();
  const call = alice.call('+1900555');
  await world.until(() => world.relay.playing.size === 1);
  await world.run(500);
  call.cancel();
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 487);
  await over(world);
});

test('without a file that can be played, a media process or room for it the refusal comes at once', async () => {
  for (const lack of ['file', 'relay', 'ports'] as const) {
    const { world, alice, sounds } = await scene();
    sounds.broken = lack === 'file';
    if (lack === 'relay') world.relayUp = false;
    if (lack === 'ports') world.relay.refusal = 'no-ports';
    const call = alice.call('nobody');
    await world.until(() => call.state === 'over');
    assert.ok([404, 503].includes(call.status), `${call.status}`);
    await world.run(120_000);
    assert.equal(world.relay.endpoints.size, 0);
  }
});

test('at most fifty hear why at once: the others are refused at once', async () => {
  const { world, alice } = await scene();
  const calls = Array.from({ length: 53 }, () => alice.call('nobody'));
  await world.until(() => calls.filter(({ state }) => state === 'over').length >= 3);
  assert.equal(world.relay.playing.size, 50);
  await world.until(() => calls.every(({ state }) => state === 'over'));
  await over(world);
});

test('a trunk hears it too, in the clear where that is what it has', async () => {
  const { world, carrier } = await scene();
  const call = carrier.call('nobody');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 404);
  assert.match(call.theirs, /RTP\/AVP 8\r\n/);
  await over(world);
});
