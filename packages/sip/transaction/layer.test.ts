import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { fromPeer, LayerProbe, read, testFlow, testRequest } from '@ringfence/testkit/layer-probe.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import { makeResponse } from '../message/build.ts';
import { HeaderList } from '../message/header-list.ts';
import { serializeMessage } from '../message/serialize.ts';
import { TransactionLayer } from './layer.ts';
import type { ClientTransaction, ServerTransaction } from './transaction.ts';

const invited = (probe: LayerProbe) => {
  probe.receive(fromPeer(testRequest('INVITE')));
  return probe.lastRequest();
};

test('RFC 3261 §17.2.1: 100 Trying when asked for, once, and again for a repeated INVITE', () => {
  const probe = new LayerProbe();
  const { transaction } = invited(probe);
  probe.layer.trying(transaction, 0);
  probe.layer.trying(transaction, 0);
  probe.receive(fromPeer(testRequest('INVITE')));
  assert.deepEqual(probe.take(), ['0 request INVITE', '0 send 100', '0 send 100']);
});

test('RFC 3261 §9.1: a CANCEL waits for a provisional response', () => {
  const probe = new LayerProbe();
  const transaction = probe.layer.request(testRequest('INVITE'), probe.flow, 0);
  probe.layer.cancel(transaction, 0, new HeaderList().add('Reason', 'SIP;cause=200'));
  probe.layer.cancel(transaction, 0);
  assert.deepEqual(probe.take(), ['0 send INVITE']);
  probe.receive(makeResponse(transaction.request, 100));
  const cancel = probe.takeSent()[0];
  assert.ok(cancel?.kind === 'request' && cancel.method === 'CANCEL');
  assert.deepEqual(cancel.via, transaction.request.via);
  assert.deepEqual(cancel.uri, transaction.request.uri);
  assert.deepEqual(cancel.cseq, { number: 1, method: 'CANCEL' });
  assert.deepEqual(cancel.to, transaction.request.to);
  assert.equal(cancel.headers.get('reason'), 'SIP;cause=200');
  assert.equal(probe.layer.size.client, 2);
});

test('RFC 3261 §9.1: the CANCEL has its own transaction, of which the owner hears nothing', () => {
  const probe = new LayerProbe();
  const transaction = probe.layer.request(testRequest('INVITE'), probe.flow, 0);
  probe.receive(makeResponse(transaction.request, 180, undefined, { toTag: 'x' }));
  probe.layer.cancel(transaction, 0);
  const cancel = probe.takeSent()[1];
  assert.ok(cancel?.kind === 'request');
  probe.receive(makeResponse(cancel, 200, undefined, { toTag: 'x' }));
  assert.deepEqual(probe.take(), []);
  probe.receive(makeResponse(transaction.request, 487, undefined, { toTag: 'x' }));
  probe.runUntil(100_000);
  assert.deepEqual(probe.take(), ['0 send ACK', '0 response 487', '32000 terminated INVITE']);
  assert.equal(probe.layer.timers, 0);
});

test('RFC 3261 §9.1: without final response the INVITE is given up 64*T1 after its CANCEL', () => {
  const probe = new LayerProbe();
  const transaction = probe.layer.request(testRequest('INVITE'), probe.flow, 0);
  probe.receive(makeResponse(transaction.request, 100));
  probe.runUntil(10_000);
  probe.layer.cancel(transaction, 10_000);
  probe.runUntil(100_000);
  const lines = probe.take();
  assert.ok(lines.includes('42000 timeout INVITE'));
  assert.equal(lines.at(-1), '42000 terminated INVITE');
  assert.equal(lines.filter((line) => line.endsWith('send CANCEL')).length, 11);
  assert.deepEqual(probe.layer.size, { server: 0, client: 0 });
});

test('RFC 3261 §9.1: no CANCEL after a final response, none for other methods', () => {
  const probe = new LayerProbe();
  const invite = probe.layer.request(testRequest('INVITE'), probe.flow, 0);
  const options = probe.layer.request(testRequest('OPTIONS'), probe.flow, 0);
  probe.receive(makeResponse(options.request, 100));
  probe.layer.cancel(options, 0);
  probe.receive(makeResponse(invite.request, 200, undefined, { toTag: 'x' }));
  probe.layer.cancel(invite, 0);
  assert.ok(!probe.take().some((line) => line.endsWith('CANCEL')));
});

