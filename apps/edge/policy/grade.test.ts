import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Grade, gradeOf, grades, type Recording, rankOf } from './grade.ts';
import { type CallGrade, lived, longestHandshakeMs, mostChanges } from './grade-life.ts';
import type { LegProtection, MediaProtection, SignallingProtection } from './protection.ts';

const tls: SignallingProtection = {
  transport: 'tls',
  version: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: 'X25519MLKEM768',
};
const udp: SignallingProtection = { transport: 'udp' };
const rtp: MediaProtection = { protocol: 'rtp' };
const sdes: MediaProtection = {
  protocol: 'srtp',
  suite: 'AEAD_AES_256_GCM',
  keyExchange: 'sdes',
  keysExposed: false,
};
const dtls: MediaProtection = {
  protocol: 'srtp',
  suite: 'AEAD_AES_128_GCM',
  keyExchange: 'dtls',
  keysExposed: false,
  dtls: {
    version: 'DTLSv1.2',
    cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    group: 'X25519',
    peerFingerprint: 'AB',
  },
};
const zrtp = (more: Partial<NonNullable<MediaProtection['zrtp']>> = {}): MediaProtection => ({
  protocol: 'srtp',
  keyExchange: 'zrtp',
  keysExposed: false,
  zrtp: { mode: 'pass', confirmed: true, helloMatches: true, ...more },
});

const parties = ['device:alice@example.test/desk', 'device:bob@example.test/desk'] as const;
const leg = (
  index: number,
  media: MediaProtection,
  signalling = tls,
  party: string = parties[index] ?? '',
  demanded: LegProtection['demanded'] = 'preferred',
): LegProtection => ({ leg: index, party, demanded, signalling, media });
const both = (media: MediaProtection, signalling = tls): LegProtection[] => [
  leg(0, media, signalling),
  leg(1, media, signalling),
];
const recorder: Recording = {
  by: 'the recorder vault',
  protection: leg(2, sdes, tls, 'trunk:vault@example.test', 'required'),
};

test('each grade with the sentence that explains it', () => {
  const says = (legs: readonly LegProtection[], grade: Grade, sentence: string, by?: Recording): void => {
    const graded = gradeOf(legs, by);
    assert.equal(graded.sentence, sentence);
    assert.equal(graded.grade, grade);
  };
  says(
    both(zrtp()),
    'end-to-end',
    'End to end: only alice and bob hold the keys, which ZRTP has agreed on through the edge, and both are who their signalling says.',
  );
  says(
    both(sdes),
    'hop-by-hop',
    "Hop by hop: both sides are encrypted, and the edge's media process holds the keys in between.",
  );
  says(
    [leg(0, dtls), leg(1, { ...sdes, keysAt: 'rtpengine media-1' })],
    'hop-by-hop',
    "Hop by hop: both sides are encrypted, and the edge's media process and rtpengine media-1 hold the keys in between.",
  );
  says(
    [leg(0, sdes), leg(1, sdes, tls, 'pbx:office@example.test')],
    'hop-by-hop',
    "Hop by hop: both sides are encrypted, and the edge's media process and the PBX office hold the keys in between, and what happens behind the PBX office is not ours to see.",
  );
  says(
    [leg(0, sdes), leg(1, rtp, udp, 'trunk:carrier@example.test')],
    'partly-protected',
    'Partly protected: the media of the trunk carrier is not encrypted, while the side of alice is encrypted.',
  );
  says(
    both(sdes, udp),
    'in-the-clear',
    'In the clear: the keys of alice crossed its signalling unencrypted over UDP; the keys of bob crossed its signalling unencrypted over UDP.',
  );
  says(
    [leg(0, sdes), leg(1, rtp, tls, parties[1], 'required')],
    'partly-protected',
    'Partly protected: the media of bob is not encrypted, while the side of alice is encrypted, although encryption was demanded of bob.',
  );
  says(
    both(sdes),
    'hop-by-hop',
    "Hop by hop: both sides are encrypted, and the edge's media process and the recorder vault hold the keys in between, and the call is recorded by the recorder vault.",
    recorder,
  );
});

