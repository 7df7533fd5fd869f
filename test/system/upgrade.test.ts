import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bed, type Pair } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { talk } from './harness/voice.ts';
import { pause, until, within } from './harness/waiting.ts';

const surelyLiveMs = 300;

test('ringfence upgrade: the new program takes sockets and calls over, and no call is refused meanwhile', {
  timeout: 120_000,
}, async (t) => {
  const bed = await Bed.open(
    { users: ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => ({ name })) },
    { mediaPorts: 1200 },
  );
  try {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const carol = await bed.registered('carol', 'udp');
    const dave = await bed.registered('dave', 'udp');
    const pairs: Pair[] = [];
    for (let i = 0; i < 6; i += 1)
      pairs.push(await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' }));
    for (let i = 0; i < 6; i += 1) pairs.push(await bed.connect(carol, bob, 'bob'));
    for (const { callerVoice, calleeVoice } of pairs)
      assert.equal(await talk(callerVoice, calleeVoice, 2), undefined);
    // A phone that rings too long to be waited for.
    const erin = await bed.registered('erin', 'udp');
    erin.onInvite = (incoming) => incoming.ring();
    const ringing = carol.call('erin', (await bed.voice()).describe());
    await until('erin rings', () => erin.requests.some(({ message }) => message.method === 'INVITE'));
    await pause(surelyLiveMs);

    const { pid } = bed.edge;
    const places = [...bed.edge.listeners.values()].map(({ port }) => port);
    // Everybody talks on, and somebody always wants a new call.
    for (const { callerVoice, calleeVoice } of pairs) {
      callerVoice.forget();
      calleeVoice.forget();
    }
    let sent = 0;
    const speech = setInterval(() => {
      for (const { callerVoice, calleeVoice } of pairs) {
        callerVoice.send(callerVoice.packet());
        calleeVoice.send(calleeVoice.packet());
        sent += 2;
      }
    }, 40);
    let upgrading = true;
    const answers: number[] = [];
    const voice = await bed.voice();
    dave.onInvite = (incoming) => {
      if (voice.take(incoming.sdp) !== undefined) incoming.respond(488, 'Not Acceptable Here');
      else incoming.accept(voice.describe());
    };
    const newCalls = (async () => {
      while (upgrading) {
        const { answer, leg } = await carol.call('dave', voice.describe());
        answers.push(answer.status);
        await leg?.hangUp();
        await pause(20);
      }
    })();
    const from = bed.edge.events.length;
    const told = await ringfenceDoes(bed.home.path, ['upgrade', '--json']);
    const { milliseconds, pid: said } = JSON.parse(told) as { milliseconds: number; pid: number };
    await bed.edge.event('edge.ready', () => true, from);
    await pause(500);
    upgrading = false;
    await newCalls;
    clearInterval(speech);
    const heard = (): number =>
      pairs.reduce((sum, pair) => sum + pair.callerVoice.heard.length + pair.calleeVoice.heard.length, 0);
    await until('the last packets', () => heard() >= sent, 2_000).catch(() => undefined);
    t.diagnostic(`${milliseconds} ms; ${sent} packets, ${heard()} heard; ${answers.length} new calls`);
    assert.equal(heard(), sent);
    assert.ok(answers.length > 1);
    assert.ok(
      answers.every((status) => status === 200),
      answers.filter((status) => status !== 200).join(),
    );
    assert.equal(said, pid);
    assert.ok(bed.edge.alive);
    assert.deepEqual(
      [...bed.edge.listeners.values()].map(({ port }) => port),
      places,
    );
    assert.equal((await bed.edge.event('edge.taken-over', () => true, from)).calls, pairs.length);
    assert.equal((await ringing).answer.status, 503);

    // TLS connections cannot be handed over: the phone makes another one.
    assert.ok(alice.wire.closed);
    const back = await bed.phone('alice', 'tls');
    for (const { caller } of pairs.slice(0, 6)) caller.moveTo(back);
    assert.equal((await back.register()).status, 200);
    for (const [i, { caller, callee }] of pairs.entries()) {
      const [leaving, staying] = i % 2 === 0 ? [caller, callee] : [callee, caller];
      assert.equal((await leaving.hangUp()).status, 200);
      await within('the other side', staying.over);
    }
    const records = await bed.records();
    assert.equal(records.filter(({ disposition }) => disposition === 'live').length, 0);
    assert.equal(records.filter(({ cause }) => cause === 'edge-restart').length, 1);
    assert.equal(new Set(records.map(({ id }) => id)).size, records.length);
    assert.deepEqual(bed.edge.ofType('edge.error'), []);
  } finally {
    await bed.close();
  }
});

test('ringfence upgrade with a configuration that is refused changes nothing', async () => {
  const bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }] });
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'tls');
    const pair = await bed.connect(alice, bob, 'bob', { to: 'AEAD_AES_128_GCM' });
    bed.home.configure({ more: { nonsense: '{ a: 1 }' } });
    await assert.rejects(ringfenceDoes(bed.home.path, ['upgrade']), /nonsense/);
    process.kill(bed.edge.pid, 'SIGUSR2');
    await bed.edge.event('config.refused', ({ detail }) => /upgrade.*nonsense/s.test(String(detail)));
    assert.equal(await talk(pair.callerVoice, pair.calleeVoice, 3), undefined);
    assert.ok(!bob.wire.closed);
    assert.equal((await pair.callee.hangUp()).status, 200);
  } finally {
    await bed.close();
  }
});

test('ringfence upgrade without a running edge says so', async () => {
  const bed = await Bed.open({ users: [{ name: 'alice' }] });
  try {
    await bed.edge.kill();
    await assert.rejects(ringfenceDoes(bed.home.path, ['upgrade']), /No edge is running/);
  } finally {
    await bed.close();
  }
});