test('RFC 3261 §9.2: a CANCEL is answered 200 and told once; a stray one is 481', () => {
  const probe = new LayerProbe();
  const { transaction, request } = invited(probe);
  const cancel = fromPeer(testRequest('CANCEL'));
  probe.receive(cancel);
  probe.receive(cancel);
  assert.deepEqual(probe.take(), ['0 request INVITE', '0 send 200', '0 cancelled', '0 send 200']);
  const tag = transaction.localTag ?? '';
  assert.notEqual(tag, '');
  probe.layer.respond(transaction, makeResponse(request, 487, undefined, { toTag: tag }), 0);
  probe.take();
  probe.receive(fromPeer(testRequest('CANCEL', { callId: 'another' })));
  probe.receive(fromPeer(testRequest('CANCEL'), 'z9hG4bKother'));
  assert.deepEqual(probe.take(), ['0 send 481', '0 send 481']);
  assert.equal(probe.layer.counters.strayCancels, 2);
});

test('RFC 3261 §9.2: a CANCEL after the final response changes nothing; its 200 has the same To tag', () => {
  const probe = new LayerProbe();
  const { transaction, request } = invited(probe);
  probe.layer.respond(transaction, makeResponse(request, 200, undefined, { toTag: 'mine' }), 0);
  probe.take();
  probe.receive(fromPeer(testRequest('CANCEL')));
  const answer = probe.takeSent()[0];
  assert.ok(answer?.kind === 'response' && answer.status === 200 && answer.to.params.get('tag') === 'mine');
});

test('RFC 6026 §7.1: 2xx are repeated by their owner through the transaction, a failure after them is not sent', () => {
  const probe = new LayerProbe();
  const { transaction, request } = invited(probe);
  const ok = makeResponse(request, 200, undefined, { toTag: 'x' });
  probe.layer.respond(transaction, ok, 0);
  probe.layer.respond(transaction, ok, 500);
  probe.layer.respond(transaction, makeResponse(request, 486, undefined, { toTag: 'x' }), 500);
  assert.deepEqual(probe.take(), ['0 request INVITE', '0 send 200', '0 send 200']);
});

test('RFC 3261 §17.1.4, §17.2.4: a flow that fails is told to everything on it, and to nothing else', () => {
  for (const transport of ['tcp', 'udp'] as const) {
    const probe = new LayerProbe(testFlow(transport, 1));
    const other = testFlow(transport, 2);
    const request = { ...testRequest('OPTIONS', { toTag: 'x' }) };
    probe.layer.request(request, probe.flow, 0);
    probe.layer.request(request, other, 0);
    const { transaction } = invited(probe);
    probe.take();
    probe.layer.flowFailed(1, 0);
    const lines = probe.take().sort();
    assert.deepEqual(lines, [
      '0 failed transport INVITE',
      '0 failed transport OPTIONS',
      '0 terminated OPTIONS',
    ]);
    assert.equal(transaction.state, 'proceeding');
    assert.deepEqual(probe.layer.size, { server: 1, client: 1 });
  }
});

test('RFC 3261 §26.3.2.4: a stranger is refused once, without state or repetition', () => {
  const probe = new LayerProbe();
  const { transaction, request } = invited(probe);
  probe.layer.trying(transaction, 0);
  probe.layer.refuse(transaction, makeResponse(request, 401, undefined, { toTag: 'x' }));
  probe.layer.refuse(transaction, makeResponse(request, 401, undefined, { toTag: 'x' }));
  assert.deepEqual(probe.layer.size, { server: 0, client: 0 });
  probe.runUntil(100_000);
  assert.deepEqual(probe.take(), ['0 request INVITE', '0 send 100', '0 send 401', '0 terminated INVITE']);
  probe.receive(fromPeer(testRequest('ACK', { toTag: 'x' })));
  probe.receive(fromPeer(testRequest('INVITE')));
  assert.deepEqual(probe.take(), ['100000 ack ACK', '100000 request INVITE']);
});

test('S8: a full table answers 503 with Retry-After and keeps nothing; what lives goes on', () => {
  const probe = new LayerProbe(testFlow(), { maxServer: 2, retryAfter: 7 });
  const options = (n: number) => fromPeer(testRequest('OPTIONS', { cseq: n }), `z9hG4bK${n}`);
  for (const n of [1, 2, 3, 3]) probe.receive(options(n));
  const sent = probe.takeSent();
  assert.equal(sent.length, 2);
  assert.ok(sent[0]?.kind === 'response' && sent[0].status === 503);
  assert.equal(sent[0].headers.get('retry-after'), '7');
  assert.ok(serializeMessage(sent[0]).length <= serializeMessage(options(3)).length + 80);
  assert.equal(probe.layer.counters.refusedRequests, 2);
  assert.equal(probe.layer.size.server, 2);
  probe.receive(options(1));
  assert.deepEqual(probe.take(), []);
});

