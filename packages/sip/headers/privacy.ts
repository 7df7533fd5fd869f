import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** Values of Privacy, RFC 3323 §4.2, RFC 3325 §9.3 and RFC 7044 §10.1. */
export type PrivacyValue = 'header' | 'session' | 'user' | 'none' | 'critical' | 'id' | 'history';

const known: ReadonlySet<string> = new Set([
  'header',
  'session',
  'user',
  'none',
  'critical',
  'id',
  'history',
]);
/** More than there are. */
const mostValues = 16;

export interface Privacy {
  readonly values: ReadonlySet<PrivacyValue>;
  /** Some value is none that we know. */
  readonly unknown: boolean;
}

/**
 * Reads the Privacy header fields of a message, RFC 3323 §4.2: values between semicolons; commas, which some write,
 * are taken as well.
 */
export function parsePrivacy(fields: readonly string[]): Result<Privacy, string> {
  const values = new Set<PrivacyValue>();
  let unknown = false;
  let count = 0;
  for (const field of fields)
    for (const part of field.replaceAll(',', ';').split(';', mostValues + 1)) {
      const value = part.trim().toLowerCase();
      count += 1;
      if (value === '' || count > mostValues) return err('not a list of values');
      if (known.has(value)) values.add(value as PrivacyValue);
      else unknown = true;
    }
  return ok({ values, unknown });
}

export const serializePrivacy = (values: Iterable<PrivacyValue>): string => [...values].join(';');
