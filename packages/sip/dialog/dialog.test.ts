import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeRequest, makeResponse } from '../message/build.ts';
import { HeaderList } from '../message/header-list.ts';
import type { NameAddr, SipRequest } from '../message/types.ts';
import { parseUri, serializeUri, sipUri } from '../message/uri.ts';
import { Dialog, dialogRefusal, requestDialogKey, responseDialogKey } from './dialog.ts';

const party = (user: string, tag?: string): NameAddr => ({
  uri: sipUri({ user, host: 'example.com' }),
  params: new Map(tag === undefined ? [] : [['tag', tag]]),
});

const invite = (headers: HeaderList, cseq = 314): SipRequest =>
  makeRequest({
    method: 'INVITE',
    uri: sipUri({ user: 'bob', host: 'example.com' }),
    from: party('alice', 'a1'),
    to: party('bob'),
    callId: 'call',
    cseq,
    headers,
  });

const fromAlice = (): HeaderList => new HeaderList().add('Contact', '<sip:alice@pc33.example.com>');
const routes = ['<sip:p3.example.com;lr>', '<sip:p2.example.com;lr>', '<sip:p1.example.com;lr>'] as const;

const answerFields = (...recordRoute: readonly string[]) => {
  const headers = new HeaderList().add('Contact', '<sip:bob@192.0.2.4;transport=tcp>');
  for (const route of recordRoute) headers.add('Record-Route', route);
  return { toTag: 'b1', headers };
};

const pair = (status = 200, ...recordRoute: readonly string[]) => {
  const request = invite(fromAlice());
  const response = makeResponse(request, status, undefined, answerFields(...recordRoute));
  return { request, response, uac: Dialog.uac(request, response), uas: Dialog.uas(request, response) };
};

test('RFC 3261 §12.1.1, §12.1.2: both sides have one dialog, seen from its two ends', () => {
  const { request, response, uac, uas } = pair();
  assert.deepEqual([uac.callId, uac.localTag, uac.remoteTag], ['call', 'a1', 'b1']);
  assert.deepEqual([uas.callId, uas.localTag, uas.remoteTag], ['call', 'b1', 'a1']);
  assert.deepEqual(
    [uac.localSeq, uac.remoteSeq, uas.localSeq, uas.remoteSeq],
    [314, undefined, undefined, 314],
  );
  assert.equal(serializeUri(uac.remoteTarget), 'sip:bob@192.0.2.4;transport=tcp');
  assert.equal(serializeUri(uas.remoteTarget), 'sip:alice@pc33.example.com');
  assert.equal(uac.state, 'confirmed');
  assert.equal(uac.secure, false);
  assert.equal(requestDialogKey(uac.request('BYE')), uas.key);
  assert.equal(requestDialogKey(uas.request('BYE')), uac.key);
  assert.equal(responseDialogKey(response), uac.key);
  assert.equal(requestDialogKey(request), undefined);
});

test('RFC 3261 §12.1.1, §12.1.2: the caller reverses Record-Route, the called side does not', () => {
  const { uac } = pair(200, routes.join(', '));
  assert.deepEqual(uac.routeSet, routes.toReversed());
  const headers = fromAlice();
  for (const route of routes) headers.add('Record-Route', route);
  const request = invite(headers);
  assert.deepEqual(
    Dialog.uas(request, makeResponse(request, 200, undefined, { toTag: 'b1' })).routeSet,
    routes,
  );
});

test('RFC 3261 §12.2.1.1: loose routing leaves the target in the Request-URI', () => {
  const { uac } = pair(200, ...routes);
  const bye = uac.request('BYE');
  assert.equal(serializeUri(bye.uri), 'sip:bob@192.0.2.4;transport=tcp');
  assert.deepEqual(bye.headers.all('route'), routes.toReversed());
  assert.deepEqual(bye.cseq, { number: 315, method: 'BYE' });
  assert.equal(bye.maxForwards, 70);
});

test('RFC 3261 §12.2.1.1: a strict router gets itself as Request-URI and the target at the end', () => {
  const { uac } = pair(200, '<sip:p2.example.com;lr>', '<sip:p1.example.com;method=INVITE>');
  const bye = uac.request('BYE');
  assert.equal(serializeUri(bye.uri), 'sip:p1.example.com');
  assert.deepEqual(bye.headers.all('route'), [
    '<sip:p2.example.com;lr>',
    '<sip:bob@192.0.2.4;transport=tcp>',
  ]);
});

test('RFC 3261 §12.2.1.1: CSeq grows by one, an ACK has that of its INVITE', () => {
  const { uac, uas } = pair();
  const contact = '<sip:alice@pc33.example.com>';
  const again = uac.request('INVITE', { contact, headers: new HeaderList().add('Supported', 'timer') });
  assert.equal(again.cseq.number, 315);
  assert.equal(again.headers.get('contact'), contact);
  assert.equal(again.headers.get('supported'), 'timer');
  assert.deepEqual(uac.ack(315).cseq, { number: 315, method: 'ACK' });
  assert.equal(uac.request('BYE').cseq.number, 316);
  assert.equal(uas.request('BYE').cseq.number, 1);
  assert.throws(() => uac.request('ACK'), { code: 'not-in-dialog' });
  assert.throws(() => uac.request('CANCEL'), { code: 'not-in-dialog' });
});

