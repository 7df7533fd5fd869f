import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCode } from './error-code.ts';
import type { ZrtpOptions } from './options.ts';
import { encodePacket } from './packet.ts';
import type { RetainedSecrets } from './retained-secret.ts';
import { assertMirrored } from './testing/mirrored.ts';
import { type End, ZrtpPair } from './testing/pair.ts';

interface Sides {
  readonly a?: Partial<ZrtpOptions>;
  readonly b?: Partial<ZrtpOptions>;
}

function secure(seed: number, sides: Sides = {}): ZrtpPair {
  const pair = new ZrtpPair({ seed, ...sides });
  pair.start();
  pair.run();
  assertMirrored(pair);
  return pair;
}

const zids = { a: new Uint8Array(12).fill(1), b: new Uint8Array(12).fill(2) };
const drain = (...ends: readonly End[]): void => {
  for (const end of ends) end.drain();
};

/** Two installations that keep what they are told to, through as many calls as are made. */
class Acquaintance {
  readonly kept: { a: RetainedSecrets | undefined; b: RetainedSecrets | undefined } = {
    a: undefined,
    b: undefined,
  };
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  call(sides: Sides = {}): ZrtpPair {
    const pair = secure(this.#seed++, {
      a: { zid: zids.a, retained: () => this.kept.a, ...sides.a },
      b: { zid: zids.b, retained: () => this.kept.b, ...sides.b },
    });
    this.keep(pair);
    return pair;
  }

  lose(side: 'a' | 'b'): void {
    this.kept[side] = undefined;
  }

  keep(pair: ZrtpPair): void {
    for (const side of ['a', 'b'] as const)
      for (const output of pair[side].told)
        if (output.kind === 'retain') this.kept[side] = output.retained;
        else if (output.kind === 'secured' && output.retained) this.kept[side] = output.retained;
  }
}

const continuities = ({ a, b }: ZrtpPair): unknown[] => [a.secured?.continuity, b.secured?.continuity];

test('RFC 6189 §4.3, §4.6.1: retained secrets go on from call to call, rs1 becomes rs2', () => {
  const both = new Acquaintance(20);
  assert.deepEqual(continuities(both.call()), ['new', 'new']);
  const first = both.kept.a;
  assert.deepEqual(both.kept.a?.rs1, both.kept.b?.rs1);
  assert.deepEqual(continuities(both.call()), ['continued', 'continued']);
  assert.deepEqual(both.kept.a?.rs2, first?.rs1);
  assert.notDeepEqual(both.kept.a?.rs1, first?.rs1);
});

test('RFC 6189 §4.3: one end that missed the last update is found again by rs2', () => {
  const both = new Acquaintance(30);
  both.call();
  for (const behind of ['a', 'b'] as const) {
    const before = both.kept[behind];
    both.call();
    both.kept[behind] = before;
    assert.deepEqual(continuities(both.call()), ['continued', 'continued'], behind);
  }
});

test('RFC 6189 §4.3.2, §4.6.1.1: a peer that has lost its secrets is told, and nothing is kept until people compare', () => {
  const both = new Acquaintance(40);
  both.call();
  both.lose('b');
  const before = both.kept.a;
  const pair = both.call();
  assert.deepEqual(continuities(pair), ['mismatch', 'new']);
  assert.deepEqual(both.kept.a, before);
  pair.a.session.confirmSas();
  pair.b.session.confirmSas();
  drain(pair.a, pair.b);
  both.keep(pair);
  assert.deepEqual(both.kept.a?.rs1, both.kept.b?.rs1);
  const next = both.call();
  assert.deepEqual(continuities(next), ['continued', 'continued']);
  assert.deepEqual([next.a.secured?.verified, next.b.secured?.verified], [true, true]);
});

test('RFC 6189 §4.9: secrets past their agreed time are no mismatch; who keeps nothing says so', () => {
  const both = new Acquaintance(50);
  both.call();
  both.lose('b');
  const expired = { ...both.kept.a!, expired: true };
  assert.deepEqual(continuities(both.call({ a: { retained: () => expired } })), ['new', 'new']);
  const short = secure(60, { a: { cacheSeconds: 3600 } });
  assert.deepEqual([short.a.secured?.cacheSeconds, short.b.secured?.cacheSeconds], [3600, 3600]);
  const none = secure(61, { a: { cacheSeconds: 0 } });
  assert.deepEqual([none.b.secured?.cacheSeconds, none.b.secured?.retained], [0, undefined]);
});

