import type { Part } from '@ringfence/evidence/bundle.ts';
import { ladderOf } from '@ringfence/evidence/ladder.ts';
import { ladderSvg } from '@ringfence/evidence/ladder-svg.ts';
import { ladderText } from '@ringfence/evidence/ladder-text.ts';
import { sha256Hex } from '@ringfence/evidence/manifest.ts';
import { messageWords } from '@ringfence/evidence/message-words.ts';
import { type Captured, writePcap } from '@ringfence/evidence/pcap.ts';
import { plainText } from '@ringfence/evidence/plain-text.ts';
import { canonicalJson } from '@ringfence/ledger/canonical-json.ts';
import type { CallView } from '../call/view.ts';
import type { Incident } from '../incidents/types.ts';
import type { ReadableEntry } from '../ledger/read.ts';
import type { CallRecord } from '../store/contract.ts';

export const part = (name: string, what: string, content: string | Uint8Array): Part => ({
  name,
  what,
  bytes: typeof content === 'string' ? Buffer.from(content) : content,
});

/** One JSON text a line. */
export const lines = (values: readonly unknown[]): string =>
  values.map((value) => `${canonicalJson(plain(value))}\n`).join('');

/** As JSON has it: what is undefined or a class of ours becomes what it is written as. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null)) as unknown;

export const entryLine = ({
  sequence,
  time,
  class: entryClass,
  tenant,
  body,
  persons,
  erased,
}: ReadableEntry) => ({
  sequence,
  time,
  class: entryClass,
  tenant,
  body,
  persons,
  ...(erased > 0 ? { erased } : {}),
});

/** Capture, index of its frames, ladder in letters and as a picture. `messages` are masked. */
export function messageParts(messages: readonly Captured[], incident: Incident): Part[] {
  const ladder = ladderOf(messages);
  const index = messages.map((message, i) => {
    const { label, callId } = messageWords(message.bytes);
    const { time, from, to, transport, sent, bytes } = message;
    return { frame: i + 1, time, from, to, transport, sent, callId, label, sha256: sha256Hex(bytes) };
  });
  return [
    part('ladder.txt', 'SIP messages between the parties, in letters.', ladderText(ladder)),
    part('ladder.svg', 'The same as a picture.', ladderSvg(ladder, `${incident.id}: ${incident.title}`)),
    part(
      'messages.pcap',
      'The messages for Wireshark, as the edge has read and sent them.',
      writePcap(messages),
    ),
    part(
      'messages.jsonl',
      'Each frame of the capture: time, addresses, how it travelled in truth, Call-ID, SHA-256 of the message.',
      lines(index),
    ),
  ];
}

/** Call records, protection of each leg, decisions. */
export function callParts(
  incident: Incident,
  calls: readonly CallRecord[],
  live: readonly CallView[],
  decisions: readonly ReadableEntry[],
): Part[] {
  const records = calls.map(({ decision, grade, legs, ...call }) => ({
    ...call,
    decision: json(decision),
    grade: json(grade),
    legs: legs.map(({ protection, quality, ...leg }) => ({
      ...leg,
      protection: json(protection),
      quality: json(quality),
    })),
  }));
  const ended = new Set(calls.map(({ id }) => id));
  const going = live.filter(({ id }) => !ended.has(id));
  const protection = [
    ...records.flatMap(({ id, grade, legs }) =>
      legs.map((leg) => ({ call: id, leg: leg.index, grade, protection: leg.protection })),
    ),
    ...going.flatMap(({ id, grade, legs }) =>
      legs.map((leg, i) => ({ call: id, leg: i, grade: grade ?? null, protection: leg })),
    ),
  ];
  const steps = incident.steps.map(({ action, mode, text, word, waiting, done }, i) => ({
    step: i + 1,
    action,
    mode,
    text,
    word: word ?? null,
    waiting,
    done,
  }));
  return [
    part(
      'calls.jsonl',
      'Records of the calls that are involved; of calls in progress what is known of them.',
      lines([...records, ...going]),
    ),
    part('protection.jsonl', 'What protected each side of each call.', lines(protection)),
    part(
      'decisions.jsonl',
      'Why calls and requests were let through or refused, and what was done about the incident.',
      lines([
        ...records.map(({ id, decision }) => ({ call: id, decision })),
        ...steps,
        ...decisions.map(entryLine),
      ]),
    ),
  ];
}

function json(value: string): unknown {
  try {
    return value === '' ? null : (JSON.parse(value) as unknown);
  } catch {
    return value;
  }
}

const at = (time: number): string => new Date(time).toISOString().slice(0, 19).replace('T', ' ');

/** For whoever opens the file and has never heard of any of it. */
export function readme(incident: Incident, notes: readonly string[]): string {
  const named = ({ names, more }: Incident['sources']): string =>
    names.length === 0 ? 'none' : `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  const text = [
    `${incident.id}: ${incident.title}`,
    '',
    `Kind: ${incident.kind}, ${incident.severity}`,
    `Between ${at(incident.openedAt)} and ${at(incident.lastAt)} UTC, ${incident.events} events`,
    `Sources: ${named(incident.sources)}`,
    `Accounts: ${named(incident.accounts)}`,
    `Calls: ${named(incident.calls)}`,
    incident.money === undefined
      ? 'Money: no call of it has a price.'
      : `Money: ${incident.money.lost / 100} ${incident.money.currency} lost, ${incident.money.saved / 100} ${incident.money.currency} saved.`,
    '',
    'What happened (UTC):',
    ...incident.timeline.map(
      ({ at: time, count, text: said }) => `  ${at(time)}  ${said}${count > 1 ? ` (${count} times)` : ''}`,
    ),
    '',
    'What was done about it:',
    ...incident.steps.flatMap(({ text: said, done }) => [
      `  ${said}`,
      ...done.map(({ target, outcome, at: time, by }) => `    ${outcome}: ${target}, ${at(time)}, by ${by}`),
    ]),
    '',
    'What you have to know:',
    ...notes.map((note) => `  ${note}`),
    '',
    'To see whether anything was changed: ringfence verify bundle FILE --key ledger-public.pem',
    'Without Ringfence: manifest.sig is the Ed25519 signature of the line "ringfence evidence manifest 1"',
    'followed by manifest.json; manifest.json holds the SHA-256 of every other part.',
  ];
  return `${text.map((line) => plainText(line, 2000)).join('\n')}\n`;
}
