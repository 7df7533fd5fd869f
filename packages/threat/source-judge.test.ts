import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import type { Finding } from './rules.ts';
import { type Request, SourceJudge } from './source-judge.ts';

const judgeOf = (sources = 1_000) => new SourceJudge({ sources, preset: 'standard', seed: 7 });
const random = new SeededRandom(1);
const token = (): string => Math.floor(random.next() * 2 ** 50).toString(36);

const request = (change: Partial<Request> = {}): Request => ({
  high: 0,
  low: 0xc0000201,
  seconds: 100,
  method: 0,
  target: 'alice',
  exists: true,
  shape: 0,
  tag: token(),
  callId: token(),
  ...change,
});

/** What is found while the requests come, one every `pace` seconds. */
function findings(judge: SourceJudge, changes: readonly Partial<Request>[], pace = 1): Finding[] {
  return changes.flatMap(
    (change, i) => judge.request(request({ seconds: Math.floor(100 + i * pace), ...change })) ?? [],
  );
}

test('a challenge is no failure: whoever asks for one name for days is never found (RFC 3261 §22.2)', () => {
  const judge = judgeOf();
  assert.deepEqual(
    findings(
      judge,
      Array.from({ length: 5_000 }, () => ({})),
      30,
    ),
    [],
  );
});

test('names that do not exist: found at the sixth or seventh, each new one counts once', () => {
  const judge = judgeOf();
  const names = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'guy'].map((target) => ({
    target,
    exists: false,
  }));
  assert.deepEqual(findings(judge, names.slice(0, 5)), []);
  assert.deepEqual(findings(judge, [...names.slice(0, 5), ...names.slice(0, 5)]), []);
  const [finding] = findings(judge, names);
  assert.equal(finding?.rule, 'enumeration');
  assert.match(finding.parts[0]!.text, /[67] different names/);
  assert.ok(finding.bits >= finding.threshold);
});

test('every finding is the sum of its parts', () => {
  const judge = judgeOf();
  const [finding] = findings(
    judge,
    Array.from({ length: 9 }, (_, i) => ({ target: String(100 + i), exists: i % 2 === 0, shape: 3 })),
  );
  assert.ok(finding !== undefined);
  const sum = finding.parts.reduce((all, { bits }) => all + bits, 0);
  assert.ok(Math.abs(sum - finding.bits) < 0.01);
  assert.ok(finding.parts.every(({ text, bits }) => text.endsWith('.') && bits !== 0));
});

test('counting through extensions is a scan, even of names that all exist', () => {
  const found = findings(
    judgeOf(),
    Array.from({ length: 12 }, (_, i) => ({ target: String(200 + i), method: 2, shape: 4 })),
  );
  assert.equal(found[0]?.rule, 'scanner');
  assert.match(found[0].parts.map(({ text }) => text).join(' '), /counts through extensions/);
});

test('one number behind many prefixes is probing for the dial plan', () => {
  const prefixes = ['', '0', '00', '011', '9011', '+', '900', '000'];
  const found = findings(
    judgeOf(),
    prefixes.map((prefix) => ({ target: `${prefix}442071838750`, method: 1 })),
  );
  assert.equal(found[0]?.rule, 'scanner');
  assert.match(found[0].parts.map(({ text }) => text).join(' '), /different prefixes/);
});

test('one From tag in many Call-IDs adds to the evidence, and is not enough alone', () => {
  const judge = judgeOf();
  assert.deepEqual(
    findings(
      judge,
      Array.from({ length: 200 }, () => ({ tag: '1a2b3c4d5e' })),
      5,
    ),
    [],
  );
});

test('an office whose fifty phones come back at once is no flood; who only asks is', () => {
  const office = judgeOf();
  const found: Finding[] = [];
  for (let round = 0; round < 4; round += 1)
    for (let phone = 0; phone < 50; phone += 1) {
      found.push(
        ...([office.request(request({ seconds: 100 + round, target: `u${phone}` }))].filter(
          Boolean,
        ) as Finding[]),
      );
      office.proved(0, 0xc0000201, 100 + round, phone);
    }
  assert.deepEqual(found, []);
  const flood = findings(
    judgeOf(),
    Array.from({ length: 300 }, () => ({})),
    0.01,
  );
  assert.equal(flood[0]?.rule, 'flood');
});

