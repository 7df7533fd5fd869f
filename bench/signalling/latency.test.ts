import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { addedTimes } from './latency.ts';

const ends = { server: 5_060, caller: 7_000, called: 7_002 };

/** One Ethernet frame of IPv4 and UDP in a classic pcap record. */
function record(milliseconds: number, from: number, to: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const frame = Buffer.alloc(14 + 20 + 8 + payload.length);
  frame[14] = 0x45;
  frame.writeUInt16BE(from, 34);
  frame.writeUInt16BE(to, 36);
  payload.copy(frame, 42);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(Math.floor(milliseconds / 1_000), 0);
  header.writeUInt32LE(Math.round((milliseconds % 1_000) * 1_000), 4);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}

function timesOf(records: readonly Buffer[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-latency-'));
  try {
    const file = join(folder, 'some.pcap');
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    writeFileSync(file, Buffer.concat([header, ...records]));
    return addedTimes(file, ends);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const invite = (number: string) => `INVITE sip:x SIP/2.0\r\nTo: <sip:${number}@h>\r\nCSeq: 1 INVITE\r\n\r\n`;
const ok = (number: string, method = 'INVITE') =>
  `SIP/2.0 200 OK\r\nTo: "A" <sip:${number}@h>;tag=1\r\nCSeq: 1 ${method}\r\n\r\n`;

test('a call has cost what its INVITE and its 200 spent in the server', () => {
  const times = timesOf([
    record(1_000, 7_000, 5_060, invite('+1')),
    record(1_001.5, 5_060, 7_002, invite('+1')),
    record(1_021.5, 7_002, 5_060, ok('+1')),
    record(1_022, 5_060, 7_000, ok('+1')),
    record(2_022, 5_060, 7_000, ok('+1', 'BYE')),
  ]);
  assert.equal(times.length, 1);
  assert.ok(Math.abs(times[0]! - 2) < 0.001);
});

test('the first INVITE counts where it was repeated, and a call without its 200 does not', () => {
  const times = timesOf([
    record(1_000, 7_000, 5_060, invite('+1')),
    record(1_500, 7_000, 5_060, invite('+1')),
    record(1_501, 5_060, 7_002, invite('+1')),
    record(1_502, 7_002, 5_060, ok('+1')),
    record(1_503, 5_060, 7_000, ok('+1')),
    record(1_600, 7_000, 5_060, invite('+2')),
    record(1_601, 5_060, 7_002, invite('+2')),
  ]);
  assert.equal(times.length, 1);
  assert.ok(Math.abs(times[0]! - 502) < 0.001);
});