test('RFC 6189 §7.1: V is only of a secret that both still hold, and both sides have to say it', () => {
  const both = new Acquaintance(70);
  const first = both.call();
  first.a.session.confirmSas();
  drain(first.a);
  both.keep(first);
  const second = both.call();
  assert.deepEqual([second.a.secured?.verified, second.b.secured?.verified], [false, false]);
  assert.equal(second.b.secured?.peer.verified, true);
  second.b.session.denySas();
  drain(second.b);
  assert.ok(second.b.told.some((output) => output.kind === 'forget'));
});

test('RFC 6189 §4.3.1: auxsecret goes in where both hold the same', () => {
  const aux = new Uint8Array(32).fill(5);
  const held = (fill: number): RetainedSecrets => ({ aux: new Uint8Array(32).fill(fill), verified: false });
  const same = secure(80, {
    a: { retained: () => held(5) },
    b: { retained: () => ({ aux, verified: false }) },
  });
  assert.deepEqual([same.a.secured?.auxMatched, same.b.secured?.auxMatched], [true, true]);
  const other = secure(81, { a: { retained: () => held(6) }, b: { retained: () => held(5) } });
  assert.deepEqual([other.a.secured?.auxMatched, other.a.secured?.continuity], [false, 'new']);
});

test('RFC 6189 §4.4.3: a second stream in Multistream mode has keys of its own and no SAS', () => {
  const first = secure(90);
  const master = { a: first.a.session.master!, b: first.b.session.master! };
  const keys = new Set([Buffer.from(first.a.secured!.keys.send).toString('hex')]);
  for (let seed = 91; seed < 101; seed++) {
    const second = secure(seed, {
      a: { zid: first.b.secured!.peerZid, multistream: master.a },
      b: { zid: first.a.secured!.peerZid, multistream: master.b },
    });
    assert.equal(second.a.secured?.choice.keyAgreement, 'Mult');
    assert.deepEqual([second.a.secured?.sas, second.a.secured?.retained], [undefined, undefined]);
    keys.add(Buffer.from(second.a.secured!.keys.send).toString('hex'));
  }
  assert.equal(keys.size, 11);
});

test('RFC 6189 §4.4.3.1: Multistream of another pair of ZIDs, or without a session, comes to nothing', () => {
  const first = secure(110);
  const master = { a: first.a.session.master!, b: first.b.session.master! };
  const stranger = new ZrtpPair({ seed: 111, a: { multistream: master.a }, b: { multistream: master.b } });
  stranger.start();
  stranger.run();
  assert.equal(stranger.a.failed?.code, errorCode.helloMismatch);
  const alone = new ZrtpPair({
    seed: 112,
    a: { zid: first.b.secured!.peerZid, multistream: master.a },
    b: { zid: first.a.secured!.peerZid, passive: true },
  });
  alone.start();
  alone.run();
  assert.deepEqual(
    [alone.a.failed?.code, alone.b.failed?.code],
    [errorCode.noSharedSecret, errorCode.noSharedSecret],
  );
});

test('RFC 6189 §4.4.3.1: a nonce is taken once', () => {
  const { master } = secure(120).a.session;
  const nonce = new Uint8Array(16).fill(1);
  assert.deepEqual([master!.useNonce(nonce), master!.useNonce(nonce)], [true, false]);
  let taken = 0;
  for (let i = 0; i < 1000; i++)
    if (master!.useNonce(new Uint8Array(16).fill(i, 0, 2).fill(i >> 8, 2))) taken++;
  assert.ok(taken <= 63, 'bounded');
});

test('RFC 6189 §4.4.2: Preshared mode with a verified secret, SAS and next secret alike', () => {
  const both = new Acquaintance(130);
  const first = both.call();
  for (const end of [first.a, first.b]) end.session.confirmSas();
  drain(first.a, first.b);
  both.keep(first);
  for (const sides of [{ a: { preshared: true } }, { a: { preshared: true }, b: { preshared: true } }]) {
    const before = both.kept.a;
    const pair = both.call({ ...sides, b: { passive: !('b' in sides), ...('b' in sides && sides.b) } });
    assert.equal(pair.a.secured?.choice.keyAgreement, 'Prsh');
    assert.deepEqual(continuities(pair), ['continued', 'continued']);
    assert.deepEqual(both.kept.a?.rs1, both.kept.b?.rs1);
    assert.notDeepEqual(both.kept.a?.rs1, before?.rs1);
    assert.deepEqual(both.kept.a?.rs2, before?.rs2, 'the old rs1 is not saved');
  }
});