test('ZRTP that passes is end to end only where it is proven to: hashes by encrypted signalling, or a person', () => {
  const grade = (legs: readonly LegProtection[], by?: Recording): Grade => gradeOf(legs, by).grade;
  assert.equal(grade(both(zrtp({ confirmed: false }))), 'in-the-clear');
  assert.equal(grade(both(zrtp({ helloMatches: false }))), 'in-the-clear');
  assert.equal(grade(both(zrtp(), udp)), 'partly-protected');
  const { helloMatches: _, ...unsignalled } = zrtp().zrtp!;
  assert.equal(grade(both({ ...zrtp(), zrtp: unsignalled })), 'partly-protected');
  assert.equal(grade(both({ ...zrtp(), zrtp: { ...unsignalled, verified: true } }, udp)), 'end-to-end');
  assert.equal(grade(both(zrtp({ verified: true, helloMatches: false }))), 'in-the-clear');
  assert.equal(grade([leg(0, zrtp()), leg(1, sdes)]), 'hop-by-hop');
  assert.equal(grade(both(zrtp({ mode: 'end' }))), 'hop-by-hop');
  assert.equal(grade(both(zrtp()), recorder), 'hop-by-hop', 'a recorded call is never end to end');
});

test('RFC 6189 §7.3: a string that the edge has relayed is told, and makes no call end to end', () => {
  const ended = (sas: string, relayed?: string): MediaProtection =>
    zrtp({ mode: 'end', sas, verified: true, enrolled: true, ...(relayed === undefined ? {} : { relayed }) });
  const { grade, sentence } = gradeOf([leg(0, ended('k9ds', 'b3xy')), leg(1, ended('b3xy'))]);
  assert.equal(grade, 'hop-by-hop');
  assert.equal(
    sentence,
    "Hop by hop: both sides are encrypted, and the edge's media process holds the keys in between, and the edge, in between as a trusted PBX, has relayed the short authentication string from one side to the other.",
  );
  const others: LegProtection[][] = [
    [leg(0, ended('k9ds', 'oldo')), leg(1, ended('b3xy'))],
    [leg(0, ended('k9ds', 'b3xy')), leg(1, { ...sdes, zrtp: ended('b3xy').zrtp! })],
    [leg(0, ended('k9ds', 'k9ds')), leg(1, ended('b3xy'))],
    both(ended('b3xy')),
  ];
  for (const legs of others) assert.doesNotMatch(gradeOf(legs).sentence, /relayed/);
});

test('what is behind a trunk is not known: it is end to end only for who has compared the authentication string', () => {
  const carried = (media: MediaProtection): LegProtection[] => [
    leg(0, media),
    leg(1, media, tls, 'trunk:carrier@example.test'),
  ];
  assert.equal(gradeOf(carried(zrtp())).grade, 'hop-by-hop');
  assert.match(gradeOf(carried(zrtp())).sentence, /what happens behind the trunk carrier is not ours to see/);
  assert.equal(gradeOf(carried(zrtp({ verified: true }))).grade, 'end-to-end');
});

/** Every record of one leg that makes sense, and some that make none. */
function everyLeg(index: number): LegProtection[] {
  const legs: LegProtection[] = [];
  const medias: MediaProtection[] = [{ protocol: 'none' }, { protocol: 'udptl' }, rtp];
  for (const keysAt of [undefined, 'rtpengine media-1']) {
    const at = keysAt === undefined ? {} : { keysAt };
    for (const keysExposed of [false, true]) {
      medias.push({ ...sdes, keysExposed, ...at }, { ...dtls, keysExposed, ...at });
      for (const mode of ['pass', 'end'] as const)
        for (const confirmed of [true, false])
          for (const verified of [true, false])
            for (const helloMatches of [true, undefined, false])
              for (const continuity of ['continued', 'new', 'mismatch'] as const)
                medias.push({
                  protocol: 'srtp',
                  keyExchange: 'zrtp',
                  keysExposed,
                  ...at,
                  zrtp: {
                    mode,
                    confirmed,
                    verified,
                    continuity,
                    ...(helloMatches === undefined ? {} : { helloMatches }),
                  },
                });
    }
  }
  for (const media of medias)
    for (const signalling of [tls, udp])
      for (const party of [parties[index] ?? '', 'trunk:carrier@example.test'])
        legs.push(leg(index, media, signalling, party));
  return legs;
}

