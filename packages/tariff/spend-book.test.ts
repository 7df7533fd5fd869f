import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Calendar } from './calendar.ts';
import { moneyText, parseMoney, priceText } from './money.ts';
import { costOf, type Rate, secondsFor } from './rate.ts';
import { RateTable } from './rate-table.ts';
import { type Charge, SpendBook } from './spend-book.ts';

const rate = (prefix: string, perMinute: number, more: Partial<Rate> = {}): Rate => ({
  prefix,
  perMinute,
  connection: 0,
  initial: 1,
  next: 1,
  ...more,
});

test('money is whole millionths, and reads as it was written', () => {
  assert.equal(parseMoney('0.0153'), 15_300);
  assert.equal(parseMoney('1,25'), 1_250_000);
  assert.equal(parseMoney('.5'), 500_000);
  for (const wrong of ['', '.', '-1', '1.2.3', '1e3', '0.0000001', '1000000001', '٣'])
    assert.equal(parseMoney(wrong), undefined);
  assert.equal(moneyText(15_300), '0.0153');
  assert.equal(priceText(2_109_999, 'EUR'), '2.10 EUR');
  fc.assert(fc.property(fc.nat(1e12), (amount) => parseMoney(moneyText(amount)) === amount));
});

test('first and further seconds, a fee, and rounding up to the millionth', () => {
  assert.equal(costOf(rate('49', 1_000_000, { initial: 60, next: 30, connection: 5 }), 61), 1_500_005);
  assert.equal(costOf(rate('49', 100), 1), 2);
  fc.assert(
    fc.property(
      fc.record({
        perMinute: fc.nat(1e9),
        connection: fc.nat(1e7),
        initial: fc.integer({ min: 1, max: 60 }),
        next: fc.integer({ min: 1, max: 60 }),
      }),
      fc.nat(1e12),
      (fields, money) => {
        const one = { prefix: '', ...fields };
        const seconds = secondsFor(one, money, 86_400);
        if (seconds === 0) return costOf(one, 0) > money;
        if (costOf(one, seconds) > money) return false;
        return seconds === 86_400 || one.perMinute === 0 || costOf(one, seconds + one.next) > money;
      },
    ),
  );
});

test('the longest prefix is found, as a search by hand finds it', () => {
  const table = RateTable.of([
    rate('4', 1),
    rate('49', 2),
    rate('491', 3),
    rate('4915', 4),
    rate('490', 5),
    rate('1', 6),
  ]);
  const expected = [
    ['+4989', 2],
    ['4915112', 4],
    ['+49', 2],
    ['+4', 1],
    ['+490', 5],
    ['+5', undefined],
    ['', undefined],
  ] as const;
  for (const [number, price] of expected) assert.equal(table.find(number)?.perMinute, price, number);
  const digits = fc
    .array(fc.constantFrom('0', '1', '4', '9'), { minLength: 1, maxLength: 6 })
    .map((d) => d.join(''));
  fc.assert(
    fc.property(fc.uniqueArray(digits, { maxLength: 40 }), digits, (prefixes, number) => {
      const found = RateTable.of(prefixes.map((prefix, i) => rate(prefix, i))).find(number)?.prefix;
      const wanted = prefixes
        .filter((prefix) => number.startsWith(prefix))
        .sort((a, b) => b.length - a.length)[0];
      return found === wanted;
    }),
  );
});

