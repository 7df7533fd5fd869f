import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../message/header-list.ts';
import { minimumOf, parseSessionExpires, SessionTimer, tooSmall } from './session-timer.ts';

const list = (...rows: readonly (readonly [string, string])[]): HeaderList => new HeaderList(rows);
const options = { expires: 1800, minimum: 90 };

test('RFC 4028 §4, §5: Session-Expires and Min-SE are read, and what is malformed is none', () => {
  assert.deepEqual(parseSessionExpires('1800;refresher=uac'), { seconds: 1800, refresher: 'uac' });
  assert.deepEqual(parseSessionExpires(' 90 ; x=y ; Refresher = UAS'), { seconds: 90, refresher: 'uas' });
  assert.deepEqual(parseSessionExpires('4000;refresher=proxy'), { seconds: 4000 });
  for (const bad of ['', 'x', '-1', '1.5', ';refresher=uac', '99999999999', '0x10'])
    assert.equal(parseSessionExpires(bad), undefined, bad);
  assert.equal(minimumOf(list(['Min-SE', '120;x=1'])), 120);
  assert.equal(minimumOf(list(['Min-SE', '5'])), 90);
  assert.equal(minimumOf(list()), 90);
});

test('RFC 4028 §7.1, §7.2: asks for an interval, takes what the 2xx says, refreshes at half of it', () => {
  const timer = new SessionTimer(options);
  const headers = list();
  timer.request(headers);
  assert.equal(headers.get('Session-Expires'), '1800');
  assert.equal(headers.has('Min-SE'), false);
  timer.agreed(list(['Session-Expires', '600;refresher=uac'], ['Require', 'timer']), 0);
  assert.equal(timer.refreshes, true);
  assert.equal(timer.nextTimeout(), 300_000);
  timer.handleTimeout(300_000);
  assert.equal(timer.poll(), 'refresh');
  const refresh = list();
  timer.request(refresh);
  assert.equal(refresh.get('Session-Expires'), '600;refresher=uac');
  timer.agreed(list(['Session-Expires', '600;refresher=uac']), 301_000);
  assert.equal(timer.nextTimeout(), 601_000);
});

test('RFC 4028 §10: a refresh that never succeeds ends the session a little before its end', () => {
  const timer = new SessionTimer(options);
  timer.agreed(list(['Session-Expires', '600;refresher=uac']), 0);
  timer.handleTimeout(300_000);
  assert.equal(timer.poll(), 'refresh');
  timer.again(310_000, 10_000);
  timer.handleTimeout(320_000);
  assert.equal(timer.poll(), 'refresh');
  assert.equal(timer.nextTimeout(), 568_000);
  timer.handleTimeout(568_000);
  assert.equal(timer.poll(), 'lapsed');
  assert.equal(timer.nextTimeout(), Number.POSITIVE_INFINITY);
});

test('RFC 4028 §10: where the peer refreshes, its silence ends the session, a third before the end of short ones', () => {
  const timer = new SessionTimer(options);
  timer.agreed(list(['Session-Expires', '90;refresher=uas']), 0);
  assert.equal(timer.refreshes, false);
  assert.equal(timer.nextTimeout(), 60_000);
  const into = list();
  timer.accept(list(['Session-Expires', '90;refresher=uac'], ['Supported', 'timer']), 45_000, into);
  assert.equal(into.get('Session-Expires'), '90;refresher=uac');
  assert.equal(timer.nextTimeout(), 105_000);
  timer.handleTimeout(105_000);
  assert.equal(timer.poll(), 'lapsed');
});

test('RFC 4028 §9: table 2, who refreshes; Require: timer only where the sender of the request has to', () => {
  for (const [request, refresher, require] of [
    [
      [
        ['Supported', 'timer'],
        ['Session-Expires', '1200'],
      ],
      'uac',
      'timer',
    ],
    [
      [
        ['Supported', 'timer'],
        ['Session-Expires', '1200;refresher=uac'],
      ],
      'uac',
      'timer',
    ],
    [
      [
        ['Supported', 'timer'],
        ['Session-Expires', '1200;refresher=uas'],
      ],
      'uas',
      undefined,
    ],
    [[['Supported', 'path, TIMER']], 'uac', 'timer'],
    [[['Session-Expires', '1200']], 'uas', undefined],
  ] as const) {
    const timer = new SessionTimer(options);
    const into = list();
    timer.accept(list(...request), 0, into);
    const told = parseSessionExpires(into.get('Session-Expires')!)!;
    assert.equal(told.refresher, refresher);
    assert.equal(told.seconds, request.length === 2 || request[0][0] === 'Session-Expires' ? 1200 : 1800);
    assert.equal(into.get('Require'), require);
    assert.equal(timer.refreshes, refresher === 'uas');
  }
});

