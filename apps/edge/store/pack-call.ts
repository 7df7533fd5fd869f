import type { CallRecord, LegRecord } from './contract.ts';

/** Unit Separator of ASCII; a JSON text would cost three times as much to write and read. */
const separator = '\u001f';
const format = '3';
/** Of versions before: without grade and cost, without cost. */
const former: Readonly<Record<string, number>> = { 1: 2, 2: 1 };
/** After format and leg count. */
export const callFields = 16;
export const legFields = 11;
const maximumLegs = 64;

/** A record as one text, for the way to the store's thread and for calls in progress; further legs than 64 are left out. */
export function packCall(r: CallRecord): string {
  const legs = Math.min(r.legs.length, maximumLegs);
  let text = format + separator + legs;
  text += separator + clean(r.id) + separator + clean(r.domain) + separator + r.startedAt;
  text += separator + time(r.ringingAt) + separator + time(r.answeredAt) + separator + time(r.endedAt);
  text += separator + clean(r.caller) + separator + clean(r.callee) + separator + clean(r.principal);
  text += separator + clean(r.route) + separator + r.disposition + separator + r.status;
  text += separator + clean(r.cause) + separator + clean(r.decision) + separator + clean(r.grade);
  text += separator + clean(r.cost ?? '');
  for (let i = 0; i < legs; i++) {
    const leg = r.legs[i]!;
    text += separator + leg.direction + separator + clean(leg.principal) + separator + clean(leg.remote);
    text += separator + leg.transport + separator + clean(leg.callId) + separator + leg.status;
    text += separator + leg.startedAt + separator + time(leg.answeredAt) + separator + time(leg.endedAt);
    text += separator + clean(leg.protection) + separator + clean(leg.quality);
  }
  return text;
}

/** The fields in the order in which `packCall` wrote them, call first; undefined where the text is not a packed call. */
export function splitCall(packed: string): { readonly legs: number; readonly fields: string[] } | undefined {
  const fields = packed.split(separator);
  const legs = Number(fields[1]);
  const missing = former[fields[0] ?? ''] ?? 0;
  if (missing > 0 && fields.length === 2 + callFields - missing + legs * legFields) {
    fields[0] = format;
    fields.splice(2 + callFields - missing, 0, ...Array<string>(missing).fill(''));
  }
  if (fields[0] !== format || fields.length !== 2 + callFields + legs * legFields) return undefined;
  return { legs, fields };
}

export function unpackCall(packed: string): CallRecord | undefined {
  const split = splitCall(packed);
  if (split === undefined) return undefined;
  const f = split.fields;
  const legs: LegRecord[] = [];
  for (let i = 0; i < split.legs; i++) {
    const at = 2 + callFields + i * legFields;
    legs.push({
      index: i,
      direction: f[at] as LegRecord['direction'],
      principal: f[at + 1]!,
      remote: f[at + 2]!,
      transport: f[at + 3]!,
      callId: f[at + 4]!,
      status: Number(f[at + 5]),
      startedAt: Number(f[at + 6]),
      ...(f[at + 7] === '' ? {} : { answeredAt: Number(f[at + 7]) }),
      ...(f[at + 8] === '' ? {} : { endedAt: Number(f[at + 8]) }),
      protection: f[at + 9]!,
      quality: f[at + 10]!,
    });
  }
  return {
    id: f[2]!,
    domain: f[3]!,
    startedAt: Number(f[4]),
    ...(f[5] === '' ? {} : { ringingAt: Number(f[5]) }),
    ...(f[6] === '' ? {} : { answeredAt: Number(f[6]) }),
    ...(f[7] === '' ? {} : { endedAt: Number(f[7]) }),
    caller: f[8]!,
    callee: f[9]!,
    principal: f[10]!,
    route: f[11]!,
    disposition: f[12] as CallRecord['disposition'],
    status: Number(f[13]),
    cause: f[14]!,
    decision: f[15]!,
    grade: f[16]!,
    ...(f[17] === '' ? {} : { cost: f[17]! }),
    legs,
  };
}

const time = (at: number | undefined): string | number => at ?? '';

/** A peer's text cannot shift the fields: what would separate them becomes a question mark. */
const clean = (text: string): string => (text.includes(separator) ? text.replaceAll(separator, '?') : text);
