import { open, stat } from 'node:fs/promises';
import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import { type CaptureOptions, capturedCalls, hepCalls, isHepLine } from './capture/captured-calls.ts';
import { isCapture } from './capture/packets.ts';
import { longestLine } from './lines.ts';
import { readCalls } from './read-calls.ts';
import type { Pricing } from './record.ts';

export interface FileOptions extends Omit<CaptureOptions, 'price'> {
  /** Minutes east of UTC, for times that do not say. */
  readonly zone: number | undefined;
  /** Of numbers in call records, and of what was dialled in captures. */
  readonly price: Pricing;
  readonly dialledPrice: Pricing;
}

/** Calls of a file, whichever kind it is: call records, a capture, or packets of HEP. `-`, standard input, has records. */
export async function* callsOf(file: string, options: FileOptions): AsyncGenerator<LabelledCall> {
  const head = file === '-' ? Buffer.alloc(0) : await headOf(file);
  const captured = { ...options, price: options.dialledPrice };
  if (isCapture(head)) yield* capturedCalls(file, captured);
  else if (isHepLine(firstLine(head))) yield* hepCalls(file, captured);
  else yield* readCalls(file, options);
}

async function headOf(file: string): Promise<Buffer> {
  // A pipe that is opened and closed again loses what is in it.
  if (!(await stat(file)).isFile()) return Buffer.alloc(0);
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(longestLine), position: 0 });
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

const firstLine = (head: Buffer): string =>
  head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart()
    .split('\n', 1)[0] ?? '';
