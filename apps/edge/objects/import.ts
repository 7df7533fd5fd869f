import { timingSafeEqual } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { ha1 } from '@ringfence/sip/digest/ha1.ts';
import type { ConfigProblem } from '../config/problem.ts';
import type { Report } from '../config/validate.ts';
import { inTransaction } from '../store/database.ts';
import {
  type DeviceRow,
  type PbxRow,
  readObjectRows,
  type TrunkRow,
  type UserRow,
} from '../store/object-rows.ts';
import { ObjectWriter } from '../store/object-writer.ts';
import type { Sealer } from '../store/seal.ts';
import { usualStrength } from './account-settings.ts';
import { checkObjects } from './check.ts';
import { deviceSettingsOf } from './device-settings.ts';
import { checkTogether, type Keyed } from './fit-together.ts';
import { algorithmsFor } from './ha1.ts';
import { pbxRow } from './pbx.ts';
import type { ReadObjects } from './read.ts';
import { routeName } from './route-name.ts';
import type { DeviceObject, ObjectsFile } from './schema.ts';
import { firstTarget, settingsOf } from './trunk-settings.ts';
import type { Domain, Route } from './types.ts';
import { userSettingsOf } from './user-settings.ts';

export interface Change {
  readonly action: 'add' | 'change' | 'remove';
  readonly kind: 'domain' | 'user' | 'device' | 'trunk' | 'route' | 'pbx';
  readonly domain: string;
  readonly name: string;
  /** What differs, without values. */
  readonly what: readonly string[];
}

export interface ApplyOptions {
  readonly defaultDomain: string;
  /** Removes what the file does not name: within the domains it names, and the kinds (domains, users, trunks, routes, pbx) it has. */
  readonly prune: boolean;
  /** Prunes within these domains instead of those that the file names. */
  readonly pruneDomains?: readonly string[];
  /** Checks and plans, then leaves everything as it was. */
  readonly dryRun: boolean;
  readonly weakPasswords: boolean;
}

interface Kind<T extends { domain: string; name: string }> {
  readonly kind: Change['kind'];
  readonly stored: readonly T[];
  readonly given: readonly Keyed<T>[];
}

class Refused extends Error {}
class DryRun extends Error {}

/**
 * Makes the store hold what the file says: all of it in one transaction, or nothing.
 *
 * Objects are found by domain and name. Applying a file twice changes nothing, and wakes no daemon. Devices of a user
 * are what its entry lists; a device without `password` keeps the one it has.
 */
export function applyObjects(
  database: DatabaseSync,
  sealer: Sealer,
  read: ReadObjects,
  options: ApplyOptions,
): Result<readonly Change[], ConfigProblem[]> {
  const report = read.report();
  const strength = strengths(readObjectRows(database).domains, read.objects);
  checkObjects(read.objects, { ...options, strength }, report);
  if (report.problems.length > 0) return err(report.problems);
  let changes: readonly Change[] = [];
  try {
    inTransaction(database, () => {
      changes = write(database, new ObjectWriter(database, sealer), read.objects, options, report);
      if (report.problems.length > 0) throw new Refused();
      if (options.dryRun) throw new DryRun();
      if (changes.length > 0)
        database.exec("UPDATE meta SET value = value + 1 WHERE key = 'objects_version'");
    });
  } catch (error) {
    if (error instanceof Refused) return err(report.problems);
    if (!(error instanceof DryRun)) throw error;
  }
  return ok(changes);
}

/** What each domain demands of passwords: as the file says, else as the store does. */
function strengths(stored: readonly Domain[], { domains = [] }: ObjectsFile): (domain: string) => number {
  const demanded = new Map([...stored, ...domains].map((d) => [d.name.toLowerCase(), d.accounts]));
  return (domain) => demanded.get(domain)?.passwordStrength ?? usualStrength;
}

