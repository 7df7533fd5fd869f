import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EdgeEvent } from '../../events/types.ts';
import { cef } from './cef.ts';
import { ecs } from './ecs.ts';
import { json } from './json.ts';
import { ocsf } from './ocsf.ts';
import { counted, syslogMessage } from './syslog.ts';
import { socketOf, type Told } from './told.ts';

const teller = { node: 'edge-1', version: '1.2.3', pid: 77 };
const failed: EdgeEvent = {
  type: 'authentication.failed',
  source: '192.0.2.9:5060',
  username: 'ali|ce=\\',
  domain: 'example.test',
  reason: 'credentials',
};
const refused: EdgeEvent = {
  type: 'request.refused',
  source: '[2001:db8::9]:5060',
  method: 'INVITE',
  caller: 'alice',
  target: '+4900\n1',
  decision: {
    verdict: 'refuse',
    cause: 'policy',
    status: 403,
    reason: 'Forbidden',
    reasons: [
      { rule: 'route.blocked', text: 'The number is blocked', evidence: { number: '+49' }, threshold: 3 },
    ],
  },
};
const at = Date.UTC(2026, 0, 31, 12);
const told = (event: EdgeEvent): Told => ({ event, time: at, severity: 'warning', sequence: 7 });
const parsed = (text: string) => JSON.parse(text) as Record<string, Record<string, unknown>>;

test('RFC 5424 §6: header, the number of the event as sequenceId (§7.3.1), the event as JSON', () => {
  const line = syslogMessage(told(failed), teller, 'local0', json(told(failed), teller));
  const head =
    '<132>1 2026-01-31T12:00:00.000Z edge-1 ringfence 77 authentication.failed [meta sequenceId="7"] ';
  assert.ok(line.startsWith(head), line);
  const { sequence, node, event } = parsed(line.slice(head.length));
  assert.deepEqual([sequence, node, event], [7, 'edge-1', 'authentication.failed']);
  assert.match(syslogMessage(told(failed), { ...teller, node: 'a b\n' }, 'authpriv', ''), /^<84>1 \S+ ab /);
});

test('RFC 6587 §3.4.1: octets are counted, not characters', () => {
  assert.equal(Buffer.from(counted(Buffer.from('grün'))).toString(), '5 grün');
});

test('CEF: what a peer writes cannot make fields or lines of its own', () => {
  const line = cef(told(failed), teller);
  assert.ok(
    line.startsWith('CEF:0|Ringfence|Ringfence|1.2.3|authentication.failed|authentication.failed|6|rt='),
  );
  assert.ok(line.includes(' src=192.0.2.9 spt=5060 suser=ali|ce\\=\\\\ sntdom=example.test '), line);
  assert.ok(line.includes(' outcome=failure '));
  const other = cef(told(refused), teller);
  assert.ok(!other.includes('\n'));
  assert.ok(other.includes(' c6a2=2001:db8::9 ') && other.includes(' cs1=route.blocked '), other);
});

test('ECS: names of the schema, our event whole below it', () => {
  const object = parsed(ecs(told(refused), teller));
  assert.deepEqual(object.source, { ip: '2001:db8::9', port: 5060 });
  assert.deepEqual(object.rule, { name: 'route.blocked' });
  assert.equal(object['@timestamp'] as unknown, '2026-01-31T12:00:00.000Z');
  const { outcome, action, kind, category } = object.event ?? {};
  assert.deepEqual([outcome, action, kind, category], ['failure', 'request.refused', 'event', ['network']]);
  const { decision } = (object.ringfence?.request_refused ?? {}) as { decision?: unknown };
  assert.deepEqual(decision, refused.decision);
});

test('OCSF: class, category, activity and type fit together', () => {
  const cases: readonly [EdgeEvent, number, number][] = [
    [failed, 3002, 300201],
    [refused, 4001, 400106],
    [
      { type: 'admission.refused', source: '192.0.2.9', listener: 'l', rule: 'rate', count: 9, threshold: 5 },
      2004,
      200401,
    ],
    [{ type: 'media.up', threads: 1 }, 0, 99],
  ];
  for (const [event, uid, type] of cases) {
    const object = JSON.parse(ocsf(told(event), teller)) as Record<string, unknown>;
    assert.equal(object.class_uid, uid);
    assert.equal(object.type_uid, type);
    assert.equal(object.category_uid, Math.floor(uid / 1000));
    assert.equal(object.time, at);
    assert.equal(object.severity_id, 3);
  }
  const finding = JSON.parse(ocsf(told(cases[2]?.[0] ?? failed), teller)) as Record<string, unknown>;
  assert.deepEqual(finding.finding_info, { title: 'admission.refused', uid: `edge-1-${at}-7` });
});

test('sources are read in every form that events have', () => {
  assert.deepEqual(socketOf('192.0.2.1:5060'), { ip: '192.0.2.1', port: 5060 });
  assert.deepEqual(socketOf('[2001:db8::1]:5060'), { ip: '2001:db8::1', port: 5060 });
  assert.deepEqual(socketOf('2001:db8::1'), { ip: '2001:db8::1' });
  assert.deepEqual(socketOf('192.0.2.1'), { ip: '192.0.2.1' });
  assert.equal(socketOf(undefined), undefined);
});
