import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { RowProblem } from '../csv.ts';
import { linesOf } from '../lines.ts';
import { latest, readMoment } from '../moment.ts';
import { type AssemblerOptions, CallAssembler, type NotJudged } from './call-assembler.ts';
import { datagramOf } from './datagram.ts';
import { packetsOf } from './packets.ts';

export interface CaptureOptions extends Omit<AssemblerOptions, 'problem'> {
  problem(problem: RowProblem): void;
  progress?(read: number, of: number): void;
  /** Told once, at the end. */
  notJudged?(counts: NotJudged): void;
}

/** Only these make calls. */
const beginnings = ['INVITE ', 'BYE ', 'SIP/2.0 '];
const longestStartLine = 4_096;

/** A request or response that could belong to a call, and not media or something else. */
function isOfCalls(payload: Uint8Array): boolean {
  const head = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.length, longestStartLine));
  const begins = (text: string): boolean => head.toString('latin1', 0, text.length) === text;
  return beginnings.some(begins) && (begins('SIP/2.0 ') || head.includes(' SIP/2.0'));
}

/** Calls of a capture in pcap or pcapng with SIP over UDP; faults are told by the number of the packet. */
export async function* capturedCalls(file: string, options: CaptureOptions): AsyncGenerator<LabelledCall> {
  const problem = (packet: number, text: string): void =>
    options.problem({ row: packet, column: 0, problem: text, place: 'packet' });
  const assembler = new CallAssembler({ ...options, problem });
  const { progress } = options;
  for await (const packet of packetsOf(file, { problem, ...(progress === undefined ? {} : { progress }) })) {
    const datagram = datagramOf(packet);
    if (datagram === undefined || !isOfCalls(datagram.payload)) continue;
    if (packet.at >= latest) {
      problem(packet.number, 'is of a time after 2100');
      continue;
    }
    const message = parseMessage(datagram.payload);
    if (message.ok) yield* assembler.take(packet.number, packet.at, message.value);
    else
      problem(
        packet.number,
        datagram.fragment
          ? 'is the first fragment of a SIP message; fragments are not put together'
          : `is no SIP that can be read: ${message.error.detail}`,
      );
  }
  yield* assembler.finish();
  options.notJudged?.(assembler.notJudged);
}

const payloads = ['payload', 'Payload', 'raw', 'msg', 'message'] as const;
const times = ['ts', 'timestamp', 'time', 'micro_ts', 'create_date', 'date'] as const;
const seconds = ['timeSeconds', 'Tsec', 'time_sec', 'timestamp_sec'] as const;
const microseconds = ['timeUseconds', 'Tmsec', 'time_usec', 'timestamp_usec'] as const;

type Values = Readonly<Record<string, unknown>>;

/** What an exported HEP packet carries and when, by the names that collectors give; undefined where it is none. */
function packetOf(
  text: string,
  zone: number | undefined,
): { at: number | string; payload: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const outer = value as Values;
  const inner = outer.protocol_header;
  const fields: Values = typeof inner === 'object' && inner !== null ? { ...outer, ...inner } : outer;
  const payload = payloads.map((name) => fields[name]).find((one) => typeof one === 'string');
  if (payload === undefined) return undefined;
  const number = (names: readonly string[]): number | undefined =>
    names.map((name) => fields[name]).find((one) => typeof one === 'number');
  const whole = number(seconds);
  if (whole !== undefined) {
    const at = readMoment(String(whole), zone);
    return {
      at: typeof at === 'string' ? at : at + Math.floor((number(microseconds) ?? 0) / 1_000),
      payload,
    };
  }
  const time = times
    .map((name) => fields[name])
    .find((one) => typeof one === 'string' || typeof one === 'number');
  return { at: readMoment(String(time ?? ''), zone), payload };
}

/** That line is a packet of HEP with SIP, and no call record. */
export const isHepLine = (line: string): boolean =>
  line.trimStart().startsWith('{') && packetOf(line, 0)?.payload.includes('SIP/2.0') === true;

/** Calls of packets of HEP that were written as JSON lines; faults are told by line. */
export async function* hepCalls(
  file: string,
  options: CaptureOptions & { readonly zone: number | undefined },
): AsyncGenerator<LabelledCall> {
  const problem = (row: number, text: string): void =>
    options.problem({ row, column: 0, problem: text, place: 'line' });
  const assembler = new CallAssembler({ ...options, problem });
  for await (const { row, text, half } of linesOf(file, options.progress)) {
    if (text.trim() === '' && !half) continue;
    const packet = packetOf(text, options.zone);
    if (packet === undefined) {
      problem(row, half ? 'is not complete, or longer than 64 KiB' : 'is no packet of HEP in JSON');
      continue;
    }
    const payload = Buffer.from(packet.payload);
    if (!isOfCalls(payload)) continue;
    if (typeof packet.at === 'string') {
      problem(row, `the time ${packet.at}`);
      continue;
    }
    const message = parseMessage(payload);
    if (message.ok) yield* assembler.take(row, packet.at, message.value);
    else problem(row, `is no SIP that can be read: ${message.error.detail}`);
  }
  yield* assembler.finish();
  options.notJudged?.(assembler.notJudged);
}
