import { makeBundle, type Part } from '@ringfence/evidence/bundle.ts';
import type { Captured } from '@ringfence/evidence/pcap.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import { encodeHead } from '@ringfence/ledger/head.ts';
import type { CallView } from '../call/view.ts';
import { maskMessage } from '../exports/hep/mask.ts';
import type { Incident } from '../incidents/types.ts';
import { openSigningKey, PersonKeys } from '../ledger/keys.ts';
import { openPlace } from '../ledger/place.ts';
import type { LedgerPlace } from '../ledger/protocol.ts';
import type { ReadableEntry } from '../ledger/read.ts';
import { LedgerWriter } from '../ledger/writer.ts';
import { callsById } from '../store/call-rows.ts';
import type { CallRecord } from '../store/contract.ts';
import { openDatabase } from '../store/database.ts';
import { headPart, proofsPart } from './check.ts';
import { custodyEntry } from './custody.ts';
import { fromLedger, type ProvenEntry, provenIn } from './from-ledger.ts';
import { callParts, entryLine, lines, messageParts, part, readme } from './parts.ts';
import { proofLine } from './proof-line.ts';
import { withoutSecrets } from './redact.ts';

/** Everything that is known where the edge runs; plain values, for a thread of its own. */
export interface EvidenceRequest {
  readonly home: string;
  /** Undefined: there is no ledger. */
  readonly ledger: LedgerPlace | undefined;
  /** The database of the store. */
  readonly store: string;
  readonly node: string;
  readonly version: string;
  readonly by: string;
  readonly incident: Incident;
  /** Calls of it that are in progress, and the Call-IDs of their dialogs. */
  readonly live: readonly CallView[];
  readonly callIds: readonly string[];
  /** As it is now. */
  readonly configuration: unknown;
  /** Unix ms. */
  readonly now: number;
}

/** Messages of the incident out of the edge's memory, as they came. */
export interface FoundMessages {
  readonly messages: readonly Captured[];
  readonly left: number;
}

export interface MadeEvidence {
  readonly bytes: Uint8Array;
  /** What the bundle is known by. */
  readonly id: string;
  readonly messages: number;
  /** Writes into the ledger that it was made, and where it lies. */
  made(file: string): Promise<void>;
  close(): Promise<void>;
}

/** Gathers what belongs to an incident and makes its bundle. Reads much and waits for disks: for a thread of its own. */
export async function makeEvidence(
  request: EvidenceRequest,
  find: (callIds: readonly string[]) => Promise<FoundMessages>,
): Promise<MadeEvidence> {
  const { home, incident, now, by } = request;
  const signing = openSigningKey(home);
  const backend = request.ledger === undefined ? undefined : await openPlace(request.ledger, false);
  try {
    const persons = PersonKeys.of(home);
    const writer = backend && new LedgerWriter({ backend, signing, persons, now: Date.now });
    await writer?.append([custodyEntry({ act: 'gathered', incident: incident.id, by }, now)]);
    const calls = recordsOf(request);
    const callIds = [...request.callIds, ...calls.flatMap(({ legs }) => legs.map(({ callId }) => callId))];
    const found = await find([...new Set(callIds)]);
    const messages = found.messages.map((message) => ({ ...message, bytes: maskMessage(message.bytes) }));
    const told = backend === undefined ? undefined : await fromLedger(backend, persons, incident);
    const notes = [
      ...notesOf(messages, found.left, told?.isCut === true),
      ...(backend ? [] : [withoutLedger]),
    ];
    const isDecision = ({ class: entryClass }: ReadableEntry): boolean => entryClass === 'decision';
    const events = told?.events ?? [];
    const versions = [told?.configuration, told?.objects].filter((one) => one !== undefined);
    const parts: Part[] = [
      part('readme.txt', 'What happened, in plain words.', readme(incident, notes)),
      part(
        'incident.json',
        'The incident as the edge has gathered it.',
        `${JSON.stringify(incident, null, 2)}\n`,
      ),
      ...messageParts(messages, incident),
      ...callParts(incident, calls, request.live, events.filter(isDecision)),
      part('events.jsonl', 'Entries of the ledger that name what is involved.', lines(events.map(entryLine))),
      part(
        'configuration.json',
        'Configuration when it began, and when this was made; without secrets.',
        configuration(request, told?.configuration),
      ),
      part(
        'versions.jsonl',
        'Entries of the ledger about the configuration and the objects of that time.',
        lines(versions.map(redactedEntry).map(entryLine)),
      ),
      part(
        'custody.jsonl',
        'Who has gathered, read out and verified evidence of this incident, up to now.',
        lines((told?.custody ?? []).map(entryLine)),
      ),
    ];
    if (backend !== undefined && writer?.newest !== undefined) {
      const sequences = [...events, ...versions, ...(told?.custody ?? [])].map(({ sequence }) => sequence);
      const proven = await provenIn(backend, writer.newest, sequences);
      parts.push(
        ...proofParts(
          proven,
          writer.newest,
          new Set(versions.filter(hasSecrets).map(({ sequence }) => sequence)),
        ),
      );
    }
    const about = {
      incident: incident.id,
      title: incident.title,
      node: request.node,
      version: request.version,
    };
    const bundle = makeBundle(
      { ...about, madeAt: now, madeBy: by, ledger: backend?.ledger ?? '', notes },
      parts,
      signing,
    );
    return {
      bytes: bundle.bytes,
      id: bundle.id,
      messages: messages.length,
      made: async (file) => {
        const step = { act: 'made', incident: incident.id, by, bundle: bundle.id, file } as const;
        await writer?.append([custodyEntry(step, Date.now())]);
      },
      close: async () => backend?.close(),
    };
  } catch (error) {
    await backend?.close();
    throw error;
  }
}

