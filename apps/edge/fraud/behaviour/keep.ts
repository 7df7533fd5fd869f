import type { FraudJudge } from '@ringfence/fraud/judge.ts';
import { keepAccount, keepDomain, restoreAccount, restoreDomain } from '@ringfence/fraud/kept.ts';
import { type FraudRule, fraudRules, type Mode, modes, type RuleSet } from '@ringfence/fraud/rules.ts';

export interface ProfileRow {
  readonly key: string;
  readonly value: string;
}

/** Rows by key, as the store keeps them for what calls cost. */
export interface ProfileStore {
  putSpend(put: readonly ProfileRow[], remove: readonly string[]): Promise<void>;
}

/** Changed profiles are gathered for so long; a crash forgets no more than that. */
const gatherMs = 60_000;
/** In one write; the others follow with the next. */
const mostAtOnce = 500;

const accountRow = 'behaviour-account|';
const domainRow = 'behaviour-domain|';
const modeRow = 'behaviour-mode|';

/** Keeps profiles and modes in the store: as many rows as there are profiles in memory. */
export class ProfileKeeper {
  readonly #judge: FraudJudge;
  readonly #store: ProfileStore;
  readonly #after: (milliseconds: number, run: () => void) => () => void;
  readonly #failed: (error: unknown) => void;
  readonly #modes = new Map<string, Map<FraudRule, Mode>>();
  readonly #changed = new Set<string>();
  readonly #gone = new Set<string>();
  /** Takes the waiting write back. */
  #stop: (() => void) | undefined = undefined;

  constructor(
    judge: FraudJudge,
    parts: {
      readonly store: ProfileStore;
      readonly rows: readonly ProfileRow[];
      after(milliseconds: number, run: () => void): () => void;
      failed(error: unknown): void;
    },
  ) {
    this.#judge = judge;
    this.#store = parts.store;
    this.#after = (ms, run) => parts.after(ms, run);
    this.#failed = (error) => parts.failed(error);
    for (const { key, value } of parts.rows) this.#restore(key, value);
  }

  modes(domain: string): readonly (readonly [FraudRule, Mode])[] {
    return [...(this.#modes.get('')?.entries() ?? []), ...(this.#modes.get(domain)?.entries() ?? [])];
  }

  /** At once: somebody has said so. */
  setMode(domain: string, rule: FraudRule, mode: Mode): void {
    const of = this.#modes.get(domain) ?? new Map<FraudRule, Mode>();
    of.set(rule, mode);
    this.#modes.set(domain, of);
    this.#store
      .putSpend([{ key: modeRow + domain, value: JSON.stringify([...of]) }], [])
      .catch((error: unknown) => this.#failed(error));
  }

  changed({ domain, account }: { readonly domain: string; readonly account: string }): void {
    this.#changed.add(`${accountRow}${domain}\n${account}`);
    this.#changed.add(domainRow + domain);
    this.#later();
  }

  forget(kind: 'account' | 'domain', key: string): void {
    const row = (kind === 'account' ? accountRow : domainRow) + key;
    this.#changed.delete(row);
    this.#gone.add(row);
    this.#later();
  }

  /** Writes all that is left, at once: whoever calls this stops. Nothing waits for its time afterwards. */
  flush(): void {
    this.#stop?.();
    this.#stop = undefined;
    do this.#write();
    while (this.#changed.size > 0);
  }

  #write(): void {
    const put: ProfileRow[] = [];
    for (const key of this.#changed) {
      if (put.length >= mostAtOnce) break;
      this.#changed.delete(key);
      const value = this.#valueOf(key);
      if (value === undefined) continue;
      put.push({ key, value });
      this.#gone.delete(key);
    }
    const gone = [...this.#gone];
    this.#gone.clear();
    if (put.length === 0 && gone.length === 0) return;
    this.#store.putSpend(put, gone).catch((error: unknown) => {
      for (const { key } of put) this.#changed.add(key);
      for (const key of gone) this.#gone.add(key);
      this.#failed(error);
    });
  }

  #later(): void {
    this.#stop ??= this.#after(gatherMs, () => {
      this.#stop = undefined;
      this.#write();
      if (this.#changed.size > 0) this.#later();
    });
  }

  #valueOf(key: string): string | undefined {
    if (key.startsWith(accountRow)) {
      const account = this.#judge.accounts.peek(key.slice(accountRow.length));
      return account === undefined ? undefined : keepAccount(account);
    }
    const domain = this.#judge.domains.peek(key.slice(domainRow.length));
    return domain === undefined ? undefined : keepDomain(domain);
  }

  #restore(key: string, value: string): void {
    if (key.startsWith(accountRow)) {
      const account = restoreAccount(value, this.#judge.bounds);
      if (account !== undefined) this.#judge.accounts.set(key.slice(accountRow.length), account);
    } else if (key.startsWith(domainRow)) {
      const domain = restoreDomain(value, this.#judge.bounds);
      if (domain !== undefined) this.#judge.domains.set(key.slice(domainRow.length), domain);
    } else if (key.startsWith(modeRow)) {
      this.#modes.set(key.slice(modeRow.length), readModes(value));
    }
  }
}

/** Modes that commands have set, by tenant; those of `''` hold for all. Other rows are passed over. */
export const modesIn = (rows: readonly ProfileRow[]): ReadonlyMap<string, ReadonlyMap<FraudRule, Mode>> =>
  new Map(
    rows
      .filter(({ key }) => key.startsWith(modeRow))
      .map(({ key, value }) => [key.slice(modeRow.length), readModes(value)]),
  );

/** The rules with other modes. */
export const withModes = (from: RuleSet, changed: readonly (readonly [FraudRule, Mode])[]): RuleSet =>
  changed.length === 0
    ? from
    : {
        ...from,
        rules: {
          ...from.rules,
          ...Object.fromEntries(changed.map(([rule, mode]) => [rule, { ...from.rules[rule], mode }])),
        },
      };

function readModes(value: string): Map<FraudRule, Mode> {
  const of = new Map<FraudRule, Mode>();
  for (const [rule, mode] of pairs(value))
    if (fraudRules.includes(rule as FraudRule) && modes.includes(mode as Mode))
      of.set(rule as FraudRule, mode as Mode);
  return of;
}

function pairs(text: string): readonly (readonly [unknown, unknown])[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value)
      ? value.filter((one): one is [unknown, unknown] => Array.isArray(one) && one.length === 2)
      : [];
  } catch {
    return [];
  }
}