test('S8: a full table of client transactions fails the next one, but never a CANCEL', () => {
  const probe = new LayerProbe(testFlow(), { maxClient: 1 });
  const invite = probe.layer.request(testRequest('INVITE'), probe.flow, 0);
  const second = probe.layer.request(testRequest('OPTIONS'), probe.flow, 0);
  assert.equal(second.state, 'terminated');
  probe.receive(makeResponse(invite.request, 100));
  probe.layer.cancel(invite, 0);
  assert.deepEqual(probe.take(), [
    '0 send INVITE',
    '0 failed overload OPTIONS',
    '0 terminated OPTIONS',
    '0 response 100',
    '0 send CANCEL',
  ]);
});

test('a finished transaction lets go of its request, an INVITE that may still fork keeps it without body', () => {
  const probe = new LayerProbe();
  const { transaction, request } = invited(probe);
  probe.layer.respond(transaction, makeResponse(request, 200, undefined, { toTag: 'x' }), 0);
  assert.equal(transaction.request, request);
  probe.drain();
  assert.throws(
    () => transaction.request,
    (error) => error instanceof MisuseError && error.code === 'request-released',
  );
  const body = new Uint8Array(10);
  const invite = probe.layer.request({ ...testRequest('INVITE'), body }, probe.flow, 0);
  probe.receive(makeResponse(invite.request, 200, undefined, { toTag: 'x' }));
  assert.equal(invite.request.body.length, 0);
  assert.equal(invite.request.method, 'INVITE');
});

test('misuse is thrown: timers that are no intervals, transactions of nobody', () => {
  const newBranch = () => 'b';
  assert.throws(() => new TransactionLayer({ newBranch, timers: { T1: 0 } }), { code: 'bad-timer-value' });
  const layer = new TransactionLayer({ newBranch });
  const foreign = { kind: 'client' } as unknown as ClientTransaction;
  assert.throws(() => layer.cancel(foreign, 0), { code: 'foreign-transaction' });
});

test('RFC 3261 §17: any sequence of events ends with empty tables and no timer (property)', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom('udp' as const, 'tcp' as const), (seed, transport) => {
      const random = new SeededRandom(seed);
      const probe = new LayerProbe(testFlow(transport), { maxServer: 8, maxClient: 8 });
      const clients: ClientTransaction[] = [];
      const servers: { transaction: ServerTransaction; request: ReturnType<typeof fromPeer> }[] = [];
      const ended = new Set<string>();
      const drain = () => {
        probe.drain();
        for (const { output } of probe.seen.splice(0)) {
          if (output.kind === 'request') servers.push(output);
          if (output.kind === 'send') read(output.bytes);
          if ('transaction' in output) {
            assert.ok(!ended.has(output.transaction.id), 'something after the last word');
            if (output.kind === 'terminated') ended.add(output.transaction.id);
          }
        }
        assert.ok(probe.layer.size.server <= 8 && probe.layer.size.client <= 16);
      };
      const requests = new Map<string, ReturnType<typeof fromPeer>>();
      for (let i = 0; i < 80; i++) {
        const method = random.pick(['INVITE', 'INVITE', 'OPTIONS', 'BYE']);
        const branch = `z9hG4bK${random.integer(1, 12)}`;
        switch (random.integer(0, 7)) {
          case 0: {
            const transaction = probe.layer.request(testRequest(method), probe.flow, probe.now);
            requests.set(transaction.id, transaction.request);
            clients.push(transaction);
            break;
          }
          case 1:
          case 2: {
            if (clients.length === 0) break;
            const { id } = random.pick(clients as [ClientTransaction]);
            const request = requests.get(id) as ReturnType<typeof fromPeer>;
            probe.receive(
              makeResponse(request, random.pick([100, 180, 200, 302, 486, 603]), undefined, { toTag: 'x' }),
            );
            break;
          }
          case 3:
            if (clients.length > 0)
              probe.layer.cancel(random.pick(clients as [ClientTransaction]), probe.now);
            break;
          case 4:
            probe.receive(fromPeer(testRequest(method, { cseq: random.integer(1, 5) }), branch));
            break;
          case 5: {
            const { transaction, request } = servers[random.integer(0, servers.length)] ?? {};
            if (transaction === undefined || request === undefined) break;
            const status = random.pick([180, 200, 404]);
            probe.layer.respond(
              transaction,
              makeResponse(request, status, undefined, { toTag: 'x' }),
              probe.now,
            );
            break;
          }
          case 6:
            probe.receive(fromPeer(testRequest(random.pick(['ACK', 'CANCEL']), { toTag: 'x' }), branch));
            break;
          case 7:
            probe.runUntil(probe.now + random.integer(0, 9000));
            if (random.chance(0.1)) probe.layer.flowFailed(1, probe.now);
            break;
        }
        drain();
      }
      // What waits for its owner is answered, what waits for its peer runs into its timers.
      for (const { transaction, request } of servers) {
        probe.layer.respond(transaction, makeResponse(request, 500, undefined, { toTag: 'x' }), probe.now);
      }
      for (const transaction of clients) probe.layer.cancel(transaction, probe.now);
      for (let i = 0; i < 40; i++) {
        probe.runUntil(probe.now + 10_000);
        drain();
      }
      assert.deepEqual(probe.layer.size, { server: 0, client: 0 });
      assert.equal(probe.layer.timers, 0);
      assert.equal(probe.layer.nextTimeout(), Number.POSITIVE_INFINITY);
      for (const { id } of clients) assert.ok(ended.has(id));
    }),
    { numRuns: 300 },
  );
});