test('RFC 4028 §9: a peer without timers is told nothing, refreshed by us, and never lapses', () => {
  const timer = new SessionTimer(options);
  const into = list();
  timer.accept(list(), 0, into);
  assert.equal(into.size, 0);
  assert.equal(timer.nextTimeout(), 900_000);
  timer.handleTimeout(900_000);
  assert.equal(timer.poll(), 'refresh');
  assert.equal(timer.nextTimeout(), Number.POSITIVE_INFINITY);
  timer.agreed(list(), 901_000);
  assert.equal(timer.nextTimeout(), 1_801_000);
});

test('RFC 4028 §9: never longer than asked for, never less than the least of both', () => {
  const interval = (request: HeaderList, own = options): number => {
    const timer = new SessionTimer(own);
    timer.accept(request, 0, list());
    return timer.interval;
  };
  const timed = ['Supported', 'timer'] as const;
  assert.equal(interval(list(timed, ['Session-Expires', '3600'])), 1800);
  assert.equal(interval(list(timed, ['Session-Expires', '3600'], ['Min-SE', '2400'])), 2400);
  assert.equal(interval(list(['Session-Expires', '60']), { expires: 1800, minimum: 120 }), 120);
  assert.equal(interval(list(timed, ['Session-Expires', '999999'])), 1800);
});

test('RFC 4028 §6, §7.3, §9: 422 for less than the least, and more is asked for after one', () => {
  const timed = ['Supported', 'timer'] as const;
  assert.equal(tooSmall(list(timed, ['Session-Expires', '299']), 300), true);
  assert.equal(tooSmall(list(timed, ['Session-Expires', '300']), 300), false);
  assert.equal(tooSmall(list(['Session-Expires', '100']), 300), false);
  assert.equal(tooSmall(list(timed), 300), false);
  const timer = new SessionTimer(options);
  assert.equal(timer.raise(list(['Min-SE', '4000'])), true);
  assert.equal(timer.raise(list(['Min-SE', '4000'])), false);
  assert.equal(timer.raise(list()), false);
  const headers = list();
  timer.request(headers);
  assert.equal(headers.get('Min-SE'), '4000');
  assert.equal(headers.get('Session-Expires'), '4000');
});

test('no timer of our own: none is asked for, but a peer that has one is obeyed', () => {
  const timer = new SessionTimer({ expires: 0, minimum: 90 });
  const headers = list();
  timer.request(headers);
  assert.equal(headers.size, 0);
  timer.agreed(list(), 0);
  assert.equal(timer.nextTimeout(), Number.POSITIVE_INFINITY);
  const into = list();
  timer.accept(list(['Supported', 'timer'], ['Session-Expires', '600']), 0, into);
  assert.equal(into.get('Session-Expires'), '600;refresher=uac');
  timer.accept(list(['Supported', 'timer']), 0, list());
  assert.equal(timer.nextTimeout(), Number.POSITIVE_INFINITY);
});

test('what was agreed goes on elsewhere, with a whole interval before it', () => {
  const timer = new SessionTimer(options);
  timer.agreed(list(['Session-Expires', '600;refresher=uas']), 0);
  const other = new SessionTimer(options);
  other.resume(timer.snapshot(), 1_000_000);
  assert.equal(other.nextTimeout(), 1_000_000 + 568_000);
  const alone = new SessionTimer(options);
  alone.agreed(list(), 0);
  other.resume(alone.snapshot(), 0);
  assert.equal(other.nextTimeout(), 900_000);
  other.resume({ interval: 0, ours: false, shared: false }, 0);
  assert.equal(other.nextTimeout(), Number.POSITIVE_INFINITY);
});
