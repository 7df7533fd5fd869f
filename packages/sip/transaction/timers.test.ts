import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromPeer, LayerProbe, testFlow, testRequest } from '@ringfence/testkit/layer-probe.ts';
import { makeResponse } from '../message/build.ts';
import type { SipRequest } from '../message/types.ts';
import type { ClientTransaction } from './transaction.ts';

const times = (lines: readonly string[], what: string): number[] =>
  lines.filter((line) => line.endsWith(` ${what}`)).map((line) => Number(line.split(' ')[0]));

const ask = (probe: LayerProbe, method: string): ClientTransaction =>
  probe.layer.request(testRequest(method), probe.flow, probe.now);

const reply = (probe: LayerProbe, request: SipRequest, status: number): void =>
  probe.receive(makeResponse(request, status, undefined, status > 100 ? { toTag: 'to1' } : {}));

const serve = (probe: LayerProbe, method: string) => {
  probe.receive(fromPeer(testRequest(method)));
  return probe.lastRequest();
};

test('RFC 3261 §17.1.1.2: timer A doubles, timer B ends after 64*T1', () => {
  const probe = new LayerProbe();
  ask(probe, 'INVITE');
  probe.runUntil(100_000);
  const lines = probe.take();
  assert.deepEqual(times(lines, 'send INVITE'), [0, 500, 1500, 3500, 7500, 15500, 31500]);
  assert.deepEqual(times(lines, 'timeout INVITE'), [32_000]);
  assert.deepEqual(times(lines, 'terminated INVITE'), [32_000]);
  assert.deepEqual(probe.layer.size, { server: 0, client: 0 });
});

test('RFC 3261 §17.1.1.2: no timer A over a reliable transport, timer B all the same', () => {
  const probe = new LayerProbe(testFlow('tcp'));
  ask(probe, 'INVITE');
  probe.runUntil(100_000);
  assert.deepEqual(probe.take(), ['0 send INVITE', '32000 timeout INVITE', '32000 terminated INVITE']);
});

test('RFC 3261 §17.1.1.2: a provisional response stops timers A and B', () => {
  const probe = new LayerProbe();
  const { request } = ask(probe, 'INVITE');
  reply(probe, request, 100);
  probe.runUntil(1_000_000);
  assert.deepEqual(probe.take(), ['0 send INVITE', '0 response 100']);
  assert.equal(probe.layer.nextTimeout(), Number.POSITIVE_INFINITY);
});

test('RFC 3261 §17.1.1.2: timer D, and the ACK again for each repeated failure', () => {
  const probe = new LayerProbe();
  const { request } = ask(probe, 'INVITE');
  reply(probe, request, 486);
  probe.runUntil(1000);
  reply(probe, request, 486);
  probe.runUntil(100_000);
  assert.deepEqual(probe.take(), [
    '0 send INVITE',
    '0 send ACK',
    '0 response 486',
    '1000 send ACK',
    '32000 terminated INVITE',
  ]);
});

test('RFC 3261 §17.1.1.2: timer D is zero over a reliable transport', () => {
  const probe = new LayerProbe(testFlow('tls'));
  const { request } = ask(probe, 'INVITE');
  reply(probe, request, 486);
  assert.deepEqual(probe.take(), ['0 send INVITE', '0 send ACK', '0 response 486', '0 terminated INVITE']);
});

test('RFC 6026 §8.4: timer M passes on repeated and forked 2xx for 64*T1', () => {
  for (const transport of ['udp', 'tcp'] as const) {
    const probe = new LayerProbe(testFlow(transport));
    const { request } = ask(probe, 'INVITE');
    reply(probe, request, 200);
    probe.runUntil(500);
    reply(probe, request, 200);
    probe.receive(makeResponse(request, 200, undefined, { toTag: 'fork' }));
    reply(probe, request, 486);
    probe.runUntil(100_000);
    assert.deepEqual(probe.take(), [
      '0 send INVITE',
      '0 response 200',
      '500 response 200',
      '500 response 200',
      '32000 terminated INVITE',
    ]);
  }
});

