import { quoteText } from '@ringfence/sip/message/quoted.ts';
import { serializeUri, sipUri } from '@ringfence/sip/message/uri.ts';
import type { Binding } from '../store/contract.ts';
import { instanceOf } from './outbound.ts';

/** Contact parameter with the public GRUU of the phone, RFC 5627 §5.1; empty for bindings without an instance. */
export function publicGruu({ domain, user, key }: Pick<Binding, 'domain' | 'user' | 'key'>): string {
  const instance = instanceOf(key);
  if (instance === undefined) return '';
  const uri = sipUri({ user, host: domain, params: new Map([['gr', instance.slice(2, -2)]]) });
  return `;pub-gruu=${quoteText(serializeUri(uri))}`;
}

/** True for bindings of the phone that a public GRUU names by its `gr` parameter. */
export const isInstance = ({ key }: Pick<Binding, 'key'>, gr: string): boolean =>
  instanceOf(key) === `"<${gr}>"`;
