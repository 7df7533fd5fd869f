import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violationsOf } from '../testing/event-schema.ts';
import { severities } from './bus.ts';
import { eventJson, schemaVersion } from './envelope.ts';
import type { EdgeEvent } from './types.ts';

const ringing: EdgeEvent = { type: 'call.ringing', call: 'c1', party: 'bob' };
const at = Date.UTC(2026, 0, 31, 12);

test('an event is exported with its version, time, severity and type before its own fields', () => {
  assert.equal(
    eventJson(ringing, at, 'debug'),
    '{"schema":1,"time":"2026-01-31T12:00:00.000Z","severity":"debug","event":"call.ringing","call":"c1","party":"bob"}',
  );
  assert.equal(schemaVersion, 1);
});

test('the place of the type among the fields does not matter', () => {
  const { type, ...fields } = ringing;
  assert.equal(eventJson({ ...fields, type } as EdgeEvent, at, 'debug'), eventJson(ringing, at, 'debug'));
});

test('the schema finds what an event must not be', () => {
  assert.deepEqual(violationsOf(ringing, at, 'debug'), []);
  const cases: readonly [EdgeEvent, RegExp][] = [
    [{ ...ringing, secret: 1 } as unknown as EdgeEvent, /additional/],
    [{ type: 'call.ringing', call: 'c1' } as unknown as EdgeEvent, /party/],
    [{ type: 'call.ringing', call: 7, party: 'bob' } as unknown as EdgeEvent, /string/],
    [{ type: 'call.unheard' } as unknown as EdgeEvent, /is not in docs/],
    [
      {
        type: 'request.refused',
        source: '192.0.2.1:5060',
        method: 'INVITE',
        caller: '',
        target: '',
        decision: { verdict: 'refuse', cause: 'policy', status: 403, reason: 'Forbidden', reasons: [] },
      },
      /without a reason/,
    ],
  ];
  for (const [event, expected] of cases)
    assert.match(violationsOf(event, at, severityOf(event)).join(), expected);
  assert.match(violationsOf(ringing, at, 'error').join(), /severity/);
});

const severityOf = ({ type }: EdgeEvent) => severities[type];