test('RFC 3261 §17.1.2.2: timer E doubles up to T2, timer F ends after 64*T1', () => {
  const probe = new LayerProbe();
  ask(probe, 'OPTIONS');
  probe.runUntil(100_000);
  const lines = probe.take();
  const sent = [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
  assert.deepEqual(times(lines, 'send OPTIONS'), sent);
  assert.deepEqual(times(lines, 'timeout OPTIONS'), [32_000]);
});

test('RFC 3261 §17.1.2.2: in Proceeding timer E is T2, timer F goes on', () => {
  const probe = new LayerProbe();
  const { request } = ask(probe, 'OPTIONS');
  probe.runUntil(600);
  reply(probe, request, 100);
  probe.runUntil(100_000);
  const lines = probe.take();
  const sent = [0, 500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500];
  assert.deepEqual(times(lines, 'send OPTIONS'), sent);
  assert.deepEqual(times(lines, 'timeout OPTIONS'), [32_000]);
});

test('RFC 3261 §17.1.2.2: timer K is T4, and zero over a reliable transport', () => {
  const over = (transport: 'udp' | 'tcp') => {
    const probe = new LayerProbe(testFlow(transport));
    const { request } = ask(probe, 'OPTIONS');
    reply(probe, request, 200);
    reply(probe, request, 200);
    probe.runUntil(100_000);
    return probe.take();
  };
  assert.deepEqual(over('udp'), ['0 send OPTIONS', '0 response 200', '5000 terminated OPTIONS']);
  assert.deepEqual(over('tcp'), ['0 send OPTIONS', '0 response 200', '0 terminated OPTIONS']);
});

test('RFC 3261 §17.2.1: timer G doubles up to T2, timer H ends after 64*T1 without ACK', () => {
  const probe = new LayerProbe();
  const { transaction, request } = serve(probe, 'INVITE');
  probe.layer.respond(transaction, makeResponse(request, 486, undefined, { toTag: 'x' }), 0);
  probe.runUntil(100_000);
  const lines = probe.take();
  const sent = [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
  assert.deepEqual(times(lines, 'send 486'), sent);
  assert.deepEqual(times(lines, 'timeout INVITE'), [32_000]);
  assert.deepEqual(times(lines, 'terminated INVITE'), [32_000]);
});

test('RFC 3261 §17.2.1: over a reliable transport timer G does not run, timer H does', () => {
  const probe = new LayerProbe(testFlow('tcp'));
  const { transaction, request } = serve(probe, 'INVITE');
  probe.layer.respond(transaction, makeResponse(request, 486, undefined, { toTag: 'x' }), 0);
  probe.runUntil(100_000);
  assert.deepEqual(probe.take().slice(1), ['0 send 486', '32000 timeout INVITE', '32000 terminated INVITE']);
});

test('RFC 3261 §17.2.1: the ACK stops G and H; timer I is T4, and zero over a reliable transport', () => {
  const over = (transport: 'udp' | 'tcp') => {
    const probe = new LayerProbe(testFlow(transport));
    const { transaction, request } = serve(probe, 'INVITE');
    probe.layer.respond(transaction, makeResponse(request, 486, undefined, { toTag: 'x' }), 0);
    probe.receive(fromPeer(testRequest('ACK', { toTag: 'x' })));
    probe.receive(fromPeer(testRequest('ACK', { toTag: 'x' })));
    probe.runUntil(100_000);
    return probe.take().slice(1);
  };
  assert.deepEqual(over('udp'), ['0 send 486', '5000 terminated INVITE']);
  // The second ACK finds nothing any more and is the owner's to ignore.
  assert.deepEqual(over('tcp'), ['0 send 486', '0 terminated INVITE', '0 ack ACK']);
});

test('RFC 6026 §8.7: timer L absorbs repeated INVITEs for 64*T1 and passes the ACK on', () => {
  const probe = new LayerProbe();
  const { transaction, request } = serve(probe, 'INVITE');
  probe.layer.respond(transaction, makeResponse(request, 200, undefined, { toTag: 'x' }), 0);
  probe.runUntil(500);
  probe.receive(fromPeer(testRequest('INVITE')));
  probe.receive(fromPeer(testRequest('ACK', { toTag: 'x' })));
  probe.runUntil(100_000);
  assert.deepEqual(probe.take().slice(1), ['0 send 200', '500 ack ACK', '32000 terminated INVITE']);
});

test('RFC 3261 §17.2.2: timer J answers repetitions for 64*T1, and is zero over a reliable transport', () => {
  const over = (transport: 'udp' | 'tcp') => {
    const probe = new LayerProbe(testFlow(transport));
    const { transaction, request } = serve(probe, 'OPTIONS');
    probe.receive(fromPeer(testRequest('OPTIONS')));
    probe.layer.respond(transaction, makeResponse(request, 200, undefined, { toTag: 'x' }), 0);
    if (transport === 'udp') probe.receive(fromPeer(testRequest('OPTIONS')));
    probe.layer.respond(transaction, makeResponse(request, 500, undefined, { toTag: 'x' }), 0);
    probe.runUntil(100_000);
    return probe.take().slice(1);
  };
  assert.deepEqual(over('udp'), ['0 send 200', '0 send 200', '32000 terminated OPTIONS']);
  assert.deepEqual(over('tcp'), ['0 send 200', '0 terminated OPTIONS']);
});

test('RFC 3261 table 4: all of it follows T1, T2, T4 and D as configured', () => {
  const probe = new LayerProbe(testFlow(), { timers: { T1: 100, T2: 200, T4: 300, D: 400 } });
  const { request } = ask(probe, 'OPTIONS');
  probe.runUntil(750);
  assert.deepEqual(times(probe.take(), 'send OPTIONS'), [0, 100, 300, 500, 700]);
  reply(probe, request, 200);
  probe.runUntil(10_000);
  assert.deepEqual(probe.take(), ['750 response 200', '1050 terminated OPTIONS']);
});

test('a late call of handleTimeout sends once, not as often as it was missed', () => {
  const probe = new LayerProbe();
  ask(probe, 'INVITE');
  probe.drain();
  probe.layer.handleTimeout(20_000);
  probe.now = 20_000;
  assert.deepEqual(probe.take(), ['0 send INVITE', '20000 send INVITE']);
});
