import type { Encryption } from '../config/schema.ts';

/** Who a request comes from, as proven; made only by apps/edge/identity. */
export type Principal =
  | {
      readonly kind: 'device';
      readonly domain: string;
      readonly user: string;
      readonly device: string;
      readonly encryption: Encryption;
      readonly proof: 'digest' | 'certificate';
    }
  | {
      readonly kind: 'trunk';
      readonly domain: string;
      readonly trunk: string;
      readonly encryption: Encryption;
      readonly proof: 'address' | 'digest' | 'certificate' | 'registration';
    }
  | { readonly kind: 'unknown' };

/** Why: the rule, what was seen, and the bound that it was held against. Never free of evidence. */
export interface Reason {
  /** Stable, dotted: `media.encryption-required`, `route.none`, ... */
  readonly rule: string;
  /** One sentence for an administrator. */
  readonly text: string;
  readonly evidence: Readonly<Record<string, string | number | boolean>>;
  readonly threshold?: string | number;
}

/** Families of refusal on the wire, in the log and in the CDR. */
export type RejectCause =
  | 'rate'
  | 'no-route'
  | 'authentication'
  | 'access'
  | 'policy'
  | 'fraud'
  | 'malformed'
  | 'overload'
  | 'media';

export type Decision =
  | { readonly verdict: 'accept'; readonly reasons: readonly Reason[] }
  | { readonly verdict: 'challenge'; readonly reasons: readonly Reason[] }
  | { readonly verdict: 'drop'; readonly reasons: readonly Reason[] }
  | {
      readonly verdict: 'refuse';
      readonly cause: RejectCause;
      readonly status: number;
      readonly reason: string;
      /** Text of a `Warning: 399` header (RFC 3261 §20.43). */
      readonly warning?: string;
      /** Its code; default 399. */
      readonly warningCode?: number;
      readonly retryAfter?: number;
      /** Value of Allow, which a 405 has to have (RFC 3261 §21.4.6). */
      readonly allow?: string;
      readonly reasons: readonly Reason[];
    };

export const describePrincipal = (p: Principal): string =>
  p.kind === 'device'
    ? `device:${p.user}@${p.domain}/${p.device}`
    : p.kind === 'trunk'
      ? `trunk:${p.trunk}@${p.domain}`
      : 'unknown';
