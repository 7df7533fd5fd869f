import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** Metrics of one direction as a phone reports them, RFC 6035 §4.6.2. What it did not say is absent. */
export interface ReportedMetrics {
  /** Encoding name of the session description. */
  readonly codec?: string;
  /** Percent lost on the way, and discarded by the jitter buffer. */
  readonly lossPercent?: number;
  readonly discardPercent?: number;
  readonly jitterBufferMs?: number;
  readonly roundTripMs?: number;
  readonly endSystemDelayMs?: number;
  /** Interarrival jitter, and its mean absolute. */
  readonly jitterMs?: number;
  readonly meanJitterMs?: number;
  /** 0 to 120, listening and conversation. */
  readonly rLq?: number;
  readonly rCq?: number;
  /** 1.0 to 4.9. */
  readonly mosLq?: number;
  readonly mosCq?: number;
}

/** A voice quality report, RFC 6035 §4.6. */
export interface QualityReport {
  readonly kind: 'session' | 'interval' | 'alert';
  /** Call-ID of the reporter's dialog. */
  readonly callId: string;
  /** What the reporter has heard. */
  readonly local: ReportedMetrics;
  /** What the other side has heard, as the reporter knows it. */
  readonly remote?: ReportedMetrics;
}

export type QualityReportErrorCode =
  /** More octets or lines than the bounds. */
  | 'limit'
  /** Does not begin as one of the three reports. */
  | 'kind'
  /** No CallID, or one that cannot be. */
  | 'call-id';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type NumberField = Exclude<keyof ReportedMetrics, 'codec'>;

const longest = 8192;
const mostLines = 128;
const longestCallId = 256;

const kinds: ReadonlyMap<string, QualityReport['kind']> = new Map([
  ['vqsessionreport', 'session'],
  ['vqintervalreport', 'interval'],
  ['vqalertreport', 'alert'],
]);

/** Parameter, field, least and greatest that it may be (§4.6.1). */
const numbers: ReadonlyMap<string, readonly [NumberField, number, number]> = new Map([
  ['NLR', ['lossPercent', 0, 100]],
  ['JDR', ['discardPercent', 0, 100]],
  ['JBN', ['jitterBufferMs', 0, 65_535]],
  ['RTD', ['roundTripMs', 0, 65_535]],
  ['ESD', ['endSystemDelayMs', 0, 65_535]],
  ['IAJ', ['jitterMs', 0, 65_535]],
  ['MAJ', ['meanJitterMs', 0, 65_535]],
  ['RLQ', ['rLq', 0, 120]],
  ['RCQ', ['rCq', 0, 120]],
  ['MOSLQ', ['mosLq', 1, 5]],
  ['MOSCQ', ['mosCq', 1, 5]],
] as const);

/** Reads `application/vq-rtcpxr`. Never throws; linear in the input; lines and parameters that it does not know are passed over. */
export function parseQualityReport(bytes: Uint8Array): Result<QualityReport, QualityReportErrorCode> {
  if (bytes.length > longest) return err('limit');
  const lines = new TextDecoder().decode(bytes).split('\n');
  if (lines.length > mostLines) return err('limit');
  const kind = kinds.get(nameOf(lines[0] ?? ''));
  if (kind === undefined) return err('kind');
  let callId = '';
  const local: Writable<ReportedMetrics> = {};
  let remote: Writable<ReportedMetrics> | undefined;
  for (const line of lines.slice(1)) {
    const name = nameOf(line);
    if (name === 'callid' && callId === '') callId = line.slice(line.indexOf(':') + 1).trim();
    else if (name === 'remotemetrics') remote ??= {};
    else readParameters(line, remote ?? local);
  }
  if (!isCallId(callId)) return err('call-id');
  return ok(remote === undefined ? { kind, callId, local } : { kind, callId, local, remote });
}

function nameOf(line: string): string {
  const colon = line.indexOf(':');
  return colon < 0 ? '' : line.slice(0, colon).trim().toLowerCase();
}

function readParameters(line: string, into: Writable<ReportedMetrics>): void {
  const section = nameOf(line);
  for (const parameter of line.slice(line.indexOf(':') + 1).split(' ')) {
    const equals = parameter.indexOf('=');
    if (equals < 0) continue;
    const name = parameter.slice(0, equals).trim().toUpperCase();
    const value = parameter.slice(equals + 1).trim();
    if (section === 'sessiondesc' && name === 'PD' && isEncoding(value)) into.codec ??= value;
    const known = numbers.get(name);
    if (known === undefined || value === '' || value.length > 8) continue;
    const [field, least, greatest] = known;
    const number = Number(value);
    // 127 stands for unknown where RTCP XR has octets (RFC 3611 §4.7.4); no range here has room for it but those of delays.
    if (number >= least && number <= greatest) into[field] ??= number;
  }
}

/** Visible ASCII without the quotes and brackets that a log would have to hide. */
function isCallId(text: string): boolean {
  if (text === '' || text.length > longestCallId) return false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) return false;
  }
  return true;
}

function isEncoding(text: string): boolean {
  if (text === '' || text.length > 32) return false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i) | 0x20;
    const letter = code >= 0x61 && code <= 0x7a;
    const digit = text.charCodeAt(i) >= 0x30 && text.charCodeAt(i) <= 0x39;
    if (!letter && !digit && !'.-/'.includes(text[i] ?? ' ')) return false;
  }
  return true;
}
