import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromPeer, LayerProbe, testFlow, testRequest } from '@ringfence/testkit/layer-probe.ts';
import { makeResponse } from '../message/build.ts';
import { HeaderList } from '../message/header-list.ts';
import type { SipRequest, Via } from '../message/types.ts';

const withTop = (request: SipRequest, change: Partial<Via>): SipRequest => ({
  ...request,
  via: [{ ...(request.via[0] as Via), ...change }],
});

const old = (request: SipRequest): SipRequest => {
  const { branch: _, ...via } = fromPeer(request).via[0] as Via;
  return { ...request, via: [via] };
};

test('RFC 3261 §17.1.3: a response needs our branch, method, Call-ID and CSeq, and one Via', () => {
  const probe = new LayerProbe();
  const { request } = probe.layer.request(testRequest('OPTIONS'), probe.flow, 0);
  const good = makeResponse(request, 200, undefined, { toTag: 'x' });
  probe.take();
  probe.receive({ ...good, via: [{ ...(good.via[0] as Via), branch: 'z9hG4bKother' }] });
  probe.receive({ ...good, via: [...good.via, ...good.via] });
  probe.receive({ ...good, cseq: { number: 1, method: 'INVITE' } });
  probe.receive({ ...good, cseq: { number: 2, method: 'OPTIONS' } });
  probe.receive({ ...good, callId: 'another' });
  assert.deepEqual(probe.take(), []);
  assert.equal(probe.layer.counters.strayResponses, 5);
  probe.receive(good);
  assert.deepEqual(probe.take(), ['0 response 200']);
});

test('RFC 3261 §17.2.3: branch, sent-by and method tell requests apart; a repetition is absorbed', () => {
  const probe = new LayerProbe();
  const options = fromPeer(testRequest('OPTIONS', { toTag: 'in-dialog' }));
  probe.receive(options);
  probe.receive(options);
  assert.deepEqual(probe.take(), ['0 request OPTIONS']);
  probe.receive(withTop(options, { branch: 'z9hG4bKelse' }));
  probe.receive(withTop(options, { host: '192.0.2.77' }));
  probe.receive(withTop(options, { port: 5070 }));
  probe.receive({ ...options, method: 'INFO', cseq: { number: 1, method: 'INFO' } });
  // Stricter than the RFC: peers behind NATs may share sent-by and branch.
  probe.receive({ ...options, callId: 'another' });
  assert.equal(probe.take().length, 5);
  assert.equal(probe.layer.size.server, 6);
});

test('RFC 3261 §18.1.1: sent-by without port is sent-by with the default port', () => {
  const probe = new LayerProbe();
  const options = fromPeer(testRequest('OPTIONS'));
  probe.receive(options);
  const { port: _, ...portless } = options.via[0] as Via;
  probe.receive({ ...options, via: [portless] });
  assert.equal(probe.layer.size.server, 1);
});

test('RFC 3261 §17.2.3: requests of RFC 2543 are matched without a branch, the ACK by our To tag', () => {
  const probe = new LayerProbe();
  probe.receive(old(testRequest('INVITE')));
  const { transaction, request } = probe.lastRequest();
  probe.receive(old(testRequest('INVITE')));
  probe.layer.respond(transaction, makeResponse(request, 486, undefined, { toTag: 'ours' }), 0);
  assert.deepEqual(probe.take(), ['0 request INVITE', '0 send 486']);
  probe.receive(old(testRequest('ACK', { toTag: 'theirs' })));
  assert.deepEqual(probe.take(), ['0 ack ACK']);
  assert.equal(transaction.state, 'completed');
  probe.receive(old(testRequest('ACK', { toTag: 'ours' })));
  assert.equal(transaction.state, 'confirmed');
});

test('RFC 4475 §3.2.1: a branch of the bare cookie counts as none', () => {
  const probe = new LayerProbe();
  const bare = (callId: string) => fromPeer(testRequest('OPTIONS', { callId }), 'z9hG4bK');
  probe.receive(bare('one'));
  probe.receive(bare('two'));
  probe.receive(bare('two'));
  assert.equal(probe.layer.size.server, 2);
});

