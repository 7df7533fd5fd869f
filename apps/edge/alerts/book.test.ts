import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertRule, AlertSettings } from '../config/alerts.ts';
import { severities } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { BookState } from './alert.ts';
import { AlertBook } from './book.ts';

const minute = 60_000;
const noon = Date.UTC(2026, 0, 31, 12);
const rule = (fields: Partial<AlertRule> = {}): AlertRule => ({
  name: 'all',
  events: [],
  level: 'warning',
  where: [],
  groupBy: [],
  repeatMinutes: 60,
  channels: ['mail'],
  escalate: [],
  ...fields,
});
const settings = (fields: Partial<AlertSettings> = {}): AlertSettings => ({
  channels: [
    { name: 'mail', mostPerHour: 30 },
    { name: 'boss', mostPerHour: 30 },
  ],
  rules: [rule()],
  gatherSeconds: 0,
  quietZone: 'UTC',
  quietLevel: 'error',
  ...fields,
});
const book = (fields: Partial<AlertSettings> = {}, state?: BookState): AlertBook => {
  let count = state?.notices.length ?? 0;
  return new AlertBook(
    settings(fields),
    () => {
      count += 1;
      return `${state === undefined ? 'n' : 'later'}${count}`;
    },
    state,
  );
};
const failed = (source: string, username = 'alice'): EdgeEvent => ({
  type: 'authentication.failed',
  source: `${source}:5060`,
  username,
  domain: 'example.test',
  reason: 'credentials',
});
const take = (to: AlertBook, event: EdgeEvent, time: number) => to.take(event, time, severities[event.type]);

test('the same again is the same alert, told once and then again while it lasts', () => {
  const alerts = book();
  assert.equal(take(alerts, failed('192.0.2.1'), noon)?.raised.length, 1);
  for (let i = 1; i < 59; i += 1) {
    const taken = take(alerts, failed('192.0.2.1'), noon + i * minute);
    assert.deepEqual(taken, { raised: [], news: false });
  }
  assert.equal(alerts.due('mail', noon + 59 * minute).length, 1);
  assert.equal(take(alerts, failed('192.0.2.1'), noon + 60 * minute)?.news, true);
  const due = alerts.due('mail', noon + 60 * minute);
  assert.deepEqual(
    due.map(({ kind }) => kind),
    ['raised', 'repeated'],
  );
  assert.equal(due[0]?.alert.count, 60);
  assert.equal(take(alerts, failed('192.0.2.2'), noon)?.raised.length, 1);
  assert.equal(take(alerts, failed('192.0.2.1', 'bob'), noon)?.raised.length, 1);
});

test('rules choose by type, severity and fields, and group as they say', () => {
  const alerts = book({
    rules: [
      rule({
        events: ['authentication.*'],
        where: [{ field: 'domain', is: ['example.test'] }],
        groupBy: ['domain'],
      }),
    ],
  });
  assert.equal(take(alerts, { type: 'edge.error', where: 'store', detail: '' }, noon), undefined);
  assert.equal(take(alerts, { ...failed('192.0.2.1'), domain: 'other.test' } as EdgeEvent, noon), undefined);
  assert.equal(take(alerts, failed('192.0.2.1'), noon)?.raised.length, 1);
  assert.equal(take(alerts, failed('192.0.2.2', 'bob'), noon)?.raised.length, 0);
  assert.equal(alerts.alerts.length, 1);
});

test('a flood from many sources is a bounded number of alerts', () => {
  const alerts = book();
  for (let i = 0; i < 5_000; i += 1) take(alerts, failed(`10.${i >> 8}.${i & 255}.1`), noon + i);
  assert.equal(alerts.alerts.length, 101);
  assert.equal(alerts.alerts[0]?.count, 4_900);
  assert.ok(JSON.stringify(alerts.state).length < 200_000);
});

test('what waits for somebody is told to others until it is acknowledged', () => {
  const alerts = book({
    rules: [
      rule({
        escalate: [
          { afterMinutes: 5, channels: ['boss'] },
          { afterMinutes: 10, channels: ['boss', 'mail'] },
        ],
      }),
    ],
  });
  const id = take(alerts, failed('192.0.2.1'), noon)?.raised[0]?.id ?? '';
  alerts.delivered(alerts.due('mail', noon));
  assert.equal(alerts.nextAt, noon + 5 * minute);
  assert.equal(alerts.tick(noon + 4 * minute), false);
  assert.equal(alerts.tick(noon + 5 * minute), true);
  assert.equal(alerts.due('boss', noon + 5 * minute)[0]?.kind, 'escalated');
  alerts.delivered(alerts.due('boss', noon + 5 * minute));
  assert.equal(alerts.nextAt, noon + 10 * minute);
  alerts.tick(noon + 10 * minute);
  assert.equal(alerts.due('mail', noon + 10 * minute).length, 1);
  assert.equal(alerts.acknowledge(id, 'root')?.acknowledgedBy, 'root');
  assert.equal(alerts.due('mail', noon + 10 * minute).length, 0, 'nobody is called any more');
  assert.equal(alerts.tick(noon + 24 * 60 * minute), false);
  assert.equal(alerts.nextAt, Number.POSITIVE_INFINITY);
  assert.equal(alerts.acknowledge('nobody', 'root'), undefined);
});

