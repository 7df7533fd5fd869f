import { quoteText } from '@ringfence/sip/message/quoted.ts';
import type { Uri } from '@ringfence/sip/message/types.ts';
import { serializeUri, sipUri } from '@ringfence/sip/message/uri.ts';
import type { Binding } from '../store/contract.ts';
import { instanceOf } from './outbound.ts';

/** The public GRUU of a phone, RFC 5627 §3.1.1; undefined for bindings without an instance. */
export function publicUri({ domain, user, key }: Pick<Binding, 'domain' | 'user' | 'key'>): Uri | undefined {
  const instance = instanceOf(key);
  if (instance === undefined) return undefined;
  return sipUri({ user, host: domain, params: new Map([['gr', instance.slice(2, -2)]]) });
}

/** Contact parameter with it, RFC 5627 §5.1. */
export function publicGruu(binding: Pick<Binding, 'domain' | 'user' | 'key'>): string {
  const uri = publicUri(binding);
  return uri === undefined ? '' : `;pub-gruu=${quoteText(serializeUri(uri))}`;
}

/** True for bindings of the phone that a public GRUU names by its `gr` parameter. */
export const isInstance = ({ key }: Pick<Binding, 'key'>, gr: string): boolean =>
  instanceOf(key) === `"<${gr}>"`;
