import { test } from 'node:test';
import { runSanitized, sanitizersAbsent } from '../../tools/sanitized-tests.ts';
import { addon } from './build.mjs';

test(
  'the UDP socket under AddressSanitizer and UndefinedBehaviorSanitizer finds nothing',
  {
    skip: sanitizersAbsent,
  },
  () => runSanitized(addon, 'RINGFENCE_DATAGRAM_ADDON', [new URL('./socket.test.ts', import.meta.url)], 7),
);