/** Everything by which that leg could be one step weaker. */
function weaker(one: LegProtection): LegProtection[] {
  const { media } = one;
  const found: LegProtection[] = [
    { ...one, media: rtp },
    { ...one, media: { protocol: 'none' } },
    { ...one, media: { ...media, keysAt: 'rtpengine media-1' } },
    { ...one, media: { ...media, keysExposed: true } },
    { ...one, signalling: udp },
    { ...one, party: 'trunk:carrier@example.test' },
  ];
  const { zrtp: known } = media;
  if (known === undefined) return found;
  const { helloMatches, ...rest } = known;
  const with_ = (changed: MediaProtection['zrtp']): void => {
    found.push({ ...one, media: { ...media, zrtp: changed } as MediaProtection });
  };
  with_({ ...known, confirmed: false });
  with_({ ...known, verified: false });
  with_({ ...known, mode: 'end' });
  with_({ ...known, continuity: 'mismatch' });
  with_({ ...known, helloMatches: false });
  if (helloMatches === true) with_(rest);
  return found;
}

test('property: over all combinations of two legs, making a leg weaker or recording it never improves the grade', () => {
  const [left, right] = [everyLeg(0), everyLeg(1)];
  const rank = (a: LegProtection, b: LegProtection, by?: Recording): number => {
    const graded = gradeOf([a, b], by);
    assert.match(graded.sentence, /^(?:End to end|Hop by hop|Partly protected|In the clear): \S[^.]*\.$/);
    return rankOf(graded.grade);
  };
  // The grade of two legs does not depend on which of them is which; so one side is weakened, the other is every kind.
  const kinds = right.filter((_, i) => i % 61 === 0);
  const seen = new Set<Grade>();
  let cases = 0;
  for (const a of left)
    for (const b of kinds) {
      const graded = gradeOf([a, b]);
      seen.add(graded.grade);
      const now = rankOf(graded.grade);
      assert.equal(
        rankOf(
          gradeOf([
            { ...b, leg: 0 },
            { ...a, leg: 1 },
          ]).grade,
        ),
        now,
      );
      for (const worse of weaker(a)) {
        cases += 1;
        const then = rankOf(gradeOf([worse, b]).grade);
        assert.ok(then >= now, JSON.stringify({ a, b, worse }));
      }
    }
  for (const a of left) {
    const twin = { ...a, leg: 1 };
    const now = rank(a, twin);
    assert.ok(rank(a, twin, recorder) >= Math.max(now, rankOf('hop-by-hop')));
    assert.ok(
      rank(a, twin, { ...recorder, protection: { ...recorder.protection, media: rtp } }) >=
        Math.max(now, rankOf('partly-protected')),
    );
    seen.add(gradeOf([a, twin]).grade);
  }
  assert.deepEqual([...seen].sort(), [...grades].sort());
  assert.ok(cases > 100_000, `${cases} cases`);
});

test('forward secrecy and quantum computers: SDES is as its TLS, DTLS and ZRTP as their own key exchange', () => {
  const secrecy = (media: MediaProtection, signalling = tls): readonly unknown[] => {
    const [first] = gradeOf([leg(0, media, signalling), leg(1, sdes)]).secrecy;
    return [first!.keyExchange, first!.forward, first!.postQuantum];
  };
  const tls12 = { transport: 'tls', version: 'TLSv1.2' } as const;
  assert.deepEqual(secrecy(sdes), ['SDES over TLS X25519MLKEM768', 'yes', 'yes']);
  assert.deepEqual(secrecy(sdes, { ...tls, group: 'X25519' }), ['SDES over TLS X25519', 'yes', 'no']);
  assert.deepEqual(secrecy(sdes, { ...tls12, cipher: 'AES256-GCM-SHA384' }), [
    'SDES over TLSv1.2 without forward secrecy',
    'no',
    'no',
  ]);
  assert.deepEqual(secrecy(sdes, { ...tls12, cipher: 'ECDHE-RSA-AES256-GCM-SHA384', group: 'P-256' }), [
    'SDES over TLS P-256',
    'yes',
    'no',
  ]);
  assert.deepEqual(secrecy(dtls), ['DTLS X25519', 'yes', 'no']);
  assert.deepEqual(secrecy(zrtp({ group: 'DH3k' })), ['ZRTP DH3k', 'yes', 'no']);
  assert.deepEqual(secrecy(zrtp({ group: 'Prsh' })), ['ZRTP Prsh', 'no', 'no']);
  assert.deepEqual(secrecy(zrtp()), ['ZRTP of unknown key agreement', 'unknown', 'no']);
  assert.deepEqual(secrecy(rtp), ['none', 'no', 'no']);
  assert.deepEqual(secrecy(sdes, udp), ['none', 'no', 'no']);
  assert.equal(
    gradeOf([leg(0, sdes), leg(1, dtls)]).detail,
    'Recorded today, the side of alice (SDES over TLS X25519MLKEM768) stays secret from a quantum computer too; the side of bob (DTLS X25519) can be read with a quantum computer of tomorrow.',
  );
  assert.equal(gradeOf(both(rtp)).detail, '');
});