test('RFC 6189 §4.2, §4.4.2.3: a Commit with DH goes before one of Preshared mode, whoever sends it', () => {
  const both = new Acquaintance(140);
  const first = both.call();
  for (const end of [first.a, first.b]) end.session.confirmSas();
  drain(first.a, first.b);
  both.keep(first);
  const crossed = both.call({ a: { preshared: true } });
  assert.equal(crossed.a.secured?.choice.keyAgreement, 'X255');
  assert.equal(crossed.b.secured?.role, 'initiator');
  // B has lost the secret, so it answers with a Commit of its own.
  both.lose('b');
  const lost = both.call({ a: { preshared: true } });
  assert.equal(lost.a.secured?.choice.keyAgreement, 'X255');
  assert.deepEqual(continuities(lost), ['mismatch', 'new']);
  const limited = new ZrtpPair({
    seed: 149,
    a: { zid: zids.a, retained: () => both.kept.a, preshared: true },
    b: { zid: zids.b, passive: true },
  });
  limited.start();
  limited.run();
  assert.equal(limited.a.failed?.code, errorCode.noSharedSecret);
});

test('RFC 6189 §7.3: a phone enrols with a PBX, and from then on shows the SAS that the PBX relays', () => {
  const both = new Acquaintance(150);
  const pbx = { b: { mitm: true, offerEnrollment: true } };
  const enrolling = both.call(pbx);
  assert.equal(enrolling.a.secured?.peer.enrollment, true);
  assert.equal(enrolling.a.secured?.enrolled, false);
  assert.equal(both.kept.a?.pbx, undefined, 'never without being asked');
  enrolling.a.session.enroll();
  drain(enrolling.a);
  both.keep(enrolling);
  assert.deepEqual(both.kept.a?.pbx, both.kept.b?.pbx);

  const relaying = both.call({ b: { mitm: true } });
  assert.deepEqual([relaying.a.secured?.enrolled, relaying.b.secured?.enrolled], [true, true]);
  const outside = secure(159);
  const content = {
    sasType: outside.a.secured!.choice.sas,
    sasHash: outside.a.secured!.sasHash!,
    verified: false,
    allowClear: false,
    disclosure: false,
  };
  relaying.link.conditions = { loss: 0.4, duplication: 0.3 };
  relaying.b.session.relaySas(content, relaying.time.now);
  drain(relaying.b);
  relaying.run();
  const shown = relaying.a.told.filter((output) => output.kind === 'sas-relayed');
  assert.equal(shown.length, 1);
  assert.equal(shown[0]?.sas, outside.b.secured?.sas);
  assert.ok(relaying.b.told.some((output) => output.kind === 'sas-relay-done' && output.delivered));
});

test('RFC 6189 §7.3.1: a phone that lets an offer pass may enrol at a later one; who has enrolled is not asked again', () => {
  const both = new Acquaintance(155);
  const pbx = { b: { mitm: true, offerEnrollment: true } };
  both.call(pbx);
  const second = both.call(pbx);
  assert.deepEqual([second.a.secured?.peer.enrollment, second.a.secured?.enrolled], [true, false]);
  second.a.session.enroll();
  drain(second.a);
  both.keep(second);
  for (let again = 0; again < 2; again++) {
    const pair = both.call(pbx);
    assert.deepEqual([pair.a.secured?.enrolled, pair.b.secured?.enrolled], [true, true]);
    assert.equal(pair.a.secured?.peer.enrollment, false);
    pair.a.session.enroll();
    drain(pair.a);
    both.keep(pair);
  }
});

test('RFC 6189 §7.3: a SAS relayed by somebody who was not enrolled with is not shown', () => {
  const pair = secure(160, { b: { mitm: true } });
  const sasHash = new Uint8Array(32).fill(1);
  const content = { sasType: 'B256', sasHash, verified: true, allowClear: false, disclosure: false };
  pair.b.session.relaySas(content, pair.time.now);
  drain(pair.b);
  pair.run();
  const shown = pair.a.told.find((output) => output.kind === 'sas-relayed');
  assert.deepEqual([shown?.sas, shown?.sasType], [undefined, 'B256']);
  assert.throws(() => pair.a.session.relaySas(content, 0), { code: 'zrtp-relay' });
});

