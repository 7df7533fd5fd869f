import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { AccountJudge } from './accounts.ts';
import { compareChanges, readBoun } from './boun.ts';
import { ChangePoints } from './change-points.ts';
import { Cusum } from './cusum.ts';
import { tailSurprise, UsualCount } from './gamma-poisson.ts';
import { HeavyHitters } from './heavy-hitters.ts';
import { type Registration, RegistrationWatch } from './registrations.ts';
import { boundsOf } from './rules.ts';
import { MarkReader, markOf, numberOf, oddOrder, readShape, shapeFlag, tailOf, tokenBits } from './shape.ts';
import { SprayWatch } from './spraying.ts';
import { kind, TrafficWatch } from './traffic.ts';

const threshold = boundsOf('standard').upper;

test('Wald: with 0.15 against 0.70 and 1 in 10,000 six outcomes decide', () => {
  assert.ok(threshold > 13.2 && threshold < 13.4);
  assert.ok(6 * Math.log2(0.7 / 0.15) > threshold);
});

test('Gamma-Poisson: surprise is the tail of the negative binomial', () => {
  // P(X >= 1) = 1 - (rate / (rate + 1)) ^ shape
  assert.ok(Math.abs(tailSurprise(1, 0.5, 1) - -Math.log2(1 - 0.5 ** 0.5)) < 1e-9);
  let last = 0;
  for (const count of [5, 10, 20, 40, 400]) {
    const bits = tailSurprise(count, 10, 10);
    assert.ok(bits > last, `${count}`);
    last = bits;
  }
  assert.equal(tailSurprise(0, 10, 10), 0);
});

test('what is usual is learned, and forgotten again', () => {
  const usual = new UsualCount(1, 10, 144);
  const before = usual.surprise(12);
  for (let i = 0; i < 300; i += 1) usual.learn(10);
  assert.ok(usual.surprise(12) < before / 2 && usual.mean > 8);
  for (let i = 0; i < 3_000; i += 1) usual.learn(0);
  assert.ok(usual.mean < 1);
});

test('one account guessed from many addresses is found, from two it is a user with two phones', () => {
  const judge = new AccountJudge(1_000, 3, () => threshold);
  for (let i = 0; i < 100; i += 1) assert.equal(judge.failed(5, i % 2, 100 + i), undefined);
  const found = Array.from({ length: 20 }, (_, i) => judge.failed(6, i * 31, 100 + i)).filter(Boolean);
  assert.equal(found.length, 1);
  assert.match(found[0]!.parts[0]!.text, /addresses/);
  const lately = judge.lately(6, 31, 130);
  assert.ok(lately.there && lately.failures > 15);
  assert.equal(judge.lately(7, 31, 130).failures, 0);
});

test('spraying: many accounts, each once, from many sources; a busy help desk is none', () => {
  const attacked = new SprayWatch();
  const found = Array.from({ length: 60 }, (_, i) =>
    attacked.failed('a.test', i * 7, i * 13, 100 + i),
  ).filter(Boolean);
  assert.equal(found.length, 1);
  assert.equal(found[0]!.rule, 'password-spraying');
  const calm = new SprayWatch();
  for (let window = 0; window < 200; window += 1)
    for (let account = 0; account < 4; account += 1)
      assert.equal(calm.failed('b.test', account * 7, account, 100 + window * 600 + account), undefined);
});

test('spraying on one tenant is not told of another', () => {
  const watch = new SprayWatch();
  const domains = ['a.test', 'b.test', 'c.test', 'd.test', 'e.test', 'f.test', 'g.test', 'h.test'];
  for (let i = 0; i < 40; i += 1)
    assert.equal(watch.failed(domains[i % 8]!, i * 7, i * 13, 100 + i), undefined);
});

const registration = (change: Partial<Registration> = {}): Registration => ({
  account: 'a.test/alice/desk',
  network: '192.0.2.0/24',
  userAgent: 'Desk 1.0',
  contact: 'sip:alice@192.0.2.1',
  place: undefined,
  seconds: 1_000,
  until: 4_600,
  guesses: 0,
  ...change,
});

