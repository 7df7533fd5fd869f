import { relative } from 'node:path';

/** How to call this program again, the way that it was called. */
export function ownCommand(rest: string): string {
  const home = process.env.RINGFENCE_HOME ? `RINGFENCE_HOME=${process.env.RINGFENCE_HOME} ` : '';
  if (process.env.npm_lifecycle_event !== undefined) return `${home}npm run -s ringfence -- ${rest}`;
  const script = process.argv[1] ?? '';
  if (!script.endsWith('.ts')) return `${home}ringfence ${rest}`;
  return `${home}node ${relative(process.cwd(), script)} ${rest}`;
}