function write(
  database: DatabaseSync,
  writer: ObjectWriter,
  file: ObjectsFile,
  options: ApplyOptions,
  report: Report,
): readonly Change[] {
  const stored = readObjectRows(database);
  const domainOf = (o: { domain?: string }) => (o.domain ?? options.defaultDomain).toLowerCase();
  const userKeys = file.users ?? [];
  const users: Kind<UserRow> = {
    kind: 'user',
    stored: stored.users,
    given: userKeys.map((u, i) => ({
      key: `users[${i}]`,
      row: {
        domain: domainOf(u),
        name: u.name,
        ...(u.displayName === undefined ? {} : { displayName: u.displayName }),
        ...(u.number === undefined ? {} : { number: u.number }),
        ...userSettingsOf(u),
      },
    })),
  };
  const deviceObjects = new Map<DeviceRow, DeviceObject>();
  const devices: Kind<DeviceRow> = {
    kind: 'device',
    stored: stored.devices,
    given: userKeys.flatMap((u, i) =>
      u.devices.map((d, j) => {
        const row: DeviceRow = {
          domain: domainOf(u),
          name: d.name,
          user: u.name,
          encryption: d.encryption ?? 'required',
          allowMd5: d.allowMd5 ?? false,
          ...deviceSettingsOf(d),
        };
        deviceObjects.set(row, d);
        return { key: `users[${i}].devices[${j}]`, row };
      }),
    ),
  };
  const trunks: Kind<TrunkRow> = {
    kind: 'trunk',
    stored: stored.trunks,
    given: (file.trunks ?? []).map((t, i) => ({
      key: `trunks[${i}]`,
      row: {
        domain: domainOf(t),
        name: t.name,
        target: firstTarget(t),
        addresses: t.addresses ?? [],
        certificateNames: t.certificateNames ?? [],
        ...(t.inboundAuthentication === undefined
          ? {}
          : {
              inbound: {
                username: t.inboundAuthentication.username,
                allowMd5: t.inboundAuthentication.allowMd5 ?? false,
              },
            }),
        ...(t.outboundAuthentication === undefined
          ? {}
          : {
              outbound: {
                username: t.outboundAuthentication.username,
                allowMd5: t.outboundAuthentication.allowMd5 ?? false,
              },
            }),
        encryption: t.encryption ?? 'required',
        dangerousPlaintext: t.dangerousPlaintext ?? false,
        ...settingsOf(t),
      },
    })),
  };
  const routes: Kind<Route> = {
    kind: 'route',
    stored: stored.routes,
    given: (file.routes ?? []).map((r, i) => ({
      key: `routes[${i}]`,
      row: {
        domain: domainOf(r),
        name: routeName(r),
        priority: r.priority ?? 100,
        match: r.match,
        from: r.from ?? 'users',
        ...(r.rewrite === undefined ? {} : { rewrite: r.rewrite }),
        to: r.to,
      },
    })),
  };

  const domains: Kind<Domain> = {
    kind: 'domain',
    stored: stored.domains,
    given: (file.domains ?? []).map((d, i) => {
      const name = d.name.toLowerCase();
      return { key: `domains[${i}]`, row: { domain: name, ...d, name } };
    }),
  };
  const pbx: Kind<PbxRow> = {
    kind: 'pbx',
    stored: stored.pbx,
    given: (file.pbx ?? []).map((p, i) => ({ key: `pbx[${i}]`, row: pbxRow(p, domainOf(p)) })),
  };

  const named = new Set(
    options.pruneDomains ??
      [...users.given, ...trunks.given, ...routes.given, ...pbx.given, ...domains.given].map(
        ({ row }) => row.domain,
      ),
  );
  if (named.size === 0) named.add(options.defaultDomain.toLowerCase());
  const prunes = (section: readonly unknown[] | undefined) => (row: { domain: string }) =>
    options.prune && section !== undefined && named.has(row.domain);
  const givenUsers = new Set(users.given.map(({ row }) => identity(row)));
  const goneUser = (row: { domain: string; name: string }) =>
    prunes(file.users)(row) && !givenUsers.has(identity(row));
  /** A user's devices are what its entry lists, and go with it. */
  const goneDevice = (row: DeviceRow) => {
    const owner = { domain: row.domain, name: row.user };
    return givenUsers.has(identity(owner)) || goneUser(owner);
  };

  const owners = new Map(stored.devices.map((row) => [identity(row), row]));
  for (const { row, key } of devices.given) {
    const before = owners.get(identity(row));
    if (before === undefined || before.user === row.user || goneDevice(before)) continue;
    report.value(
      `${key}.name`,
      `the digest user name \`${row.name}\` already belongs to user ${before.user}`,
      'Device names are unique within a domain; choose another, or move it by listing both users.',
    );
  }

  const future = {
    users: merge(users, goneUser),
    devices: merge(devices, goneDevice),
    trunks: merge(trunks, prunes(file.trunks)),
    routes: merge(routes, prunes(file.routes)),
    pbx: merge(pbx, prunes(file.pbx)),
    domains: merge(domains, prunes(file.domains)),
  };
  checkTogether(future, report);
  if (report.problems.length > 0) return [];

  const changes: Change[] = [];
  const note = (
    action: Change['action'],
    kind: Change['kind'],
    row: { domain: string; name: string },
    what: readonly string[] = [],
  ) => changes.push({ action, kind, domain: row.domain, name: row.name, what });

  // secrets first: a device may move to another user while its password stays
  const secretsOf = {
    device: (row: DeviceRow, key: string) =>
      keepHa1(
        writer,
        'device',
        row,
        row.name,
        row.allowMd5,
        deviceObjects.get(row)?.password,
        `${key}.password`,
        report,
      ),
    trunk: (row: TrunkRow, key: string, before: TrunkRow | undefined) => {
      const entry = file.trunks?.[trunks.given.findIndex((g) => g.row === row)];
      return [
        ...keepInbound(writer, row, before, entry?.inboundAuthentication?.password, key, report),
        ...keepOutbound(writer, row, before, entry?.outboundAuthentication?.password, key, report),
      ];
    },
  };

  for (const row of removed(routes, prunes(file.routes))) {
    writer.remove('route', row);
    note('remove', 'route', row);
  }
  for (const row of removed(trunks, prunes(file.trunks))) {
    writer.remove('trunk', row);
    note('remove', 'trunk', row);
  }
  for (const row of removed(domains, prunes(file.domains))) {
    writer.remove('domain', row);
    note('remove', 'domain', row);
  }
  for (const row of removed(pbx, prunes(file.pbx))) {
    writer.remove('pbx', row);
    note('remove', 'pbx', row);
  }
  for (const row of removed(devices, goneDevice)) {
    writer.remove('device', row);
    note('remove', 'device', row);
  }
  for (const row of removed(users, goneUser)) {
    writer.remove('user', row);
    note('remove', 'user', row);
  }

  const upsert = <T extends { domain: string; name: string }>(
    { kind, stored: before, given }: Kind<T>,
    put: (row: T) => void,
    secrets: (row: T, key: string, old: T | undefined) => readonly string[],
  ) => {
    const known = new Map(before.map((row) => [identity(row), row]));
    for (const { row, key } of given) {
      const old = known.get(identity(row));
      const what = [...(old === undefined ? [] : differences(old, row)), ...secrets(row, key, old)];
      if (old !== undefined && what.length === 0) continue;
      put(row);
      note(old === undefined ? 'add' : 'change', kind, row, old === undefined ? [] : what);
    }
  };
  upsert(
    domains,
    (row) => writer.putDomain(row),
    () => [],
  );
  upsert(
    users,
    (row) => writer.putUser(row),
    () => [],
  );
  upsert(devices, (row) => writer.putDevice(row), secretsOf.device);
  upsert(trunks, (row) => writer.putTrunk(row), secretsOf.trunk);
  upsert(
    routes,
    (row) => writer.putRoute(row),
    () => [],
  );
  upsert(
    pbx,
    (row) => writer.putPbx(row),
    () => [],
  );
  return changes;
}

