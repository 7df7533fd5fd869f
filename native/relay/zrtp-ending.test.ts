import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import type { RetainedSecrets } from '@ringfence/zrtp/retained-secret.ts';
import { helloHashOf } from '@ringfence/zrtp/zrtp-hash.ts';
import { startRelay } from './client.ts';
import type { EndpointOpened, EndpointSpec, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import type { Secured, Unsecured, ZrtpConfig, ZrtpPassed, ZrtpRetained } from './handshake.ts';
import { openAll, Phone, rtpPacket, until } from './loopback.ts';
import { ZrtpPhone } from './zrtp-phone.ts';

let near: RunningRelay;
let far: RunningRelay;
const zid = Uint8Array.from(randomBytes(12));
const told: (Secured | Unsecured | ZrtpPassed)[] = [];
const phones: ZrtpPhone[] = [];

before(async () => {
  near = await startRelay({ threads: 1, zid });
  far = await startRelay({ threads: 1 });
  const keep = (event: RelayEvent): void => {
    if (event.kind === 'secured' || event.kind === 'unsecured' || event.kind === 'zrtp-passed')
      told.push(event);
  };
  near.onEvent(keep);
  far.onEvent(keep);
});
afterEach(() => {
  told.length = 0;
  for (const phone of phones.splice(0)) phone.close();
  Phone.closeAll();
});
after(() => Promise.all([near.stop(), far.stop()]));

const securedOf = (id: number): Secured | undefined =>
  told.findLast((event) => event.kind === 'secured' && event.endpoint === id) as Secured | undefined;
const unsecuredOf = (id: number): Unsecured | undefined =>
  told.findLast((event) => event.kind === 'unsecured' && event.endpoint === id) as Unsecured | undefined;

const spec = (zrtp: boolean): EndpointSpec => ({
  local: '127.0.0.1',
  ports: 'pair',
  dscp: 0,
  suites: [],
  ...(zrtp && { zrtp }),
});

interface Call {
  readonly phone: ZrtpPhone;
  readonly ending: EndpointOpened;
  readonly plain: Phone;
  readonly other: EndpointOpened;
}

/** A phone with ZRTP on one side, one without on the other. */
async function call(phone: ZrtpPhone, zrtp: Partial<ZrtpConfig> = {}): Promise<Call> {
  phones.push(phone);
  const plain = await Phone.open();
  const [ending, other] = await openAll(near, [spec(true), spec(false)]);
  assert.ok(ending && other);
  near.configure(other.id, { media: 'rtp', remote: plain.remote });
  near.configure(ending.id, {
    media: 'rtp',
    remote: phone.phone.remote,
    zrtp: { mode: 'end', demanded: false, ...zrtp },
  });
  near.link(ending.id, other.id);
  await near.flush();
  return { phone, ending, plain, other };
}

const closeCall = ({ ending, other }: Call) => near.close([ending.id, other.id]);

async function talk({ phone, ending, plain, other }: Call): Promise<void> {
  phone.start(ending.rtpPort);
  await until(() => phone.secured !== undefined && securedOf(ending.id) !== undefined, 'keys');
  phone.say(rtpPacket(1, 5));
  await until(() => plain.rtpReceived.length === 1, 'what the phone says');
  assert.deepEqual(plain.rtpReceived[0], Buffer.from(rtpPacket(1, 5)));
  phone.media.length = 0;
  plain.rtp.send(rtpPacket(9, 6), other.rtpPort, '127.0.0.1');
  await until(() => phone.media.length === 1, 'what the plain phone says');
  assert.notDeepEqual(phone.media[0]?.subarray(12), Buffer.from(rtpPacket(9, 6)).subarray(12));
  assert.deepEqual(
    Buffer.from(phone.heard()[0] ?? []).subarray(12),
    Buffer.from(rtpPacket(9, 6)).subarray(12),
  );
}

test('RFC 6189 §10: ZRTP ends at an endpoint, which speaks SRTP with its peer from then on', async () => {
  const made = await call(await ZrtpPhone.open());
  const { phone, ending } = made;
  await talk(made);
  const event = securedOf(ending.id);
  assert.deepEqual(
    [event?.by, event?.version, event?.group, event?.cipher, event?.suite],
    ['zrtp', 'ZRTP 1.10', 'X25519', 'S256 AES3 GCM', 'AEAD_AES_256_GCM'],
  );
  assert.equal(event?.zrtp?.sas, phone.secured?.sas);
  assert.equal(event?.zrtp?.continuity, 'new');
  assert.equal(event?.zrtp?.verified, false);
  assert.equal(event?.zrtp?.retained.rs1.length, 32);
  assert.deepEqual(Uint8Array.from(phone.secured?.peerZid ?? []), zid);
  const discovered = phone.told.find((output) => output.kind === 'discovered');
  assert.equal(discovered?.mitm, true);
  await closeCall(made);
});

test('RFC 6189 §8.1: the Hello that comes is the one whose hash the endpoint was opened with', async () => {
  const phone = await ZrtpPhone.open();
  const made = await call(phone, { helloHash: phone.session.helloHash });
  const announced = made.ending.zrtp;
  assert.equal(announced?.version, '1.10');
  let hello: Buffer | undefined;
  phone.phone.rtp.on('message', (datagram) => {
    if (datagram.toString('latin1', 16, 24) === 'Hello   ') hello ??= datagram.subarray(12, -4);
  });
  await talk(made);
  assert.deepEqual(Uint8Array.from(helloHashOf(hello!)), Uint8Array.from(announced?.helloHash ?? []));
  await closeCall(made);
});

test('RFC 6189 §8.1, M9: a Hello that signalling did not name gets no keys, and is told', async () => {
  const made = await call(await ZrtpPhone.open(), { helloHash: new Uint8Array(32) });
  made.phone.start(made.ending.rtpPort);
  await until(() => unsecuredOf(made.ending.id) !== undefined, 'the event');
  assert.equal(unsecuredOf(made.ending.id)?.reason, 'hello-hash');
  assert.equal(made.phone.secured, undefined);
  await closeCall(made);
});

test('RFC 6189 §4.3, §4.6.1, §7.1: secrets go on from call to call, and a confirmed SAS with them', async () => {
  const phoneZid = Uint8Array.from(randomBytes(12));
  let kept: RetainedSecrets | undefined;
  let retained: ZrtpRetained | undefined;
  const next = async (): Promise<Call> => {
    const made = await call(
      await ZrtpPhone.open({ zid: phoneZid, retained: () => kept }),
      retained ? { retained } : {},
    );
    await talk(made);
    return made;
  };
  const first = await next();
  assert.equal(securedOf(first.ending.id)?.zrtp?.continuity, 'new');
  near.confirmSas?.(first.ending.id);
  first.phone.session.confirmSas();
  await until(() => securedOf(first.ending.id)?.zrtp?.verified === true, 'what is confirmed');
  retained = securedOf(first.ending.id)?.zrtp?.retained;
  kept = { ...first.phone.secured!.retained!, verified: true };
  await closeCall(first);

  const second = await next();
  const event = securedOf(second.ending.id);
  assert.deepEqual([event?.zrtp?.continuity, event?.zrtp?.verified], ['continued', true]);
  assert.deepEqual(second.phone.secured?.continuity, 'continued');
  await closeCall(second);

  // Somebody with the phone's ZID and none of its secrets.
  kept = undefined;
  const third = await next();
  const mismatch = securedOf(third.ending.id)?.zrtp;
  assert.deepEqual([mismatch?.continuity, mismatch?.verified], ['mismatch', false]);
  assert.deepEqual(mismatch?.retained.rs1, retained?.rs1, 'what was kept stays');
  await closeCall(third);
});

test('without keys no media passes where ZRTP is demanded', async () => {
  const made = await call(await ZrtpPhone.open(), { demanded: true });
  const { phone, ending, plain, other } = made;
  phone.phone.rtp.send(rtpPacket(1, 5), ending.rtpPort, '127.0.0.1');
  plain.rtp.send(rtpPacket(1, 6), other.rtpPort, '127.0.0.1');
  await until(async () => (await near.stats([other.id]))[0]?.received.packets === 1, 'the plain packet');
  await until(async () => {
    const [stats] = await near.stats([ending.id]);
    return stats !== undefined && stats.dropped.authentication + stats.dropped.source > 0;
  }, 'the dropped one');
  assert.equal(plain.rtpReceived.length, 0);
  await talk(made);
  await closeCall(made);
});

test('RFC 6189 §6: where nobody answers that is told, and plain RTP goes on where it may', async () => {
  const made = await call(await ZrtpPhone.open());
  await until(() => unsecuredOf(made.ending.id) !== undefined, 'the event');
  assert.equal(unsecuredOf(made.ending.id)?.reason, 'timeout');
  made.phone.phone.rtp.send(rtpPacket(3, 5), made.ending.rtpPort, '127.0.0.1');
  await until(() => made.plain.rtpReceived.length === 1, 'plain voice');
  // Who comes late is still answered.
  made.plain.rtpReceived.length = 0;
  await talk(made);
  await closeCall(made);
});

test('RFC 6189 §8.1: a phone that begins anew with another Hello gets new keys, under the Hello that was announced', async () => {
  const first = await ZrtpPhone.open();
  const made = await call(first, { helloHash: first.session.helloHash });
  const hellos: string[] = [];
  const listen = (phone: ZrtpPhone): void => {
    phone.phone.rtp.on('message', (datagram) => {
      if (datagram.toString('latin1', 16, 24) === 'Hello   ')
        hellos.push(Buffer.from(helloHashOf(datagram.subarray(12, -4))).toString('hex'));
    });
  };
  listen(first);
  await talk(made);
  const before = securedOf(made.ending.id)?.zrtp?.sas;
  told.length = 0;
  made.plain.rtpReceived.length = 0;

  const second = await ZrtpPhone.open();
  phones.push(second);
  listen(second);
  near.configure(made.ending.id, {
    media: 'rtp',
    remote: second.phone.remote,
    zrtp: { mode: 'end', demanded: false, helloHash: second.session.helloHash },
  });
  await near.flush();
  await talk({ ...made, phone: second });
  assert.notEqual(securedOf(made.ending.id)?.zrtp?.sas, before);
  const announced = Buffer.from(made.ending.zrtp?.helloHash ?? []).toString('hex');
  assert.deepEqual([...new Set(hellos)], [announced]);
  await closeCall(made);
});

test('retained secrets that come again while keys are agreed on change nothing', async () => {
  const phoneZid = Uint8Array.from(randomBytes(12));
  const rs1 = Uint8Array.from(randomBytes(32));
  const phone = await ZrtpPhone.open({ zid: phoneZid, retained: () => ({ rs1, verified: false }) });
  const retained = { zid: phoneZid, rs1, verified: false };
  const made = await call(phone, { retained });
  const again = () =>
    near.configure(made.ending.id, {
      media: 'rtp',
      remote: phone.phone.remote,
      zrtp: { mode: 'end', demanded: false, retained },
    });
  phone.phone.rtp.on('message', () => again());
  await talk(made);
  assert.equal(securedOf(made.ending.id)?.zrtp?.continuity, 'continued');
  assert.equal(phone.secured?.continuity, 'continued');
  await closeCall(made);
});

test('a flood of Hellos to one endpoint leaves the handshake and the voice of another alone', async () => {
  const flooded = await call(await ZrtpPhone.open());
  const stranger = await ZrtpPhone.open();
  phones.push(stranger);
  let hello: Uint8Array | undefined;
  stranger.phone.rtp.on('message', (datagram) => (hello ??= datagram));
  stranger.start(stranger.phone.remote.rtpPort);
  await until(() => hello !== undefined, 'a Hello');
  const made = await call(await ZrtpPhone.open());
  let sent = 0;
  const flood = setInterval(() => {
    for (let i = 0; i < 100; i++, sent++)
      flooded.phone.phone.rtp.send(hello!, flooded.ending.rtpPort, '127.0.0.1');
  }, 5);
  try {
    await until(() => sent >= 2000, 'some of the flood');
    await talk(made);
    await until(() => sent >= 6000, 'the rest');
  } finally {
    clearInterval(flood);
  }
  assert.equal(securedOf(flooded.ending.id), undefined);
  await closeCall(made);
  await closeCall(flooded);
});

test('endpoints have Hellos of their own', async () => {
  const opened = await openAll(near, [spec(true), spec(true), spec(true)]);
  const hashes = opened.map(({ zrtp }) => Buffer.from(zrtp?.helloHash ?? []).toString('hex'));
  assert.equal(new Set(hashes).size, 3);
  assert.ok(hashes.every((hash) => hash.length === 64));
  await near.close(opened.map(({ id }) => id));
});

test('two media processes agree on keys, and what goes between them is SRTP', async () => {
  const [a, b] = [await Phone.open(), await Phone.open()];
  const [nearEnd, nearPlain] = await openAll(near, [spec(true), spec(false)]);
  const [farEnd, farPlain] = await openAll(far, [spec(true), spec(false)]);
  assert.ok(nearEnd && nearPlain && farEnd && farPlain);
  const remoteOf = ({ rtpPort, rtcpPort }: EndpointOpened) => ({ address: '127.0.0.1', rtpPort, rtcpPort });
  const end = (helloHash: Uint8Array | undefined) =>
    ({ mode: 'end', demanded: true, ...(helloHash && { helloHash }) }) as const;
  near.configure(nearPlain.id, { media: 'rtp', remote: a.remote });
  far.configure(farPlain.id, { media: 'rtp', remote: b.remote });
  near.link(nearEnd.id, nearPlain.id);
  far.link(farEnd.id, farPlain.id);
  near.configure(nearEnd.id, { media: 'rtp', remote: remoteOf(farEnd), zrtp: end(farEnd.zrtp?.helloHash) });
  far.configure(farEnd.id, { media: 'rtp', remote: remoteOf(nearEnd), zrtp: end(nearEnd.zrtp?.helloHash) });
  await Promise.all([near.flush(), far.flush()]);
  await until(() => told.filter((event) => event.kind === 'secured').length === 2, 'keys at both');
  const [one, two] = told as Secured[];
  assert.equal(one?.zrtp?.sas, two?.zrtp?.sas);
  assert.notEqual(one?.zrtp?.sas, '');
  a.rtp.send(rtpPacket(1, 5), nearPlain.rtpPort, '127.0.0.1');
  b.rtp.send(rtpPacket(1, 6), farPlain.rtpPort, '127.0.0.1');
  await until(() => a.rtpReceived.length === 1 && b.rtpReceived.length === 1, 'voice both ways');
  assert.deepEqual(b.rtpReceived[0]?.subarray(12), Buffer.from(rtpPacket(1, 5)).subarray(12));
  await Promise.all([near.close([nearEnd.id, nearPlain.id]), far.close([farEnd.id, farPlain.id])]);
});

for (const stripped of [false, true])
  test(`RFC 6189 §8.1, §9: ZRTP that passes is ${stripped ? 'told as tampered with where its Hello is another one' : 'shown to have come through whole'}`, async () => {
    const [a, b] = [await ZrtpPhone.open(), await ZrtpPhone.open()];
    phones.push(a, b);
    const [left, right] = await openAll(near, [spec(false), spec(false)]);
    assert.ok(left && right);
    const pass = (phone: ZrtpPhone, helloHash: Uint8Array) =>
      ({
        media: 'rtp',
        remote: phone.phone.remote,
        zrtp: { mode: 'pass', demanded: true, helloHash },
      }) as const;
    near.configure(left.id, pass(a, stripped ? new Uint8Array(32) : a.session.helloHash));
    near.configure(right.id, pass(b, b.session.helloHash));
    near.link(left.id, right.id);
    await near.flush();
    a.start(left.rtpPort);
    b.start(right.rtpPort);
    await until(() => a.secured !== undefined && b.secured !== undefined, 'keys of the ends');
    const passedOf = (id: number): ZrtpPassed | undefined =>
      told.findLast((event) => event.kind === 'zrtp-passed' && event.endpoint === id) as ZrtpPassed;
    await until(
      () => passedOf(left.id)?.confirmed === true && passedOf(right.id)?.confirmed === true,
      'what has passed',
    );
    assert.equal(passedOf(left.id)?.helloMatches, !stripped);
    assert.equal(passedOf(right.id)?.helloMatches, true);
    assert.deepEqual(
      Uint8Array.from(passedOf(left.id)?.zid ?? []),
      Uint8Array.from(b.secured?.peerZid ?? []),
    );
    b.media.length = 0;
    a.say(rtpPacket(40, 5));
    if (!stripped) {
      await until(() => b.media.length === 1, 'SRTP of the ends');
      assert.deepEqual(Buffer.from(b.heard()[0]!), Buffer.from(rtpPacket(40, 5)));
    }
    await near.close([left.id, right.id]);
  });

test('RFC 6189 §7.3: a phone enrols with the media process, and from then on shows the string of the other side', async () => {
  const zids = [0, 1].map(() => Uint8Array.from(randomBytes(12)));
  const kept: (RetainedSecrets | undefined)[] = [undefined, undefined];
  const ours: (ZrtpRetained | undefined)[] = [undefined, undefined];
  /** Two phones with ZRTP that ends on both sides; the first one is offered to enrol. */
  const both = async () => {
    const [one, other] = await Promise.all(
      [0, 1].map((i) => ZrtpPhone.open({ zid: zids[i]!, retained: () => kept[i] })),
    );
    const [near1, near2] = await openAll(near, [spec(true), spec(true)]);
    assert.ok(one && other && near1 && near2);
    phones.push(one, other);
    for (const [i, [phone, { id }]] of (
      [
        [one, near1],
        [other, near2],
      ] as const
    ).entries())
      near.configure(id, {
        media: 'rtp',
        remote: phone.phone.remote,
        zrtp: {
          mode: 'end',
          demanded: false,
          ...(i === 0 && { enrol: true }),
          ...(ours[i] && { retained: ours[i] }),
        },
      });
    near.link(near1.id, near2.id);
    await near.flush();
    one.start(near1.rtpPort);
    other.start(near2.rtpPort);
    await until(
      () =>
        [near1, near2].every(({ id }) => securedOf(id)) &&
        one.secured !== undefined &&
        other.secured !== undefined,
      'keys on both sides',
    );
    return { one, other, ids: [near1.id, near2.id] as const };
  };

  const first = await both();
  assert.deepEqual(
    [first.one.secured?.peer.enrollment, first.other.secured?.peer.enrollment],
    [true, false],
    'offered where it was asked for alone',
  );
  near.relaySas?.(first.ids[0], first.ids[1]);
  near.relaySas?.(first.ids[1], first.ids[0]);
  first.one.enroll();
  kept[0] = first.one.retained;
  kept[1] = first.other.retained;
  for (const [i, id] of first.ids.entries()) {
    ours[i] = securedOf(id)?.zrtp?.retained;
    assert.equal(securedOf(id)?.zrtp?.enrolled, undefined);
  }
  assert.equal(kept[0]?.pbx?.length, 32);
  assert.deepEqual(Buffer.from(ours[0]?.pbx ?? []), Buffer.from(kept[0]?.pbx ?? []));
  assert.equal(ours[1]?.pbx, undefined);
  assert.equal(first.one.shown, first.one.secured?.sas, 'who has not enrolled shows its own');
  await near.close(first.ids);

  const second = await both();
  const { one, other, ids } = second;
  assert.deepEqual([securedOf(ids[0])?.zrtp?.enrolled, one.secured?.enrolled], [true, true]);
  assert.equal(securedOf(ids[1])?.zrtp?.enrolled, undefined);
  assert.notEqual(one.secured?.sas, other.secured?.sas);
  near.relaySas?.(ids[1], ids[0]);
  near.relaySas?.(ids[0], ids[1]);
  await until(() => securedOf(ids[0])?.zrtp?.relayed !== undefined, 'the acknowledgement');
  assert.equal(one.shown, other.shown);
  assert.equal(other.shown, other.secured?.sas);
  assert.equal(securedOf(ids[0])?.zrtp?.relayed, other.secured?.sas);
  assert.equal(securedOf(ids[0])?.zrtp?.sas, one.secured?.sas, 'its own stays what it is');
  assert.equal(securedOf(ids[1])?.zrtp?.relayed, undefined);

  // Its own again, once there is nobody any more whose string it could be.
  near.relaySas?.(ids[0], ids[0]);
  await until(() => one.shown === one.secured?.sas, 'its own string');
  one.say(rtpPacket(1, 5));
  await until(() => other.media.length > 0, 'voice');
  assert.deepEqual(
    Buffer.from(other.heard()[0] ?? []).subarray(12),
    Buffer.from(rtpPacket(1, 5)).subarray(12),
  );
  await near.close(ids);
});
