import { plainText } from './plain-text.ts';

/** What a ladder says of one message. */
export interface MessageWords {
  /** `INVITE bob@example.test`, `180 Ringing (INVITE)`. */
  readonly label: string;
  /** As it is written in the message; empty where there is none. */
  readonly callId: string;
  readonly kind: 'request' | 'provisional' | 'success' | 'failure';
}

const mostHead = 16_384;
const mostLabel = 60;

/** Reads as little of a message as a ladder needs, line by line; takes any octets. */
export function messageWords(bytes: Uint8Array): MessageWords {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, mostHead)).toString('utf8');
  const [first = '', ...rest] = text.split('\n');
  let callId = '';
  let method = '';
  let hasSdp = false;
  for (const line of rest) {
    if (line === '' || line === '\r') break;
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = (): string => line.slice(colon + 1).trim();
    if ((name === 'call-id' || name === 'i') && callId === '') callId = value();
    else if (name === 'cseq') method = value().split(/[ \t]/).at(-1) ?? '';
    else if (name === 'content-type' || name === 'c') hasSdp = value().toLowerCase().includes('sdp');
  }
  const sdp = hasSdp ? ' +SDP' : '';
  const start = first.trim();
  if (start.startsWith('SIP/2.0 ')) {
    const status = start.slice(8, 11);
    const words = `${start.slice(8)}${method === '' ? '' : ` (${method})`}`;
    return {
      label: `${plainText(words, mostLabel)}${sdp}`,
      callId: plainText(callId, 200),
      kind: status < '200' ? 'provisional' : status < '300' ? 'success' : 'failure',
    };
  }
  const [verb = '', uri = ''] = start.split(' ');
  const target = uri.replace(/^(?:sips?|tel):/i, '').split(/[;?]/, 1)[0] ?? '';
  return {
    label: `${plainText(`${verb} ${target}`.trim(), mostLabel)}${sdp}`,
    callId: plainText(callId, 200),
    kind: 'request',
  };
}
