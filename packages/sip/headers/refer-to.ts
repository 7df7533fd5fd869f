import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import type { SipUri, TelUri } from '../message/types.ts';
import { parseReplaces, type Replaces } from './replaces.ts';

/** What a REFER asks for, RFC 3515 §2.1. */
export interface ReferTo {
  /** Whom to call, without the headers that stood in the URI. */
  readonly uri: SipUri | TelUri;
  /** Method parameter of the URI; INVITE where there is none (RFC 3261 §19.1.1). */
  readonly method: string;
  /** The dialog that the call shall take the place of (RFC 3891). */
  readonly replaces?: Replaces;
}

const noHeaders: SipUri['headers'] = new Map();

/**
 * Reads a Refer-To value, RFC 3515 §2.1.
 *
 * Of the header fields in the URI only Replaces is read: no other is for the referrer to choose. A URI that is
 * neither sip, sips nor tel is an error.
 */
export const parseReferTo = (text: string): Result<ReferTo, string> => {
  const parsed = parseNameAddr(text);
  if (!parsed.ok) return err(parsed.error);
  const { uri } = parsed.value;
  if (uri.scheme === 'other') return err('scheme of the URI');
  if (uri.scheme === 'tel') return ok({ uri, method: 'INVITE' });
  const method = uri.params.get('method');
  const params = new Map(uri.params);
  params.delete('method');
  const target: ReferTo = {
    uri: { ...uri, params, headers: noHeaders },
    method: typeof method === 'string' ? method : 'INVITE',
  };
  const named = uri.headers.get('replaces');
  if (named === undefined) return ok(target);
  const replaces = parseReplaces(named);
  return replaces.ok ? ok({ ...target, replaces: replaces.value }) : err(`Replaces: ${replaces.error}`);
};
