import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import type { DangerousSetting } from './checks.ts';
import type { Report } from './validate.ts';

/** Where Prometheus asks. */
export const MetricsSettings = Type.Object(
  {
    enabled: Type.Boolean({
      default: false,
      description: 'Answers `GET /metrics` in the text format of Prometheus.',
    }),
    address: Type.String({ default: '127.0.0.1', description: 'Local IP address.' }),
    port: Type.Integer({ minimum: 1, maximum: 65535, default: 9464 }),
    tls: Type.Boolean({ default: false, description: 'HTTPS with the certificate of the node.' }),
    tokenFile: Type.Optional(
      Type.String({
        description:
          'File with a token that must come as `Authorization: Bearer …`, relative to this file. Outside loopback it is needed, and so is `tls`.',
      }),
    ),
    dangerousOpen: Type.Optional(
      Type.Boolean({
        description: 'Allows an address that is not loopback without `tls` or without `tokenFile`.',
      }),
    ),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'Metrics for Prometheus, see [monitoring](monitoring.md).',
  },
);
export type MetricsSettings = Static<typeof MetricsSettings>;

export const isLoopback = (address: string): boolean => address === '::1' || /^127\.[0-9.]+$/.test(address);

/** Gives the settings with absolute paths. */
export function checkMetrics(
  metrics: MetricsSettings,
  folder: string,
  report: Report,
  warnings: DangerousSetting[],
): MetricsSettings {
  const { address, tokenFile, tls, enabled } = metrics;
  if (isIP(address) === 0)
    report.value(
      'metrics.address',
      `\`${address}\` is not an IP address`,
      'Write a local address such as `127.0.0.1`.',
    );
  else if (enabled && !isLoopback(address) && (!tls || tokenFile === undefined)) {
    if (metrics.dangerousOpen === true)
      warnings.push({
        key: 'metrics.dangerousOpen',
        meaning: 'whoever reaches the port reads how many calls go where, or hears the token on the way',
      });
    else
      report.value(
        'metrics.address',
        `\`${address}\` is not loopback, and ${tls ? '`tokenFile` is missing' : '`tls` is not set'}`,
        'Set `tls: true` and `tokenFile`, or write `127.0.0.1`.',
      );
  }
  return tokenFile === undefined ? metrics : { ...metrics, tokenFile: resolve(folder, tokenFile) };
}
