import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { Incident } from '@ringfence/edge/incidents/types.ts';
import { Bed } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { domain } from './harness/place.ts';
import { until } from './harness/waiting.ts';

const suite = 'AES_CM_128_HMAC_SHA1_80';
let bed: Bed;

before(async () => {
  bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }] });
});
after(() => bed.close());

const does = (...words: string[]): Promise<string> => ringfenceDoes(bed.home.path, ['incident', ...words]);

test('an incident that an administrator opens: quarantine, calls ended, password revoked, evidence, all taken back', async () => {
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'tls');
  assert.match(await does('list'), /No incidents/);
  const opened = JSON.parse(
    await does(
      'open',
      'compromised-device',
      'The phone was stolen.',
      '--account',
      `alice@${domain}`,
      '--json',
    ),
  ) as Incident;
  assert.match(opened.playbook ?? '', /^compromised-device \d+$/);
  const step = (action: string): number => 1 + opened.steps.findIndex((one) => one.action === action);
  assert.match(await does('show', opened.id), new RegExp(`done: alice@${domain} until`));
  await until('the evidence is on disk', async () => /evidence\/INC-/.test(await does('show', opened.id)));
  const now = JSON.parse(await does('show', opened.id, '--json')) as Incident;
  const file = now.steps.flatMap(({ done }) => done).find(({ detail }) => detail.endsWith('.tar'))?.detail;
  assert.match(readFileSync(file ?? '', 'utf8'), /The phone was stolen/);

  const { answer } = await alice.call('bob', (await bed.voice(suite)).describe());
  assert.equal(answer.status, 403, 'a phone in quarantine calls nobody');
  assert.match(await does('approve', opened.id, String(step('revokeSecret'))), /Done/);
  const phone = await bed.phone('alice', 'tls');
  assert.equal((await phone.register()).status, 401, 'the old password is taken no more');

  assert.match(await does('undo', opened.id, String(step('revokeSecret'))), /Done/);
  assert.match(await does('undo', opened.id, String(step('quarantine'))), /Done/);
  const again = await bed.registered('alice', 'tls');
  await bed.connect(again, bob, 'bob', { from: suite, to: suite });
  assert.match(await does('note', opened.id, 'It was under the desk.'), /Done/);
  assert.match(await does('close', opened.id), /Done/);
  assert.match(await does('list', '--all'), /closed/);
  const late = await ringfence(bed.home.path, ['incident', 'approve', opened.id, '1']);
  assert.equal(late.code, 1);
  assert.match(late.complaint, /it is closed/);
});
