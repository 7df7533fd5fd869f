import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MediaLeg, type StreamState } from './leg.ts';
import { restoreMedia, snapshotMedia } from './snapshot.ts';

const hash = (fill: number) => ({ version: '1.10', value: new Uint8Array(32).fill(fill) });

const streamOf = (fields: Partial<StreamState>): StreamState => ({
  endpoint: {
    id: 7,
    address: '198.51.100.1',
    rtpPort: 20_000,
    rtcpPort: 20_001,
    keys: [],
    zrtp: { version: '1.10', helloHash: new Uint8Array(32).fill(3) },
  },
  mux: false,
  media: 'rtp',
  suite: undefined,
  tag: 0,
  receive: undefined,
  codec: 'PCMA',
  ...fields,
});

test('how ZRTP was agreed outlives the process, so that a hold after it changes nothing', () => {
  const side = {
    local: '198.51.100.1',
    advertised: '198.51.100.1',
    signalling: '203.0.113.1',
    demanded: 'none',
    zrtpPolicy: 'end',
    party: 'device:alice@example.test/alice',
  } as const;
  const leg = new MediaLeg(side, '1');
  leg.streams.push(
    streamOf({ zrtpMode: 'end', hello: hash(1), says: 'own' }),
    streamOf({ zrtpMode: 'pass', hello: hash(1), says: hash(2) }),
  );
  const kept = JSON.parse(JSON.stringify(snapshotMedia(leg))) as ReturnType<typeof snapshotMedia>;
  const restored = restoreMedia(kept, true);
  for (const [i, before] of leg.streams.entries()) {
    const after = restored.streams[i];
    assert.ok(before !== undefined && after !== undefined);
    assert.deepEqual(
      [after.zrtpMode, after.hello, after.says, after.endpoint.zrtp],
      [before.zrtpMode, before.hello, before.says, before.endpoint.zrtp],
    );
  }
  assert.equal(restored.side.zrtpPolicy, 'end');
});
