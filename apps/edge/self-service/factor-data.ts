import type { Secret } from '@ringfence/bytes/secret.ts';
import type { FactorRow } from '../store/factor-rows.ts';
import { totpKeyOf } from './totp.ts';

/** What is kept of each kind. */
export type FactorData =
  /** `step`: of the last code that was taken. */
  | { readonly kind: 'totp'; readonly key: Secret; step: number }
  | {
      readonly kind: 'passkey';
      /** base64url */
      readonly credential: string;
      /** COSE, base64url */
      readonly publicKey: string;
      counter: number;
      readonly transports: readonly string[];
    }
  | { readonly kind: 'recovery'; hashes: readonly string[] }
  | { readonly kind: 'invite'; readonly hash: string; readonly until: number };

export interface Factor {
  readonly domain: string;
  readonly user: string;
  readonly id: string;
  readonly label: string;
  readonly since: number;
  used: number;
  readonly data: FactorData;
}

export function rowOf({ data, ...factor }: Factor): FactorRow {
  const { kind, ...fields } = data;
  const json =
    data.kind === 'totp'
      ? { key: Buffer.from(data.key.reveal()).toString('base64url'), step: data.step }
      : fields;
  return { ...factor, kind, secret: Buffer.from(JSON.stringify(json)) };
}

/** Overwrites the row's secret. Undefined where it is of a kind that nobody knows. */
export function factorOf({ kind, secret, ...row }: FactorRow): Factor | undefined {
  const fields = JSON.parse(Buffer.from(secret).toString('utf8')) as Record<string, never>;
  secret.fill(0);
  switch (kind) {
    case 'totp':
      return { ...row, data: { kind, key: totpKeyOf(fields.key!), step: fields.step! } };
    case 'passkey':
    case 'recovery':
    case 'invite':
      return { ...row, data: { ...(fields as object), kind } as unknown as FactorData };
    default:
      return undefined;
  }
}
