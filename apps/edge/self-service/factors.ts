import type { Secret } from '@ringfence/bytes/secret.ts';
import type { Store } from '../store/contract.ts';
import type { FactorName, FactorRow } from '../store/factor-rows.ts';
import { type Factor, type FactorData, factorOf, rowOf } from './factor-data.ts';
import { hashCode, makeCode, recoveryCodes, recoverySigns, sameHash } from './one-time-codes.ts';
import { totpStep } from './totp.ts';

export const mostPasskeys = 8;

export interface FactorsParts {
  readonly store: Pick<Store, 'putFactors'>;
  now(): number;
  random(bytes: number): Uint8Array;
}

/**
 * What users confirm with, in memory and in the store, where it is sealed. An account has at most one authenticator, 8
 * passkeys, one set of recovery codes and one invitation.
 *
 * What changes is on disk when a promise resolves; whatever can be used once is used up before.
 */
export class Factors {
  readonly #parts: FactorsParts;
  readonly #accounts = new Map<string, Factor[]>();

  constructor(parts: FactorsParts, rows: readonly FactorRow[]) {
    this.#parts = parts;
    for (const row of rows) {
      const factor = factorOf(row);
      if (factor !== undefined) this.#listOf(factor.domain, factor.user).push(factor);
    }
  }

  /** Without invitations. */
  of(domain: string, user: string): readonly Factor[] {
    return this.#all(domain, user).filter(({ data }) => data.kind !== 'invite');
  }

  has(domain: string, user: string): boolean {
    return this.of(domain, user).length > 0;
  }

  /** A code of the authenticator, or a recovery code, which is used up. */
  async checkCode(
    domain: string,
    user: string,
    code: string,
  ): Promise<'code' | 'recovery' | 'wrong' | 'replayed'> {
    if (code.length <= 6) {
      const factor = this.#one(domain, user, 'totp');
      if (factor?.data.kind !== 'totp') return 'wrong';
      const { data } = factor;
      const step = totpStep(data.key, data.step, code, this.#parts.now());
      if (typeof step === 'string') return step;
      data.step = step;
      await this.#used(factor);
      return 'code';
    }
    const factor = this.#one(domain, user, 'recovery');
    if (factor?.data.kind !== 'recovery') return 'wrong';
    const hash = hashCode(domain, user, code);
    const left = factor.data.hashes.filter((one) => !sameHash(one, hash));
    if (left.length === factor.data.hashes.length) return 'wrong';
    factor.data.hashes = left;
    await this.#used(factor);
    return 'recovery';
  }

  /** In place of the authenticator before. `step`: of the code that proved it. */
  keepTotp(domain: string, user: string, key: Secret, step: number): Promise<Factor> {
    return this.#keep(domain, user, 'Authenticator app', { kind: 'totp', key, step }, 'totp');
  }

  /** Undefined where there are as many as may be. */
  async keepPasskey(
    domain: string,
    user: string,
    label: string,
    data: Extract<FactorData, { kind: 'passkey' }>,
  ): Promise<Factor | undefined> {
    const all = this.of(domain, user).filter((one) => one.data.kind === 'passkey');
    if (all.length >= mostPasskeys) return undefined;
    return this.#keep(domain, user, label, data);
  }

  /** A passkey has signed; its counter may have gone on. */
  async passkeyUsed(factor: Factor, counter: number): Promise<void> {
    if (factor.data.kind === 'passkey') factor.data.counter = counter;
    await this.#used(factor);
  }

  /** New recovery codes, shown once; the ones before hold no more. */
  async makeRecovery(domain: string, user: string): Promise<readonly string[]> {
    const codes = Array.from({ length: recoveryCodes }, () => makeCode(this.#parts.random, recoverySigns));
    const hashes = codes.map((code) => hashCode(domain, user, code));
    await this.#keep(domain, user, 'Recovery codes', { kind: 'recovery', hashes }, 'recovery');
    return codes;
  }

  async invite(domain: string, user: string, code: string, until: number): Promise<void> {
    const hash = hashCode(domain, user, code);
    await this.#keep(domain, user, 'Invitation', { kind: 'invite', hash, until }, 'invite');
  }

  /** Uses an invitation up. */
  async useInvite(domain: string, user: string, code: string): Promise<boolean> {
    const factor = this.#one(domain, user, 'invite');
    if (factor?.data.kind !== 'invite') return false;
    const { hash, until } = factor.data;
    if (until <= this.#parts.now() || !sameHash(hash, hashCode(domain, user, code))) return false;
    await this.remove(factor);
    return true;
  }

  async remove(...gone: readonly Factor[]): Promise<void> {
    for (const factor of gone) {
      const list = this.#listOf(factor.domain, factor.user);
      const at = list.indexOf(factor);
      if (at >= 0) list.splice(at, 1);
    }
    await this.#parts.store.putFactors([], gone.map(nameOf));
    for (const { data } of gone) if (data.kind === 'totp') data.key.wipe();
  }

  /** All of an account, an invitation too. */
  async reset(domain: string, user: string): Promise<readonly Factor[]> {
    const gone = [...this.#all(domain, user)];
    if (gone.length > 0) await this.remove(...gone);
    return gone;
  }

  /** Users that are gone take theirs along: another of that name must not have them. */
  async retain(isUser: (domain: string, user: string) => boolean): Promise<void> {
    const gone = [...this.#accounts.values()].flat().filter(({ domain, user }) => !isUser(domain, user));
    if (gone.length > 0) await this.remove(...gone);
  }

  async #used(factor: Factor): Promise<void> {
    factor.used = this.#parts.now();
    await this.#parts.store.putFactors([rowOf(factor)], []);
  }

  /** `replaces`: those of that kind go. */
  async #keep(
    domain: string,
    user: string,
    label: string,
    data: FactorData,
    replaces?: FactorData['kind'],
  ): Promise<Factor> {
    const id = Buffer.from(this.#parts.random(12)).toString('base64url');
    const factor: Factor = { domain, user, id, label, since: this.#parts.now(), used: 0, data };
    const gone = this.#all(domain, user).filter((one) => one.data.kind === replaces);
    this.#accounts.set(keyOf(domain, user), [
      ...this.#all(domain, user).filter((one) => !gone.includes(one)),
      factor,
    ]);
    await this.#parts.store.putFactors([rowOf(factor)], gone.map(nameOf));
    for (const one of gone) if (one.data.kind === 'totp') one.data.key.wipe();
    return factor;
  }

  #one(domain: string, user: string, kind: FactorData['kind']): Factor | undefined {
    return this.#all(domain, user).find(({ data }) => data.kind === kind);
  }

  #all(domain: string, user: string): readonly Factor[] {
    return this.#accounts.get(keyOf(domain, user)) ?? [];
  }

  #listOf(domain: string, user: string): Factor[] {
    const key = keyOf(domain, user);
    const list = this.#accounts.get(key) ?? [];
    this.#accounts.set(key, list);
    return list;
  }
}

const nameOf = ({ domain, user, id }: Factor): FactorName => ({ domain, user, id });

const keyOf = (domain: string, user: string): string => `${domain}\n${user}`;
