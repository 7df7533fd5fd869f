import { readFileSync } from 'node:fs';
import { flag, type Invocation } from './command.ts';
import { exitCode } from './exit-code.ts';
import { print, printJson } from './terminal.ts';

/** From package.json beside main.ts. */
export function ownVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

export function run({ values }: Invocation): number {
  const { node, openssl, sqlite } = process.versions;
  const versions = { ringfence: ownVersion(), node, openssl, sqlite };
  if (flag(values, 'json')) printJson(versions);
  else print(`ringfence ${versions.ringfence} (Node.js ${node}, OpenSSL ${openssl}, SQLite ${sqlite})`);
  return exitCode.done;
}
