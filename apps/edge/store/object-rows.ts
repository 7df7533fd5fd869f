import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { Secret } from '@ringfence/bytes/secret.ts';
import type { Encryption } from '../config/schema.ts';
import { codecList } from '../objects/codec-settings.ts';
import { type DeviceSettings, deviceSettingsOf } from '../objects/device-settings.ts';
import type { TrunkSettings } from '../objects/trunk-settings.ts';
import type { DigestAlgorithm, Domain, Ha1Set, Objects, Pbx, Route } from '../objects/types.ts';
import type { UserSettings } from '../objects/user-settings.ts';
import type { Sealer, SecretPlace } from './seal.ts';

export type Ha1Bytes = readonly (readonly [DigestAlgorithm, Uint8Array])[];

export interface UserRow extends UserSettings {
  readonly domain: string;
  readonly name: string;
  readonly displayName?: string;
  readonly number?: string;
}

export interface DeviceRow extends DeviceSettings {
  readonly domain: string;
  readonly name: string;
  readonly user: string;
  readonly encryption: Encryption;
  readonly allowMd5: boolean;
}

export interface TrunkRow extends Readonly<TrunkSettings> {
  readonly domain: string;
  readonly name: string;
  readonly target: string;
  readonly addresses: readonly string[];
  readonly certificateNames: readonly string[];
  readonly inbound?: { readonly username: string; readonly allowMd5: boolean };
  readonly outbound?: { readonly username: string; readonly allowMd5: boolean };
  readonly encryption: Encryption;
  readonly dangerousPlaintext: boolean;
}

export interface PbxRow extends Pbx {
  readonly dangerousPlaintext: boolean;
}

/** Domain objects without their secrets, as the rows hold them. */
export interface ObjectRows {
  readonly users: readonly UserRow[];
  readonly devices: readonly DeviceRow[];
  readonly trunks: readonly TrunkRow[];
  readonly routes: readonly Route[];
  readonly pbx: readonly PbxRow[];
  readonly domains: readonly Domain[];
}

/** Secrets opened, in a form that crosses threads; `Secret` itself cannot. */
export interface OpenedObjects extends ObjectRows {
  /** By `kind/domain/name`. */
  readonly secrets: ReadonlyMap<string, readonly (readonly [string, Uint8Array])[]>;
}

export function readObjectRows(database: DatabaseSync): ObjectRows {
  const all = (sql: string) => database.prepare(sql).all();
  return {
    users: all('SELECT * FROM users ORDER BY domain, name').map((r) => ({
      domain: text(r.domain),
      name: text(r.name),
      ...(r.display_name === null ? {} : { displayName: text(r.display_name) }),
      ...(r.number === null ? {} : { number: text(r.number) }),
      ...(JSON.parse(text(r.settings)) as UserSettings),
    })),
    devices: all('SELECT * FROM devices ORDER BY domain, name').map((r) => ({
      domain: text(r.domain),
      name: text(r.name),
      user: text(r.user),
      encryption: text(r.encryption) as Encryption,
      allowMd5: r.allow_md5 === 1,
      ...(JSON.parse(text(r.settings)) as DeviceSettings),
    })),
    trunks: all('SELECT * FROM trunks ORDER BY domain, name').map((r) => ({
      domain: text(r.domain),
      name: text(r.name),
      target: text(r.target),
      addresses: JSON.parse(text(r.addresses)) as string[],
      certificateNames: JSON.parse(text(r.certificate_names)) as string[],
      ...(r.inbound_username === null
        ? {}
        : { inbound: { username: text(r.inbound_username), allowMd5: r.inbound_md5 === 1 } }),
      ...(r.outbound_username === null
        ? {}
        : { outbound: { username: text(r.outbound_username), allowMd5: r.outbound_md5 === 1 } }),
      encryption: text(r.encryption) as Encryption,
      dangerousPlaintext: r.dangerous_plaintext === 1,
      ...(JSON.parse(text(r.settings)) as TrunkSettings),
    })),
    routes: all('SELECT * FROM routes ORDER BY domain, priority, name').map((r) => ({
      domain: text(r.domain),
      name: text(r.name),
      priority: Number(r.priority),
      match: text(r.match),
      from: text(r.source) as Route['from'],
      to: destinationOf(text(r.target_kind), text(r.target)),
      ...(JSON.parse(text(r.settings)) as Pick<Route, 'rewrite'>),
    })),
    domains: all('SELECT * FROM domains ORDER BY domain').map((r) => ({
      domain: text(r.domain),
      name: text(r.name),
      ...(JSON.parse(text(r.settings)) as Omit<Domain, 'domain' | 'name'>),
    })),
    pbx: all('SELECT * FROM pbx ORDER BY domain, name').map((r) => ({
      domain: text(r.domain),
      name: text(r.name),
      ...(JSON.parse(text(r.settings)) as Omit<PbxRow, 'domain' | 'name'>),
    })),
  };
}

