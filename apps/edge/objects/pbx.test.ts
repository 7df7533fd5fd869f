import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Secret } from '@ringfence/bytes/secret.ts';
import { formatProblem } from '../config/problem.ts';
import { prepareDatabase } from '../store/database.ts';
import { assembleObjects, readObjectRows, readObjects } from '../store/object-rows.ts';
import { Sealer } from '../store/seal.ts';
import { exportObjects, toYaml } from './export.ts';
import { applyObjects } from './import.ts';
import { readObjectsText } from './read.ts';

const sealer = new Sealer(new Secret(new Uint8Array(32).fill(7)));

function desk() {
  const database = new DatabaseSync(':memory:');
  prepareDatabase(database, 'memory', 0);
  const apply = (yaml: string): string[] => {
    const read = readObjectsText('objects.yaml', yaml);
    const applied = read.ok
      ? applyObjects(database, sealer, read.value, {
          defaultDomain: 'a.example',
          prune: true,
          dryRun: false,
          weakPasswords: false,
        })
      : read;
    return applied.ok
      ? applied.value.map(({ action, kind, domain, name }) => `${action} ${kind} ${domain}/${name}`)
      : applied.error.map(formatProblem);
  };
  return { database, apply };
}

const good = `
pbx:
  - nodes:
      - {name: one, target: "sip:10.0.0.5:5060;transport=udp"}
      - {name: two, target: "sip:10.0.0.6;transport=udp", priority: 20, weight: 5, addresses: [10.0.1.6]}
    encryption: none
    phones: required
`;

test('a PBX is applied, exported and applied again without a change; without it in the file it goes', () => {
  const { database, apply } = desk();
  assert.deepEqual(apply(good), ['add pbx a.example/pbx']);
  const text = toYaml(exportObjects(readObjectRows(database)));
  assert.deepEqual(apply(text), []);
  const [pbx] = assembleObjects(readObjects(database, sealer)).pbx ?? [];
  assert.equal(pbx?.phoneExpires, 60);
  assert.deepEqual(
    pbx?.nodes.map(({ name, priority, weight }) => [name, priority, weight]),
    [
      ['one', 10, 10],
      ['two', 20, 5],
    ],
  );
  assert.deepEqual(apply('pbx: []'), ['remove pbx a.example/pbx']);
});

for (const [what, yaml, words] of [
  ['plaintext towards the internet', good.replace('10.0.0.5', '203.0.113.5'), /not known to be private/],
  ['encryption that the target has not', good.replace('encryption: none', ''), /encryption is required/],
  ['two nodes of a name', good.replace('name: two', 'name: one'), /is here twice/],
  ['a name without addresses', good.replace('10.0.0.5', 'localhost'), /which requests are this node/],
  ['half the internet', good.replace('10.0.1.6', '10.0.0.0/8'), /takes in too much/],
  ['an address that two nodes claim', good.replace('10.0.1.6', '10.0.0.5'), /overlaps 10.0.0.5/],
  [
    'an address of a trunk',
    `${good}\ntrunks: [{name: t, target: "sip:10.0.0.9", encryption: none, addresses: [10.0.0.5]}]`,
    /overlaps 10.0.0.5/,
  ],
  [
    'two of a domain',
    `${good}\n  - {name: other, nodes: [{name: x, target: "sip:10.1.0.5;transport=tls"}]}`,
    /one PBX/,
  ],
  [
    'users beside it',
    `${good}\nusers: [{name: alice, devices: [{name: alice, password: tWelve-monkeys-at-dusk}]}]`,
    /has users at the edge/,
  ],
] as const)
  test(`a PBX is refused with ${what}`, () => {
    const { apply } = desk();
    assert.match(apply(yaml).join('\n'), words);
  });
