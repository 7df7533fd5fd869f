import { MisuseError } from '@ringfence/bytes/misuse.ts';

/**
 * JSON with sorted names and without white space, so that the same value is always the same octets (as RFC 8785 has
 * it for names within the Unicode basic plane). What is undefined is left out.
 *
 * @throws MisuseError `ledger-value` for what JSON has no word for, and for nesting deeper than 32.
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > 32) throw new MisuseError('ledger-value', 'a value nested too deeply for the ledger');
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new MisuseError('ledger-value', `${value} cannot be recorded`);
      return JSON.stringify(value);
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value))
        return `[${value.map((item: unknown) => canonicalJson(item ?? null, depth + 1)).join(',')}]`;
      let text = '';
      const fields = value as Readonly<Record<string, unknown>>;
      for (const name of Object.keys(fields).sort()) {
        if (fields[name] === undefined) continue;
        text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(fields[name], depth + 1)}`;
      }
      return `{${text}}`;
    }
    default:
      throw new MisuseError('ledger-value', `a ${typeof value} cannot be recorded`);
  }
}