test('hours, days and months of a place, over both changes of its clocks', () => {
  const berlin = new Calendar('Europe/Berlin');
  const day = (at: string): string[] => {
    const { start, end } = berlin.span('day', Date.parse(at));
    return [new Date(start).toISOString(), String((end - start) / 3_600_000)];
  };
  assert.deepEqual(day('2026-03-29T12:00:00Z'), ['2026-03-28T23:00:00.000Z', '23']);
  assert.deepEqual(day('2026-10-25T12:00:00Z'), ['2026-10-24T22:00:00.000Z', '25']);
  assert.deepEqual(day('2026-06-30T23:30:00Z'), ['2026-06-30T22:00:00.000Z', '24']);
  const month = berlin.span('month', Date.parse('2026-12-31T23:30:00Z'));
  assert.equal(new Date(month.start).toISOString(), '2026-12-31T23:00:00.000Z');
  assert.equal(berlin.clock(Date.parse('2026-11-22T01:14:00Z')), '02:14 on Sunday');
  const hours = { days: [1, 2, 3, 4, 5], from: 420, to: 1200, holidays: ['2026-11-24'] };
  assert.equal(berlin.works(hours, Date.parse('2026-11-23T06:30:00Z')), true);
  assert.equal(berlin.works(hours, Date.parse('2026-11-24T06:30:00Z')), false);
  assert.equal(berlin.works(hours, Date.parse('2026-11-22T12:00:00Z')), false);
  const kathmandu = new Calendar('Asia/Kathmandu').span('hour', Date.parse('2026-06-01T00:20:00Z'));
  assert.equal(new Date(kathmandu.start).toISOString(), '2026-06-01T00:15:00.000Z');
});

const cap = 40_000_000;

function opened(now: () => number): SpendBook {
  const calendar = new Calendar('UTC');
  void now;
  return new SpendBook({
    calendar: () => calendar,
    caps: (scope) => (scope === 'a' ? { day: cap } : { hour: 2 * cap }),
    levels: () => [80],
  });
}

test('calls that begin and end at once never pass a cap, and leave nothing set aside', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('begin' as const), amount: fc.nat(3_000_000) }),
    fc.record({ kind: fc.constant('extend' as const), at: fc.nat(600), amount: fc.nat(1_000_000) }),
    fc.record({ kind: fc.constant('end' as const), at: fc.nat(600), percent: fc.nat(100) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3_000_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 500 }), (steps) => {
      let now = Date.UTC(2026, 0, 1);
      const book = opened(() => now);
      const live: Charge[] = [];
      const scopes = ['a', 'domain:d'];
      const sound = (): void => {
        for (const { spent, reserved, scope, period } of book.all()) {
          assert.ok(spent >= 0 && reserved >= 0);
          if (scope === 'a' && period === 'day') assert.ok(spent + reserved <= cap);
        }
      };
      for (const one of steps) {
        if (one.kind === 'wait') now += one.ms;
        else if (one.kind === 'begin') {
          if ((book.room(scopes, now)?.left ?? 0) < one.amount) continue;
          const charge = book.open(scopes);
          book.reserve(charge, one.amount, now);
          live.push(charge);
        } else {
          const charge = live[one.at % Math.max(1, live.length)];
          if (charge === undefined) continue;
          if (one.kind === 'extend') {
            if ((book.room(scopes, now)?.left ?? 0) >= one.amount) book.reserve(charge, one.amount, now);
          } else {
            book.settle(charge, Math.floor((book.reserved(charge) * one.percent) / 100), now);
            live.splice(live.indexOf(charge), 1);
          }
        }
        sound();
      }
      for (const charge of live) book.settle(charge, 0, now);
      for (const { reserved } of book.all()) assert.equal(reserved, 0);
    }),
    { numRuns: 60 },
  );
});

test('what was set aside before a restart is set aside after it, in the hours that it belongs to', () => {
  const now = Date.UTC(2026, 0, 1, 10, 59);
  const before = opened(() => now);
  const charge = before.open(['a']);
  before.reserve(charge, 1_000_000, now);
  before.reserve(charge, 500_000, now + 120_000);
  assert.equal(charge.bookings.length, 2);
  const after = opened(() => now);
  const again = after.reopen(JSON.parse(JSON.stringify(before.rowOf(charge))));
  assert.deepEqual(
    after
      .all()
      .map(({ period, start, reserved }) => [period, start, reserved])
      .sort(),
    before
      .all()
      .map(({ period, start, reserved }) => [period, start, reserved])
      .sort(),
  );
  after.settle(again, 1_200_000, now + 180_000);
  const day = after.of('a', now).find(({ period }) => period === 'day');
  assert.deepEqual([day?.spent, day?.reserved], [1_200_000, 0]);
});
