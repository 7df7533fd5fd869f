import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** Text, and numbers of captures between it. */
export type Template = readonly (string | number)[];

/** Reads a replacement such as `+49{1}`: `{0}` is the whole, `{1}` the first capture of the pattern. */
export function parseTemplate(text: string, captures: number): Result<Template, string> {
  if (text.length === 0 || text.length > 64) return err(`has ${text.length} characters, not 1 to 64`);
  const parts: (string | number)[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i] as string;
    if (c === '{') {
      const digit = text[i + 1] ?? '';
      if (!/^[0-9]$/.test(digit) || text[i + 2] !== '}') return err('has a brace that is not like `{1}`');
      if (Number(digit) > captures)
        return err(`names {${digit}}, but \`match\` has ${captures} pairs of parentheses`);
      parts.push(Number(digit));
      i += 2;
    } else if (isNumberText(c)) parts.push(c);
    else return err(`contains \`${c}\`, which no number contains`);
  }
  return ok(parts);
}

export const expandTemplate = (template: Template, captures: readonly string[]): string =>
  template.map((part) => (typeof part === 'number' ? (captures[part] ?? '') : part)).join('');

/** Longest number or user part that rules make. */
const longest = 64;

/** Nothing but what may stand in a user part without being escaped, 1 to 64 characters. */
export function isNumberText(text: string): boolean {
  if (text.length === 0 || text.length > longest) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    const alphanumeric = (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
    if (!alphanumeric && !'+*#._~-'.includes(text[i] as string)) return false;
  }
  return true;
}
