import { type Command, configOption, domainOption, jsonOption, type Option } from './command.ts';

const encryption: Option = {
  type: 'string',
  value: 'POLICY',
  description: '`required` (default), `preferred` or `none`.',
};
const device: Option = {
  type: 'string',
  value: 'DEVICE',
  description: 'Digest user name; default: the name of the user.',
};
const passwordStdin: Option = { type: 'boolean', description: 'Reads the password from standard input.' };
const passwordPrompt: Option = {
  type: 'boolean',
  description: 'Asks for the password; otherwise one is made and shown once.',
};
const weak: Option = { type: 'boolean', description: 'Takes passwords that are guessed soon.' };
const file: Option = {
  type: 'string',
  short: 'f',
  value: 'FILE',
  description: 'Objects as YAML; `-` is standard input.',
};

const ledgerReason: Option = { type: 'string', value: 'TEXT', description: 'Why; it is recorded.' };
const ledgerFilters = {
  class: {
    type: 'string',
    value: 'CLASS',
    description: 'call, login, administration, decision, configuration, security or ledger.',
  },
  domain: { type: 'string', value: 'DOMAIN', description: 'Tenant; default: all.' },
  field: {
    type: 'string',
    value: 'NAME=VALUE',
    description: 'A field and its value; `a.b` is a field of a field.',
  },
  since: { type: 'string', value: 'TIME', description: 'From this time on, such as 2026-05-01.' },
  until: { type: 'string', value: 'TIME', description: 'Before this time.' },
  limit: { type: 'string', value: 'NUMBER', description: 'Most entries.' },
} as const satisfies Readonly<Record<string, Option>>;

const rateTrunk: Option = {
  type: 'string',
  value: 'TRUNK',
  description: 'The sheet of this trunk alone; default: the one for all.',
};

