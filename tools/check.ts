import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkDocs } from './docs.ts';
import { checkImports, repositoryRoot } from './imports.ts';
import { linkWorkspaces } from './workspaces.ts';

/** `npm run check`: types, style, import directions and generated pages; every step runs, whatever the others say. */
interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly summary: string;
  readonly output: string;
  readonly seconds: number;
}

function program(name: string, file: string, args: readonly string[]): Promise<Outcome> {
  const began = performance.now();
  const path = join(repositoryRoot, 'node_modules', '.bin', file);
  if (!existsSync(path)) {
    return Promise.resolve({
      name,
      ok: false,
      summary: `${file} is missing: run \`npm ci\``,
      output: '',
      seconds: 0,
    });
  }
  return new Promise((resolve) => {
    const child = spawn(path, args, { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (text) => (output += String(text)));
    child.stderr.on('data', (text) => (output += String(text)));
    child.on('error', (error) => (output += error.message));
    child.on('close', (code, signal) => {
      const seconds = (performance.now() - began) / 1000;
      resolve({
        name,
        ok: code === 0,
        summary: code === 0 ? 'clean' : `failed (${signal ?? `exit ${code}`})`,
        output: output.trim(),
        seconds,
      });
    });
  });
}

function here(name: string, work: () => { problems: string[]; summary: string }): Outcome {
  const began = performance.now();
  const { problems, summary } = work();
  const seconds = (performance.now() - began) / 1000;
  return {
    name,
    ok: problems.length === 0,
    summary: problems.length === 0 ? summary : `${problems.length} problems`,
    output: problems.join('\n'),
    seconds,
  };
}

linkWorkspaces();
const outcomes = await Promise.all([
  program('types', 'tsc', ['-p', '.', '--noEmit']),
  // What runs in a browser knows other things than what runs here.
  program('page', 'tsc', ['-p', 'apps/edge/phone-page/browser', '--noEmit']),
  program('account page', 'tsc', ['-p', 'apps/edge/self-service/browser', '--noEmit']),
  program('style', 'biome', ['check', '--error-on-warnings', '--max-diagnostics=50', '.']),
  here('imports', () => {
    const { files, imports, problems } = checkImports(repositoryRoot);
    return {
      problems: problems.map(({ file, line, problem }) => `${file}:${line}: ${problem}`),
      summary: `${imports} imports of ${files} files point down, no circles`,
    };
  }),
  here('pages', () => ({ problems: checkDocs(repositoryRoot), summary: 'generated pages are up to date' })),
]);

for (const { name, ok, output } of outcomes) {
  if (!ok) console.log(`--- ${name}\n${output}\n`);
}
for (const { name, ok, summary, seconds } of outcomes) {
  console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(8)} ${summary} (${seconds.toFixed(1)} s)`);
}
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;