test('a softphone taken along is no hijack; the same after guessed passwords is', () => {
  const moved = {
    network: '198.51.100.0/24',
    userAgent: 'Soft 2',
    contact: 'sip:alice@198.51.100.7',
    seconds: 2_000,
  };
  const watch = new RegistrationWatch();
  assert.deepEqual(watch.registered(registration(), threshold), []);
  assert.deepEqual(watch.registered(registration(moved), threshold), []);
  const other = new RegistrationWatch();
  other.registered(registration(), threshold);
  const [finding] = other.registered(registration({ ...moved, guesses: 8 }), threshold);
  assert.equal(finding?.rule, 'registration-hijack');
  assert.equal(finding.parts.length, 4);
});

test('impossible travel: only where both places are known', () => {
  const berlin = { name: 'Berlin', country: 'DE', latitude: 52.5, longitude: 13.4 };
  const lima = { name: 'Lima', country: 'PE', latitude: -12, longitude: -77 };
  const there = { network: '203.0.113.0/24', contact: 'sip:alice@203.0.113.9', place: lima };
  const watch = new RegistrationWatch();
  watch.registered(registration({ place: berlin }), threshold);
  const [finding] = watch.registered(registration({ ...there, seconds: 1_600 }), threshold);
  assert.equal(finding?.rule, 'impossible-travel');
  assert.match(finding.parts[0]!.text, /From Berlin to Lima, 11\d{3} km, in 10 min/);
  watch.registered(registration({ place: berlin, seconds: 100_000 }), threshold);
  assert.deepEqual(watch.registered(registration({ ...there, seconds: 160_000 }), threshold), []);
  assert.deepEqual(
    watch.registered(registration({ ...there, place: undefined, seconds: 160_100 }), threshold),
    [],
  );
});

test('heavy hitters: who sends most is named among 100,000', () => {
  const hitters = new HeavyHitters(9);
  for (let i = 0; i < 100_000; i += 1) {
    hitters.add(0, i);
    if (i % 20 === 0) hitters.add(0, 0xc0000201);
  }
  const [first] = hitters.top();
  assert.equal(first!.low >>> 0, 0xc0000201);
  assert.ok(first!.count >= 5_000 && first!.count < 5_600);
  hitters.halve();
  assert.ok(hitters.top()[0]!.count < 2_800);
});

test('CUSUM: a step is seen within seconds, noise is not', () => {
  const random = new SeededRandom(3);
  const noise = (mean: number): number => Math.round(mean + (random.next() + random.next() - 1) * 6);
  const cusum = new Cusum();
  for (let i = 0; i < 2_000; i += 1) assert.equal(cusum.step(noise(20)), false, String(i));
  let seconds = 0;
  while (!cusum.step(noise(60)) && seconds < 30) seconds += 1;
  assert.ok(seconds <= 3);
});

test('a surge is told once, with its kind, and a quiet day is none', () => {
  const random = new SeededRandom(4);
  const watch = new TrafficWatch();
  let second = 1_000;
  const pass = (seconds: number, invites: number) => {
    const found = [];
    for (let i = 0; i < seconds; i += 1) {
      watch.count(kind.register, Math.floor(random.next() * 8));
      watch.count(kind.known, Math.floor(random.next() * 30));
      watch.count(kind.invite, invites);
      second += 1;
      found.push(...[watch.tick(second)].filter((finding) => finding !== undefined));
    }
    return found;
  };
  assert.deepEqual(pass(1_000, 1), []);
  const [finding, ...more] = pass(60, 200);
  assert.equal(finding?.rule, 'surge');
  assert.match(finding.parts[0]!.text, /^INVITE without proof: 200 a second/);
  assert.deepEqual(more, []);
});

