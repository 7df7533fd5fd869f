import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import { suiteParameters, suites } from '@ringfence/srtp/suite.ts';
import { startRelay } from './client.ts';
import { DtlsPeer, dtlsCall } from './dtls-loopback.ts';
import { dtlsSuites } from './handshake.ts';
import { materialOf, openAll, Phone, protect, rtcpPacket, rtpPacket, until } from './loopback.ts';
import { deriveKeys } from './srtp.ts';

/** Which of the byte strings stand somewhere in the writable memory of a process. */
function found(pid: number, needles: ReadonlyMap<string, Uint8Array>): Set<string> {
  const hits = new Set<string>();
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line);
      if (!match?.[3]?.startsWith('rw')) continue;
      const [from, to] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)];
      const chunk = Buffer.alloc(Math.min(to - from, 1 << 22));
      // Overlapping, so that nothing hides on a border.
      for (let at = from; at < to; at += Math.max(chunk.length - 64, 1)) {
        let length = 0;
        try {
          length = readSync(memory, chunk, 0, Math.min(chunk.length, to - at), at);
        } catch {
          break;
        }
        const view = chunk.subarray(0, length);
        for (const [name, needle] of needles)
          if (view.includes(Buffer.from(needle.buffer, needle.byteOffset, needle.length))) hits.add(name);
        if (at + length >= to) break;
      }
    }
  } finally {
    closeSync(memory);
  }
  return hits;
}

const canRead = process.getuid?.() === 0;

test('keys are in the memory of the media process while the call lives and nowhere in it afterwards', {
  skip: canRead ? false : 'reading the memory of the media process needs root',
}, async () => {
  const relay = await startRelay({ threads: 1 });
  const needles = new Map<string, Uint8Array>();
  const ids: number[] = [];
  try {
    for (const suite of suites) {
      const [phone, far] = [await Phone.open(), await Phone.open()];
      const material = Uint8Array.from(materialOf(suite, 0), () => randomInt(256));
      const [a, b] = await openAll(relay, [
        {
          local: '127.0.0.1',
          ports: 'pair',
          dscp: 46,
          suites: [...suites],
          config: { media: 'srtp', remote: phone.remote, receive: { suite, material }, send: { suite } },
        },
        {
          local: '127.0.0.1',
          ports: 'pair',
          dscp: 46,
          suites: [],
          config: { media: 'rtp', remote: far.remote },
        },
      ]);
      relay.link(a!.id, b!.id);
      await relay.stats([1]);
      const context = new SrtpContext({ suite, material });
      phone.rtp.send(protect(context, rtpPacket(1)), a!.rtpPort, '127.0.0.1');
      phone.rtcp.send(protect(context, rtcpPacket(1)), a!.rtcpPort, '127.0.0.1');
      far.rtp.send(rtpPacket(1, 2), b!.rtpPort, '127.0.0.1');
      await until(
        () => far.rtpReceived.length + far.rtcpReceived.length + phone.rtpReceived.length === 3,
        'media',
      );

      const sending = a!.keys.find((key) => key.suite === suite)!.material;
      const { masterKeyLength } = suiteParameters[suite];
      for (const key of a!.keys)
        needles.set(
          `${suite} local master key ${key.suite}`,
          key.material.subarray(0, suiteParameters[key.suite].masterKeyLength),
        );
      needles.set(`${suite} peer master key`, material.subarray(0, masterKeyLength));
      for (const [who, master] of [
        ['sending', sending],
        ['receiving', material],
      ] as const) {
        for (const kind of ['rtp', 'rtcp'] as const) {
          const keys = deriveKeys(suite, master, kind);
          needles.set(`${suite} ${who} ${kind} cipher key`, keys.cipher);
          needles.set(`${suite} ${who} ${kind} salt`, keys.salt);
          needles.set(`${suite} ${who} ${kind} authentication key`, keys.authentication);
        }
      }
      ids.push(a!.id, b!.id);
    }
    const during = found(relay.pid, needles);
    for (const suite of suites) {
      // The master keys that we made, and the session keys as OpenSSL keeps them; the peer's master key is gone already.
      for (const other of suites) assert.ok(during.has(`${suite} local master key ${other}`));
      for (const who of ['sending', 'receiving']) {
        for (const kind of ['rtp', 'rtcp']) assert.ok(during.has(`${suite} ${who} ${kind} salt`), suite);
      }
      if (!suiteParameters[suite].aead) assert.ok(during.has(`${suite} receiving rtp cipher key`));
      assert.ok(!during.has(`${suite} peer master key`), 'the control socket left a key behind');
    }
    await relay.close(ids);
    assert.deepEqual([...found(relay.pid, needles)], []);
  } finally {
    Phone.closeAll();
    await relay.stop();
  }
});

test('RFC 5764: keys of DTLS are in that memory no longer than they are needed, and nowhere in it after the call', {
  skip: canRead ? false : 'reading the memory of the media process needs root',
}, async () => {
  const relay = await startRelay({ threads: 1, pollMs: 20 });
  const secured = new Set<number>();
  relay.onEvent((event) => {
    if (event.kind === 'secured') secured.add(event.endpoint);
  });
  const masters = new Map<string, Uint8Array>();
  const needles = new Map<string, Uint8Array>();
  const ids: number[] = [];
  try {
    for (const suite of dtlsSuites) {
      const it = await dtlsCall(relay);
      const peer = new DtlsPeer(it, 'client', { suites: [suite] });
      it.configure({ role: 'server', fingerprints: [peer.certificate.fingerprint] });
      await relay.flush();
      peer.start();
      await until(() => secured.has(it.near.id) && peer.association.look().state === 'secured', 'keys');
      peer.stop();
      const { sendKey, receiveKey } = peer.association.look();
      for (const [who, master] of [
        ['sending', receiveKey],
        ['receiving', sendKey],
      ] as const) {
        masters.set(`${suite} ${who} master key`, master.subarray(0, suiteParameters[suite].masterKeyLength));
        for (const kind of ['rtp', 'rtcp'] as const)
          needles.set(`${suite} ${who} ${kind} salt`, deriveKeys(suite, master, kind).salt);
      }
      ids.push(it.near.id, it.out.id);
    }
    assert.deepEqual(
      [...found(relay.pid, masters)],
      [],
      'master keys are gone once the session keys are made',
    );
    assert.equal(found(relay.pid, needles).size, needles.size);
    await relay.close(ids);
    assert.deepEqual([...found(relay.pid, new Map([...masters, ...needles]))], []);
  } finally {
    Phone.closeAll();
    await relay.stop();
  }
});
