import { Reader, readU16 } from '@ringfence/bytes/reader.ts';
import { Writer } from '@ringfence/bytes/writer.ts';
import { preamble } from '../packet.ts';

/** Message Type Blocks of RFC 6189 §5.1.1, with the spaces that fill them. */
export const messageTypes = [
  'Hello   ',
  'HelloACK',
  'Commit  ',
  'DHPart1 ',
  'DHPart2 ',
  'Confirm1',
  'Confirm2',
  'Conf2ACK',
  'Error   ',
  'ErrorACK',
  'GoClear ',
  'ClearACK',
  'SASrelay',
  'RelayACK',
  'Ping    ',
  'PingACK ',
] as const;
export type MessageType = (typeof messageTypes)[number];

/** Preamble, length and type. */
export const frameLength = 12;

/** Octets as the ASCII that they should be; others come out as characters that fit no block. */
export const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Begins a message of that many words in all. */
export function beginMessage(type: MessageType, words: number): Writer {
  return new Writer(words * 4).u16(preamble).u16(words).bytes(asciiOf(type));
}

export const asciiOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

export const messageTypeOf = (message: Uint8Array): string => textOf(message.subarray(4, frameLength));

/** A reader of what comes behind the type; undefined where the length does not name the message's own. */
export const bodyOf = (message: Uint8Array): Reader | undefined =>
  message.length >= frameLength && readU16(message, 2) * 4 === message.length
    ? new Reader(message, frameLength)
    : undefined;
