import { createRequire } from 'node:module';
import type { ObjectRows, PbxRow } from '../store/object-rows.ts';
import { deviceSettingsOf } from './device-settings.ts';
import { generatedRouteName } from './route-name.ts';
import type { ObjectsFile } from './schema.ts';
import { settingsOf } from './trunk-settings.ts';
import { userSettingsOf } from './user-settings.ts';

/**
 * The objects as `ringfence apply -f` reads them, without any secret: applied to the same store they change nothing.
 *
 * Every object names its domain, so that the file means the same whatever the default domain is.
 */
export function exportObjects(rows: ObjectRows): ObjectsFile {
  return {
    ...(rows.domains.length === 0 ? {} : { domains: rows.domains.map(({ domain: _, ...d }) => d) }),
    users: rows.users.map((u) => ({
      name: u.name,
      domain: u.domain,
      ...(u.displayName === undefined ? {} : { displayName: u.displayName }),
      ...(u.number === undefined ? {} : { number: u.number }),
      ...userSettingsOf(u),
      devices: rows.devices
        .filter((d) => d.domain === u.domain && d.user === u.name)
        .map((d) => ({
          name: d.name,
          encryption: d.encryption,
          ...(d.allowMd5 ? { allowMd5: true } : {}),
          ...deviceSettingsOf(d),
        })),
    })),
    trunks: rows.trunks.map((t) => ({
      name: t.name,
      domain: t.domain,
      ...(t.targets === undefined ? { target: t.target } : {}),
      ...settingsOf(t),
      ...(t.addresses.length === 0 ? {} : { addresses: [...t.addresses] }),
      ...(t.certificateNames.length === 0 ? {} : { certificateNames: [...t.certificateNames] }),
      ...(t.inbound === undefined ? {} : { inboundAuthentication: login(t.inbound) }),
      ...(t.outbound === undefined ? {} : { outboundAuthentication: login(t.outbound) }),
      encryption: t.encryption,
      ...(t.dangerousPlaintext ? { dangerousPlaintext: true } : {}),
    })),
    routes: rows.routes.map((r) => ({
      ...(r.name === generatedRouteName(r.from, r.match) ? {} : { name: r.name }),
      domain: r.domain,
      priority: r.priority,
      match: r.match,
      from: r.from,
      ...(r.rewrite === undefined ? {} : { rewrite: r.rewrite }),
      to: 'trunks' in r.to ? { trunks: [...r.to.trunks] } : { ...r.to },
    })),
    ...(rows.pbx.length === 0 ? {} : { pbx: rows.pbx.map(exportPbx) }),
  };
}

const exportPbx = ({ nodes, dangerousPlaintext, allowedHeaders, ...rest }: PbxRow) => ({
  ...rest,
  nodes: nodes.map(({ addresses, certificateNames, ...node }) => ({
    ...node,
    ...(addresses.length === 0 ? {} : { addresses: [...addresses] }),
    ...(certificateNames.length === 0 ? {} : { certificateNames: [...certificateNames] }),
  })),
  allowedHeaders: [...allowedHeaders],
  ...(dangerousPlaintext ? { dangerousPlaintext: true } : {}),
});

const login = (l: { username: string; allowMd5: boolean }) => ({
  username: l.username,
  ...(l.allowMd5 ? { allowMd5: true } : {}),
});

/** As YAML with text in quotes, so that `+49…` and `007` come back as they were. */
export function toYaml(value: unknown): string {
  const yaml: typeof import('yaml') = createRequire(import.meta.url)('yaml');
  return yaml.stringify(value, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 });
}
