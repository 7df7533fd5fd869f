import { createHash } from 'node:crypto';
import { networkOf, phoneOf } from '../accounts/place.ts';
import { type AccountRow, accountKey } from '../store/account-rows.ts';
import type { Asker, Desk } from './desk.ts';

/** Names a row towards the page: it changes when the phone comes anew. */
export const idOf = (row: AccountRow): string =>
  createHash('sha256')
    .update(`${accountKey(row)}\n${row.since}`)
    .digest('base64url')
    .slice(0, 22);

/** What the page shows of an account. */
export interface AccountState {
  readonly signedIn: true;
  readonly account: string;
  /** By what he has proven to be himself, beside the password. */
  readonly proof: string | null;
  /** What lets him set up or remove factors. */
  readonly leave: string | null;
  /** False: only what the password alone may know is shown. */
  readonly trusted: boolean;
  readonly phones: readonly {
    readonly id: string;
    readonly device: string;
    readonly phone: string;
    /** Null: not told. */
    readonly network: string | null;
    readonly since: number;
    readonly state: AccountRow['state'];
    readonly why: string;
    readonly by: string;
    /** The page is open in the same network. */
    readonly here: boolean;
  }[];
  readonly registered: readonly {
    readonly device: string;
    readonly phone: string;
    readonly rings: boolean;
  }[];
  readonly factors: readonly {
    readonly id: string;
    readonly kind: string;
    readonly label: string;
    readonly since: number;
    readonly used: number;
    readonly left: number | null;
  }[];
  readonly helpDesk: readonly string[];
  readonly canMail: boolean;
  readonly passkeys: boolean;
}

/**
 * Whoever has nothing but the password, at a place that nobody knows, may be a thief: he learns that phones wait, not
 * where their owner is.
 */
export function accountState(desk: Desk, asker: Asker, origin: string): AccountState {
  const { accounts, factors, directory, bindings } = desk.parts;
  const { session, address } = asker;
  const { domain, user, proof } = session;
  const policy = directory().domain(domain)?.accounts;
  const own = networkOf(address, policy);
  const trusted = desk.isTrusted(asker);
  const rows = accounts.rows(domain, user).filter((row) => trusted || row.state !== 'known');
  return {
    signedIn: true,
    account: `${user}@${domain}`,
    proof: proof ?? null,
    leave: desk.leaveOf(asker) ?? null,
    trusted,
    phones: rows.map((row) => ({
      id: idOf(row),
      device: row.device,
      phone: row.phone,
      network: trusted || row.network === own ? row.network : null,
      since: row.since,
      state: row.state,
      why: row.why,
      by: row.by,
      here: row.network === own,
    })),
    registered: !trusted
      ? []
      : bindings(domain, user).map((binding) => ({
          device: binding.device,
          phone: phoneOf(binding.key, binding.userAgent),
          rings: !accounts.isWithheld(binding),
        })),
    factors: factors.of(domain, user).map(({ id, label, since, used, data }) => ({
      id,
      kind: data.kind,
      label,
      since,
      used,
      left: data.kind === 'recovery' ? data.hashes.length : null,
    })),
    helpDesk: policy?.helpDesk ?? [],
    canMail: desk.canMail(session),
    passkeys: origin === originOf(desk.parts.url()),
  };
}

export const originOf = (url: string | undefined): string =>
  url === undefined ? '' : (URL.parse(url)?.origin ?? '');
