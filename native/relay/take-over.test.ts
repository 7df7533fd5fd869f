import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adoptRelay, startRelay } from './client.ts';
import type { EndpointSpec, RelayEvent } from './contract.ts';
import { IcePeer } from './ice-peer.ts';
import { openAll, rtpPacket, until } from './loopback.ts';
import { FrameWriter, headerLength, longestFrame, mostListed } from './protocol/frames.ts';
import { readList, writeList } from './protocol/replies.ts';

const spec: EndpointSpec = { local: '127.0.0.1', ports: 'pair', dscp: 46, suites: ['AEAD_AES_128_GCM'] };

function doorOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-door-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'media.sock');
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('the next edge takes over what the one before has left: the same process, its endpoints, their counters', async (t) => {
  const door = doorOf(t);
  const first = await startRelay({ threads: 1, door, graceMs: 20_000 });
  assert.ok(first.lasting);
  assert.equal(statSync(door).mode & 0o777, 0o600);
  const opened = await first.open([spec, spec, spec]);
  assert.ok(opened.ok);
  const [a, b, c] = opened.value.map(({ id }) => id) as [number, number, number];
  first.link(a, b);
  await first.release();
  assert.deepEqual(await first.open([spec]), { ok: false, error: 'relay-down' });

  const second = await adoptRelay(door);
  assert.ok(second !== undefined);
  assert.equal(second.pid, first.pid);
  assert.equal(second.instance, first.instance);
  assert.deepEqual([...(await second.endpoints())].sort(), [a, b, c].sort());
  assert.equal((await second.stats([a, b])).length, 2);
  assert.equal((await second.close([c])).length, 1);
  assert.equal((await second.endpoints()).length, 2);
  assert.ok((await second.open([spec])).ok);
  const events: RelayEvent[] = [];
  second.onEvent((event) => events.push(event));
  process.kill(second.pid, 'SIGKILL');
  await until(() => events.length > 0, 'down');
  assert.equal(events[0]?.kind, 'down');
  await second.stop();
});

test('what ICE has come to is told again to the edge that takes over, and its media has gone on', async (t) => {
  t.after(() => IcePeer.closeAll());
  const door = doorOf(t);
  const first = await startRelay({ threads: 1, door, graceMs: 20_000 });
  const peer = await IcePeer.open();
  const far = await IcePeer.open();
  const leg: EndpointSpec = { local: '127.0.0.1', ports: 'mux', dscp: 46, suites: [] };
  const remote = { address: '127.0.0.1', rtpPort: far.port, rtcpPort: far.port };
  const [iced, plain] = await openAll(first, [
    { ...leg, ice: 'lite', config: peer.describe() },
    { ...leg, config: { media: 'rtp', remote } },
  ]);
  assert.ok(iced && plain);
  first.link(iced.id, plain.id);
  await first.flush();
  await first.release();
  // While nobody is there.
  peer.send(peer.check(iced, { useCandidate: true }), iced);
  await until(() => peer.stun.length === 1, 'the answer');
  peer.send(rtpPacket(1), iced);
  await until(() => far.others.length === 1, 'media without an edge');

  const second = await adoptRelay(door);
  const events: RelayEvent[] = [];
  assert.ok(second !== undefined);
  t.after(() => second.stop());
  second.onEvent((event) => {
    if (event.kind === 'ice') events.push(event);
  });
  second.retell?.();
  await until(() => events.length > 0, 'how ICE stands');
  assert.deepEqual(events, [
    {
      kind: 'ice',
      endpoint: iced.id,
      state: 'connected',
      remote: { address: '127.0.0.1', port: peer.port },
    },
  ]);
});

test('while an edge has it nobody else gets it, and without an edge it waits no longer than its grace time', async (t) => {
  const door = doorOf(t);
  const relay = await startRelay({ threads: 1, door, graceMs: 300 });
  await assert.rejects(adoptRelay(door, 200), { code: 'relay-taken' });
  const opened = await relay.open([spec, spec]);
  assert.ok(opened.ok);
  relay.link(opened.value[0]!.id, opened.value[1]!.id);
  await relay.release();
  const began = performance.now();
  await until(() => !alive(relay.pid), 'its end');
  assert.ok(performance.now() - began > 200);
  assert.equal(await adoptRelay(door), undefined);
});

test('with no call in it, it ends with its edge; told to end, it does at once', async (t) => {
  const door = doorOf(t);
  const idle = await startRelay({ threads: 1, door, graceMs: 20_000 });
  assert.ok((await idle.open([spec])).ok);
  await idle.release();
  await until(() => !alive(idle.pid), 'its end');

  const busy = await startRelay({ threads: 1, door, graceMs: 20_000 });
  const opened = await busy.open([spec, spec]);
  assert.ok(opened.ok);
  busy.link(opened.value[0]!.id, opened.value[1]!.id);
  await busy.stop();
  assert.ok(!alive(busy.pid));
});

test('every open endpoint is told, and more than one list holds in several', async (t) => {
  const door = doorOf(t);
  const relay = await startRelay({ threads: 1, door, graceMs: 0, descriptors: 2000 });
  const single: EndpointSpec = { ...spec, ports: 'single', suites: [] };
  const ids: number[] = [];
  for (let i = 0; i < 10; i++) {
    const opened = await relay.open(Array.from({ length: 60 }, () => single));
    assert.ok(opened.ok);
    ids.push(...opened.value.map(({ id }) => id));
  }
  assert.deepEqual([...(await relay.endpoints())].sort(), ids.sort());
  await relay.stop();

  const frames = new FrameWriter();
  const rows = mostListed + 100;
  const told: number[] = [];
  for (let first = 0, pages = 0; pages === 0 || first > 0; pages++) {
    writeList(frames, 1, first, rows, (row) => (row % 3 === 0 ? 0 : row));
    const bytes = frames.take();
    assert.ok(bytes.length <= longestFrame);
    const { next, ids: page } = readList(bytes.subarray(headerLength));
    told.push(...page);
    first = next;
  }
  assert.deepEqual(
    told,
    Array.from({ length: rows }, (_, row) => row).filter((row) => row % 3 !== 0),
  );
});

test('a door that cannot be made leaves a media process that ends with its edge', async (t) => {
  const door = join(doorOf(t), 'x'.repeat(120));
  const relay = await startRelay({ threads: 1, door });
  assert.ok(!relay.lasting);
  assert.ok(!existsSync(door));
  assert.ok((await relay.open([spec])).ok);
  await relay.stop();
});
