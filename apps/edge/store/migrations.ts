/** One step of the database's layout; steps are only ever added, never changed. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'objects, secrets, registrations, call records',
    sql: `
      CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
      INSERT INTO meta VALUES ('objects_version', 0);

      CREATE TABLE users (
        domain TEXT NOT NULL, name TEXT NOT NULL, display_name TEXT, number TEXT,
        PRIMARY KEY (domain, name)
      ) STRICT, WITHOUT ROWID;

      -- a device authenticates by (domain, name), so its name is unique in its domain, not only with its user
      CREATE TABLE devices (
        domain TEXT NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL,
        encryption TEXT NOT NULL, allow_md5 INTEGER NOT NULL,
        PRIMARY KEY (domain, name)
      ) STRICT, WITHOUT ROWID;

      -- lists are JSON arrays
      CREATE TABLE trunks (
        domain TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL,
        addresses TEXT NOT NULL, certificate_names TEXT NOT NULL,
        inbound_username TEXT, inbound_md5 INTEGER NOT NULL,
        outbound_username TEXT, outbound_md5 INTEGER NOT NULL,
        encryption TEXT NOT NULL, dangerous_plaintext INTEGER NOT NULL,
        PRIMARY KEY (domain, name)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE routes (
        domain TEXT NOT NULL, name TEXT NOT NULL, priority INTEGER NOT NULL, match TEXT NOT NULL,
        source TEXT NOT NULL, target_kind TEXT NOT NULL, target TEXT NOT NULL,
        PRIMARY KEY (domain, name)
      ) STRICT, WITHOUT ROWID;

      -- kind: device, trunk-in (HA1 per digest algorithm), trunk-out (algorithm: password)
      CREATE TABLE secrets (
        kind TEXT NOT NULL, domain TEXT NOT NULL, name TEXT NOT NULL, algorithm TEXT NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (kind, domain, name, algorithm)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE bindings (
        domain TEXT NOT NULL, user TEXT NOT NULL, key TEXT NOT NULL, device TEXT NOT NULL,
        contact TEXT NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        transport TEXT NOT NULL, source TEXT NOT NULL, listener TEXT NOT NULL, user_agent TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (domain, user, key)
      ) STRICT, WITHOUT ROWID;

      -- Calls in progress, as packed text. A row outlives its call by some seconds, since deleting in bulk costs
      -- less: it counts only where no row of calls from \`number\` on has its sequence.
      CREATE TABLE live_calls (sequence INTEGER PRIMARY KEY, number INTEGER NOT NULL, record TEXT NOT NULL) STRICT;

      -- Finished calls, appended in the order of their ends; times are Unix ms. No index on random ids: it would
      -- double the cost of a call.
      CREATE TABLE calls (
        number INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, id TEXT NOT NULL, domain TEXT NOT NULL,
        started_at INTEGER NOT NULL, ringing_at INTEGER, answered_at INTEGER, ended_at INTEGER NOT NULL,
        caller TEXT NOT NULL, callee TEXT NOT NULL, principal TEXT NOT NULL, route TEXT NOT NULL,
        disposition TEXT NOT NULL, status INTEGER NOT NULL, cause TEXT NOT NULL, decision TEXT NOT NULL
      ) STRICT;

      -- number = calls.number * 64 + leg, so that legs stand in the order of their calls without an index
      CREATE TABLE legs (
        number INTEGER PRIMARY KEY, direction TEXT NOT NULL, principal TEXT NOT NULL, remote TEXT NOT NULL,
        transport TEXT NOT NULL, call_id TEXT NOT NULL, status INTEGER NOT NULL, started_at INTEGER NOT NULL,
        answered_at INTEGER, ended_at INTEGER, protection TEXT NOT NULL, quality TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    version: 2,
    name: 'PBX of a domain, registrations passed on to it',
    sql: `
      -- settings: JSON
      CREATE TABLE pbx (
        domain TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL,
        PRIMARY KEY (domain, name)
      ) STRICT, WITHOUT ROWID;

      -- JSON; empty for the edge's own users
      ALTER TABLE bindings ADD COLUMN upstream TEXT NOT NULL DEFAULT '';
    `,
  },
  {
    version: 3,
    name: 'settings of trunks and routes',
    sql: `
      -- what is read and written as a whole: JSON, without secrets
      ALTER TABLE trunks ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
      ALTER TABLE routes ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
    `,
  },
  {
    version: 4,
    name: 'domains, settings of users',
    sql: `
      -- name is the domain itself; settings: JSON
      CREATE TABLE domains (
        domain TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL,
        PRIMARY KEY (domain, name)
      ) STRICT, WITHOUT ROWID;

      ALTER TABLE users ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
    `,
  },
  {
    version: 5,
    name: 'journal of live calls',
    // What another process goes on with; no keys and no passwords. Empty where it cannot.
    sql: `ALTER TABLE live_calls ADD COLUMN state TEXT NOT NULL DEFAULT ''`,
  },
  {
    version: 6,
    name: 'proxies on the way to a phone',
    sql: `
      -- JSON array; empty for phones that have registered directly
      ALTER TABLE bindings ADD COLUMN path TEXT NOT NULL DEFAULT '';
    `,
  },
  {
    version: 7,
    name: 'settings of devices',
    sql: `ALTER TABLE devices ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'`,
  },
  {
    version: 8,
    name: 'grade of calls',
    sql: `
      -- JSON; empty for calls that were not answered, and for those of versions before
      ALTER TABLE calls ADD COLUMN grade TEXT NOT NULL DEFAULT ''
    `,
  },
  {
    version: 9,
    name: 'ZRTP of known phones',
    sql: `
      -- party holds the domain; sealed: retained secrets, bound to party and ZID
      CREATE TABLE zrtp_peers (
        party TEXT PRIMARY KEY, zid BLOB NOT NULL, sealed BLOB NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 10,
    name: 'bans',
    sql: `
      -- until: Unix ms; ban: JSON. Ended ones stay a week, for repeaters.
      CREATE TABLE bans (
        source TEXT PRIMARY KEY, until INTEGER NOT NULL, ban TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 11,
    name: 'standing of accounts',
    sql: `
      -- empty device: the whole account; empty network and phone: wherever it is; evidence: JSON
      CREATE TABLE account_standings (
        domain TEXT NOT NULL, user TEXT NOT NULL, device TEXT NOT NULL, network TEXT NOT NULL, phone TEXT NOT NULL,
        state TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, by TEXT NOT NULL, why TEXT NOT NULL,
        evidence TEXT NOT NULL,
        PRIMARY KEY (domain, user, device, network, phone)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 12,
    name: 'incidents',
    sql: `
      -- last_at: Unix ms; incident: JSON
      CREATE TABLE incidents (
        id TEXT PRIMARY KEY, closed INTEGER NOT NULL, last_at INTEGER NOT NULL, incident TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 13,
    name: 'what known peers have shown',
    sql: `
      -- seen: JSON, fingerprints and how often they were seen; rows in the order of their last change
      CREATE TABLE known_peers (party TEXT NOT NULL UNIQUE, seen TEXT NOT NULL) STRICT;
    `,
  },
  {
    version: 14,
    name: 'second factors of accounts',
    sql: `
      -- sealed: JSON of the kind (totp, passkey, recovery, invite), bound to its row
      CREATE TABLE account_factors (
        domain TEXT NOT NULL, user TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL,
        since INTEGER NOT NULL, used INTEGER NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (domain, user, id)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 15,
    name: 'devices follow what their domain says of new places',
    // Every device was written with the default, and so no domain was ever heard.
    sql: `UPDATE devices SET settings = json_remove(settings, '$.remote') WHERE settings ->> '$.remote' = 'allow'`,
  },
  {
    version: 16,
    name: 'what calls cost',
    sql: `
      -- value: JSON; key: bucket|scope|period|start, charge|call, lift|…
      CREATE TABLE spend (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
      -- JSON; empty for calls that cost nothing, and for those of versions before
      ALTER TABLE calls ADD COLUMN cost TEXT NOT NULL DEFAULT ''
    `,
  },
];

export const layoutVersion = migrations.at(-1)!.version;
