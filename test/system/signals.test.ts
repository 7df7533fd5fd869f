import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Bed } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { usualListeners } from './harness/place.ts';
import { talk } from './harness/voice.ts';
import { pause, within } from './harness/waiting.ts';
import { openStream } from './harness/wire.ts';

const users = [{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }];
const drain = (seconds: number) => ({
  listeners: usualListeners,
  more: { shutdown: `{ drainSeconds: ${seconds} }` },
});

test('SIGTERM: new calls get 503 with Retry-After, the live one ends by itself, then the edge exits 0', async () => {
  const bed = await Bed.open({ users }, drain(25));
  try {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const carol = await bed.registered('carol', 'tcp');
    const call = await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' });
    const { pid } = bed.edge;
    const media = bed.edge.mediaPid;
    bed.edge.signal('SIGTERM');
    const draining = await bed.edge.event('edge.draining');
    assert.equal(draining.calls, 1);
    assert.equal(draining.seconds, 25);
    const voice = await bed.voice();
    const { answer } = await carol.call('bob', voice.describe());
    assert.equal(answer.status, 503);
    assert.match(answer.message.headers.get('Retry-After') ?? '', /^\d+/);
    assert.equal(await talk(call.callerVoice, call.calleeVoice), undefined);
    assert.ok(bed.edge.alive, 'waits for the call');
    assert.equal((await call.callee.hangUp()).status, 200);
    await within('the caller hears of it', call.caller.over);
    assert.deepEqual(await within('the edge ends', bed.edge.exited), { code: 0, signal: null });
    for (const gone of [pid, media]) assert.throws(() => process.kill(gone ?? 0, 0), /ESRCH/);
    const [record] = (await bed.records()).filter(({ disposition }) => disposition !== 'refused');
    assert.deepEqual([record?.disposition, record?.cause], ['answered', 'normal']);
  } finally {
    await bed.close();
  }
});

test('SIGTERM: a call that outlasts drainSeconds is hung up on both sides', async () => {
  const bed = await Bed.open({ users }, drain(1));
  try {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const call = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
    const began = performance.now();
    bed.edge.signal('SIGTERM');
    await Promise.all([within('caller', call.caller.over), within('callee', call.callee.over)]);
    assert.ok(performance.now() - began > 900, 'not before its time');
    assert.deepEqual(await within('the edge ends', bed.edge.exited), { code: 0, signal: null });
    const [record] = await bed.records();
    assert.deepEqual([record?.disposition, record?.cause], ['answered', 'edge-stop']);
  } finally {
    await bed.close();
  }
});

test('a second SIGTERM stops at once, with BYE to both sides', async () => {
  const bed = await Bed.open({ users }, drain(600));
  try {
    const alice = await bed.registered('alice', 'tcp');
    const bob = await bed.registered('bob', 'udp');
    const call = await bed.connect(alice, bob, 'bob');
    bed.edge.signal('SIGTERM');
    await bed.edge.event('edge.draining');
    await pause(300);
    assert.ok(bed.edge.alive);
    bed.edge.signal('SIGTERM');
    await Promise.all([within('caller', call.caller.over), within('callee', call.callee.over)]);
    assert.deepEqual(await within('the edge ends', bed.edge.exited), { code: 0, signal: null });
  } finally {
    await bed.close();
  }
});

