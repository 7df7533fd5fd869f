import { asciiOf, beginMessage, bodyOf, textOf } from './frame.ts';

/** Messages that are nothing but their type. */
export type Acknowledgement = 'HelloACK' | 'Conf2ACK' | 'ErrorACK' | 'ClearACK' | 'RelayACK';

export const encodeAcknowledgement = (type: Acknowledgement): Uint8Array => beginMessage(type, 3).finish();

/** Error, RFC 6189 §5.9. */
export const encodeError = (code: number): Uint8Array => beginMessage('Error   ', 4).u32(code).finish();

export const decodeError = (message: Uint8Array): number | undefined =>
  message.length === 16 ? bodyOf(message)?.u32() : undefined;

/** GoClear, RFC 6189 §5.11: its MAC covers its own type block. */
export const encodeGoClear = (clearMac: Uint8Array): Uint8Array =>
  beginMessage('GoClear ', 5).bytes(clearMac).finish();

export const decodeGoClear = (message: Uint8Array): Uint8Array | undefined =>
  message.length === 20 ? bodyOf(message)?.bytes(8) : undefined;

/** Ping, RFC 6189 §5.15. */
export interface PingMessage {
  readonly version: string;
  readonly endpointHash: Uint8Array;
}

export function decodePing(message: Uint8Array): PingMessage | undefined {
  const body = message.length === 24 ? bodyOf(message) : undefined;
  return body && { version: textOf(body.bytes(4)!), endpointHash: body.bytes(8)! };
}

export const encodePing = (ping: PingMessage): Uint8Array =>
  beginMessage('Ping    ', 6).bytes(asciiOf(ping.version)).bytes(ping.endpointHash).finish();

/** PingACK, RFC 6189 §5.16: ours, what the Ping said of its sender, and the SSRC that it came with. */
export const encodePingAck = (endpointHash: Uint8Array, received: Uint8Array, ssrc: number): Uint8Array =>
  beginMessage('PingACK ', 9).bytes(asciiOf('1.10')).bytes(endpointHash).bytes(received).u32(ssrc).finish();
