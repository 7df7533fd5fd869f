import { type MessageWords, messageWords } from './message-words.ts';
import type { Captured } from './pcap.ts';
import { plainText } from './plain-text.ts';

/** Who sends and receives: the edge is one, each peer another. */
export interface Party {
  readonly name: string;
  readonly isEdge: boolean;
}

export interface Arrow extends MessageWords {
  readonly time: number;
  /** Places in `parties`. */
  readonly from: number;
  readonly to: number;
  readonly transport: string;
  /** Counted from 1 in the order in which Call-IDs come up; 0: it has none. */
  readonly dialog: number;
}

export interface Ladder {
  readonly parties: readonly Party[];
  readonly arrows: readonly Arrow[];
  /** By `dialog`, less one. */
  readonly callIds: readonly string[];
  /** Messages that are in the capture, but not here. */
  readonly left: number;
}

export interface LadderBounds {
  readonly arrows?: number;
  readonly parties?: number;
}

/**
 * Puts messages in their order between parties: who spoke to the edge first stands on its left, who was spoken to first
 * on its right. More peers than `parties` (10) are told apart by address alone, and beyond that stand together.
 */
export function ladderOf(
  messages: readonly Captured[],
  { arrows: most = 400, parties: mostParties = 10 }: LadderBounds = {},
): Ladder {
  const shown = messages.slice(0, most);
  const name = nameBy(shown, mostParties);
  const left: string[] = [];
  const right: string[] = [];
  for (const message of shown) {
    const peer = name(message);
    if (left.includes(peer) || right.includes(peer)) continue;
    (message.sent ? right : left).push(peer);
  }
  const names = [...left, '', ...right];
  const place = new Map(names.map((one, i) => [one, i]));
  const edge = left.length;
  const dialogs = new Map<string, number>();
  const arrows = shown.map((message): Arrow => {
    const words = messageWords(message.bytes);
    const peer = place.get(name(message)) ?? edge;
    if (words.callId !== '' && !dialogs.has(words.callId)) dialogs.set(words.callId, dialogs.size + 1);
    return {
      ...words,
      time: message.time,
      from: message.sent ? edge : peer,
      to: message.sent ? peer : edge,
      transport: plainText(message.transport, 8),
      dialog: dialogs.get(words.callId) ?? 0,
    };
  });
  return {
    parties: names.map((one, i) =>
      i === edge ? { name: 'edge', isEdge: true } : { name: one, isEdge: false },
    ),
    arrows,
    callIds: [...dialogs.keys()],
    left: messages.length - shown.length,
  };
}

const others = 'all others';

function nameBy(messages: readonly Captured[], most: number): (message: Captured) => string {
  const peerOf = ({ sent, from, to }: Captured) => (sent ? to : from);
  const full = (message: Captured): string => {
    const { address, port } = peerOf(message);
    return plainText(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`, 60);
  };
  const short = (message: Captured): string => plainText(peerOf(message).address, 50);
  if (new Set(messages.map(full)).size <= most) return full;
  const first = new Set<string>();
  for (const message of messages) {
    if (first.size >= most - 1) break;
    first.add(short(message));
  }
  if (new Set(messages.map(short)).size <= most) return short;
  return (message) => (first.has(short(message)) ? short(message) : others);
}

/** `03:12:45.120`, UTC. */
export const clock = (time: number): string => new Date(time).toISOString().slice(11, 23);
