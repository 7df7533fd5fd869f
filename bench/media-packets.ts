/** What `media-load` sends, made before the run, and the check that what came out is what went in. */
import { readFileSync, writeFileSync } from 'node:fs';
import { native } from '@ringfence/relay/native.ts';
import { createContext, unprotectRtp } from '@ringfence/relay/srtp.ts';
import type { Server, Work } from './media-contenders.ts';

const HEADER = 12;
const PAYLOAD = 160;
const ROOM = 160;

/** 20 ms of G.711: 172 octets. The SSRC names side and call. */
export function plainPacket(side: number, call: number, number: number): Uint8Array {
  const packet = new Uint8Array(HEADER + PAYLOAD);
  const view = new DataView(packet.buffer);
  view.setUint16(0, 0x8000);
  view.setUint16(2, number);
  view.setUint32(4, number * PAYLOAD);
  view.setUint32(8, ((side + 1) << 24) | call);
  for (let i = 0; i < PAYLOAD; i++) packet[HEADER + i] = (number + call + i) & 0xff;
  return packet;
}

export function writePackets(
  path: string,
  work: Work,
  material: Uint8Array,
  calls: number,
  count: number,
): void {
  const sides = [0, 1].map((side) => {
    const contexts =
      work.suite && side === 0
        ? Array.from({ length: calls }, () =>
            createContext(work.suite ?? 'AEAD_AES_128_GCM', 'send', material),
          )
        : [];
    const buffer = new Uint8Array(HEADER + PAYLOAD + ROOM);
    const one = (call: number, number: number): number => {
      buffer.set(plainPacket(side, call, number));
      const context = contexts[call];
      return context ? native().transform(context.handle, 0, buffer, HEADER + PAYLOAD) : HEADER + PAYLOAD;
    };
    let bytes: Buffer | undefined;
    let length = 0;
    for (let number = 0, at = 4; number < count; number++) {
      for (let call = 0; call < calls; call++, at += length) {
        length = one(call, number);
        bytes ??= Buffer.alloc(4 + calls * count * length);
        bytes.set(buffer.subarray(0, length), at);
      }
    }
    bytes?.writeUInt32LE(length);
    return bytes ?? Buffer.alloc(4);
  });
  writeFileSync(path, Buffer.concat(sides));
}

/** Throws where a sampled packet is not the one that was sent: a server that does less work is no comparison. */
export function checkSamples(path: string, work: Work, server: Server, forwarded: boolean): number {
  const bytes = readFileSync(path);
  const next = [0, 0];
  let checked = 0;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const side = bytes.readUInt32LE(at);
    const length = bytes.readUInt32LE(at + 4);
    const packet = bytes.subarray(at + 8, at + 8 + length);
    at += 8 + length;
    const call = next[side] ?? 0;
    next[side] = call + 1;
    if (forwarded) continue;
    const key = server.keys[call];
    let plain: Uint8Array = packet;
    if (side === 0 && work.suite) {
      const opened = key ? unprotectRtp(createContext(work.suite, 'receive', key), packet) : undefined;
      if (!opened?.ok) throw new Error(`call ${call}: what came back does not authenticate`);
      plain = opened.value;
    }
    if (Buffer.compare(plain, plainPacket(1 - side, call, packet.readUInt16BE(2))) !== 0) {
      throw new Error(`call ${call}, side ${side}: not the packet that was sent`);
    }
    checked++;
  }
  return checked;
}
