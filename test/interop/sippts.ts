/** sippts against the edge's defaults, while two phones talk through it. */
import { fileURLToPath } from 'node:url';
import {
  described,
  eventsOf,
  evidenceOf,
  extension,
  family,
  over,
  passwords,
  shapesOf,
  underAttack,
} from './harness/adversary.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { oneAddress } from './harness/networks.ts';
import { runCases } from './harness/run-cases.ts';
import { sippts, sipptsVersion } from './peers/sippts.ts';

async function sipptsScan(context: CaseContext): Promise<string> {
  let output = '';
  const seen = await underAttack(context, async (field) => {
    output = await over(
      await field.start('sippts', [
        ...sippts('scan'),
        ...['-i', field.edge.address, '-r', String(field.port), '-ua', 'Grandstream', '-fp', '-t', '2'],
      ]),
    );
  });
  expect(seen.sent.length > 0, `sippts has sent nothing: ${output.slice(-300)}`);
  for (const name of ['Ringfence', 'node', 'baresip', 'Asterisk', 'Kamailio'])
    expect(!output.includes(name), `sippts takes the edge for ${name}`);
  return evidenceOf(seen);
}

async function sipptsExtensions(context: CaseContext): Promise<string> {
  let output = '';
  const seen = await underAttack(context, async (field) => {
    output = await over(
      await field.start('sippts', [
        ...sippts('exten'),
        ...[
          '-i',
          field.edge.address,
          '-r',
          String(field.port),
          '-ua',
          'Grandstream',
          '-e',
          '90-150',
          '-t',
          '2',
          '-th',
          '20',
        ],
      ]),
    );
  });
  const shapes = shapesOf(seen.answers);
  expect(shapes.length <= 1, `answers of ${shapes.length} kinds:\n${shapes.join('\n\n')}`);
  const mentioned = new RegExp(`\\b${extension}\\b`).test(output);
  const other = /\b102\b/.test(output);
  expect(mentioned === other, `sippts tells ${extension} from 102: ${output.slice(-600)}`);
  return `one kind of answer; ${evidenceOf(seen)}`;
}

async function sipptsGuesses(context: CaseContext): Promise<string> {
  const words = Array.from({ length: 300 }, (_, i) =>
    i === 200 ? passwords[extension] : `wrong-guess-${i}`,
  );
  const list = context.workspace.write('passwords.txt', `${words.join('\n')}\n`);
  let output = '';
  const seen = await underAttack(context, async (field) => {
    oneAddress();
    output = await over(
      await field.start('sippts', [
        ...sippts('rcrack'),
        ...[
          '-i',
          field.edge.address,
          '-r',
          String(field.port),
          '-ua',
          'Grandstream',
          '-e',
          extension,
          '-w',
          list,
          '-t',
          '1',
          '-th',
          '5',
        ],
      ]),
    );
  });
  expect(!output.includes(passwords[extension]), 'sippts has found the password');
  expect(seen.bans.length > 0, `sippts was not banned: ${evidenceOf(seen)}`);
  return `no password; ${evidenceOf(seen)}`;
}

/**
 * 64 addresses with a few guesses each stay below every bound of a source, and may come to the password. The account is
 * seen to be attacked, and whoever registers as it from one of them is in quarantine at once: no call can be made.
 */
async function manyGuess(context: CaseContext): Promise<string> {
  const words = Array.from({ length: 300 }, (_, i) =>
    i === 200 ? passwords[extension] : `wrong-guess-${i}`,
  );
  const list = context.workspace.write('passwords.txt', `${words.join('\n')}\n`);
  let output = '';
  let quarantined = false;
  const seen = await underAttack(context, async (field) => {
    output = await over(
      await field.start('sippts', [
        ...sippts('rcrack'),
        ...['-i', field.edge.address, '-r', String(field.port), '-ua', 'Grandstream', '-e', extension],
        ...['-w', list, '-t', '1', '-th', '5'],
      ]),
    );
    quarantined = eventsOf(field.edge, 'account.quarantined').some(({ user }) => user === extension);
  });
  const guessed = output.includes(passwords[extension]) || seen.accepted > 0;
  expect(seen.found.includes('account-attacked'), `found was ${seen.found.join(', ') || 'nothing'}`);
  expect(!guessed || quarantined, 'whoever guessed the password can make calls');
  return `${guessed ? 'the password was found, and the account was in quarantine at once' : 'no password'}; ${described(seen)}`;
}

const file = fileURLToPath(import.meta.url);

export const cases: readonly Case[] = family(file, 'sippts', sipptsVersion, [
  ['sippts-scan', 'sippts scan with fingerprinting while two phones talk', sipptsScan],
  [
    'sippts-exten',
    'sippts exten looks for extensions, each from another address, while two phones talk',
    sipptsExtensions,
  ],
  [
    'sippts-rcrack-one',
    'sippts rcrack guesses a password from one address while two phones talk',
    sipptsGuesses,
  ],
  [
    'sippts-rcrack-many',
    'sippts rcrack guesses a password from 64 addresses while two phones talk',
    manyGuess,
  ],
]).map((one) => ({ ...one, unset: 'RINGFENCE_SIPPTS' }));

if (import.meta.main) await runCases(cases);
