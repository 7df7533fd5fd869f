/**
 * How long a server keeps a call's set-up, from the kernel's own time stamps: INVITE in to INVITE out plus 200 in to
 * 200 out, read from a capture of the loopback. Neither sipp's clock (4 ms) nor the time that the parties take is in it.
 */
import { readFileSync } from 'node:fs';

export type Ends = { readonly server: number; readonly caller: number; readonly called: number };

type Times = { inviteIn?: number; inviteOut?: number; okIn?: number; okOut?: number };

const ETHERNET = 14;
const UDP = 8;

/** The datagrams of a classic pcap file with Ethernet frames of IPv4 (the loopback's). */
function* datagrams(bytes: Buffer): Generator<{ at: number; from: number; to: number; payload: Buffer }> {
  const magic = bytes.readUInt32LE(0);
  if (magic !== 0xa1b2c3d4 && magic !== 0xa1b23c4d) throw new Error('not a little-endian pcap file');
  const fraction = magic === 0xa1b23c4d ? 1e6 : 1e3;
  for (let at = 24; at + 16 <= bytes.length; ) {
    const milliseconds = bytes.readUInt32LE(at) * 1_000 + bytes.readUInt32LE(at + 4) / fraction;
    const length = bytes.readUInt32LE(at + 8);
    const frame = bytes.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    if (frame.length < ETHERNET + 20 + UDP) continue;
    const udp = ETHERNET + (frame[ETHERNET]! & 15) * 4;
    yield {
      at: milliseconds,
      from: frame.readUInt16BE(udp),
      to: frame.readUInt16BE(udp + 2),
      payload: frame.subarray(udp + UDP),
    };
  }
}

const NUMBER = /^(?:t|To)\s*:[^\r\n]*?sip:(\+\d+)@/im;

/** Milliseconds of every call whose four moments the capture holds, sorted; each call dials a number of its own. */
export function addedTimes(file: string, ends: Ends): number[] {
  const calls = new Map<string, Times>();
  for (const { at, from, to, payload } of datagrams(readFileSync(file))) {
    const invite = payload.subarray(0, 7).equals(Buffer.from('INVITE '));
    const ok = payload.subarray(0, 12).equals(Buffer.from('SIP/2.0 200 '));
    if (!invite && !ok) continue;
    const text = payload.toString('latin1');
    if (ok && !/^CSeq\s*:\s*\d+\s+INVITE/im.test(text)) continue;
    const number = NUMBER.exec(text)?.[1];
    if (number === undefined) continue;
    let times = calls.get(number);
    if (times === undefined) {
      times = {};
      calls.set(number, times);
    }
    // The first of each counts: what is repeated later is a retransmission, and the wait for it is ours.
    if (invite && from === ends.caller && to === ends.server) times.inviteIn ??= at;
    else if (invite && to === ends.called) times.inviteOut ??= at;
    else if (ok && from === ends.called) times.okIn ??= at;
    else if (ok && to === ends.caller) times.okOut ??= at;
  }
  const added: number[] = [];
  for (const { inviteIn, inviteOut, okIn, okOut } of calls.values()) {
    if (inviteIn === undefined || inviteOut === undefined || okIn === undefined || okOut === undefined)
      continue;
    added.push(inviteOut - inviteIn + (okOut - okIn));
  }
  return added.sort((a, b) => a - b);
}
