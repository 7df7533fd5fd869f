import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Leg } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { DtlsVoice } from './harness/dtls-voice.ts';
import { talk, type Voice } from './harness/voice.ts';
import { pause, until, within } from './harness/waiting.ts';

const surelyLiveMs = 600;
const calls = 3;

interface DtlsCall {
  readonly near: DtlsVoice;
  readonly far: Voice;
  readonly caller: Leg;
  readonly callee: Leg;
  reinvites: number;
}

async function withCalls(run: (bed: Bed, pairs: readonly DtlsCall[]) => Promise<void>): Promise<void> {
  const bed = await Bed.openToRestart(
    { users: [{ name: 'alice', keying: 'dtls' }, { name: 'bob' }] },
    { listeners: [{ name: 'udp', transport: 'udp', encryption: 'preferred' }] },
  );
  const pairs: DtlsCall[] = [];
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    for (let i = 0; i < calls; i += 1) {
      const near = new DtlsVoice(await bed.voice());
      const far = await bed.voice();
      let callee: Leg | undefined;
      bob.onInvite = (incoming) => {
        if (far.take(incoming.sdp) !== undefined) return incoming.respond(488, 'Not Acceptable Here');
        callee = incoming.accept(far.describe());
      };
      const { answer, leg } = await alice.call('bob', near.describe('actpass'));
      assert.ok(leg !== undefined, answer.text);
      near.take(leg.remoteSdp);
      await until('keys', () => near.secured === 1);
      assert.ok(callee !== undefined);
      const pair: DtlsCall = { near, far, caller: leg, callee, reinvites: 0 };
      const follow = (side: Leg, take: (sdp: string) => string): void => {
        side.onReinvite = (incoming) => {
          pair.reinvites += 1;
          incoming.respond(200, 'OK', [['Contact', side.agent.contact]], take(incoming.sdp));
        };
      };
      follow(leg, (sdp) => {
        near.take(sdp);
        return near.describe('active');
      });
      follow(callee, (sdp) => {
        far.take(sdp);
        return far.describe();
      });
      assert.equal(await talk(near.voice, far, 3), undefined);
      pairs.push(pair);
    }
    await run(bed, pairs);
    for (const { near } of pairs) near.close();
  } finally {
    await bed.close();
  }
}

test('kill -9 of the edge under calls with DTLS-SRTP: not a packet is lost, keys stay, and the next edge ends them', () =>
  withCalls(async (bed, pairs) => {
    await pause(surelyLiveMs);
    const media = bed.edge.mediaPid;
    const voices = pairs.flatMap(({ near, far }) => [near.voice, far]);
    for (const voice of voices) voice.forget();
    assert.equal((await bed.edge.kill()).signal, 'SIGKILL');
    for (const voice of voices) await voice.say(10);
    const restarted = bed.restart();
    for (const voice of voices) await voice.say(10);
    await restarted;
    await until('all that was said', () => voices.every(({ heard }) => heard.length === 20));
    const taken = await bed.edge.event('edge.taken-over');
    assert.deepEqual([taken.calls, taken.interrupted, bed.edge.mediaPid], [calls, 0, media]);
    for (const { near, far, caller, callee } of pairs) {
      assert.equal(await talk(near.voice, far, 5), undefined);
      assert.equal(near.secured, 1, 'no other handshake');
      assert.equal((await caller.hangUp()).status, 200);
      await within('the other side', callee.over);
    }
    const records = await until('the records', async () => {
      const found = (await bed.records()).filter(({ endedAt }) => endedAt !== undefined);
      return found.length === calls && found;
    });
    for (const { legs } of records) assert.match(JSON.stringify(legs[0]?.protection), /"keyExchange":"dtls"/);
    assert.deepEqual(bed.edge.ofType('edge.error'), []);
  }));

test('the media process is killed under calls with DTLS-SRTP: new ports, new handshakes, and they talk again', (t) =>
  withCalls(async (bed, pairs) => {
    const from = bed.edge.events.length;
    process.kill(bed.edge.mediaPid ?? 0, 'SIGKILL');
    const began = performance.now();
    await until('keys of the new process', () => pairs.every(({ near }) => near.secured === 2));
    for (const { near, far } of pairs) {
      far.forget();
      await until('sound', () => {
        near.voice.send(near.voice.packet());
        return far.heard.length > 0;
      });
    }
    t.diagnostic(
      `${calls} calls talk again after ${(performance.now() - began).toFixed(0)} ms (target 2000)`,
    );
    for (const { near, far } of pairs) assert.equal(await talk(near.voice, far, 5), undefined);
    assert.equal(bed.edge.ofType('call.media-recovered', from).length, calls);
    assert.deepEqual(bed.edge.ofType('call.tampering', from), [], 'a new certificate of our own is nothing');
    for (const { caller, callee } of pairs) {
      assert.equal((await callee.hangUp()).status, 200);
      await within('the other side', caller.over);
    }
  }));