test('SIGHUP: a changed configuration is taken, a bad one is refused and the old one stays', async () => {
  const bed = await Bed.open({ users }, { listeners: usualListeners });
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    bob.onInvite = (incoming) => incoming.respond(486, 'Busy Here');
    const voice = await bed.voice();
    const statusOf = async (): Promise<number> => (await alice.call('bob', voice.describe())).answer.status;
    assert.equal(await statusOf(), 486);

    bed.home.configure({
      listeners: usualListeners,
      more: { admission: '{ blockedUserAgents: ["Acceptance telephone"] }' },
    });
    let from = bed.edge.events.length;
    bed.edge.signal('SIGHUP');
    await bed.edge.event('config.reloaded', ({ what }) => what === 'certificates', from, 40_000);
    const stranger = await bed.phone('alice', 'udp', { from: '127.0.0.9' });
    await assert.rejects(
      stranger.send('OPTIONS', { patienceMs: 400 }).final,
      /an answer to OPTIONS/,
      'the new mark is in force',
    );

    bed.home.write(
      'ringfence.yaml',
      `${readFileSync(join(bed.home.path, 'ringfence.yaml'), 'utf8')}nonsense: 1\n`,
    );
    from = bed.edge.events.length;
    bed.edge.signal('SIGHUP');
    const refused = await bed.edge.event('config.refused', () => true, from, 40_000);
    assert.match(String(refused.detail), /nonsense/);
    assert.match(String(refused.detail), /ringfence\.yaml:\d+/);
    await assert.rejects(stranger.send('OPTIONS', { patienceMs: 400 }).final, 'the old one stays in force');

    bed.home.configure({ listeners: usualListeners, more: { admission: '{ blockedUserAgents: [] }' } });
    from = bed.edge.events.length;
    bed.edge.signal('SIGHUP');
    await bed.edge.event('config.reloaded', ({ what }) => what === 'certificates', from, 40_000);
    assert.equal((await stranger.send('OPTIONS').final).status, 401);
    assert.equal(await statusOf(), 486);
  } finally {
    await bed.close();
  }
});

test('SIGHUP: a renewed certificate is shown to new connections while those that are up stay up', async () => {
  const bed = await Bed.open({ users }, { listeners: usualListeners });
  try {
    const bob = await bed.registered('bob', 'tls');
    const alice = await bed.registered('alice', 'tls');
    const call = await bed.connect(alice, bob, 'bob', {
      from: 'AES_CM_128_HMAC_SHA1_80',
      to: 'AEAD_AES_256_GCM',
    });
    const shown = async (): Promise<string> => {
      const wire = await openStream({ transport: 'tls', to: bed.edge.at('tls'), authority: bed.authority });
      const { socket } = wire;
      const fingerprint = 'getPeerCertificate' in socket ? socket.getPeerCertificate().fingerprint256 : '';
      wire.close();
      return fingerprint;
    };
    const before = await shown();
    await ringfenceDoes(bed.home.path, ['cert', 'renew']);
    assert.equal(await shown(), before, 'not before SIGHUP');
    const from = bed.edge.events.length;
    bed.edge.signal('SIGHUP');
    await bed.edge.event('config.reloaded', ({ what }) => what === 'certificates', from, 40_000);
    assert.notEqual(await shown(), before);
    assert.ok(!alice.wire.closed && !bob.wire.closed);
    assert.equal(await talk(call.callerVoice, call.calleeVoice), undefined);
    assert.equal((await call.caller.hangUp()).status, 200);
    await within('the called side', call.callee.over);

    // A certificate that cannot be used is refused, and what was loaded goes on.
    const file = join(bed.home.path, 'tls', 'server.crt');
    writeFileSync(file, 'this is no certificate\n');
    const broken = bed.edge.events.length;
    const current = await shown();
    bed.edge.signal('SIGHUP');
    const told = await Promise.race([
      bed.edge.event('config.refused', () => true, broken, 40_000),
      bed.edge.event('config.reloaded', ({ what }) => what === 'certificates', broken, 40_000),
    ]);
    if (told.event === 'config.refused') assert.equal(await shown(), current);
    else assert.ok(/^[0-9A-F:]{95}$/.test(await shown()), 'a new one was issued');
    assert.equal((await alice.register()).status, 200, 'the connection still works');
  } finally {
    await bed.close();
  }
});

test('a phone on a dropped TLS connection is not called over it again', async () => {
  const bed = await Bed.open({ users }, { listeners: usualListeners });
  try {
    const bob = await bed.registered('bob', 'tls');
    const alice = await bed.registered('alice', 'udp');
    bob.close();
    await bed.edge.event('flow.closed');
    const voice = await bed.voice();
    assert.equal((await alice.call('bob', voice.describe())).answer.status, 480);
  } finally {
    await bed.close();
  }
});
