import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Each type of the union in the source, with its fields. */
function typesInSource(): Map<string, readonly string[]> {
  const source = read('apps/edge/events/types.ts');
  const union = source.slice(
    source.indexOf('export type EdgeEvent ='),
    source.indexOf('export type EdgeEventType'),
  );
  const found = new Map<string, readonly string[]>();
  for (const member of union.split(/^ {2}\| /m).slice(1)) {
    const fields = [...member.matchAll(/readonly (\w+)\??:/g)].map((match) => match[1] ?? '');
    assert.equal(fields[0], 'type', member);
    const second = member.indexOf('readonly ', member.indexOf('readonly type') + 1);
    const names = second < 0 ? member : member.slice(0, second);
    for (const match of names.matchAll(/'([a-z]+\.[a-z-]+)'/g)) found.set(match[1] ?? '', fields.slice(1));
  }
  return found;
}

/** Text of each heading's part; events that share fields share the table above them. */
function partsOfManual(): Map<string, string> {
  const found = new Map<string, string>();
  for (const chapter of read('docs/events.md').split(/^## /m).slice(1)) {
    const [shared = '', ...parts] = chapter.split(/^### /m);
    for (const part of parts) found.set(/^`([^`]+)`/.exec(part)?.[1] ?? part, `${part}\n${shared}`);
  }
  return found;
}

const types = typesInSource();
const parts = partsOfManual();

test('docs/events.md has every type of the event stream, and no other', () => {
  assert.ok(types.size >= 27, `${types.size} types were found in the source`);
  assert.deepEqual([...parts.keys()].sort(), [...types.keys()].sort());
});

test('docs/events.md has every field of every event', () => {
  for (const [type, fields] of types)
    for (const field of fields)
      assert.ok(parts.get(type)?.includes(`| \`${field}\` |`), `${type} has no field ${field} in the manual`);
});

test('docs/events.md has the severity of every event', () => {
  const bus = read('apps/edge/events/bus.ts');
  for (const type of types.keys()) {
    const severity = new RegExp(`'${type.replace('.', '\\.')}': '(\\w+)'`).exec(bus)?.[1];
    assert.ok(severity !== undefined, type);
    assert.match(parts.get(type) ?? '', new RegExp(`Severity \`${severity}\``), type);
  }
});
