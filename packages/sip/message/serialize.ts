import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { consistsOf, TOKEN, WORD } from './characters.ts';
import { serializeNameAddr } from './name-addr.ts';
import type { SipMessage } from './types.ts';
import { serializeUri } from './uri.ts';
import { serializeVia } from './via.ts';

const token = (text: string, what: string): string => {
  if (!consistsOf(text, TOKEN)) throw new MisuseError('header-injection', `${what} is not a token`);
  return text;
};

const integer = (value: number, low: number, high: number, what: string): number => {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new MisuseError('bad-number', `${what} is not an integer from ${low} to ${high}`);
  }
  return value;
};

const phrase = (text: string): string => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 9) || code === 0x7f) {
      throw new MisuseError('header-injection', 'control character in the reason phrase');
    }
  }
  return text;
};

const digits = /^[0-9]+$/;

const sequence = (message: SipMessage): string => {
  const { number, method, outOfRange } = message.cseq;
  if (outOfRange === undefined)
    return `${integer(number, 0, 0x7fffffff, 'CSeq')} ${token(method, 'method of CSeq')}`;
  if (!digits.test(outOfRange)) throw new MisuseError('header-injection', 'CSeq is not a number');
  return `${outOfRange} ${token(method, 'method of CSeq')}`;
};

/** The header section up to and with the empty line, as text. */
const headText = (message: SipMessage): string => {
  let text =
    message.kind === 'request'
      ? `${token(message.method, 'method')} ${serializeUri(message.uri)} SIP/2.0\r\n`
      : `SIP/2.0 ${integer(message.status, 100, 699, 'status')} ${phrase(message.reason)}\r\n`;
  for (const via of message.via) text += `Via: ${serializeVia(via)}\r\n`;
  if (message.kind === 'request' && message.maxForwards !== undefined) {
    text += `Max-Forwards: ${integer(message.maxForwards, 0, 255, 'Max-Forwards')}\r\n`;
  }
  if (!consistsOf(message.callId, WORD)) throw new MisuseError('header-injection', 'Call-ID is not a word');
  return `${text}From: ${serializeNameAddr(message.from)}\r\nTo: ${serializeNameAddr(message.to)}\r\nCall-ID: ${
    message.callId
  }\r\nCSeq: ${sequence(message)}\r\n${message.headers.toWire()}Content-Length: ${message.body.length}\r\n\r\n`;
};

/**
 * The message as octets, every header written anew from its field.
 *
 * Via, Max-Forwards, From, To, Call-ID and CSeq come first, then the other headers in their order, under their usual
 * names, then Content-Length as counted. Throws `MisuseError` (`header-injection`, `bad-uri`, `bad-host`,
 * `bad-port`, `bad-number`) if a field holds what cannot stand in it; never for a message that `parseMessage`
 * returned. RFC 3261 §7.3.
 */
export const serializeMessage = (message: SipMessage): Uint8Array => {
  const head = headText(message);
  const { body } = message;
  if (body.length === 0) return Buffer.from(head, 'utf8');
  const headLength = Buffer.byteLength(head, 'utf8');
  const bytes = Buffer.allocUnsafe(headLength + body.length);
  bytes.write(head, 0, headLength, 'utf8');
  bytes.set(body, headLength);
  return bytes;
};