test('20,000 live transactions: each keeps its own time, and nothing is left of them', () => {
  const probe = new LayerProbe();
  for (let i = 0; i < 20_000; i++) {
    probe.now = i / 10;
    probe.layer.request(testRequest(i % 2 === 0 ? 'INVITE' : 'OPTIONS'), probe.flow, probe.now);
    if (i % 100 === 0) probe.layer.poll();
  }
  assert.equal(probe.layer.size.client, 20_000);
  assert.equal(probe.layer.timers, 40_000);
  let sent = 0;
  const timeouts: number[] = [];
  while (probe.layer.nextTimeout() !== Number.POSITIVE_INFINITY) {
    const now = probe.layer.nextTimeout();
    probe.layer.handleTimeout(now);
    for (let output = probe.layer.poll(); output !== undefined; output = probe.layer.poll()) {
      if (output.kind === 'send') sent++;
      if (output.kind === 'timeout') timeouts.push(now);
    }
  }
  assert.equal(timeouts.length, 20_000);
  assert.equal(timeouts[0], 32_000);
  assert.equal(Math.round(timeouts[19_999] ?? 0), 34_000);
  // What was not polled on the way in comes out here: 7 INVITEs and 11 OPTIONS each.
  assert.equal(sent + 200, 10_000 * 7 + 10_000 * 11);
  assert.deepEqual(probe.layer.size, { server: 0, client: 0 });
});

test('RFC 4320 §4.1: whatever is no INVITE gets 100 only once timer E of its sender is at T2, and nothing else before its end', () => {
  for (const reliable of [false, true]) {
    const probe = new LayerProbe(testFlow(reliable ? 'tcp' : 'udp'));
    probe.receive(fromPeer(testRequest('OPTIONS')));
    const { transaction, request } = probe.lastRequest();
    probe.take();
    probe.layer.respond(transaction, makeResponse(request, 183), 0);
    probe.runUntil(3499);
    assert.deepEqual(probe.take(), []);
    probe.runUntil(4000);
    assert.deepEqual(probe.take(), ['3500 send 100']);
    probe.layer.respond(transaction, makeResponse(request, 200), 4000);
    assert.deepEqual(probe.take().slice(0, 1), ['4000 send 200']);
    probe.runUntil(100_000);
    assert.equal(probe.layer.timers, 0);
  }
});

test('RFC 4320 §4.2: no 408 to what is no INVITE, and no answer to one whose sender has given up', () => {
  for (const [at, status] of [
    [1000, 408],
    [32_000, 200],
  ] as const) {
    const probe = new LayerProbe();
    probe.receive(fromPeer(testRequest('OPTIONS')));
    const { transaction, request } = probe.lastRequest();
    probe.runUntil(at);
    probe.take();
    probe.layer.respond(transaction, makeResponse(request, status), at);
    assert.deepEqual(probe.take(), [`${at} terminated OPTIONS`]);
    assert.equal(probe.layer.size.server, 0);
    assert.equal(probe.layer.timers, 0);
  }
});
