import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMediaType } from '@ringfence/sip/message/media-type.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';

/** Types of MESSAGE bodies that pass, RFC 3428 §4; those that name people or places (message/cpim) do not. */
const messageTypes = new Set(['text/plain', 'message/imdn+xml', 'application/im-iscomposing+xml']);

/** What is passed on of a request beside its parties; or why it is not. */
export type Content =
  | { readonly headers: HeaderList; readonly body: Uint8Array }
  | { readonly status: number; readonly headers?: HeaderList };

/** Body of a MESSAGE; longer ones than `longest` octets belong into sessions (RFC 3428 §8). */
export function messageBody(request: SipRequest, longest: number): Content {
  const type = parseMediaType(request.headers.get('Content-Type') ?? '');
  if (!type.ok || !messageTypes.has(type.value.type) || request.headers.has('Content-Encoding'))
    return { status: 415, headers: new HeaderList().add('Accept', [...messageTypes].join(', ')) };
  if (request.body.length > longest) return { status: 513 };
  const charset = type.value.params.get('charset');
  const utf8 = charset === undefined || (typeof charset === 'string' && /^"?utf-8"?$/i.test(charset));
  const headers = new HeaderList().add(
    'Content-Type',
    utf8 ? `${type.value.type};charset=UTF-8` : type.value.type,
  );
  return { headers, body: request.body };
}
