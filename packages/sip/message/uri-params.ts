import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { lowerSlice, skipClass, URI_PARAM, URI_PARAM_PLAIN } from './characters.ts';
import { decodeEscapes, encodeEscapes } from './escapes.ts';
import { noParams } from './params.ts';
import type { Params } from './types.ts';

/**
 * Reads what follows `;` in URI parameters; shared by sip and tel URIs. `from` is the first semicolon and the
 * parameters fill the range. Names and values have their escapes decoded.
 */
export const readUriParams = (text: string, from: number, end: number, limit: number): Params | string => {
  if (from === end) return noParams;
  const params = new Map<string, string | true>();
  let i = from;
  while (i < end) {
    if (text.charCodeAt(i) !== 0x3b) return 'bad character in URI parameter';
    if (params.size >= limit) return 'too many URI parameters';
    const start = i + 1;
    i = skipClass(text, start, end, URI_PARAM);
    if (i === start) return 'URI parameter without name';
    let name: string | undefined = lowerSlice(text, start, i);
    if (name.includes('%')) name = decodeEscapes(text, start, i)?.toLowerCase();
    if (name === undefined) return 'bad escape in URI parameter';
    if (params.has(name)) return 'repeated URI parameter';
    if (i < end && text.charCodeAt(i) === 0x3d) {
      const valueStart = i + 1;
      i = skipClass(text, valueStart, end, URI_PARAM);
      if (i === valueStart) return 'URI parameter without value';
      let value: string | undefined = text.slice(valueStart, i);
      if (value.includes('%')) value = decodeEscapes(text, valueStart, i);
      if (value === undefined) return 'bad escape in URI parameter';
      params.set(name, value);
    } else {
      params.set(name, true);
    }
  }
  return params;
};

/** URI parameters as text, escaped where the grammar asks for it. */
export const writeUriParams = (params: Params): string => {
  let text = '';
  for (const [name, value] of params) {
    if (name === '' || value === '') throw new MisuseError('bad-uri', 'URI parameter without name or value');
    text += `;${encodeEscapes(name, URI_PARAM_PLAIN)}`;
    if (value !== true) text += `=${encodeEscapes(value, URI_PARAM_PLAIN)}`;
  }
  return text;
};
