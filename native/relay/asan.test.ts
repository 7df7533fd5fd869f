import { test } from 'node:test';
import { runSanitized, sanitizersAbsent } from '../../tools/sanitized-tests.ts';
import { addon } from './build.mjs';

test(
  'the packet path under AddressSanitizer and UndefinedBehaviorSanitizer finds nothing',
  {
    skip: sanitizersAbsent,
  },
  () =>
    runSanitized(
      addon,
      'RINGFENCE_RELAY_ADDON',
      [
        new URL('./twin.test.ts', import.meta.url),
        new URL('./rfc-vectors.test.ts', import.meta.url),
        new URL('./relaying-in-process.test.ts', import.meta.url),
        new URL('./stun-twin.test.ts', import.meta.url),
        new URL('./handshakes-in-process.test.ts', import.meta.url),
        new URL('./dtls-association.test.ts', import.meta.url),
      ],
      60,
    ),
);