test('a call has the worst grade of its life, and says when that was', () => {
  const held = gradeOf(both(sdes));
  const clear = gradeOf([leg(0, sdes), leg(1, rtp)]);
  let life = lived(undefined, held, 1000);
  assert.equal(life.sentence, held.sentence);
  life = lived(life, held, 2000);
  assert.equal(life.changes.length, 1);
  life = lived(life, clear, 13_500);
  assert.equal(life.grade, 'partly-protected');
  assert.equal(
    life.sentence,
    'Partly protected: the media of bob is not encrypted, while the side of alice is encrypted; that was so from 12.5 s on.',
  );
  life = lived(life, held, 21_000);
  assert.equal(life.grade, 'partly-protected');
  assert.equal(life.now, 'hop-by-hop');
  assert.match(life.sentence, /that was so from 12\.5 s on, before 20\.0 s, and then it was hop by hop\.$/);
  assert.equal(life.sentence.split('that was').length, 2);
  // Recorded and not any more: the record keeps it.
  life = lived(lived(undefined, held, 0), gradeOf(both(sdes), recorder), 5000);
  life = lived(life, held, 9000);
  assert.equal(life.recordedBy, 'the recorder vault');
  assert.match(life.sentence, /recorded by the recorder vault/);
});

test('keys that are being agreed on when a call is answered are waited for, but not for ever', () => {
  const waiting = gradeOf(both({ protocol: 'none', awaiting: 'dtls' }));
  const done = gradeOf(both(dtls));
  assert.equal(waiting.awaiting, true);
  let life: CallGrade = lived(undefined, waiting, 0);
  life = lived(life, gradeOf([leg(0, dtls), leg(1, { protocol: 'none', awaiting: 'dtls' })]), 300);
  life = lived(life, done, 400);
  assert.equal(life.grade, 'hop-by-hop');
  assert.match(life.sentence, /; that was so once there were keys, after 0\.4 s\.$/);
  // A new association in mid-call: nothing passes until it is there.
  life = lived(life, waiting, 60_000);
  life = lived(life, done, 60_300);
  assert.equal(life.grade, 'hop-by-hop');
  // It comes, but too late: what passed without it counts.
  const clear = gradeOf([leg(0, { ...rtp, awaiting: 'zrtp' }), leg(1, { ...rtp, awaiting: 'zrtp' })]);
  const late = lived(lived(undefined, clear, 0), gradeOf(both(zrtp())), longestHandshakeMs + 1);
  assert.equal(late.grade, 'in-the-clear');
  assert.match(late.sentence, /and then it was end to end\.$/);
  // It never comes.
  life = lived(life, waiting, 70_000);
  life = lived(life, waiting, 70_000 + longestHandshakeMs + 1);
  assert.equal(life.grade, 'in-the-clear');
});

test('changes that a record keeps are bounded', () => {
  const [held, clear] = [gradeOf(both(sdes)), gradeOf(both(rtp))];
  let life = lived(undefined, held, 0);
  for (let i = 1; i < 100; i += 1) life = lived(life, i % 2 === 0 ? held : clear, i);
  assert.equal(life.changes.length, mostChanges);
  assert.equal(life.changes.at(-1)!.at, 99);
  assert.equal(life.grade, 'in-the-clear');
});

test('a name cannot break the sentence', () => {
  const { sentence } = gradeOf([leg(0, rtp, udp, 'device:a;b. c\n<x>@example.test/desk'), leg(1, rtp)]);
  assert.equal(sentence.includes('\n'), false);
  assert.match(sentence, /the media of a\?b\.\?c\?\?x\? is not encrypted/);
});
