import { answer } from '@ringfence/sip/digest/client.ts';
import type { SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Trunk } from '../objects/types.ts';

/** A header field that answers a challenge. */
export interface Credentials {
  readonly name: 'Authorization' | 'Proxy-Authorization';
  readonly value: string;
}

export const isChallenge = (status: number): boolean => status === 401 || status === 407;

/** Answers a trunk's 401 or 407 with what it was given for us, RFC 3261 §22.2 and §22.3; undefined: we cannot. */
export function credentialsFor(
  trunk: Trunk | undefined,
  response: SipResponse,
  method: string,
  uri: Uri,
  cnonce: string,
): Credentials | undefined {
  const outbound = trunk?.outbound;
  if (outbound === undefined) return undefined;
  const proxy = response.status === 407;
  const answered = answer(response.headers.all(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate'), {
    method,
    uri: serializeUri(uri),
    username: outbound.username,
    password: outbound.password,
    cnonce,
    nc: 1,
    allowMd5: outbound.allowMd5,
  });
  if (!answered.ok) return undefined;
  return { name: proxy ? 'Proxy-Authorization' : 'Authorization', value: answered.value.authorization };
}
