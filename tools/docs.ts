import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commandLinePage } from '../apps/edge/command/reference.ts';
import { configurationSchemaText } from '../apps/edge/config/json-schema.ts';
import { configurationPage } from '../apps/edge/config/reference.ts';
import { rejectReasonsPage } from '../apps/edge/policy/reject-reasons.ts';
import { attackClassesPage } from './attack-classes.ts';
import { eventSchemaText } from './event-schema.ts';
import { eventsPage } from './events-page.ts';
import { repositoryRoot } from './imports.ts';
import { coveragePage } from './rfc-coverage.ts';

/** Pages that are made from the program itself. `node tools/docs.ts` writes them, `npm run check` compares them. */
export const generated: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationPage,
  'docs/command-line.md': commandLinePage,
  'docs/ringfence.schema.json': configurationSchemaText,
  'docs/events.schema.json': eventSchemaText,
  'docs/events.md': eventsPage,
  'docs/reject-reasons.md': rejectReasonsPage,
  'docs/rfc-coverage.md': coveragePage,
  'docs/attack-classes.md': attackClassesPage,
};

/** Names the pages that are not what the program would write now. */
export function checkDocs(root: string): string[] {
  return Object.entries(generated).flatMap(([file, make]) => {
    let text = '';
    try {
      text = readFileSync(join(root, file), 'utf8');
    } catch {
      return [`${file} is missing: run \`node tools/docs.ts\``];
    }
    return text === make() ? [] : [`${file} is out of date: run \`node tools/docs.ts\``];
  });
}

if (import.meta.main) {
  for (const [file, make] of Object.entries(generated)) {
    const path = join(repositoryRoot, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, make());
    console.log(file);
  }
}
