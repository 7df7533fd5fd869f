import { constants, copyFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { plainText } from '@ringfence/evidence/plain-text.ts';
import { custodyOf } from '../evidence/custody.ts';
import type { MadeFile } from '../evidence/desk.ts';
import { askEdge } from './ask-edge.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { recordCustody } from './evidence-custody.ts';
import { damageLines, readBundleFile } from './evidence-file.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf } from './home.ts';
import { whoAsks, withLedger } from './ledger-place.ts';
import { print, printable, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

const makePatienceMs = 180_000;

/** `ringfence evidence …`: bundles of incidents. */
export function run({ action, names, values }: Invocation): Promise<number> {
  const [name = ''] = names;
  if (action === 'make') return make(name, values);
  if (action === 'show') return show(name, values);
  return custody(name, values);
}

async function make(incident: string, values: Values): Promise<number> {
  const answer = await askEdge('evidence make', { incident }, makePatienceMs);
  if (!answer.ok) return exitCode.failed;
  const made = answer.value as MadeFile;
  const out = text(values, 'out');
  if (out !== undefined) {
    const to = resolve(out);
    copyNew(made.file, to);
    await recordCustody(values, undefined, {
      act: 'copied',
      incident,
      by: whoAsks(),
      bundle: made.id,
      file: to,
    });
  }
  if (flag(values, 'json')) printJson({ ...made, ...(out === undefined ? {} : { out: resolve(out) }) });
  else
    print(
      `${out ?? made.file}: ${made.messages} SIP messages, ${made.octets} octets\nIts manifest has the SHA-256 ${made.id}.`,
    );
  return exitCode.done;
}

/** Evidence is never written over. */
function copyNew(from: string, to: string): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new UsageError(`${to} is there already; the bundle is ${from}`, 'evidence');
  }
}

/** What a bundle says, whole or not: what is damaged is said first. */
async function show(file: string, values: Values): Promise<number> {
  const { checked, isOurs } = readBundleFile(file, values);
  const { manifest, damages, parts, signedBy, id } = checked;
  if (flag(values, 'json')) printJson({ manifest, id, signedBy, damages });
  else {
    for (const line of damageLines(damages)) print(line);
    if (damages.length > 0) print('Do not rely on what follows.\n');
    const read = (name: string): string => Buffer.from(parts.get(name) ?? []).toString('utf8');
    if (manifest !== undefined) {
      print(
        `Made by ${plainText(manifest.madeBy, 100)} on ${plainText(manifest.node, 100)} at ${new Date(manifest.madeAt).toISOString()}`,
      );
      print(
        signedBy === undefined
          ? 'Signed by nobody'
          : `Signed by the key ${signedBy}${isOurs ? '' : ' (compare it with what the edge prints)'}`,
      );
      print('');
    }
    for (const name of ['readme.txt', 'ladder.txt']) print(read(name).split('\n').map(printable).join('\n'));
  }
  if (manifest !== undefined)
    await recordCustody(values, manifest.ledger, {
      act: 'read',
      incident: manifest.incident,
      by: whoAsks(),
      bundle: id,
      file: resolve(file),
    });
  return damages.length === 0 ? exitCode.done : exitCode.failed;
}

async function custody(incident: string, values: Values): Promise<number> {
  const steps = await withLedger(configurationOf(values), ({ backend, keys }) =>
    custodyOf(backend, keys, incident),
  );
  if (flag(values, 'json')) for (const one of steps) print(JSON.stringify(one));
  else if (steps.length === 0) print(`The ledger holds nothing about evidence of ${incident}.`);
  else
    print(
      table(
        ['ENTRY', 'TIME', 'ACT', 'BY', 'BUNDLE', 'FILE'],
        steps.map(({ sequence, time, body }) => [
          String(sequence),
          new Date(time).toISOString().slice(0, 19).replace('T', ' '),
          `${body?.act ?? ''}${body?.outcome === undefined ? '' : ` (${body.outcome})`}`,
          String(body?.by ?? ''),
          String(body?.bundle ?? '-').slice(0, 16),
          String(body?.file ?? '-'),
        ]),
      ),
    );
  return exitCode.done;
}
