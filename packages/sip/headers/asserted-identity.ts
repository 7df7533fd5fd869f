import { parseNameAddrList } from '../message/name-addr.ts';
import type { NameAddr } from '../message/types.ts';

/**
 * Identities of P-Asserted-Identity or P-Preferred-Identity, RFC 3325 §9.1: at most one sip or sips URI and one tel
 * URI. What is beyond that, or cannot be read, is left out; none at all gives an empty list.
 */
export function assertedIdentities(fields: readonly string[]): readonly NameAddr[] {
  let sip: NameAddr | undefined;
  let tel: NameAddr | undefined;
  for (const field of fields) {
    const parsed = parseNameAddrList(field);
    if (!parsed.ok) continue;
    for (const value of parsed.value) {
      if (value.uri.scheme === 'tel') tel ??= value;
      else if (value.uri.scheme !== 'other') sip ??= value;
    }
  }
  return [sip, tel].filter((value) => value !== undefined);
}
