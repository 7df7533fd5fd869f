import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Bed } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { until } from './harness/waiting.ts';

test('the running edge records calls, logins and changes; the command line verifies, finds, exports and erases', async () => {
  const bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }] });
  try {
    const home = bed.home.path;
    const alice = await bed.phone('alice', 'udp');
    const bob = await bed.phone('bob', 'udp');
    for (const phone of [alice, bob]) assert.equal((await phone.register(60)).status, 200);
    // bob is busy: the call ends by itself
    const { answer } = await alice.call('bob', (await bed.voice()).describe());
    assert.equal(answer.status, 486);
    const search = async (...args: string[]): Promise<Record<string, unknown>[]> =>
      (await ringfenceDoes(home, ['ledger', 'search', '--json', ...args]))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    let calls: Record<string, unknown>[] = [];
    await until('the call is in the ledger', async () => {
      calls = await search('alice', '--class', 'call');
      return calls.length > 0;
    });
    assert.match(JSON.stringify(calls[0]), /"disposition":"busy".*"as":"caller".*alice/);
    assert.ok((await search('alice', '--class', 'login')).length > 0, 'her registration');
    assert.ok((await search('--class', 'configuration')).length >= 2, 'versions of the configuration');
    await ringfenceDoes(home, ['user', 'password', 'alice']);
    const [changed] = await search('--class', 'administration', '--field', 'event=objects.changed');
    assert.match(JSON.stringify(changed), /"command":"user password"/);

    await ringfenceDoes(home, ['ban', 'add', '198.51.100.77', '--why', 'a test']);
    await ringfenceDoes(home, ['cert', 'renew']);
    await ringfenceDoes(home, ['user', 'quarantine', 'bob', '--why', 'on leave']);
    const act = async (word: string, event: string): Promise<string> => {
      let acts: Record<string, unknown>[] = [];
      await until(`${word} is in the ledger`, async () => {
        acts = await search(word, '--class', 'administration', '--field', `event=${event}`);
        return acts.length > 0;
      });
      return JSON.stringify(acts[0]);
    };
    const login = /"by":"[^"]+"/;
    const banned = await act('198.51.100.77', 'administration.command');
    assert.match(banned, login);
    assert.match(banned, /"body":.*"command":"ban add".*"persons":.*"why":"a test"/);
    const renewed = await act('renew', 'administration.done');
    assert.match(renewed, login);
    assert.match(renewed, /"command":"cert renew".*"sha256":"[0-9A-F:]{95}"/);
    assert.match(await act('quarantine', 'administration.done'), /"persons":.*"why":"on leave"/);

    assert.match(await ringfenceDoes(home, ['ledger', 'export', '--format', 'csv']), /^sequence,time,class/);
    await ringfenceDoes(home, [
      'ledger',
      'export',
      '--format',
      'parquet',
      '--out',
      join(home, 'all.parquet'),
    ]);
    assert.match(await act('export', 'administration.done'), /"format":"parquet"/);
    assert.match(await ringfenceDoes(home, ['verify', 'ledger']), /^Nothing was changed/);
    await ringfenceDoes(home, [
      'ledger',
      'erase-person',
      'alice',
      '--domain',
      alice.domain,
      '--reason',
      'she asked',
    ]);
    assert.deepEqual(await search('alice', '--class', 'call'), []);
    assert.match(await ringfenceDoes(home, ['verify', 'ledger']), /^Nothing was changed/);

    const intruder = new DatabaseSync(join(home, 'ledger.db'));
    intruder.exec("UPDATE entries SET body = x'7b7d' WHERE sequence = 1");
    intruder.close();
    const verdict = await ringfence(home, ['verify', 'ledger']);
    assert.equal(verdict.code, 1);
    assert.match(verdict.out, /^edited +entry 1 was edited/);
    const offline = await ringfence(home, [
      'verify',
      'ledger',
      join(home, 'ledger.db'),
      '--key',
      join(home, 'ledger-public.pem'),
    ]);
    assert.equal(offline.code, 1);
  } finally {
    await bed.close();
  }
});
