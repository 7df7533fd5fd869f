import type { DatabaseSync } from 'node:sqlite';
import { deviceSettingsOf } from '../objects/device-settings.ts';
import { settingsOf } from '../objects/trunk-settings.ts';
import type { Domain, Route } from '../objects/types.ts';
import { userSettingsOf } from '../objects/user-settings.ts';
import type { DeviceRow, PbxRow, TrunkRow, UserRow } from './object-rows.ts';
import type { Sealer, SecretPlace } from './seal.ts';

interface Named {
  readonly domain: string;
  readonly name: string;
}

const tables = {
  domain: 'domains',
  user: 'users',
  device: 'devices',
  trunk: 'trunks',
  route: 'routes',
  pbx: 'pbx',
} as const;

/** Writes rows of domain objects and their secrets; the caller holds the transaction. */
export class ObjectWriter {
  readonly #database: DatabaseSync;
  readonly #sealer: Sealer;

  constructor(database: DatabaseSync, sealer: Sealer) {
    this.#database = database;
    this.#sealer = sealer;
  }

  putUser(u: UserRow): void {
    const settings = JSON.stringify(userSettingsOf(u));
    this.#put('users', [u.domain, u.name, u.displayName ?? null, u.number ?? null, settings]);
  }

  putDomain({ domain, name, ...settings }: Domain): void {
    this.#put('domains', [domain, name, JSON.stringify(settings)]);
  }

  putDevice(d: DeviceRow): void {
    this.#put('devices', [
      d.domain,
      d.name,
      d.user,
      d.encryption,
      Number(d.allowMd5),
      JSON.stringify(deviceSettingsOf(d)),
    ]);
  }

  putTrunk(t: TrunkRow): void {
    this.#put('trunks', [
      t.domain,
      t.name,
      t.target,
      JSON.stringify(t.addresses),
      JSON.stringify(t.certificateNames),
      t.inbound?.username ?? null,
      Number(t.inbound?.allowMd5 ?? false),
      t.outbound?.username ?? null,
      Number(t.outbound?.allowMd5 ?? false),
      t.encryption,
      Number(t.dangerousPlaintext),
      JSON.stringify(settingsOf(t)),
    ]);
  }

  putRoute(r: Route): void {
    const [kind, target] = Object.entries(r.to)[0]!;
    this.#put('routes', [
      r.domain,
      r.name,
      r.priority,
      r.match,
      r.from,
      kind,
      typeof target === 'string' ? target : JSON.stringify(target),
      JSON.stringify(r.rewrite === undefined ? {} : { rewrite: r.rewrite }),
    ]);
  }

  putPbx({ domain, name, ...settings }: PbxRow): void {
    this.#put('pbx', [domain, name, JSON.stringify(settings)]);
  }

  /** Its secrets go with it. */
  remove(kind: keyof typeof tables, { domain, name }: Named): void {
    this.#database.prepare(`DELETE FROM ${tables[kind]} WHERE domain = ? AND name = ?`).run(domain, name);
    if (kind === 'device') {
      this.removeSecret('device', { domain, name });
      // what it registered must not be called any longer
      this.#database.prepare('DELETE FROM bindings WHERE domain = ? AND device = ?').run(domain, name);
      this.#database
        .prepare('DELETE FROM account_standings WHERE domain = ? AND device = ?')
        .run(domain, name);
    }
    if (kind === 'user')
      this.#database
        .prepare('DELETE FROM account_standings WHERE domain = ? AND user = ?')
        .run(domain, name.toLowerCase());
    if (kind === 'pbx')
      this.#database.prepare("DELETE FROM bindings WHERE domain = ? AND upstream <> ''").run(domain);
    if (kind === 'trunk') {
      this.removeSecret('trunk-in', { domain, name });
      this.removeSecret('trunk-out', { domain, name });
    }
  }

  secrets(kind: SecretPlace['kind'], { domain, name }: Named): [string, Uint8Array][] {
    return this.#database
      .prepare('SELECT algorithm, sealed FROM secrets WHERE kind = ? AND domain = ? AND name = ?')
      .all(kind, domain, name)
      .map((row) => {
        const algorithm = String(row.algorithm);
        return [algorithm, this.#sealer.open({ kind, domain, name, algorithm }, row.sealed as Uint8Array)];
      });
  }

  putSecret(place: SecretPlace, plaintext: Uint8Array): void {
    this.#put('secrets', [
      place.kind,
      place.domain,
      place.name,
      place.algorithm,
      this.#sealer.seal(place, plaintext),
    ]);
  }

  /** Without `algorithm`: all of them. */
  removeSecret(kind: SecretPlace['kind'], { domain, name }: Named, algorithm?: string): void {
    this.#database
      .prepare(
        'DELETE FROM secrets WHERE kind = ? AND domain = ? AND name = ? AND algorithm = coalesce(?, algorithm)',
      )
      .run(kind, domain, name, algorithm ?? null);
  }

  #put(table: string, values: readonly (string | number | null | Uint8Array)[]): void {
    this.#database
      .prepare(`INSERT OR REPLACE INTO ${table} VALUES (${values.map(() => '?').join(',')})`)
      .run(...values);
  }
}