test('RFC 3261 §8.2.2.2: a request that comes again another way is 482, in a dialog it is not', () => {
  const probe = new LayerProbe();
  probe.receive(fromPeer(testRequest('INVITE')));
  const { transaction } = probe.lastRequest();
  probe.receive(fromPeer(testRequest('INVITE'), 'z9hG4bKfork'));
  assert.deepEqual(probe.take(), ['0 request INVITE', '0 send 482']);
  assert.equal(probe.layer.counters.mergedRequests, 1);
  probe.receive(fromPeer(testRequest('INVITE', { toTag: 'x' }), 'z9hG4bKfork2'));
  probe.receive(fromPeer(testRequest('INVITE', { cseq: 2 }), 'z9hG4bKfork3'));
  assert.deepEqual(probe.take(), ['0 request INVITE', '0 request INVITE']);
  probe.layer.respond(transaction, makeResponse(transaction.request, 200, undefined, { toTag: 'x' }), 0);
  probe.take();
  probe.receive(fromPeer(testRequest('INVITE'), 'z9hG4bKlate'));
  assert.deepEqual(probe.take(), ['0 send 482']);
  probe.runUntil(100_000);
  probe.take();
  probe.receive(fromPeer(testRequest('INVITE'), 'z9hG4bKlater'));
  assert.deepEqual(probe.take(), ['100000 request INVITE']);
});

test('RFC 3263 §4.3: a request that was refused may come again another way, and is watched again', () => {
  const probe = new LayerProbe();
  probe.receive(fromPeer(testRequest('OPTIONS'), 'z9hG4bKfirst'));
  const first = probe.lastRequest();
  probe.layer.respond(first.transaction, makeResponse(first.request, 503, undefined, { toTag: 'x' }), 0);
  probe.runUntil(1000);
  probe.take();
  probe.receive(fromPeer(testRequest('OPTIONS'), 'z9hG4bKsecond'));
  assert.deepEqual(probe.take(), ['1000 request OPTIONS']);
  // The end of the first transaction leaves the second one watched.
  probe.runUntil(40_000);
  assert.equal(first.transaction.state, 'terminated');
  probe.receive(fromPeer(testRequest('OPTIONS'), 'z9hG4bKthird'));
  assert.deepEqual(probe.take().slice(-1), ['40000 send 482']);
});

test('RFC 3261 §8.2.7: an answer without state has the same To tag each time', () => {
  const probe = new LayerProbe();
  probe.receive(fromPeer(testRequest('INVITE')));
  probe.receive(fromPeer(testRequest('INVITE'), 'z9hG4bKfork'));
  probe.receive(fromPeer(testRequest('INVITE'), 'z9hG4bKfork'));
  const [first, second] = probe.takeSent();
  assert.ok(first?.to.params.get('tag') !== undefined);
  assert.equal(first?.to.params.get('tag'), second?.to.params.get('tag'));
});

test('RFC 3581 §3 and §4: our Via asks for rport, theirs gets received and rport', () => {
  const probe = new LayerProbe();
  const { request } = probe.layer.request(testRequest('OPTIONS'), probe.flow, 0);
  assert.equal(request.via[0]?.params.get('rport'), true);
  assert.match(request.via[0]?.branch ?? '', /^z9hG4bK./);
  const nat = fromPeer(testRequest('OPTIONS'), 'z9hG4bKnat', '10.0.0.1');
  probe.receive(withTop(nat, { params: new Map([['rport', true]]) }));
  const { params } = probe.lastRequest().request.via[0] as Via;
  assert.equal(params.get('received'), '192.0.2.2');
  assert.equal(params.get('rport'), '5060');
});

test('RFC 3581 §4: received is added even where the address is the sent-by', () => {
  const probe = new LayerProbe();
  probe.receive(withTop(fromPeer(testRequest('OPTIONS')), { params: new Map([['rport', true]]) }));
  assert.equal(probe.lastRequest().request.via[0]?.params.get('received'), '192.0.2.2');
});