test('RFC 3261 §12.2.2: a CSeq that is not higher is 500, gaps are fine, ACK is not counted', () => {
  const { uac, uas } = pair();
  const reinvite = uac.request('INVITE');
  uac.request('INFO');
  const bye = uac.request('BYE');
  assert.deepEqual(uas.receive(reinvite), { ok: true });
  assert.deepEqual(uas.receive(bye), { ok: true });
  const verdict = uas.receive(reinvite);
  assert.ok(!verdict.ok && verdict.status === 500);
  assert.ok(!uas.receive(bye).ok);
  assert.deepEqual(uas.receive(uac.ack(315)), { ok: true });
  assert.equal(uas.remoteSeq, 317);
});

test('RFC 3261 §12.2.1.2, §12.2.2: a target refresh moves the target, one without Contact does not', () => {
  const { uac, uas } = pair();
  uas.refreshTarget(uac.request('INVITE', { contact: '<sip:alice@192.0.2.99?Subject=x>' }));
  assert.equal(serializeUri(uas.remoteTarget), 'sip:alice@192.0.2.99');
  uas.refreshTarget(uac.request('INFO'));
  assert.equal(serializeUri(uas.remoteTarget), 'sip:alice@192.0.2.99');
});

test('RFC 3261 §13.2.2.4: the 2xx sets route set and target of an early dialog anew', () => {
  const { request, uac, uas } = pair(180, '<sip:early.example.com;lr>');
  assert.equal(uac.state, 'early');
  const headers = new HeaderList()
    .add('Contact', '<sip:bob@192.0.2.5>')
    .add('Record-Route', '<sip:late.example.com;lr>');
  const ok = makeResponse(request, 200, undefined, { toTag: 'b1', headers });
  uac.confirm(ok);
  uas.confirm(ok);
  assert.deepEqual([uac.state, uas.state], ['confirmed', 'confirmed']);
  assert.deepEqual(uac.routeSet, ['<sip:late.example.com;lr>']);
  assert.equal(serializeUri(uac.remoteTarget), 'sip:bob@192.0.2.5');
  // Our own Contact is nothing that the called side learns from.
  assert.equal(serializeUri(uas.remoteTarget), 'sip:alice@pc33.example.com');
  uac.confirm(makeResponse(request, 200, undefined, answerFields()));
  assert.deepEqual(uac.routeSet, ['<sip:late.example.com;lr>']);
});

test('RFC 3261 §12.1: two forks of one INVITE are two dialogs', () => {
  const request = invite(fromAlice());
  const fork = (toTag: string) =>
    Dialog.uac(request, makeResponse(request, 200, undefined, { ...answerFields(), toTag }));
  assert.notEqual(fork('b1').key, fork('b2').key);
});

test('RFC 3261 §12.1.1: a peer of RFC 2543 has no tag, and still one dialog', () => {
  const request: SipRequest = { ...invite(fromAlice()), from: party('alice') };
  const uas = Dialog.uas(request, makeResponse(request, 200, undefined, { toTag: 'b1' }));
  assert.equal(uas.remoteTag, '');
  assert.equal(uas.request('BYE').to.params.has('tag'), false);
});

test('RFC 3261 §12.1.1: sips makes a secure dialog', () => {
  const uri = parseUri('sips:bob@example.com');
  assert.ok(uri.ok);
  const request = { ...invite(fromAlice()), uri: uri.value };
  assert.ok(Dialog.uas(request, makeResponse(request, 200, undefined, { toTag: 'b1' })).secure);
});

test('RFC 3261 §12.1.1: what cannot make a dialog is refused beforehand, and never throws', () => {
  assert.equal(dialogRefusal(invite(fromAlice())), undefined);
  assert.equal(dialogRefusal(invite(new HeaderList()))?.status, 400);
  assert.equal(dialogRefusal(invite(new HeaderList().add('Contact', '*')))?.status, 400);
  assert.equal(dialogRefusal(invite(fromAlice().add('Record-Route', '<sip:')))?.reason, 'Bad Record-Route');
  const long = fromAlice();
  for (let i = 0; i < 33; i++) long.add('Record-Route', `<sip:p${i}.example.com;lr>`);
  assert.equal(dialogRefusal(invite(long))?.status, 400);
  fc.assert(
    fc.property(fc.string(), fc.string(), (contact, route) => {
      const headers = new HeaderList();
      const clean = (text: string) => text.replace(/[\r\n\0]/g, '');
      headers.add('Contact', clean(contact)).add('Record-Route', clean(route));
      const request = invite(headers);
      dialogRefusal(request);
      Dialog.uas(request, makeResponse(request, 200, undefined, { toTag: 'b' })).request('BYE');
    }),
    { numRuns: 300 },
  );
  const request = invite(fromAlice());
  assert.throws(() => Dialog.uas(request, makeResponse(request, 200)), { code: 'missing-tag' });
});

test('RFC 3261 §12.2: requests of both sides in any order are accepted once each (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(5)), { maxLength: 40 }), (steps) => {
      const { uac, uas } = pair();
      const last = { uac: Number.NEGATIVE_INFINITY, uas: 314 };
      for (const [fromCaller, back] of steps) {
        const [sender, receiver, side] = fromCaller
          ? ([uac, uas, 'uas'] as const)
          : ([uas, uac, 'uac'] as const);
        const request = sender.request('INFO');
        const number = request.cseq.number - back;
        const verdict = receiver.receive({ ...request, cseq: { number, method: 'INFO' } });
        assert.equal(
          verdict.ok,
          side === 'uac' && receiver.remoteSeq === undefined ? true : number > last[side],
        );
        if (verdict.ok) last[side] = number;
      }
    }),
    { numRuns: 100 },
  );
});
