import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { consistsOf, SPACE, skipClass, TOKEN, WORD } from '../message/characters.ts';
import { defaultLimits } from '../message/limits.ts';
import { readParams } from '../message/params.ts';

/** Names a dialog as the one who receives the header knows it, RFC 3891 §6.1. */
export interface Replaces {
  readonly callId: string;
  /** The receiver's own tag. */
  readonly toTag: string;
  /** Its peer's tag. */
  readonly fromTag: string;
  /** Only where the dialog is not answered yet. */
  readonly earlyOnly: boolean;
}

/**
 * Reads a Replaces value, RFC 3891 §6.1: Call-ID, both tags exactly once, `early-only`.
 *
 * A tag of `0` stands for none (RFC 2543) and is given as it is.
 */
export const parseReplaces = (text: string): Result<Replaces, string> => {
  const start = skipClass(text, 0, text.length, SPACE);
  const end = skipClass(text, start, text.length, WORD);
  if (end === start) return err('no Call-ID');
  const params = readParams(text, end, text.length, defaultLimits.paramCount);
  if (typeof params === 'string') return err(params);
  const toTag = params.get('to-tag');
  const fromTag = params.get('from-tag');
  if (!isTag(toTag)) return err('no to-tag');
  if (!isTag(fromTag)) return err('no from-tag');
  return ok({ callId: text.slice(start, end), toTag, fromTag, earlyOnly: params.has('early-only') });
};

const isTag = (value: string | true | undefined): value is string =>
  typeof value === 'string' && consistsOf(value, TOKEN);

/** The value as text. Call-ID and tags must be such as a message can carry. */
export const serializeReplaces = ({ callId, toTag, fromTag, earlyOnly }: Replaces): string =>
  `${callId};to-tag=${toTag};from-tag=${fromTag}${earlyOnly ? ';early-only' : ''}`;
