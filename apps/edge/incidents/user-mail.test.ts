import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, ok } from '@ringfence/bytes/result.ts';
import { VirtualTime } from '@ringfence/testkit/virtual-time.ts';
import { UserMail } from './user-mail.ts';

interface Sent {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

const desk = (refusals: readonly ('passing' | 'final')[] = []) => {
  const time = new VirtualTime(1_800_000_000_000);
  const sent: Sent[] = [];
  const left = [...refusals];
  const mail = new UserMail({
    now: () => time.now,
    after: (milliseconds, run) => time.after(milliseconds, run),
    mailboxOf: (domain, user) => (user === 'nobody' ? undefined : `${user}@mail.${domain}`),
    mail: {
      send: async (one) => {
        const refusal = left.shift();
        if (refusal !== undefined) return err({ detail: 'busy', passing: refusal === 'passing' });
        sent.push(one);
        return ok(undefined);
      },
    },
  });
  return { time, sent, mail };
};
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

test('a user hears of the own account, and of nothing else; a second time after an hour', async () => {
  const { time, sent, mail } = desk();
  assert.deepEqual(await mail.tell('one.test', 'Alice', 'Somebody signed in.', 'INC-1'), {
    done: true,
    detail: '',
  });
  const [first] = sent;
  assert.equal(first?.to, 'Alice@mail.one.test');
  assert.match(first!.subject, /alice@one\.test/);
  assert.match(first!.text, /Somebody signed in\.[\s\S]*2027-01-15T[\s\S]*INC-1/);
  assert.match((await mail.tell('one.test', 'alice', 'Again.', 'INC-2')).detail, /within the last hour/);
  assert.equal((await mail.tell('two.test', 'alice', 'Other.', 'INC-2')).done, true);
  assert.equal(sent.length, 2);
  assert.ok(!sent[1]!.text.includes('one.test'));
  time.jump(time.now + 3_600_000);
  await mail.tell('one.test', 'alice', 'Again.', 'INC-3');
  assert.equal(sent.length, 3);
  assert.deepEqual(await mail.tell('one.test', 'nobody', 'x', 'INC-3'), {
    done: false,
    detail: 'no mailbox of the user is known (`email`)',
  });
});

test('an attack on many accounts sends 60 mails an hour, and no more', async () => {
  const { time, sent, mail } = desk();
  for (let i = 0; i < 200; i += 1) await mail.tell('one.test', `u${i}`, 'x', 'INC-1');
  assert.equal(sent.length, 60);
  time.jump(time.now + 3_600_000);
  assert.equal((await mail.tell('one.test', 'u199', 'x', 'INC-1')).done, true);
});

test('what does not go now is tried three times, what will never go once; a stop gives up', async () => {
  const patient = desk(['passing', 'passing']);
  const told = patient.mail.tell('one.test', 'alice', 'x', 'INC-1');
  for (const pause of [30_000, 300_000]) {
    await turn();
    patient.time.jump(patient.time.now + pause);
    patient.time.step();
  }
  assert.equal((await told).done, true);
  const final = desk(['final']);
  assert.deepEqual(await final.mail.tell('one.test', 'alice', 'x', 'INC-1'), { done: false, detail: 'busy' });
  // It may be mended: the next incident tries again.
  assert.equal((await final.mail.tell('one.test', 'alice', 'x', 'INC-2')).done, true);
  const stopped = desk(['passing']);
  const waiting = stopped.mail.tell('one.test', 'alice', 'x', 'INC-1');
  await turn();
  stopped.mail.stop();
  assert.equal((await waiting).done, false);
});
