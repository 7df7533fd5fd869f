import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { HeaderBlock } from './header-block.ts';
import { defaultLimits, type MessageLimits } from './limits.ts';
import { scanHeader } from './scan.ts';
import { readStartLine } from './start-line.ts';
import { reasonPhrase } from './status.ts';
import type { ParseError, SipMessage, SipRequest } from './types.ts';

export { defaultLimits, type MessageLimits } from './limits.ts';

/** How the octets came: on a stream Content-Length must be there and exact (RFC 3261 §18.3). */
export interface Framing {
  readonly stream: boolean;
}

const cr = 13;
const lf = 10;
const noBody = new Uint8Array(0);

type Slice = (this: Uint8Array, from: number, end: number) => string;
// Four times as fast as TextDecoder on short input; the typings of Node leave them out.
const { latin1Slice, utf8Slice } = Buffer.prototype as unknown as { latin1Slice: Slice; utf8Slice: Slice };

const refuse = (code: string, detail: string): Result<SipMessage, ParseError> => err({ code, detail });

/**
 * Parses one message (RFC 3261 §7, §25).
 *
 * Never throws, and costs time and memory linear in the input. What it returns is valid by type: mandatory fields
 * are there and well-formed, CSeq fits the method, header values hold no CR, LF or NUL, and duplicates of
 * single-valued headers are refused. Octets that are not UTF-8 become U+FFFD. The body is a view of `bytes`, not
 * a copy. In a datagram, octets behind Content-Length are dropped; on a stream `bytes` is one framed message.
 */
export const parseMessage = (
  bytes: Uint8Array,
  limits?: Partial<MessageLimits>,
  transport?: Framing,
): Result<SipMessage, ParseError> => {
  const bounds = limits === undefined ? defaultLimits : { ...defaultLimits, ...limits };
  const size = bytes.length;
  if (size > bounds.totalSize) return refuse('too-large', 'message too large');
  let start = 0;
  // §7.5: empty lines before the start line are ignored.
  while (start + 1 < size && bytes[start] === cr && bytes[start + 1] === lf) start += 2;
  if (start >= size) return refuse('empty', 'no start line');

  const scanEnd = Math.min(size, start + bounds.headerSize);
  const scan = scanHeader(bytes, start, scanEnd);
  if (scan.problem !== undefined) return refuse('bad-line-end', scan.problem);
  let { headerEnd } = scan;
  const ended = headerEnd >= 0;
  if (!ended) {
    if (scanEnd < size) return refuse('header-too-large', 'header fields too large');
    headerEnd = size;
  }

  const text = (scan.ascii ? latin1Slice : utf8Slice).call(bytes, start, headerEnd);
  let lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) lineEnd = text.length;
  if (lineEnd > bounds.lineLength) return refuse('line-too-long', 'start line too long');
  const line = readStartLine(text, 0, lineEnd, bounds.paramCount);
  if (line === undefined) return refuse('bad-start-line', 'neither a request line nor a status line');

  const block = new HeaderBlock(bounds);
  if (line.problem !== undefined) {
    block.fail(line.refusal === 505 ? 'unsupported-version' : 'bad-start-line', line.problem, line.refusal);
  }
  block.read(text, lineEnd + 2, text.length, scan.controls);
  if (!ended) block.fail('no-header-end', 'no empty line behind the header fields');
  if (line.kind === 'request') block.checkBranch();

  const { via, from, to, callId, cseq, headers } = block;
  const complete =
    via.length > 0 && from !== undefined && to !== undefined && callId !== '' && cseq !== undefined;
  if (!complete) {
    block.fail('missing-header', 'Via, From, To, Call-ID or CSeq is missing');
    return refuse(block.problem!.code, block.problem!.detail);
  }
  if (line.kind === 'request' && cseq.method !== line.method) {
    block.fail('cseq-method-mismatch', 'method of CSeq is not that of the request line');
  }

  const bodyStart = headerEnd + 4;
  let bodyEnd = size;
  const length = block.contentLength;
  if (length >= 0) {
    if (ended && bodyStart + length > size) block.fail('short-body', 'Content-Length beyond the end');
    else bodyEnd = bodyStart + length;
    if (transport?.stream === true && bodyEnd !== size)
      block.fail('bad-content-length', 'octets behind the body');
  } else if (transport?.stream === true) {
    block.fail('missing-content-length', 'no Content-Length on a stream');
  }

  const problem = block.problem;
  if (problem === undefined) {
    const body = bodyEnd > bodyStart ? bytes.subarray(bodyStart, bodyEnd) : noBody;
    const { method, uri, status, reason } = line;
    const { maxForwards } = block;
    return ok(
      uri === undefined
        ? { kind: 'response', status, reason, via, from, to, callId, cseq, headers, body }
        : { kind: 'request', method, uri, via, from, to, callId, cseq, maxForwards, headers, body },
    );
  }

  const { code, detail, status } = problem;
  // §17.1.1.3: nothing answers an ACK, and nothing ever answers a response.
  if (status === 0 || line.uri === undefined || line.method === 'ACK') return refuse(code, detail);
  const request: SipRequest = {
    kind: 'request',
    method: line.method,
    uri: line.uri,
    via,
    from,
    to,
    callId,
    cseq,
    maxForwards: block.maxForwards,
    headers,
    body: noBody,
  };
  return err({ code, detail, respond: { status, reason: reasonPhrase(status), request } });
};
