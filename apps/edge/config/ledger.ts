import { resolve } from 'node:path';
import { entryClasses } from '@ringfence/ledger/entry.ts';
import { type Static, Type } from '@sinclair/typebox';
import type { Report } from './validate.ts';

/** What is recorded so that nobody can change it unnoticed. */
export const LedgerSettings = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Records calls, logins, decisions, administration and configuration.',
    }),
    file: Type.String({
      default: 'ledger.db',
      description: 'SQLite database, relative to the data folder.',
    }),
    postgresql: Type.Optional(
      Type.Object(
        {
          url: Type.String({
            description: '`postgresql://user@host/database?sslmode=verify-full`, without a password.',
          }),
          passwordFile: Type.Optional(
            Type.String({ description: 'File with the password, relative to this file.' }),
          ),
        },
        {
          additionalProperties: false,
          description: 'Keeps the ledger in PostgreSQL, in the schema `ringfence_ledger`, instead of `file`.',
        },
      ),
    ),
    commitMilliseconds: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 100,
      description: 'Entries are gathered for so long into one commit. No call waits for it.',
    }),
    onFailure: Type.Union([Type.Literal('go-on'), Type.Literal('refuse-calls')], {
      default: 'go-on',
      description:
        'While nothing can be recorded (a full disk, a server that is away). go-on: calls go on, 20,000 entries wait in memory, and what is lost is recorded as a gap. refuse-calls: new calls get 503; emergency calls go on.',
    }),
    retention: Type.Array(
      Type.Object(
        {
          class: Type.Union(
            entryClasses.filter((name) => name !== 'ledger').map((name) => Type.Literal(name)),
            { description: 'What kind of entries.' },
          ),
          tenant: Type.Optional(
            Type.String({ description: 'SIP domain; absent: all without a rule of their own.' }),
          ),
          days: Type.Integer({ minimum: 1, maximum: 36_500, description: 'How long their content stays.' }),
        },
        { additionalProperties: false },
      ),
      {
        default: [],
        description:
          'Content that is older is taken away; its place in the chain stays. Default: everything stays.',
      },
    ),
    witness: Type.Object(
      {
        file: Type.String({
          default: 'ledger-heads.jsonl',
          description:
            'Signed heads are appended to this file, relative to the data folder; on another machine they prove more.',
        }),
        url: Type.Optional(Type.String({ description: 'Signed heads are sent here by POST.' })),
        timestamps: Type.Optional(
          Type.String({
            description: 'URL of a time-stamping authority (RFC 3161); its tokens are recorded.',
          }),
        ),
        timestampCa: Type.Optional(
          Type.String({
            description:
              'Certificates (PEM), relative to this file, one of which has to stand behind every time stamp. Absent: whoever the stamp names is believed, and `verify` says so.',
          }),
        ),
        everyMinutes: Type.Integer({ minimum: 1, maximum: 10_080, default: 60 }),
      },
      { additionalProperties: false, default: {} },
    ),
  },
  { additionalProperties: false, default: {}, description: 'The ledger, see [ledger](ledger.md).' },
);
export type LedgerSettings = Static<typeof LedgerSettings>;

/** Gives the settings with absolute `passwordFile` and `timestampCa`. */
export function checkLedger(given: LedgerSettings, folder: string, report: Report): LedgerSettings {
  const { timestampCa } = given.witness;
  const ledger =
    timestampCa === undefined
      ? given
      : { ...given, witness: { ...given.witness, timestampCa: resolve(folder, timestampCa) } };
  const { postgresql, witness, retention } = ledger;
  for (const name of ['url', 'timestamps'] as const) {
    const url = witness[name];
    if (url !== undefined && !/^https?:$/.test(protocolOf(url)))
      report.value(`ledger.witness.${name}`, 'is no HTTP address', 'Write `https://…`.');
  }
  retention.forEach(({ tenant }, i) => {
    if (tenant !== undefined && tenant !== tenant.toLowerCase())
      report.value(`ledger.retention[${i}].tenant`, 'has capitals', 'Write the domain in small letters.');
  });
  if (postgresql === undefined) return ledger;
  if (!/^postgres(?:ql)?:$/.test(protocolOf(postgresql.url)))
    report.value(
      'ledger.postgresql.url',
      'is no address of PostgreSQL',
      'Write `postgresql://user@host/database`.',
    );
  else if (/:\/\/[^/@]*:[^/@]*@/.test(postgresql.url))
    report.value(
      'ledger.postgresql.url',
      'holds a password',
      'Write the password into a file (mode 0600) and name it in `ledger.postgresql.passwordFile`.',
    );
  if (postgresql.passwordFile === undefined) return ledger;
  return { ...ledger, postgresql: { ...postgresql, passwordFile: resolve(folder, postgresql.passwordFile) } };
}

/** The URL of a UNIX socket has no host, which only the database's own reader understands. */
const protocolOf = (url: string): string => /^[a-z]+:/.exec(url)?.[0] ?? '';
