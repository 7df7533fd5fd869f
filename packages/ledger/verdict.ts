import type { KeyObject } from 'node:crypto';
import { type Damage, DamageList } from './damage.ts';
import { beforeFirst } from './entry.ts';
import { checkHead, type SignedHead } from './head.ts';
import { TreeEnd } from './merkle.ts';
import { Placement } from './placement.ts';
import { type ChunkFindings, checkLink, emptyStretch } from './verify-chunk.ts';

export interface Verification {
  readonly entries: number;
  readonly withoutContent: number;
  readonly heads: number;
  /** Root over everything that is there, hexadecimal. */
  readonly root: string;
  readonly damages: readonly Damage[];
  /** Damages beyond those named. */
  readonly more: number;
}

export interface VerdictOptions {
  readonly ledger: string;
  readonly key: KeyObject;
  /** Of the database, and of witnesses outside; the more heads come from elsewhere, the less can be denied. */
  readonly heads: readonly SignedHead[];
}

/** Joins what was found of all parts, in their order, and holds it against the signed heads. */
export class Verdict {
  readonly #options: VerdictOptions;
  readonly #damages = new DamageList();
  readonly #placement = new Placement();
  readonly #roots = new Map<number, Uint8Array>();
  #tree = new TreeEnd();
  #last: ChunkFindings['last'];
  readonly #signed: ReadonlySet<SignedHead>;
  #entries = 0;
  #withoutContent = 0;

  constructor(options: VerdictOptions) {
    this.#options = options;
    const { ledger, key, heads } = options;
    this.#signed = new Set(heads.filter((head) => head.ledger === ledger && checkHead(head, key)));
  }

  /** Of heads that are signed well, from small to large: what the readers of parts need. */
  get sizes(): readonly number[] {
    return [...new Set([...this.#signed].map(({ size }) => size))].sort((a, b) => a - b);
  }

  /** A time stamp that the ledger itself holds, in this entry, and that does not hold. */
  stampForged(sequence: number, why: string): void {
    this.#damages.add(
      'stamp-forged',
      sequence,
      sequence,
      (range) => `the time stamp in ${range} proves nothing: ${why}`,
    );
  }

  /** In their order; where nothing is between two parts, that is told as a gap. */
  add(chunk: ChunkFindings): void {
    if (chunk.begin > this.#tree.size) this.add(emptyStretch(this.#tree.size, chunk.begin));
    const { first } = chunk;
    if (first !== undefined) {
      if (this.#last !== undefined) checkLink(this.#last, first, this.#damages);
      else if (
        first.place === 0 &&
        first.sound &&
        first.previous !== undefined &&
        Buffer.compare(first.previous, beforeFirst) !== 0
      )
        this.#damages.add(
          'edited',
          0,
          0,
          (range) => `${range} was edited: it claims that one came before it`,
        );
    }
    this.#last = chunk.last ?? this.#last;
    this.#entries += chunk.entries;
    this.#withoutContent += chunk.withoutContent;
    this.#damages.join(chunk.damages);
    this.#placement.join(chunk.placement);
    for (const { size, subtrees } of chunk.atSizes) {
      const then = new TreeEnd(this.#tree.size, this.#tree.subtrees);
      for (const subtree of subtrees) then.join(subtree);
      this.#roots.set(size, then.root());
    }
    for (const subtree of chunk.subtrees) this.#tree.join(subtree);
  }

  finish(): Verification {
    this.#placement.tell(this.#damages);
    const heads = this.#soundHeads();
    this.#holdAgainst(heads);
    return {
      entries: this.#entries,
      withoutContent: this.#withoutContent,
      heads: heads.length,
      root: Buffer.from(this.#tree.root()).toString('hex'),
      damages: this.#damages.named,
      more: this.#damages.more,
    };
  }

  #soundHeads(): SignedHead[] {
    const { heads } = this.#options;
    const bySize = new Map<number, SignedHead>();
    for (const head of [...heads].sort((a, b) => a.size - b.size)) {
      const last = Math.max(0, head.size - 1);
      if (!this.#signed.has(head)) {
        this.#damages.add(
          'head-forged',
          last,
          last,
          () => `the head of ${head.size} entries is not signed by this ledger's key`,
        );
        continue;
      }
      const known = bySize.get(head.size);
      if (known === undefined) bySize.set(head.size, head);
      else if (Buffer.compare(known.root, head.root) !== 0)
        this.#damages.add(
          'forked',
          last,
          last,
          () => `two signed heads of ${head.size} entries differ: two histories were told`,
        );
    }
    return [...bySize.values()];
  }

  #holdAgainst(heads: readonly SignedHead[]): void {
    const end = this.#tree.size;
    let good = 0;
    let largest = 0;
    for (const { size, root } of heads) {
      largest = Math.max(largest, size);
      if (size > end) {
        this.#damages.add(
          'truncated',
          end,
          size - 1,
          (range) =>
            `${range} is missing at the end: a signed head knows of ${size} entries, ${end} are there`,
        );
        continue;
      }
      const found = size === 0 ? new TreeEnd().root() : this.#roots.get(size);
      if (found !== undefined && Buffer.compare(found, root) === 0) {
        good = size;
        continue;
      }
      const from = good;
      // What has been named already explains why the root is another.
      if (!this.#damages.hasBelow(size, 'head-forged', 'rewritten'))
        this.#damages.add(
          'rewritten',
          from,
          size - 1,
          (range) =>
            `${range} was written anew: hashes fit each other, but not the signed head of ${size} entries`,
        );
    }
    if (end > largest)
      this.#damages.add('unsigned', largest, end - 1, (range) => `${range} is covered by no signed head`);
  }
}