test('30 requests in 2 seconds, the bound of Kamailio, are taken for as long as they come', () => {
  assert.deepEqual(
    findings(
      judgeOf(),
      Array.from({ length: 6_000 }, () => ({})),
      1 / 15,
    ).map(({ rule }) => rule),
    [],
  );
});

const fail = (judge: SourceJudge, seconds: number, account = 1, exists = true): Finding | undefined =>
  judge.failed(0, 0xc0000201, seconds, account, exists);

test('a guesser is found at the seventh password in a row', () => {
  const judge = judgeOf();
  let tries = 0;
  let found: Finding | undefined;
  for (; found === undefined && tries < 100; tries += 1) found = fail(judge, 100 + tries);
  assert.equal(found?.rule, 'brute-force');
  assert.ok(tries <= 10, String(tries));
});

test('a phone with an old password that asks again every 30 seconds is never found within four hours', () => {
  const judge = judgeOf();
  for (let i = 0; i < 90; i += 1) assert.equal(fail(judge, 100 + i * 30), undefined, String(i));
});

test('the slow guesser is found within a day', () => {
  const judge = judgeOf();
  let found: Finding | undefined;
  let i = 0;
  for (; found === undefined && i < 1_440; i += 1) found = fail(judge, 100 + i * 60);
  assert.equal(found?.rule, 'brute-force');
  assert.match(found.parts[0]!.text, /last day/);
});

test('passwords on one account after the other: found within ten accounts, a minute between each', () => {
  const judge = judgeOf();
  let found: Finding | undefined;
  let account = 0;
  for (; found === undefined && account < 50; account += 1)
    found = fail(judge, 100 + account * 60, account * 7919);
  assert.equal(found?.rule, 'credential-stuffing');
  assert.ok(account <= 10, String(account));
});

test('evidence fades, and a finding that goes on is told again after five minutes', () => {
  const judge = judgeOf();
  for (let i = 0; i < 5; i += 1) judge.request(request({ target: `x${i}`, exists: false }));
  assert.equal(judge.request(request({ seconds: 8_000, target: 'x5', exists: false })), undefined);
  for (let i = 0; i < 20; i += 1) fail(judge, 9_000 + i);
  assert.equal(fail(judge, 9_100), undefined);
  const later: Finding[] = [];
  for (let i = 0; i < 40; i += 1) later.push(...([fail(judge, 9_330 + i)].filter(Boolean) as Finding[]));
  assert.equal(later[0]?.rule, 'brute-force');
});

test('a tool that names itself is found at once', () => {
  assert.equal(judgeOf().marked(0, 1, 100)?.rule, 'scanner');
});

test('a million sources stay within the memory that was asked for, and what is known of the guilty stays', () => {
  const judge = judgeOf(10_000);
  for (let i = 0; i < 6; i += 1) fail(judge, 100 + i);
  const asked = request();
  for (let i = 0; i < 1_000_000; i += 1) {
    asked.low = i | 0;
    asked.high = 1;
    asked.seconds = 110 + (i >>> 14);
    judge.request(asked);
  }
  const { sources, octets } = judge.size;
  assert.ok(sources <= 12_512 && octets <= 10_000 * 176, `${sources} ${octets}`);
  assert.equal(judge.standing(0, 0xc0000201).known, true);
});

test('IPv6: the sources of one /64 are one', () => {
  const judge = judgeOf();
  for (let i = 0; i < 5; i += 1) judge.failed(0x20010db8, 5, 100 + i, 1, true);
  assert.deepEqual(judge.standing(0x20010db8, 5), { known: true, proven: false });
  assert.equal(judge.standing(0x20010db8, 6).known, false);
  assert.equal(judge.size.sources, 1);
});