test('without acknowledgement the last step comes again and again', () => {
  const alerts = book({ rules: [rule({ escalate: [{ afterMinutes: 5, channels: ['boss'] }] })] });
  take(alerts, failed('192.0.2.1'), noon);
  for (const minutes of [5, 65, 125]) {
    assert.equal(alerts.tick(noon + minutes * minute), true, String(minutes));
    alerts.delivered(alerts.due('boss', noon + minutes * minute));
  }
});

test('acknowledged, it is silent; after a pause the same is another alert', () => {
  const alerts = book();
  const id = take(alerts, failed('192.0.2.1'), noon)?.raised[0]?.id ?? '';
  alerts.acknowledge(id, 'root');
  assert.equal(take(alerts, failed('192.0.2.1'), noon + 59 * minute)?.news, false);
  assert.equal(take(alerts, failed('192.0.2.1'), noon + 118 * minute)?.news, false);
  assert.equal(take(alerts, failed('192.0.2.1'), noon + 200 * minute)?.raised.length, 1);
});

test('what ends is told to those who know of it', () => {
  const alerts = book();
  take(alerts, { type: 'edge.trouble', what: 'disk', detail: 'full' }, noon);
  take(alerts, { type: 'edge.trouble', what: 'dns', detail: 'gone' }, noon);
  alerts.delivered(alerts.due('mail', noon));
  take(alerts, { type: 'edge.trouble-over', what: 'disk', seconds: 9 }, noon + minute);
  const due = alerts.due('mail', noon + minute);
  assert.deepEqual(
    due.map(({ kind, alert }) => [kind, alert.event.what, alert.state]),
    [['over', 'disk', 'over']],
  );
});

test('quiet hours hold back what is not grave, over midnight and in the zone of the people', () => {
  const quiet = { quietFrom: '22:00', quietTo: '07:00', quietZone: 'Europe/Berlin' };
  const night = Date.UTC(2026, 0, 31, 23, 30); // 00:30 in Berlin
  const alerts = book(quiet);
  take(alerts, failed('192.0.2.1'), night);
  assert.equal(alerts.nextAt, Date.UTC(2026, 1, 1, 6));
  take(alerts, { type: 'edge.error', where: 'store', detail: '' }, night);
  assert.equal(alerts.due('mail', night).length, 1, 'what is grave goes out');
  const day = book(quiet);
  take(day, failed('192.0.2.1'), noon);
  assert.equal(day.due('mail', noon).length, 1);
});

test('what could not be delivered is tried later and later, and survives a restart', () => {
  const alerts = book();
  take(alerts, failed('192.0.2.1'), noon);
  let now = noon;
  const pauses: number[] = [];
  for (let i = 0; i < 10; i += 1) {
    const due = alerts.due('mail', now);
    assert.equal(due.length, 1);
    alerts.failed(due, now);
    pauses.push(alerts.nextAt - now);
    now = alerts.nextAt;
  }
  assert.deepEqual(pauses.slice(0, 3), [5_000, 10_000, 20_000]);
  assert.equal(pauses.at(-1), 600_000);
  const again = book({}, JSON.parse(JSON.stringify(alerts.state)) as BookState);
  assert.equal(again.due('mail', now).length, 1);
  assert.equal(take(again, failed('192.0.2.1'), now)?.raised.length, 0, 'it knows the alert');
});

test('alerts are never about alerts', () => {
  const alerts = book();
  assert.equal(take(alerts, { type: 'alert.channel-failing', channel: 'mail', reason: '' }, noon), undefined);
});

test('without rules, errors and attacks are told to all channels', () => {
  const alerts = book({ rules: [] });
  take(alerts, { type: 'edge.error', where: 'store', detail: '' }, noon);
  take(alerts, failed('192.0.2.1'), noon);
  assert.equal(alerts.alerts.length, 1);
  assert.equal(alerts.due('mail', noon).length + alerts.due('boss', noon).length, 2);
  assert.equal(alerts.level, 'notice');
});
