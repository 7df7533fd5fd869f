import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromPeer, testFlow, testRequest } from '@ringfence/testkit/layer-probe.ts';
import { makeResponse } from '../message/build.ts';
import { TransactionCore } from './core.ts';
import { inviteClient } from './invite-client.ts';
import { inviteServer } from './invite-server.ts';
import type { Machine } from './machine.ts';
import { nonInviteClient } from './non-invite-client.ts';
import { nonInviteServer } from './non-invite-server.ts';
import { ClientRecord, ServerRecord, type Transaction } from './record.ts';
import { defaultTimerValues, timerTable } from './timers.ts';

/**
 * The figures written down once more, from the RFCs and not from the tables: state, event, next state, what comes
 * out, which timers run afterwards on an unreliable flow (`-`: none). Whatever is not here has to be ignored.
 */
const figures = {
  'RFC 3261 figure 5, RFC 6026 §8.4': `
    calling     A                 calling     send                 A
    calling     B                 terminated  timeout+terminated   -
    calling     transport-error   terminated  failed+terminated    -
    calling     1xx               proceeding  response             -
    calling     2xx               accepted    response             M
    calling     300-699           completed   send+response        D
    proceeding  1xx               proceeding  response             -
    proceeding  2xx               accepted    response             M
    proceeding  300-699           completed   send+response        D
    proceeding  cancel-sent       proceeding  nothing              cancel
    proceeding  cancel            terminated  timeout+terminated   -
    proceeding  transport-error   terminated  failed+terminated    -
    completed   300-699           completed   send                 -
    completed   transport-error   terminated  failed+terminated    -
    completed   D                 terminated  terminated           -
    accepted    2xx               accepted    response             -
    accepted    M                 terminated  terminated           -`,
  'RFC 3261 figure 7, RFC 6026 §8.7': `
    proceeding  request           proceeding  send                 -
    proceeding  1xx-from-tu       proceeding  send                 -
    proceeding  2xx-from-tu       accepted    send                 L
    proceeding  300-699-from-tu   completed   send                 G,H
    proceeding  transport-error   proceeding  failed               -
    completed   request           completed   send                 -
    completed   G                 completed   send                 G
    completed   H                 terminated  timeout+terminated   -
    completed   ack               confirmed   nothing              I
    completed   transport-error   completed   failed               -
    confirmed   ack               confirmed   nothing              -
    confirmed   I                 terminated  terminated           -
    accepted    request           accepted    nothing              -
    accepted    ack               accepted    ack                  -
    accepted    2xx-from-tu       accepted    send                 -
    accepted    transport-error   accepted    failed               -
    accepted    L                 terminated  terminated           -`,
  'RFC 3261 figure 6': `
    trying      E                 trying      send                 E
    trying      F                 terminated  timeout+terminated   -
    trying      transport-error   terminated  failed+terminated    -
    trying      1xx               proceeding  response             -
    trying      200-699           completed   response             K
    proceeding  E                 proceeding  send                 E
    proceeding  F                 terminated  timeout+terminated   -
    proceeding  transport-error   terminated  failed+terminated    -
    proceeding  1xx               proceeding  response             -
    proceeding  200-699           completed   response             K
    completed   K                 terminated  terminated           -`,
  'RFC 3261 figure 8, RFC 4320 §4.1': `
    trying      request           trying      nothing              -
    trying      1xx-from-tu       proceeding  send                 -
    trying      200-699-from-tu   completed   send                 J
    trying      transport-error   terminated  failed+terminated    -
    trying      slow              proceeding  send                 -
    proceeding  request           proceeding  send                 -
    proceeding  1xx-from-tu       proceeding  send                 -
    proceeding  200-699-from-tu   completed   send                 J
    proceeding  transport-error   terminated  failed+terminated    -
    completed   request           completed   send                 -
    completed   transport-error   terminated  failed+terminated    -
    completed   J                 terminated  terminated           -`,
} as const;

const machines: Readonly<Record<keyof typeof figures, readonly [Machine, 'client' | 'server', string]>> = {
  'RFC 3261 figure 5, RFC 6026 §8.4': [inviteClient, 'client', 'INVITE'],
  'RFC 3261 figure 7, RFC 6026 §8.7': [inviteServer, 'server', 'INVITE'],
  'RFC 3261 figure 6': [nonInviteClient, 'client', 'OPTIONS'],
  'RFC 3261 figure 8, RFC 4320 §4.1': [nonInviteServer, 'server', 'OPTIONS'],
};

function inState(machine: Machine, side: 'client' | 'server', method: string, state: string): Transaction {
  const request = fromPeer(testRequest(method));
  const record =
    side === 'client'
      ? new ClientRecord(1, machine, request, testFlow(), 'key', 'trying', false)
      : new ServerRecord(1, machine, request, testFlow(), 'key', 'trying', undefined, 0);
  record.state = state as never;
  record.bytes = new Uint8Array(1);
  return record;
}

for (const [name, rows] of Object.entries(figures)) {
  const [machine, side, method] = machines[name as keyof typeof figures];
  const figure = rows
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/));
  const request = fromPeer(testRequest(method));

  for (const [state = '', event = '', next, effects, timers] of figure) {
    test(`${name}: ${state}, ${event} -> ${next}`, () => {
      const record = inState(machine, side, method, state);
      const core = new TransactionCore(defaultTimerValues, () => {});
      const message = side === 'client' ? makeResponse(request, 200) : request;
      assert.ok(core.step(record, event, 0, message));
      assert.equal(record.state, next);
      const outputs: string[] = [];
      for (let output = core.poll(); output !== undefined; output = core.poll()) outputs.push(output.kind);
      assert.equal(outputs.join('+') || 'nothing', effects);
      const running: string[] = [];
      if (record.retransmit.running) running.push(record.retransmitEvent);
      if (record.end.running) running.push(record.endEvent);
      assert.equal(running.join() || '-', timers);
    });
  }

  test(`${name}: nothing else moves a state`, () => {
    const known = new Set(figure.map(([state, event]) => `${state} ${event}`));
    const events = new Set([
      ...figure.map(([, event]) => event),
      ...Object.values(timerTable).map((row) => row.event),
    ]);
    for (const state of Object.keys(machine)) {
      for (const event of events) {
        if (event === undefined || known.has(`${state} ${event}`)) continue;
        const record = inState(machine, side, method, state);
        const core = new TransactionCore(defaultTimerValues, () => {});
        assert.equal(core.step(record, event, 0), false, `${state} ${event}`);
        assert.equal(record.state, state);
        assert.equal(core.poll(), undefined);
      }
    }
    const inTables = Object.values(machine).reduce((sum, events) => sum + Object.keys(events).length, 0);
    assert.equal(inTables, figure.length);
  });
}
