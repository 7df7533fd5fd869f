import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configurationSchema, configurationSchemaText } from './json-schema.ts';
import { configurationPage } from './reference.ts';
import { Configuration } from './schema.ts';

const committed = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

test('the committed reference page is what the schema gives (else: node tools/docs.ts)', () => {
  assert.equal(committed('configuration.md'), configurationPage());
});

test('the committed JSON Schema is what the schema gives (else: node tools/docs.ts)', () => {
  assert.equal(committed('ringfence.schema.json'), configurationSchemaText());
});

test('every key stands on the page with a description', () => {
  const page = configurationPage();
  for (const [name, group] of Object.entries(Configuration.properties)) {
    if (group.type !== 'object') continue;
    assert.ok(page.includes(`## ${name}`), name);
    for (const key of Object.keys(group.properties)) assert.ok(page.includes(`\`${key}`), `${name}.${key}`);
  }
});

test('the JSON Schema refuses unknown keys and demands no key that has a default', () => {
  const schema = configurationSchema() as {
    additionalProperties: boolean;
    required: string[];
    properties: { listeners: { items: { required: string[] } } };
  };
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(schema.required, []);
  assert.deepEqual(schema.properties.listeners.items.required.sort(), [
    'address',
    'name',
    'port',
    'transport',
  ]);
});
