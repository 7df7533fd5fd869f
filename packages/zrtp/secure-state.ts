import { equal, mac } from './hash.ts';
import type { DirectionKeys } from './key-derivation.ts';
import { decodeEncrypted, encodeEncrypted } from './message/encrypted.ts';
import { asciiOf } from './message/frame.ts';
import { decodeRelayContent, encodeRelayContent, type RelayContent } from './message/sas-relay.ts';
import { decodeGoClear, encodeAcknowledgement, encodeGoClear } from './message/short.ts';
import { renderSas } from './sas.ts';
import { messageSchedule } from './timers.ts';
import type { Wire } from './wire.ts';

const goClear = asciiOf('GoClear ');
const clearMac = (keys: DirectionKeys): Uint8Array =>
  mac(keys.message.hash, keys.message.mac, goClear).slice(0, 8);

/** GoClear with the MAC of our role, RFC 6189 §4.7.2. */
export const goClearMessage = (own: DirectionKeys): Uint8Array => encodeGoClear(clearMac(own));

/** Whether a GoClear is the peer's. */
export function isPeersGoClear(message: Uint8Array, peer: DirectionKeys): boolean {
  const sent = decodeGoClear(message);
  return sent !== undefined && equal(sent, clearMac(peer));
}

/** What a PBX tells of the other party, RFC 6189 §7.3, sent until it is acknowledged. */
export function sendRelay(
  wire: Wire,
  own: DirectionKeys,
  vector: Uint8Array,
  content: RelayContent,
  trusted: boolean,
  now: number,
): void {
  // §5.13: somebody who does not trust us gets the rendering alone.
  const sasHash = trusted ? content.sasHash : new Uint8Array(32);
  const plain = encodeRelayContent({ ...content, sasHash });
  wire.repeat('T2', encodeEncrypted('SASrelay', own.message, vector, plain), messageSchedule, now);
}

/**
 * Takes a SASrelay: it is acknowledged if it authenticates, and its SAS is told only where its sender is a PBX that was
 * enrolled with, RFC 6189 §5.13 and §7.3. A repetition is acknowledged and not told again; false: it counts for nothing.
 */
export function receiveRelay(
  wire: Wire,
  message: Uint8Array,
  peer: DirectionKeys,
  trusted: boolean,
  first: boolean,
): boolean {
  const plain = decodeEncrypted(message, peer.message);
  const content = plain.ok ? decodeRelayContent(plain.value) : undefined;
  if (content === undefined) {
    wire.suspect(!plain.ok && plain.error === 'mac' ? 'relay-mac' : 'malformed');
    return false;
  }
  wire.reply('RelayACK', encodeAcknowledgement('RelayACK'));
  if (!first) return true;
  const sas = trusted ? renderSas(content.sasHash, content.sasType) : undefined;
  const { sasType, verified, disclosure } = content;
  wire.tell({ kind: 'sas-relayed', sasType, ...(sas && { sas }), verified, disclosure });
  return true;
}