test('RFC 3261 §18.2.1: received without rport, and never what the sender wrote there', () => {
  const probe = new LayerProbe();
  const forged = new Map<string, string | true>([['received', '203.0.113.5']]);
  probe.receive(withTop(fromPeer(testRequest('OPTIONS'), 'z9hG4bKa', 'pc.example.com'), { params: forged }));
  assert.equal(probe.lastRequest().request.via[0]?.params.get('received'), '192.0.2.2');
  assert.equal(probe.lastRequest().request.via[0]?.params.has('rport'), false);
  probe.receive(withTop(fromPeer(testRequest('OPTIONS', { cseq: 2 }), 'z9hG4bKb'), { params: forged }));
  assert.equal(probe.lastRequest().request.via[0]?.params.has('received'), false);
});

test('RFC 3581 §4: responses go back over the flow of the request', () => {
  const probe = new LayerProbe();
  const other = { ...testFlow('udp', 9), remote: { address: '198.51.100.9', port: 40_000 } };
  probe.receive(fromPeer(testRequest('OPTIONS')), other);
  const { transaction, request } = probe.lastRequest();
  probe.layer.respond(transaction, makeResponse(request, 200, undefined, { toTag: 'x' }), 0);
  probe.drain();
  const sent = probe.seen.at(-1)?.output;
  assert.ok(sent?.kind === 'send' && sent.flow === other);
});

test('RFC 3261 §17.1.1.3: the ACK of a failure repeats Request-URI, From, Via, CSeq and Route', () => {
  const probe = new LayerProbe();
  const headers = new HeaderList().add('Route', '<sip:proxy.example.com;lr>').add('Subject', 'none of it');
  const { request } = probe.layer.request(testRequest('INVITE', { headers }), probe.flow, 0);
  probe.receive(makeResponse(request, 486, undefined, { toTag: 'busy' }));
  const ack = probe.takeSent()[1];
  assert.ok(ack?.kind === 'request' && ack.method === 'ACK');
  assert.deepEqual(ack.uri, request.uri);
  assert.deepEqual(ack.via, request.via);
  assert.deepEqual(ack.cseq, { number: 1, method: 'ACK' });
  assert.equal(ack.from.params.get('tag'), 'from1');
  assert.equal(ack.to.params.get('tag'), 'busy');
  assert.deepEqual(ack.headers.all('route'), ['<sip:proxy.example.com;lr>']);
  assert.equal(ack.headers.has('subject'), false);
});

test('RFC 3261 §13.2.2.4: the ACK of a 2xx has a branch of its own and no transaction', () => {
  const probe = new LayerProbe();
  const { request } = probe.layer.request(testRequest('INVITE'), probe.flow, 0);
  probe.receive(makeResponse(request, 200, undefined, { toTag: 'x' }));
  const bytes = probe.layer.sendAck(testRequest('ACK', { toTag: 'x' }), probe.flow);
  probe.layer.resend(bytes, probe.flow);
  const [, ack, again] = probe.takeSent();
  assert.notEqual(ack?.via[0]?.branch, request.via[0]?.branch);
  assert.deepEqual(again, ack);
  assert.equal(probe.layer.size.client, 1);
});

test('RFC 3261 §17.2.3: absorbs tells repetitions, ACK of a failure and CANCEL from new requests', () => {
  const probe = new LayerProbe();
  const invite = fromPeer(testRequest('INVITE'));
  assert.equal(probe.layer.absorbs(invite), false);
  probe.receive(invite);
  for (const method of ['INVITE', 'ACK', 'CANCEL']) {
    assert.ok(probe.layer.absorbs(fromPeer(testRequest(method))), method);
  }
  assert.equal(probe.layer.absorbs(fromPeer(testRequest('BYE'))), false);
  assert.equal(probe.layer.absorbs(fromPeer(testRequest('CANCEL'), 'z9hG4bKother')), false);
  assert.equal(probe.layer.absorbs(testRequest('INVITE')), false);
});