const identity = (o: { domain: string; name: string }): string => `${o.domain}/${o.name}`;

function merge<T extends { domain: string; name: string }>(
  kind: Kind<T>,
  gone: (row: T) => boolean,
): Keyed<T>[] {
  const given = new Set(kind.given.map(({ row }) => identity(row)));
  const kept = kind.stored.filter((row) => !given.has(identity(row)) && !gone(row));
  return [...kept.map((row) => ({ row, key: '' })), ...kind.given];
}

function removed<T extends { domain: string; name: string }>(kind: Kind<T>, gone: (row: T) => boolean): T[] {
  const given = new Set(kind.given.map(({ row }) => identity(row)));
  return kind.stored.filter((row) => !given.has(identity(row)) && gone(row));
}

function differences<T extends object>(a: T, b: T): string[] {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof T & string>;
  return [...keys].filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
}

/** Makes the stored HA1s match; gives what changed. */
function keepHa1(
  writer: ObjectWriter,
  kind: 'device' | 'trunk-in',
  row: { domain: string; name: string },
  username: string,
  allowMd5: boolean,
  password: string | undefined,
  key: string,
  report: Report,
): string[] {
  const known = new Map(writer.secrets(kind, row));
  const wanted = algorithmsFor(allowMd5);
  if (password === undefined) {
    const missing = wanted.filter((algorithm) => !known.has(algorithm));
    if (missing.length > 0) {
      report.value(
        key.replace(/\.password$/, ''),
        known.size === 0 ? 'has no password yet' : `needs its password anew for ${missing.join(', ')}`,
        'Add `password:`; it is kept only as hashes.',
      );
    }
    for (const algorithm of known.keys()) {
      if (!(wanted as readonly string[]).includes(algorithm)) writer.removeSecret(kind, row, algorithm);
    }
    return [];
  }
  let changed = false;
  for (const algorithm of wanted) {
    const secret = ha1(algorithm, username, row.domain, password);
    const old = known.get(algorithm);
    if (old !== undefined && old.length === secret.length && timingSafeEqual(old, secret)) continue;
    writer.putSecret({ kind, ...row, algorithm }, secret);
    changed = true;
  }
  return changed ? ['password'] : [];
}

