import { appendFileSync } from 'node:fs';
import type { EdgeEvent } from '../events/types.ts';

/** Environment variable naming a file that gets the secrets of all TLS connections, for tests with a packet analyser. */
export const keyLogVariable = 'RINGFENCE_DANGEROUS_TLS_KEYLOG';

export type KeyLog = (line: Uint8Array) => void;

/** A writer if the variable is set, and then tells of it as `edge.dangerous`. */
export const openKeyLog = (
  environment: Readonly<Record<string, string | undefined>>,
  emit: (event: EdgeEvent) => void,
): KeyLog | undefined => {
  const file = environment[keyLogVariable];
  if (file === undefined || file === '') return undefined;
  emit({
    type: 'edge.dangerous',
    key: keyLogVariable,
    meaning: `Keys of all TLS connections are written to ${file}: whoever reads it can read all signalling.`,
  });
  return (line) => appendFileSync(file, line, { mode: 0o600 });
};
