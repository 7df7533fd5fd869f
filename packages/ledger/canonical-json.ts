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
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!Number.isFinite(value)) throw new MisuseError('ledger-value', `${value} cannot be recorded`);
      // as JSON.stringify has it: -0 is 0
      return `${value}`;
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value)) {
        let list = '';
        for (const item of value as readonly unknown[])
          list += `${list === '' ? '' : ','}${canonicalJson(item ?? null, depth + 1)}`;
        return `[${list}]`;
      }
      let text = '';
      const fields = value as Readonly<Record<string, unknown>>;
      for (const name of Object.keys(fields).sort()) {
        const field = fields[name];
        if (field === undefined) continue;
        text += (text === '' ? '' : ',') + quoted(name) + canonicalJson(field, depth + 1);
      }
      return `{${text}}`;
    }
    default:
      throw new MisuseError('ledger-value', `a ${typeof value} cannot be recorded`);
  }
}

/** Names with their quotes and colon; those of fields come again and again, so that many are kept. */
const names = new Map<string, string>();
const mostNames = 1_000;
const longestName = 64;

function quoted(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  const text = `${JSON.stringify(name)}:`;
  if (names.size < mostNames && name.length <= longestName) names.set(name, text);
  return text;
}