function keepInbound(
  writer: ObjectWriter,
  row: TrunkRow,
  before: TrunkRow | undefined,
  password: string | undefined,
  key: string,
  report: Report,
): string[] {
  const place = { domain: row.domain, name: row.name };
  if (row.inbound === undefined) {
    writer.removeSecret('trunk-in', place);
    return [];
  }
  // an HA1 contains its user name
  if (before?.inbound !== undefined && before.inbound.username !== row.inbound.username)
    writer.removeSecret('trunk-in', place);
  return keepHa1(
    writer,
    'trunk-in',
    place,
    row.inbound.username,
    row.inbound.allowMd5,
    password,
    `${key}.inboundAuthentication.password`,
    report,
  );
}

function keepOutbound(
  writer: ObjectWriter,
  row: TrunkRow,
  before: TrunkRow | undefined,
  password: string | undefined,
  key: string,
  report: Report,
): string[] {
  const place = { domain: row.domain, name: row.name };
  if (row.outbound === undefined) {
    writer.removeSecret('trunk-out', place);
    return [];
  }
  const [known] = writer.secrets('trunk-out', place);
  if (password === undefined) {
    // a password is meant for one name at one target: it must not be sent along to another
    if (
      known === undefined ||
      before?.target !== row.target ||
      JSON.stringify(before.targets) !== JSON.stringify(row.targets) ||
      before.registration?.registrar !== row.registration?.registrar ||
      before.outbound?.username !== row.outbound.username
    ) {
      report.value(
        `${key}.outboundAuthentication`,
        known === undefined
          ? 'has no password yet'
          : 'needs its password anew, since target or user name changed',
        'Add `password:`; it is kept encrypted.',
      );
    }
    return [];
  }
  const bytes = Buffer.from(password, 'utf8');
  if (known !== undefined && known[1].length === bytes.length && timingSafeEqual(known[1], bytes)) return [];
  writer.putSecret({ kind: 'trunk-out', ...place, algorithm: 'password' }, bytes);
  return ['password'];
}
