// Builds build/datagram.node at install.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install } from '../../tools/build-addon.mjs';

const here = dirname(fileURLToPath(import.meta.url));

export const addon = { what: 'UDP door', package: '@ringfence/datagram', sources: join(here, 'addon') };

if (process.argv[1] === fileURLToPath(import.meta.url))
  await install(addon, join(here, 'build'), 'datagram.node');