function recordsOf({ store, incident }: EvidenceRequest): CallRecord[] {
  const database = openDatabase(store, { create: false });
  try {
    return callsById(database, incident.calls.names);
  } finally {
    database.close();
  }
}

const withoutLedger =
  'This edge keeps no ledger: what stands here is signed, and nothing shows that it was recorded when it happened.';

function notesOf(messages: readonly Captured[], left: number, isCut: boolean): string[] {
  const travelled = [...new Set(messages.map(({ transport }) => transport))].filter((one) => one !== 'udp');
  return [
    'Credentials, keys of media, texts of people and keys that were pressed are masked, so Content-Length may differ from the wire.',
    'Messages are those that the edge still had in memory when this was made.',
    'What entries of the ledger say of persons is sealed there; in events.jsonl it is readable, and only the signature of this bundle vouches for it.',
    ...(travelled.length === 0
      ? []
      : [
          `Messages that travelled over ${travelled.join(', ')} stand in the capture as UDP datagrams with their true addresses and ports; messages.jsonl says how each one travelled.`,
        ]),
    ...(left > 0 ? [`${left} further messages between the first and the last ones were left out.`] : []),
    ...(isCut ? ['The ledger holds more entries of this incident than a bundle takes.'] : []),
  ];
}

function configuration({ configuration: now }: EvidenceRequest, then: ReadableEntry | undefined): string {
  const value = { whenItBegan: then?.body?.value ?? null, whenMade: now };
  return `${JSON.stringify(withoutSecrets(value), null, 2)}\n`;
}

const redactedEntry = (entry: ReadableEntry): ReadableEntry => ({
  ...entry,
  body: withoutSecrets(entry.body) as ReadableEntry['body'],
});

const hasSecrets = (entry: ReadableEntry): boolean =>
  JSON.stringify(redactedEntry(entry).body) !== JSON.stringify(entry.body);

function proofParts(proven: readonly ProvenEntry[], head: SignedHead, withheld: ReadonlySet<number>): Part[] {
  const texts = proven.map((one) => `${proofLine(one, withheld.has(one.row.place))}\n`);
  return [
    part(headPart, 'The signed head of the ledger that the proofs lead to.', `${encodeHead(head)}\n`),
    part(
      proofsPart,
      'Entries as they lie in the ledger, each with its path to the head (RFC 9162).',
      texts.join(''),
    ),
  ];
}