test('what a token can hold at most, in bits', () => {
  assert.equal(tokenBits('1111111111'), Math.log2(10));
  assert.ok(tokenBits('1928301774') > 24 && tokenBits('123') < 24);
  assert.ok(tokenBits('a6c85cf') > 24);
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sipvicious =
  'OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-1;rport\r\nContent-Length: 0\r\nFrom: "x"<sip:100@1.1.1.1>;tag=1\r\nTo: <sip:100@1.1.1.1>\r\n\r\n';
const phone =
  'OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK776asdhds\r\nMax-Forwards: 70\r\nTo: <sip:b@b>\r\nFrom: <sip:a@a>;tag=1928301774\r\nCall-ID: a84b4c76e66710\r\nUser-Agent: Phone\r\nContent-Length: 0\r\n\r\n';

test('the shape of a request: order of its fields, tokens, Via', () => {
  assert.equal(oddOrder(bytes(sipvicious)), true);
  assert.equal(oddOrder(bytes(phone)), false);
  assert.equal(oddOrder(bytes(phone.replace('To: ', 'User-Agent: x\r\nTo: '))), true);
  assert.equal(oddOrder(bytes(phone.replace('From:', 'f:').replace('To:', 't:'))), false);
  assert.equal(readShape('z9hG4bK776asdhds', '10.0.0.1', '1928301774', 'a84b4c76e66710', bytes(phone)), 0);
  assert.equal(
    readShape('1', '127.0.0.1', '1', '1', bytes(sipvicious)),
    shapeFlag.branch | shapeFlag.token | shapeFlag.loopback | shapeFlag.order,
  );
});

test('header order is read in linear time, whatever comes', () => {
  const random = new SeededRandom(5);
  for (let i = 0; i < 2_000; i += 1) {
    const junk = Uint8Array.from({ length: Math.floor(random.next() * 200) }, () =>
      Math.floor(random.next() * 256),
    );
    oddOrder(junk);
    oddOrder(bytes(sipvicious).subarray(0, Math.floor(random.next() * 150)));
  }
});

test('dial plans: the tail of a number, and the number', () => {
  assert.equal(tailOf('9011442071838750'), tailOf('00442071838750'));
  assert.equal(tailOf('+442071838750'), tailOf('442071838750'));
  assert.equal(tailOf('123456'), -1);
  assert.equal(tailOf('alice12345678'), 2_345_678);
  assert.equal(numberOf('1001'), 1001);
  assert.equal(numberOf('alice'), -1);
});

test('marks of known tools, anywhere in the text', () => {
  assert.equal(markOf('Friendly-Scanner'), 'friendly-scanner');
  assert.equal(markOf('Yealink SIP-T46S 66.85.0.5'), undefined);
  const reader = new MarkReader();
  for (let i = 0; i < 2_000; i += 1) assert.equal(reader.find(`Phone ${i % 700}`), undefined);
  for (let i = 0; i < 3; i += 1) assert.equal(reader.find('sipcli/v1.8'), 'sipcli');
});

const boun = ['log_high_50', 'log_low_250'] as const;
for (const set of boun)
  test(
    `change points of BOUN-SIM ${set}: most are found, within a second, with few false alarms`,
    needsCorpus(`attack/boun-sim/${set}`),
    () => {
      const text = gunzipSync(corpusFile(`attack/boun-sim/${set}/obs.txt.gz`)).toString();
      const labels = readFileSync(corpusPath(`attack/boun-sim/${set}/cps.txt`), 'utf8');
      const { seconds, changes } = readBoun(text, labels);
      const compared = compareChanges(seconds, changes, new ChangePoints({ kinds: seconds[0]!.length }));
      assert.equal(changes.length, 60);
      assert.ok(compared.found >= 45, `found ${compared.found}`);
      assert.ok(compared.falseAlarms <= 15, `false alarms ${compared.falseAlarms}`);
      assert.ok(compared.meanDelay <= 1, `delay ${compared.meanDelay}`);
    },
  );