/** Everything that `ringfence` can do: the source of dispatch, help, completion and docs/command-line.md. */
export const commands: readonly Command[] = [
  {
    name: 'up',
    summary: 'Starts the edge and stays in the foreground.',
    forms: [
      {
        words: '',
        description:
          'Makes the data folder, a local CA and the database where they are missing. SIGTERM and SIGINT drain and stop, a second one stops at once; SIGHUP reads configuration, objects and certificates again.',
        options: { config: configOption },
        examples: [
          'ringfence up',
          'RINGFENCE_HOME=/var/lib/ringfence ringfence up --config /etc/ringfence.yaml',
        ],
      },
    ],
    load: () => import('./up.ts'),
  },
  {
    name: 'upgrade',
    summary: 'Has the program on disk take the place of the running edge; calls go on.',
    forms: [
      {
        words: '',
        description:
          'After an update of its files. The new program reads the configuration first; where it refuses it, nothing happens. Answered calls and their media go on, new calls over UDP wait a moment and none is refused; TCP, TLS and WebSocket connections end, and phones make them anew. Calls that ring for more than two seconds meanwhile end with 503.',
        options: { config: configOption, json: jsonOption },
        examples: ['ringfence upgrade', 'RINGFENCE_HOME=/var/lib/ringfence ringfence upgrade --json'],
      },
    ],
    load: () => import('./upgrade.ts'),
  },
  {
    name: 'check',
    summary: 'Checks configuration and objects, and changes nothing.',
    forms: [
      {
        words: '',
        description:
          'Names every problem with file, line, column and key. Objects are checked against the store, if there is one.',
        options: {
          config: configOption,
          file,
          patches: {
            type: 'boolean',
            description:
              'Lists the virtual patches, verifies their signature and holds each against its own example and counter-example.',
          },
          json: jsonOption,
        },
        examples: [
          'ringfence check --config new.yaml',
          'ringfence check -f objects.yaml --json',
          'ringfence check --patches',
        ],
      },
    ],
    load: () => import('./check.ts'),
  },
  {
    name: 'apply',
    summary: 'Makes the store hold the objects of a file: all of them or none.',
    forms: [
      {
        words: '',
        description:
          'Adds and changes users, devices, trunks and routes, found by domain and name. A running edge notices within a second.',
        options: {
          file,
          prune: {
            type: 'boolean',
            description:
              'Removes what the file does not name, within the domains and kinds (users, trunks, routes) that it has.',
          },
          'dry-run': { type: 'boolean', description: 'Shows what would change.' },
          'dangerous-weak-password': weak,
          config: configOption,
          json: jsonOption,
        },
        examples: [
          'ringfence apply -f objects.yaml --dry-run',
          'ringfence export | ssh backup ringfence apply -f -',
        ],
      },
    ],
    load: () => import('./apply.ts'),
  },
  {
    name: 'export',
    summary: 'Writes all objects, without passwords, in the form that `apply` reads.',
    forms: [
      {
        words: '',
        description: 'Applied to the same store, the file changes nothing.',
        options: {
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence export > objects.yaml'],
      },
    ],
    load: () => import('./export.ts'),
  },
  {
    name: 'user',
    summary: 'Adds, lists and removes users and their devices.',
    forms: [
      {
        words: 'add NAME',
        description:
          'Adds a user with a device, or another device (`--device`) to a user, and prints what to enter into the phone.',
        options: {
          number: {
            type: 'string',
            value: 'NUMBER',
            description: 'Number that reaches the user from trunks.',
          },
          email: { type: 'string', value: 'MAILBOX', description: 'Where the user is told of the account.' },
          'display-name': { type: 'string', value: 'TEXT', description: 'Name shown to those called.' },
          device,
          encryption,
          'allow-md5': {
            type: 'boolean',
            description: 'Also offers MD5 digest, for phones that know nothing better.',
          },
          'password-stdin': passwordStdin,
          'password-prompt': passwordPrompt,
          'dangerous-weak-password': weak,
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
        examples: [
          'ringfence user add alice --number +493012345',
          'pass show phones/bob | ringfence user add bob --password-stdin',
        ],
      },
      {
        words: 'list',
        description: 'Lists users, their devices and how many contacts are registered.',
        options: {
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
      },
      {
        words: 'password NAME',
        description: 'Gives a device a new password.',
        options: {
          device,
          'password-stdin': passwordStdin,
          'password-prompt': passwordPrompt,
          'dangerous-weak-password': weak,
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
      },
      {
        words: 'audit',
        description:
          'Tries what attackers try first (names of the account, common passwords, PINs) against the hashes that are kept of passwords, and names whose password fell, never the password. With --pins also judges the PINs of mailboxes or features of a PBX. Exits 1 where something is weak.',
        options: {
          deep: {
            type: 'boolean',
            description: 'All 50,000 common passwords; default: the first 10,000. Half a second for a login.',
          },
          pins: {
            type: 'string',
            value: 'FILE',
            description: "Lines of `mailbox,pin`, or Asterisk's voicemail.conf.",
          },
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence user audit --pins /etc/asterisk/voicemail.conf'],
      },
      {
        words: 'standing',
        description: 'Lists places where phones are known or wait to be confirmed, and who is in quarantine.',
        options: {
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
      },
      {
        words: 'confirm NAME',
        description:
          'Confirms the phones of a user that wait in quarantine. A running edge notices within a second.',
        options: {
          device: { ...device, description: 'Only this device.' },
          network: { type: 'string', value: 'NETWORK', description: 'Only there, as `standing` writes it.' },
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence user confirm alice --network 198.51.100.0/24'],
      },
      {
        words: 'quarantine NAME',
        description:
          'Puts a user, or one device, aside: only emergency numbers and the help desk are reached.',
        options: {
          device: { ...device, description: 'Only this device.' },
          why: { type: 'string', value: 'TEXT', description: 'Reason, kept in events and records.' },
          hours: { type: 'string', value: 'HOURS', description: 'For so long; default: until released.' },
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
      },
      {
        words: 'release NAME',
        description: 'Takes a quarantine back.',
        options: {
          device: { ...device, description: 'Only of this device.' },
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
      },
      {
        words: 'factor DO NAME',
        description:
          'What a user confirms phones with, as the running edge has it. DO is `list`; `reset`, which removes it all; or `invite`, which makes a code by which the user may set up a first factor from anywhere, once.',
        options: {
          hours: {
            type: 'string',
            value: 'HOURS',
            description: 'Of `invite`: how long the code can be used; default: 72.',
          },
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence user factor invite alice', 'ringfence user factor reset alice'],
      },
      {
        words: 'remove NAME',
        description: 'Removes a user with its devices and registrations.',
        options: { domain: domainOption, config: configOption, json: jsonOption },
      },
    ],
    load: () => import('./user.ts'),
  },
  {
    name: 'trunk',
    summary: 'Lists trunks and shows how they are.',
    forms: [
      {
        words: 'list',
        description: 'Trunks are made with `ringfence apply`.',
        options: {
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
      },
      {
        words: 'state',
        description: 'Each address of each trunk that is watched, as the running edge knows it.',
        options: {
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence trunk state --json | jq .targets'],
      },
    ],
    load: () => import('./trunk.ts'),
  },
  {
    name: 'route',
    summary: 'Shows where a call would go, and why.',
    forms: [
      {
        words: 'trace NUMBER',
        description:
          'Goes each step of the decision for a call, through the code that calls go through, and places none: caller, number, routes, policy with its reasons, trunks in their order with health, limits, numbers and encryption. Exits 1 where the call would be refused. Works beside a running edge and without one.',
        options: {
          from: {
            type: 'string',
            value: 'NAME',
            description: 'User or trunk that calls (`user:NAME`, `trunk:NAME`); default: the first user.',
          },
          caller: {
            type: 'string',
            value: 'NUMBER',
            description: 'Number that the calling trunk shows.',
          },
          plain: {
            type: 'boolean',
            description: 'As if over UDP with plain RTP; default: over TLS with SRTP.',
          },
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
        examples: [
          'ringfence route trace +4930123456 --from alice',
          'ringfence route trace 0301234567 --from trunk:carrier --caller +4989555 --json',
        ],
      },
    ],
    load: () => import('./route.ts'),
  },
  {
    name: 'cert',
    summary: 'Shows and renews certificates, and issues them for trunks.',
    forms: [
      {
        words: 'show',
        description: 'Shows the CA and the certificate of the listeners with their SHA-256 fingerprints.',
        options: { config: configOption, json: jsonOption },
      },
      {
        words: 'ca',
        description: 'Writes the local CA as PEM to standard output, for phones and trunks to trust.',
        options: { config: configOption },
        examples: ['ringfence cert ca > ringfence-ca.crt'],
      },
      {
        words: 'renew',
        description: 'Issues the local certificate anew; `kill -HUP` makes a running edge use it.',
        options: { config: configOption, json: jsonOption },
      },
      {
        words: 'client NAME',
        description:
          'Issues a client certificate for a trunk or PBX: NAME.crt and NAME.key. NAME goes into `certificateNames` of the trunk.',
        options: {
          out: {
            type: 'string',
            value: 'FOLDER',
            description: 'Where to write the two files; default: here.',
          },
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence cert client pbx.example.com --out /tmp/pbx'],
      },
    ],
    load: () => import('./cert.ts'),
  },
  {
    name: 'call',
    summary:
      'Shows calls in progress, ends them, has them recorded, and takes what their users have compared.',
    forms: [
      {
        words: 'list',
        description:
          'Calls in progress as the running edge knows them, with what protects them; `--json` writes one a line, with each leg.',
        options: { domain: { ...domainOption, description: 'Only this tenant.' }, json: jsonOption },
        examples: ['ringfence call list --json | jq -r .sentence'],
      },
      {
        words: 'end CALL',
        description: 'Ends a call: both sides are hung up, and its record has the cause `administrator`.',
        options: {
          emergency: { type: 'boolean', description: 'Even where it is an emergency call.' },
          json: jsonOption,
        },
      },
      {
        words: 'sas CALL',
        description:
          'Says that the short authentication string of ZRTP that a phone shows is the one in `ringfence call list`, or that it is not.',
        options: {
          confirm: { type: 'boolean', description: 'They are the same.' },
          deny: {
            type: 'boolean',
            description:
              'They differ: somebody may be in the middle. What was kept of the phone is forgotten.',
          },
          side: {
            type: 'string',
            value: 'SIDE',
            description: '`caller` or `called`, where both have a string.',
          },
          json: jsonOption,
        },
        examples: ['ringfence call sas CALL --confirm'],
      },
      {
        words: 'record CALL ACTION',
        description:
          'ACTION is start, stop, pause or resume: within what the policy of the domain for recording allows.',
        options: {
          recorder: {
            type: 'string',
            value: 'TRUNK',
            description: 'Refuses where the policy names another one.',
          },
          json: jsonOption,
        },
        examples: ['ringfence call record CALL pause'],
      },
    ],
    load: () => import('./call.ts'),
  },
  {
    name: 'alert',
    summary: 'Shows alerts and says that somebody looks after them.',
    forms: [
      {
        words: 'list',
        description:
          'Alerts that are not over, the newest first (docs/alerts.md); `--json` writes one a line.',
        options: {
          all: { type: 'boolean', description: 'Also those that are over.' },
          domain: { ...domainOption, description: 'Only those of this tenant.' },
          json: jsonOption,
        },
      },
      {
        words: 'ack ALERT',
        description: 'Somebody looks after it: its escalation ends, and it is not repeated.',
        options: { json: jsonOption },
        examples: ['ringfence alert ack 4f1c09a2b7d3'],
      },
    ],
    load: () => import('./alert.ts'),
  },
  {
    name: 'simulate',
    summary: 'Writes labelled calls, with and without fraud, from a seed.',
    forms: [
      {
        words: '',
        description:
          'Call records of invented companies and frauds on standard output, the same for the same seed (docs/fraud-simulation.md). `ringfence replay` reads them.',
        options: {
          seed: { type: 'string', value: 'NUMBER', description: 'Default: 1.' },
          days: { type: 'string', value: 'NUMBER', description: 'Default: 14.' },
          offices: {
            type: 'string',
            value: 'NUMBER',
            description: 'Companies of 12 to 60 people; default: 12.',
          },
          'call-centres': { type: 'string', value: 'NUMBER', description: 'Default: 2.' },
          carriers: { type: 'string', value: 'NUMBER', description: 'Default: 2.' },
          frauds: {
            type: 'string',
            value: 'KINDS',
            description: 'With commas between them, or `none`; default: all kinds.',
          },
          json: { type: 'boolean', description: 'JSON lines in place of CSV.' },
        },
        examples: [
          'ringfence simulate --seed 7 --days 3 > calls.csv',
          'ringfence simulate --frauds irsf,wangiri --json | ringfence replay -',
        ],
      },
    ],
    load: () => import('./simulate.ts'),
  },
  {
    name: 'replay',
    summary: 'Shows what fraud rules would have done with calls that were.',
    forms: [
      {
        words: '[FILE]',
        description:
          'Call records as CSV with a heading or as JSON lines, `-` is standard input; captures (pcap, pcapng, JSON lines of HEP); or with `--stored` the calls of this edge, whose database is only read. Prints what would have been stopped, the money saved, and false alarms where the records say which calls were fraud (docs/fraud-detection.md). Nothing is stored.',
        options: {
          config: configOption,
          stored: {
            type: 'boolean',
            description: "The edge's own records of ended calls, in place of a file.",
          },
          since: {
            type: 'string',
            value: 'TIME',
            description:
              'With `--stored`: calls that began in the last `12h`, `30d`, or from such a time on as `2026-05-01T00:00:00Z`.',
          },
          rules: {
            type: 'string',
            value: 'RULES',
            description:
              "Tried in place of each tenant's own: a file of rules, `standard`, `call-centre` or `carrier`; `a.test=carrier,b.test=my-rules.yaml` for these tenants alone. Default: those of the configuration.",
          },
          zone: {
            type: 'string',
            value: 'ZONE',
            description: 'Time zone of times that do not say theirs, such as `+01:00`.',
          },
          domain: {
            ...domainOption,
            description: 'Tenant of records that name none; with `--stored` the one whose calls are read.',
          },
          json: jsonOption,
        },
        examples: [
          'ringfence replay --stored --since 30d --rules example.test=my-rules.yaml',
          'ringfence replay cdr.csv --zone +01:00',
          'ringfence replay calls.jsonl --rules my-rules.yaml --json',
        ],
      },
    ],
    load: () => import('./replay.ts'),
  },
  {
    name: 'threat',
    summary: 'Shows attacks that the running edge has found.',
    forms: [
      {
        words: 'list',
        description:
          'What was found since the start, latest first, with what speaks for it in bits (docs/detection.md); `--json` writes one a line.',
        options: {
          domain: { ...domainOption, description: 'Only what concerns accounts of this tenant.' },
          json: jsonOption,
        },
        examples: ['ringfence threat list --json | jq -r \'select(.rule == "scanner").source\''],
      },
    ],
    load: () => import('./threat.ts'),
  },
  {
    name: 'ban',
    summary: 'Shows, adds and lifts bans.',
    forms: [
      {
        words: 'list',
        description:
          'Whom the running edge does not listen to, until when, and why; `--json` writes one a line.',
        options: { json: jsonOption },
        examples: ['ringfence ban list --json | jq -r .source'],
      },
      {
        words: 'add SOURCE',
        description:
          'Bans an address, a block or a socket. Trunks, PBXs, `bans.allow`, loopback, this machine and your own address over SSH are refused.',
        options: {
          for: {
            type: 'string',
            value: 'TIME',
            description: 'How long, such as `15m`, `12h` or `30d`; default: `bans.seconds`.',
          },
          why: { type: 'string', value: 'TEXT', description: 'Kept with the ban.' },
          json: jsonOption,
        },
        examples: ['ringfence ban add 203.0.113.7 --for 12h --why "called at night"'],
      },
      {
        words: 'lift SOURCE',
        description: 'Ends a ban; the source begins anew.',
        options: { json: jsonOption },
      },
    ],
    load: () => import('./ban.ts'),
  },
  {
    name: 'incident',
    summary: 'Shows incidents and what is done about them.',
    forms: [
      {
        words: 'list',
        description: 'What the running edge has gathered, the latest first.',
        options: {
          domain: { ...domainOption, description: 'Only those that concern this tenant.' },
          all: { type: 'boolean', description: 'Closed ones, too.' },
          json: jsonOption,
        },
      },
      {
        words: 'show INCIDENT',
        description: 'Everything about one: who, when, what was done, what waits for you.',
        options: { json: jsonOption },
        examples: ['ringfence incident show INC-20261124-1'],
      },
      {
        words: 'open KIND TEXT',
        description:
          'Says that something has happened that the edge does not see by itself; its playbook is followed from then on. KIND is one of scan, flood, brute-force, registration-hijack, compromised-device, eavesdropping, toll-fraud, stolen-admin.',
        options: {
          account: { type: 'string', value: 'USER@DOMAIN', description: 'Whose account it is about.' },
          source: { type: 'string', value: 'ADDRESS', description: 'Where it comes from.' },
          json: jsonOption,
        },
        examples: [
          'ringfence incident open compromised-device "The phone in the lobby was stolen." --account lobby@example.test',
        ],
      },
      {
        words: 'approve INCIDENT STEP',
        description: 'Has a step done that waits, for all whom it concerns now and later; ticks a task off.',
        options: { json: jsonOption },
      },
      {
        words: 'reject INCIDENT STEP',
        description: 'A step that waits is not done.',
        options: { json: jsonOption },
      },
      {
        words: 'undo INCIDENT STEP',
        description: 'Takes back what a step has done, and does not do it again.',
        options: { json: jsonOption },
      },
      {
        words: 'note INCIDENT TEXT',
        description: 'Writes a note into its timeline.',
        options: { json: jsonOption },
      },
      {
        words: 'close INCIDENT',
        description: 'It is dealt with. What was done for a time runs out by itself.',
        options: { json: jsonOption },
      },
    ],
    load: () => import('./incident.ts'),
  },
  {
    name: 'evidence',
    summary: 'Makes evidence bundles of incidents and shows them.',
    forms: [
      {
        words: 'make INCIDENT',
        description:
          'Puts everything about an incident into one signed file in the folder `evidence`: SIP messages, calls, protection, events, decisions, configuration, proofs of the ledger, custody.',
        options: {
          config: configOption,
          out: {
            type: 'string',
            value: 'FILE',
            description: 'Copies it there, too; a file that is there is not written over.',
          },
          json: jsonOption,
        },
        examples: ['ringfence evidence make INC-20261124-1 --out /media/stick/INC-20261124-1.tar'],
      },
      {
        words: 'show FILE',
        description: 'What a bundle says, in plain words, with the SIP messages as a ladder.',
        options: {
          config: configOption,
          key: {
            type: 'string',
            value: 'PEM',
            description: 'Public key; default: that of the edge on this machine.',
          },
          json: jsonOption,
        },
      },
      {
        words: 'custody INCIDENT',
        description:
          'Who has made, copied, read and verified evidence of an incident on this machine, as the ledger has recorded it.',
        options: { config: configOption, json: jsonOption },
      },
    ],
    load: () => import('./evidence.ts'),
  },
  {
    name: 'spend',
    summary: 'Shows what calls have cost, and sets caps.',
    forms: [
      {
        words: 'list',
        description:
          'What users, trunks and domains have spent this hour, today and this month, beside their caps. Works beside a running edge and without one.',
        options: {
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
      },
      {
        words: 'set NAME',
        description:
          'Caps of a user (`alice`, `alice@example.test`), a trunk (`trunk:pbx`) or a domain (`domain:example.test`), in whole units of `fraud.currency`; a running edge has them within a second.',
        options: {
          hour: { type: 'string', value: 'MONEY', description: 'Most money in one hour.' },
          day: { type: 'string', value: 'MONEY', description: 'Most money in one day.' },
          month: { type: 'string', value: 'MONEY', description: 'Most money in one month.' },
          usual: { type: 'boolean', description: 'Those of everybody again.' },
          domain: domainOption,
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence spend set alice --day 20', 'ringfence spend set trunk:carrier --month 2000'],
      },
    ],
    load: () => import('./spend.ts'),
  },
  {
    name: 'rates',
    summary: 'Imports and shows what minutes cost.',
    forms: [
      {
        words: 'import FILE',
        description:
          'A rate sheet as CSV (comma, semicolon or tab) with columns headed prefix and rate and, if you like, connection fee, initial, increment and currency. Takes the place of the sheet that was there; where a row is wrong it is named, and nothing is imported.',
        options: {
          trunk: rateTrunk,
          domain: domainOption,
          currency: {
            type: 'string',
            value: 'CODE',
            description: 'What its prices are in; default: `fraud.currency`, and no other is used for caps.',
          },
          encoding: {
            type: 'string',
            value: 'NAME',
            description: 'Such as windows-1252; default: UTF-8, or what its byte order mark says.',
          },
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence rates import rates.csv', 'ringfence rates import carrier.csv --trunk carrier'],
      },
      {
        words: 'show [PREFIX]',
        description: 'The sheets there are, or the rates of one that begin with these digits.',
        options: { trunk: rateTrunk, domain: domainOption, config: configOption, json: jsonOption },
      },
      {
        words: 'trace NUMBER',
        description: 'Where a number leads, what a minute to it costs, and which rate says so.',
        options: { trunk: rateTrunk, domain: domainOption, config: configOption, json: jsonOption },
        examples: ['ringfence rates trace +5355512345'],
      },
      {
        words: 'remove',
        description:
          'Takes a sheet out: prices of its numbers are those of the usual sheet, or of their classes.',
        options: { trunk: rateTrunk, domain: domainOption, config: configOption },
      },
    ],
    load: () => import('./rates.ts'),
  },
  {
    name: 'fraud',
    summary: 'Shows and sets toll-fraud rules, and lets calls pass for a time that they stop.',
    forms: [
      {
        words: 'lift',
        description:
          'Whatever stands against a number, an account or a domain is lifted for a time: closed destinations, caps, verdicts of rules. What the calls cost is counted, and no rule learns from them. Kept in the ledger.',
        options: {
          number: { type: 'string', value: 'NUMBER', description: 'Calls to this number.' },
          account: {
            type: 'string',
            value: 'NAME',
            description: 'Calls that this user pays for, or `trunk:NAME`.',
          },
          domain: { type: 'string', value: 'DOMAIN', description: 'All calls of this tenant.' },
          for: { type: 'string', value: 'TIME', description: 'Such as 30m, 1h or 2d; default 1h.' },
          config: configOption,
          json: jsonOption,
        },
        examples: [
          'ringfence fraud lift --number +5355512345 --for 1h',
          'ringfence fraud lift --account alice',
        ],
      },
      {
        words: 'unlift',
        description: 'Takes a lift back before its time.',
        options: {
          number: { type: 'string', value: 'NUMBER', description: 'Calls to this number.' },
          account: { type: 'string', value: 'NAME', description: 'Calls that this user or trunk pays for.' },
          domain: { type: 'string', value: 'DOMAIN', description: 'All calls of this tenant.' },
          config: configOption,
          json: jsonOption,
        },
      },
      { words: 'lifts', description: 'What is lifted now.', options: { json: jsonOption } },
      {
        words: 'rules',
        description:
          'Rules about the behaviour of accounts (docs/fraud-detection.md): their modes, and how many calls of yesterday those in `watch` would have stopped.',
        options: { domain: domainOption, config: configOption, json: jsonOption },
      },
      {
        words: 'mode RULE MODE',
        description:
          "Puts a rule into `off`, `watch`, `challenge`, `block` or `cut-off`. One in `watch` that would have stopped more of yesterday's calls than `fraud.behaviour.mostTouched` stays there.",
        options: {
          domain: domainOption,
          force: { type: 'boolean', description: 'All the same; kept in the ledger.' },
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence fraud mode rotation watch'],
      },
      {
        words: 'why WHAT',
        description:
          'What was found about a call, an account (`user:alice@example.test`) or a number lately, with its parts.',
        options: { json: jsonOption },
      },
    ],
    load: () => import('./fraud.ts'),
  },
  {
    name: 'cdr',
    summary: 'Shows call records.',
    forms: [
      {
        words: 'list',
        description: 'Calls in progress and finished ones, newest first.',
        options: {
          limit: {
            type: 'string',
            value: 'NUMBER',
            description: 'At most so many, 1 to 100000; default 20.',
          },
          domain: { ...domainOption, description: 'Only this tenant.' },
          config: configOption,
          json: jsonOption,
        },
        examples: ['ringfence cdr list --limit 1000 --json | jq .disposition'],
      },
      {
        words: 'show ID',
        description: 'One call with its legs, protection and the reasons of the decision.',
        options: { config: configOption, json: jsonOption },
      },
    ],
    load: () => import('./cdr.ts'),
  },
  {
    name: 'ledger',
    summary: 'Searches and exports the ledger, holds and erases.',
    forms: [
      {
        words: 'search [WORDS]',
        description: 'Entries in which all words occur, newest first; erased persons are found no more.',
        options: { config: configOption, ...ledgerFilters, json: jsonOption },
        examples: [
          'ringfence ledger search +12025550100 --class call',
          'ringfence ledger search --field status=486',
        ],
      },
      {
        words: 'export',
        description: 'Writes entries, newest first, as JSON lines, CSV or Parquet (a million at most).',
        options: {
          config: configOption,
          ...ledgerFilters,
          format: { type: 'string', value: 'FORMAT', description: '`jsonl` (default), `csv` or `parquet`.' },
          out: { type: 'string', value: 'FILE', description: 'Default: standard output.' },
          'without-persons': { type: 'boolean', description: 'Leaves out everything that is sealed.' },
        },
        examples: ['ringfence ledger export --since 2026-05-01 --format parquet --out may.parquet'],
      },
      {
        words: 'holds',
        description: 'Legal holds.',
        options: { config: configOption, json: jsonOption },
      },
      {
        words: 'hold',
        description:
          'Keeps retention and erasure from what a person, or the whole tenant, has in the ledger.',
        options: {
          config: configOption,
          domain: domainOption,
          person: { type: 'string', value: 'PERSON', description: 'Address or number; default: everybody.' },
          since: ledgerFilters.since,
          until: ledgerFilters.until,
          reason: ledgerReason,
          json: jsonOption,
        },
        examples: ['ringfence ledger hold --person alice@example.com --reason "case 7 O 12/26"'],
      },
      {
        words: 'release ID',
        description: 'Ends a legal hold.',
        options: { config: configOption, reason: ledgerReason, json: jsonOption },
      },
      {
        words: 'erase-person PERSON',
        description:
          'Destroys the key of a person: what the ledger says of them can be read no more, and it verifies as before.',
        options: { config: configOption, domain: domainOption, reason: ledgerReason, json: jsonOption },
        examples: ['ringfence ledger erase-person alice@example.com --reason "request of 3 May"'],
      },
    ],
    load: () => import('./ledger.ts'),
  },
  {
    name: 'verify',
    summary: 'Says whether the ledger, or an evidence bundle, is what was recorded, and names what is not.',
    forms: [
      {
        words: 'ledger [FILE]',
        description:
          'Reads every entry. FILE is a copy of a ledger, verified without anything else but the public key. Exits 1 where anything was edited, dropped, reordered, removed, cut off or written anew.',
        options: {
          config: configOption,
          key: { type: 'string', value: 'PEM', description: 'Public key; default: that of this edge.' },
          heads: {
            type: 'string',
            value: 'FILE',
            description: 'Signed heads that a witness has kept, one JSON line each.',
          },
          'timestamp-ca': {
            type: 'string',
            value: 'PEM',
            description:
              'Certificates, one of which has to stand behind every time stamp; default: `ledger.witness.timestampCa`.',
          },
          json: jsonOption,
        },
        examples: [
          'ringfence verify ledger --heads /mnt/witness/heads.jsonl',
          'ringfence verify ledger copy.db --key ledger-public.pem',
        ],
      },
      {
        words: 'bundle FILE',
        description:
          'Checks an evidence bundle without the edge and without its data: each part, the signature, and the proofs that its entries are in the ledger. Exits 1 where anything was edited, dropped, added, reordered, cut off or signed by another key, and names it.',
        options: {
          config: configOption,
          key: {
            type: 'string',
            value: 'PEM',
            description: 'Public key; default: that of the edge on this machine.',
          },
          'key-id': {
            type: 'string',
            value: 'ID',
            description: 'Id of the key, as the edge has printed it, in place of the key.',
          },
          json: jsonOption,
        },
        examples: ['ringfence verify bundle INC-20261124-1.tar --key ledger-public.pem'],
      },
    ],
    load: () => import('./verify.ts'),
  },
  {
    name: 'demo',
    summary: 'Places calls through an edge on loopback and shows what protected them.',
    forms: [
      {
        words: '',
        description: 'Uses free ports and a data folder of its own; exits 0 only if every check held.',
        options: {
          engine: {
            type: 'string',
            value: 'ENGINE',
            description:
              'What carries the voice: `relay` (default), or `rtpengine`, which must be installed.',
          },
          json: jsonOption,
        },
      },
    ],
    load: () => import('./demo.ts'),
  },
  {
    name: 'completion',
    summary: 'Writes completion for a shell.',
    forms: [
      {
        words: 'SHELL',
        description: 'SHELL is bash, zsh or fish.',
        options: {},
        examples: [
          'source <(ringfence completion bash)',
          'ringfence completion fish > ~/.config/fish/completions/ringfence.fish',
        ],
      },
    ],
    load: () => import('./completion.ts'),
  },
  {
    name: 'help',
    summary: 'Explains a command.',
    forms: [{ words: '[COMMAND]', description: 'Without COMMAND: lists all.', options: {} }],
    load: () => import('./help.ts'),
  },
  {
    name: 'version',
    summary: 'Shows the versions of Ringfence, Node.js, OpenSSL and SQLite.',
    forms: [{ words: '', description: '', options: { json: jsonOption } }],
    load: () => import('./version.ts'),
  },
];
