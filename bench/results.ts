/** bench/RESULTS.md: each bench replaces the text between its own two markers and leaves the rest alone. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = join(dirname(fileURLToPath(import.meta.url)), 'RESULTS.md');

/** One measurement beside its peer; a side that was not measured is null and `note` says why. */
export type Row = {
  readonly bench: string;
  readonly work: string;
  readonly unit: string;
  readonly ours: number | null;
  readonly peer: string;
  readonly theirs: number | null;
  /** ours / theirs. */
  readonly ratio: number | null;
  readonly note?: string;
  /** What else was seen, by name. */
  readonly seen?: Readonly<Record<string, number | null>>;
};

export function row(base: Omit<Row, 'ratio'>): Row {
  const { ours, theirs } = base;
  const ratio =
    ours === null || theirs === null || theirs === 0 ? null : Math.round((ours / theirs) * 1000) / 1000;
  return { ...base, ratio };
}

export function machine(): string {
  const all = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${all.length} × ${all[0]?.model.trim() ?? 'unknown CPU'}, ${gigabytes} GiB, Linux ${release()}, Node ${process.version}`;
}

/** The commit measured, marked where the tree has changes that are in none. */
export function revision(): string {
  const git = (...args: string[]) => spawnSync('git', ['-C', dirname(FILE), ...args], { encoding: 'utf8' });
  const { status, stdout } = git('rev-parse', '--short', 'HEAD');
  if (status !== 0) return 'no commit';
  const changed =
    git('status', '--porcelain', '--untracked-files=no', '--', '..', ':!../bench').stdout.trim() !== '';
  return `commit ${stdout.trim()}${changed ? ' with changes' : ''}`;
}

const shown = (value: number | null): string => (value === null ? '–' : String(value));

export function table(rows: readonly Row[]): string {
  const lines = ['| work | unit | ours | peer | theirs | ratio | note |', '|---|---|---:|---|---:|---:|---|'];
  for (const { work, unit, ours, peer, theirs, ratio, note } of rows) {
    lines.push(
      `| ${work} | ${unit} | ${shown(ours)} | ${peer} | ${shown(theirs)} | ${shown(ratio)} | ${note ?? ''} |`,
    );
  }
  return lines.join('\n');
}

export function writeSection(name: string, text: string): void {
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const before = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '# Results of the benches\n';
  const from = before.indexOf(start);
  const to = before.indexOf(end);
  const section = `${start}\n${text.trim()}\n${end}`;
  const after =
    from >= 0 && to > from
      ? before.slice(0, from) + section + before.slice(to + end.length)
      : `${before.trimEnd()}\n\n${section}\n`;
  const temporary = `${FILE}.${process.pid}`;
  writeFileSync(temporary, after);
  renameSync(temporary, FILE);
}
