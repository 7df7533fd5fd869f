/** SIP messages as text: whatever a test wants to say, well formed or not. */
import { randomBytes } from 'node:crypto';

export const token = (): string => randomBytes(9).toString('hex');

export type Fields = readonly (readonly [name: string, value: string])[];

/** Adds Content-Length; nothing is checked. */
export function compose(startLine: string, fields: Fields, body = ''): string {
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${startLine}\r\n${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Header fields of real phones, so that a challenge is no longer than what it answers. */
export const usualFields: Fields = [
  ['User-Agent', 'Acceptance telephone 4.2 (build 1187)'],
  ['Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY, MESSAGE'],
  ['Supported', 'path, outbound, replaces, timer'],
  ['Accept', 'application/sdp'],
];

export interface RequestText {
  readonly method: string;
  readonly uri: string;
  /** As the Via shows it. */
  readonly transport: string;
  readonly sentBy: string;
  readonly from: string;
  readonly to: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  readonly more?: Fields;
  readonly body?: string;
  readonly maxForwards?: number;
}

export function requestText(request: RequestText): string {
  const { method, uri, transport, sentBy, from, to, more = usualFields, body = '' } = request;
  return compose(
    `${method} ${uri} SIP/2.0`,
    [
      [
        'Via',
        `SIP/2.0/${transport.toUpperCase()} ${sentBy};branch=${request.branch ?? `z9hG4bK${token()}`};rport`,
      ],
      ['Max-Forwards', String(request.maxForwards ?? 70)],
      ['From', from],
      ['To', to],
      ['Call-ID', request.callId ?? token()],
      ['CSeq', `${request.cseq ?? 1} ${method}`],
      ...more,
    ],
    body,
  );
}

/** Values of a header field in a message as it came over the wire. */
export function fieldsOf(message: string, name: string): string[] {
  const head = message.split('\r\n\r\n', 1)[0] ?? '';
  const wanted = name.toLowerCase();
  return head
    .split('\r\n')
    .slice(1)
    .flatMap((line) => {
      const colon = line.indexOf(':');
      return line.slice(0, colon).trim().toLowerCase() === wanted ? [line.slice(colon + 1).trim()] : [];
    });
}

export const fieldNamesOf = (message: string): string[] =>
  (message.split('\r\n\r\n', 1)[0] ?? '')
    .split('\r\n')
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(':')).trim().toLowerCase());

export const bodyOf = (message: string): string => message.slice(message.indexOf('\r\n\r\n') + 4);

export const statusOf = (message: string): number =>
  message.startsWith('SIP/2.0 ') ? Number(message.slice(8, 11)) : 0;