const destinationOf = (kind: string, target: string): Route['to'] =>
  kind === 'trunks'
    ? { trunks: JSON.parse(target) as string[] }
    : ({ [kind]: target } as unknown as Route['to']);

const text = (value: SQLOutputValue | undefined): string => String(value);

/** Reads rows and secrets in one snapshot. */
export function readObjects(database: DatabaseSync, sealer: Sealer): OpenedObjects {
  database.exec('BEGIN');
  try {
    const rows = readObjectRows(database);
    const secrets = new Map<string, [string, Uint8Array][]>();
    for (const row of database.prepare('SELECT * FROM secrets').all()) {
      const place = {
        kind: row.kind,
        domain: row.domain,
        name: row.name,
        algorithm: row.algorithm,
      } as SecretPlace;
      const key = secretKey(place.kind, place.domain, place.name);
      const list = secrets.get(key) ?? [];
      if (list.length === 0) secrets.set(key, list);
      list.push([place.algorithm, sealer.open(place, row.sealed as Uint8Array)]);
    }
    return { ...rows, secrets };
  } finally {
    database.exec('COMMIT');
  }
}

export const secretKey = (kind: SecretPlace['kind'], domain: string, name: string): string =>
  `${kind}/${domain}/${name}`;

/** Gives the objects their shape for decisions; the bytes now belong to `Secret`s. */
export function assembleObjects(opened: OpenedObjects): Objects {
  const devices = Map.groupBy(opened.devices, (d) => `${d.domain}/${d.user}`);
  const ha1 = (kind: 'device' | 'trunk-in', domain: string, name: string, allowMd5: boolean): Ha1Set => {
    const set = new Map<DigestAlgorithm, Secret>();
    for (const [algorithm, bytes] of opened.secrets.get(secretKey(kind, domain, name)) ?? []) {
      if (algorithm !== 'MD5' || allowMd5) set.set(algorithm as DigestAlgorithm, new Secret(bytes));
    }
    return set;
  };
  return {
    users: opened.users.map((user) => ({
      ...user,
      devices: (devices.get(`${user.domain}/${user.name}`) ?? []).map((d) => ({
        name: d.name,
        encryption: d.encryption,
        ha1: ha1('device', d.domain, d.name, d.allowMd5),
        ...deviceSettingsOf(d),
        ...(d.codecs === undefined ? {} : { codecs: codecList(d.codecs)! }),
      })),
    })),
    trunks: opened.trunks.map(({ inbound, outbound, dangerousPlaintext: _, ...t }) => {
      const password = opened.secrets.get(secretKey('trunk-out', t.domain, t.name))?.[0]?.[1];
      return {
        ...t,
        ...(inbound === undefined
          ? {}
          : {
              inbound: {
                username: inbound.username,
                ha1: ha1('trunk-in', t.domain, t.name, inbound.allowMd5),
              },
            }),
        ...(outbound === undefined || password === undefined
          ? {}
          : {
              outbound: {
                username: outbound.username,
                password: new Secret(password),
                allowMd5: outbound.allowMd5,
              },
            }),
      };
    }),
    routes: opened.routes,
    domains: opened.domains,
    pbx: opened.pbx.map(({ dangerousPlaintext: _, ...pbx }) => pbx),
  };
}
