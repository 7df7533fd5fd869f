import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMediaType } from '@ringfence/sip/message/media-type.ts';
import { handlingOf, parseMultipart } from '@ringfence/sip/message/multipart.ts';
import { reasonPhrase } from '@ringfence/sip/message/status.ts';
import type { Decision } from '../policy/types.ts';

/** What a body of several parts has for us. */
export interface OpenedBody {
  readonly sdp: Uint8Array | undefined;
  /** Media type of a part that we do not know and that its sender says must be understood (RFC 5621 §6). */
  readonly beyond: string | undefined;
}

/** Types of bodies that an INVITE may have; what else stands in several parts is never passed on. */
export const invitingBodies: ReadonlySet<string> = new Set([
  'application/sdp',
  'multipart/mixed',
  'multipart/alternative',
]);

/**
 * Opens a body of several parts, RFC 5621 §3 and RFC 2046 §5.1: of `multipart/mixed` the first description counts, of
 * `multipart/alternative` the last, and there the others need not be understood. Parts within parts are not opened.
 *
 * Undefined where it cannot be read.
 */
export function openBody(contentType: string, body: Uint8Array): OpenedBody | undefined {
  const parts = parseMultipart(contentType, body);
  if (!parts.ok) return undefined;
  const alternative = contentType.trimStart().toLowerCase().startsWith('multipart/alternative');
  let sdp: Uint8Array | undefined;
  let beyond: string | undefined;
  for (const part of parts.value) {
    const type = typeOf(part.headers);
    if (type === 'application/sdp') {
      if (sdp === undefined || alternative) sdp = part.body;
    } else if (!alternative && handlingOf(part.headers) === 'required') beyond ??= type;
  }
  return { sdp, beyond: alternative && sdp === undefined ? 'multipart/alternative' : beyond };
}

// RFC 2046 §5.1: a part without a type is text.
function typeOf(headers: HeaderList): string {
  const type = parseMediaType(headers.get('Content-Type') ?? 'text/plain');
  return type.ok ? type.value.type : 'text/plain';
}

const isMultipart = (type: string | undefined): type is string =>
  type?.trimStart().toLowerCase().startsWith('multipart/') === true;

/** Why an INVITE with such a body goes no further; undefined where nothing stands against it. */
export function refusalOfParts(message: {
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}): Decision | undefined {
  const type = message.headers.get('Content-Type');
  if (message.body.length === 0 || !isMultipart(type)) return undefined;
  const opened = openBody(type, message.body);
  if (opened === undefined) return refused(400, 'The parts of the body cannot be told apart', '');
  if (opened.beyond === undefined) return undefined;
  return refused(415, 'A part of the body is of a type that is not known here', opened.beyond);
}

const refused = (status: number, warning: string, type: string): Decision => ({
  verdict: 'refuse',
  cause: 'malformed',
  status,
  reason: reasonPhrase(status),
  warning,
  reasons: [{ rule: 'body.parts', text: `${warning}.`, evidence: { type } }],
});