test('RFC 6189 §4.7.2: GoClear is refused unless it was allowed', () => {
  const pair = secure(170, { a: { dangerouslyAllowClear: true } });
  assert.throws(() => pair.a.session.goClear(0), { code: 'zrtp-clear' });
  pair.b.session.goClear(pair.time.now);
  drain(pair.b);
  pair.run();
  assert.deepEqual([pair.a.session.state, pair.b.session.state], ['clear', 'clear']);
  assert.ok(pair.a.told.some((output) => output.kind === 'cleared'));
  pair.a.session.goSecure(pair.time.now);
  drain(pair.a);
  const before = pair.a.secured?.keys.send;
  pair.run();
  assertMirrored(pair);
  assert.equal(pair.a.secured?.choice.keyAgreement, 'Mult');
  assert.notDeepEqual(pair.a.secured?.keys.send, before);
});

test('RFC 6189 §4.7.2: a GoClear whose MAC is not the peer’s has no effect', () => {
  const pair = secure(180, { a: { dangerouslyAllowClear: true } });
  const message = Uint8Array.from(Buffer.from('505a0005476f436c656172200102030405060708', 'hex'));
  pair.deliver(pair.a, encodePacket({ sequence: 1, ssrc: 0xbbbb, message }));
  assert.equal(pair.a.session.state, 'secure');
  assert.deepEqual(pair.a.suspicions, ['clear-mac']);
});

test('RFC 6189 §5.15, §5.16: a Ping is answered with both hashes and its SSRC', () => {
  const pair = secure(190);
  const answers: Uint8Array[] = [];
  pair.a.send = (bytes) => answers.push(bytes);
  const ping = Uint8Array.from(Buffer.from('505a000650696e6720202020312e31300102030405060708', 'hex'));
  for (let i = 0; i < 500; i++) pair.deliver(pair.a, encodePacket({ sequence: i, ssrc: 77, message: ping }));
  assert.equal(answers.length, 100, 'bounded');
  const zid = Buffer.from(pair.b.secured!.peerZid).toString('hex').slice(0, 16);
  assert.equal(
    Buffer.from(answers[0]!).toString('hex').slice(24, 96),
    `505a000950696e6741434b20312e3130${zid}01020304050607080000004d`,
  );
});

test('RFC 6189 §4.1.2: both ends come to the faster of their first choices, DH2k never', () => {
  for (const [ours, theirs, chosen] of [
    [['DH3k', 'EC25'], ['EC38', 'EC25', 'DH3k'], 'EC25'],
    [['EC38'], ['EC38'], 'EC38'],
    [['EC38', 'X255'], ['EC38', 'X255'], 'EC38'],
    [['DH2k', 'DH3k'], ['DH2k', 'DH3k'], 'DH3k'],
    [['X255'], ['EC25'], 'DH3k'],
  ] as const) {
    const pair = secure(200, {
      a: { algorithms: { keyAgreements: ours } },
      b: { algorithms: { keyAgreements: theirs } },
    });
    assert.equal(pair.a.secured?.choice.keyAgreement, chosen);
  }
});

test('RFC 6189 §5.1.2 to §5.1.6: the initiator takes its own first of what both can', () => {
  const pair = secure(210, {
    a: { algorithms: { hashes: ['S384'], ciphers: ['AES1'], authTags: ['HS32'], sasTypes: ['B256'] } },
    b: { passive: true },
  });
  const { hash, cipher, authTag, sas } = pair.a.secured!.choice;
  assert.deepEqual([hash, cipher, authTag, sas], ['S384', 'AES1', 'HS32', 'B256']);
  assert.equal(pair.a.secured?.keys.suite, 'AES_CM_128_HMAC_SHA1_32');
  assert.match(pair.b.secured!.sas!, /^[A-Za-z]+ [A-Za-z]+$/);
});

test('what is secret is overwritten when a session is closed', () => {
  const pair = secure(220);
  const { master } = pair.a.session;
  assert.ok(master?.key.some((octet) => octet !== 0));
  pair.a.session.close();
  assert.ok(master?.key.every((octet) => octet === 0));
  assert.equal(pair.a.session.master, undefined);
});
