/** One thing wrong in a file that an administrator wrote, with the place and the way out. */
export interface ConfigProblem {
  readonly file: string;
  /** 1-based; 0 where the problem has no place in the file. */
  readonly line: number;
  readonly column: number;
  /** `listeners[0].port`; empty for the file as a whole. */
  readonly key: string;
  readonly problem: string;
  /** What to write instead, as a sentence. */
  readonly instead: string;
}

/** `file:line:column: key: problem. What to do.`; the form that editors and terminals make clickable. */
export function formatProblem(p: ConfigProblem): string {
  const place = p.line > 0 ? `${p.file}:${p.line}:${p.column}` : p.file;
  const key = p.key === '' ? '' : ` ${p.key}:`;
  return `${place}:${key} ${p.problem}. ${p.instead}`;
}
