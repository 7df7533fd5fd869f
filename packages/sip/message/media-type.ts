import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { lowerSlice, SPACE, skipClass, TOKEN } from './characters.ts';
import { defaultLimits } from './limits.ts';
import { readParams } from './params.ts';
import type { Params } from './types.ts';

/** A media type or range: value of Content-Type, member of Accept (RFC 3261 §20.1, §20.15). */
export interface MediaType {
  /** Both in lower case, e.g. `application/sdp`; `*` is a token of the grammar. */
  readonly type: string;
  readonly params: Params;
}

/** Reads `type/subtype;param=value`. */
export const parseMediaType = (text: string): Result<MediaType, string> => {
  const end = text.length;
  const start = skipClass(text, 0, end, SPACE);
  const slash = skipClass(text, start, end, TOKEN);
  const behind = skipClass(text, slash, end, SPACE);
  if (slash === start || behind === end || text.charCodeAt(behind) !== 0x2f) return err('no media type');
  const subtype = skipClass(text, behind + 1, end, SPACE);
  const subtypeEnd = skipClass(text, subtype, end, TOKEN);
  if (subtypeEnd === subtype) return err('no media subtype');
  const params = readParams(text, subtypeEnd, end, defaultLimits.paramCount);
  if (typeof params === 'string') return err(params);
  return ok({ type: `${lowerSlice(text, start, slash)}/${lowerSlice(text, subtype, subtypeEnd)}`, params });
};

/** True if a member of an Accept header covers that type, e.g. `application/*` covers `application/sdp`. */
export const acceptCovers = (range: string, type: string): boolean => {
  if (range === '*/*' || range === type) return true;
  return range.endsWith('/*') && type.startsWith(range.slice(0, -1));
};
