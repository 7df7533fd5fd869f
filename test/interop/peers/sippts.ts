/**
 * sippts, where RINGFENCE_SIPPTS names a folder with its sources (github.com/Pepelux/sippts; it needs python3-netifaces,
 * python3-ipy and python3-requests).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env.RINGFENCE_SIPPTS;

export const sipptsVersion = (): string | null =>
  folder !== undefined && existsSync(join(folder, 'bin/sippts'))
    ? readFileSync(join(folder, 'version'), 'utf8').trim()
    : null;

/** What starts one of its modules, with what stands before the module's own arguments. */
export const sippts = (module: 'scan' | 'exten' | 'rcrack'): readonly [string, ...string[]] => [
  'env',
  `PYTHONPATH=${join(folder ?? '', 'src')}`,
  // It asks for its latest version before anything else, and there is nobody here to ask.
  'https_proxy=http://127.0.0.1:9',
  '/usr/bin/python3',
  join(folder ?? '', 'bin/sippts'),
  module,
  '-nocolor',
];
