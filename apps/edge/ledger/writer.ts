import { type KeyObject, randomFillSync } from 'node:crypto';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { canonicalJson } from '@ringfence/ledger/canonical-json.ts';
import { Chain, type ChainedEntry } from '@ringfence/ledger/chain.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import { encodeParts, type SealedPart, sealPart } from '@ringfence/ledger/sealed.ts';
import {
  keptLevel,
  type LedgerBackend,
  type LedgerTransaction,
  type PersonKey,
  type TreeNode,
} from './backend.ts';
import type { LedgerEntry, PersonData } from './contract.ts';
import type { PersonKeys } from './keys.ts';

/** Heads that stay: one in so many entries, or in so long. The newest is always there. */
const keptEntries = 65_536;
const keptMs = 600_000;
/** Keys of persons kept in memory, some 300 octets each. */
const mostKeys = 10_000;
const mostBytes = 65_536;
const nonceLength = 12;
const nonces = Buffer.alloc(nonceLength * 256);

interface OpenKey {
  readonly id: Uint8Array;
  readonly key: KeyObject;
}

export interface WriterOptions {
  readonly backend: LedgerBackend;
  readonly signing: KeyObject;
  readonly persons: PersonKeys;
  /** Unix milliseconds. */
  now(): number;
}

/** Gives entries their place, seals what they say of persons, chains, signs and commits them as one group. */
export class LedgerWriter {
  readonly #options: WriterOptions;
  #keys = new Map<string, OpenKey>();
  #erasures = -1;
  #kept: { size: number; time: number } | undefined;
  #newest: SignedHead | undefined;
  #nonceAt = nonces.length;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** The head of the last commit of this writer. */
  get newest(): SignedHead | undefined {
    return this.#newest;
  }

  /** Settles with the numbers of the entries, once all of them are on disk. */
  append(
    entries: readonly LedgerEntry[],
    more: {
      /** Done within the same transaction, before the entries are written; may give further ones. */
      readonly before?: (open: LedgerTransaction) => Promise<readonly LedgerEntry[] | undefined>;
      readonly values?: Readonly<Record<string, string>>;
      readonly erased?: boolean;
    } = {},
  ): Promise<readonly number[]> {
    const { backend } = this.#options;
    return backend.transaction(async (open) => {
      const all = [...entries, ...((await more.before?.(open)) ?? [])];
      if (open.end.erasures !== this.#erasures || more.erased === true) this.#keys.clear();
      this.#erasures = open.end.erasures + (more.erased === true ? 1 : 0);
      const made: PersonKey[] = [];
      const nodes: TreeNode[] = [];
      const chain = new Chain(open.end);
      const chained: ChainedEntry[] = [];
      const whole = (level: number, index: number, hash: Uint8Array): void => {
        if (level >= keptLevel) nodes.push({ level, index, hash });
      };
      let { time } = open.end;
      try {
        for (const entry of all) {
          time = Math.max(time, Math.floor(entry.time));
          const body = Buffer.from(canonicalJson(entry.body));
          if (body.length > mostBytes) throw new MisuseError('ledger-value', 'an entry larger than 64 kB');
          const parts: SealedPart[] = [];
          for (const person of entry.persons ?? []) {
            // mostly known, and then there is nothing to wait for
            const key =
              this.#keys.get(ownName(entry.tenant, person.person)) ??
              (await this.#keyOf(open, entry.tenant, person.person, person.proven, entry.time, made));
            parts.push(this.#seal(key, person, chain.size));
          }
          const sealed = encodeParts(parts);
          chained.push(chain.append({ time, class: entry.class, tenant: entry.tenant, body, sealed }, whole));
        }
        const head = chain.head(backend.ledger, Math.max(time, this.#options.now()), this.#options.signing);
        await open.write({
          entries: chained,
          nodes,
          end: { ...chain.state, time, erasures: this.#erasures },
          head,
          keepHead: this.#keeps(),
          persons: made,
          ...(more.values === undefined ? {} : { values: more.values }),
        });
        this.#newest = head;
      } catch (error) {
        // Keys that were not written exist nowhere.
        this.#keys.clear();
        throw error;
      }
      return chained.map(({ sequence }) => sequence);
    });
  }

  #keeps(): boolean {
    const newest = this.#newest;
    const kept = this.#kept;
    if (newest === undefined) return true;
    if (kept !== undefined && newest.size - kept.size < keptEntries && newest.time - kept.time < keptMs)
      return false;
    this.#kept = newest;
    return true;
  }

  #seal({ id, key }: OpenKey, { person, data }: PersonData, sequence: number): SealedPart {
    const text = Buffer.from(canonicalJson({ ...data, person }));
    return sealPart(key, { ledger: this.#options.backend.ledger, sequence, person: id }, this.#nonce(), text);
  }

  async #keyOf(
    open: LedgerTransaction,
    tenant: string,
    person: string,
    proven: boolean,
    time: number,
    made: PersonKey[],
  ): Promise<OpenKey> {
    const own = ownName(tenant, person);
    const known = this.#keys.get(own) ?? (await this.#find(open, tenant, person, own));
    if (known !== undefined) return known;
    if (!proven) {
      // no address of record has a space
      const strangers = `strangers ${new Date(time).toISOString().slice(0, 7)}`;
      return this.#keyOf(open, tenant, strangers, true, time, made);
    }
    const name = this.#options.persons.nameOf(tenant, person);
    const { stored, key } = this.#options.persons.make(tenant, name);
    made.push(stored);
    return this.#remember(own, { id: stored.id, key });
  }

  async #find(
    open: LedgerTransaction,
    tenant: string,
    person: string,
    own: string,
  ): Promise<OpenKey | undefined> {
    const { persons } = this.#options;
    const stored = await open.person(tenant, persons.nameOf(tenant, person));
    if (stored === undefined) return undefined;
    const key = persons.open(stored);
    if (key === undefined)
      throw new MisuseError(
        'ledger-key',
        'a key of the ledger was sealed under another `keys/store.key`; restore the one that belongs to it',
      );
    return this.#remember(own, { id: stored.id, key });
  }

  #remember(own: string, key: OpenKey): OpenKey {
    if (this.#keys.size >= mostKeys) this.#keys = new Map();
    this.#keys.set(own, key);
    return key;
  }

  /** Drawn some at a time: a call for each costs more than the sealing. */
  #nonce(): Uint8Array {
    if (this.#nonceAt >= nonces.length) {
      randomFillSync(nonces);
      this.#nonceAt = 0;
    }
    const nonce = nonces.subarray(this.#nonceAt, this.#nonceAt + nonceLength);
    this.#nonceAt += nonceLength;
    return nonce;
  }
}

const ownName = (tenant: string, person: string): string => `${tenant}\0${person.toLowerCase()}`;
