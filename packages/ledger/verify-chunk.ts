import { DamageList, type ListedDamages } from './damage.ts';
import { contentHash, decodeHeader, hashLength, sha256, sha256Text } from './entry.ts';
import { leafHash, nodeHash, type Subtree, TreeEnd } from './merkle.ts';
import { isPlain, type PackedEntry, packedEntry } from './packed.ts';
import { type Placed, Placement } from './placement.ts';
import type { Removals } from './removal.ts';

/** An entry as the database holds it. */
export interface StoredEntry {
  /** Where it stands; what its header says may differ. */
  readonly place: number;
  readonly header: Uint8Array;
  /** Undefined where content was taken away. */
  readonly body: Uint8Array | undefined;
  readonly sealed: Uint8Array | undefined;
}

interface Link {
  readonly place: number;
  readonly previous: Uint8Array | undefined;
  readonly leaf: Uint8Array;
  /** Stands where it belongs and could be read. */
  readonly sound: boolean;
}

/** What one reader has found of its part of the ledger; plain data, so that threads can hand it to each other. */
export interface ChunkFindings {
  readonly begin: number;
  readonly end: number;
  readonly entries: number;
  readonly withoutContent: number;
  readonly first: Link | undefined;
  readonly last: Link | undefined;
  readonly subtrees: readonly Subtree[];
  /** The subtrees from `begin` on, at the sizes of heads that fall into this part. */
  readonly atSizes: readonly { readonly size: number; readonly subtrees: readonly Subtree[] }[];
  readonly damages: ListedDamages;
  readonly placement: Placed;
}

const missing = new Uint8Array(32);
const nothing = new Uint8Array(0);

/**
 * Looks at the entries of one part, in the order of their places. Parts begin at multiples of their own length, a
 * power of two, so that several threads can read and `Verdict` can join what they have found.
 */
export class ChunkVerifier {
  readonly #begin: number;
  readonly #tree = new TreeEnd();
  readonly #removals: Removals;
  readonly #sizes: number[];
  readonly #damages = new DamageList();
  readonly #placement = new Placement();
  readonly #atSizes: { size: number; subtrees: readonly Subtree[] }[] = [];
  #entries = 0;
  #withoutContent = 0;
  #first: Link | undefined;
  #last: Link | undefined;

  /** `sizes`: of the heads, from small to large; those outside this part do no harm. */
  constructor(begin: number, sizes: readonly number[], removals: Removals) {
    this.#begin = begin;
    this.#sizes = sizes.filter((size) => size > begin).reverse();
    this.#removals = removals;
  }

  entry({ place, header, body, sealed }: StoredEntry): void {
    const expected = this.reached;
    if (place < expected) {
      this.#damages.add('reordered', place, place, (range) => `${range} stands there twice`);
      return;
    }
    if (place > expected) {
      this.#placement.gap(expected, place - 1);
      while (this.reached < place) this.#leaf(missing);
    }
    this.#entries += 1;
    const read = decodeHeader(header);
    const leaf = leafHash(header);
    if (!read.ok) {
      this.#edited(place, place, `its header is ${read.error}`);
      this.#link({ place, previous: undefined, leaf, sound: false });
      return;
    }
    const { sequence, content, previous, class: entryClass, tenant, time } = read.value;
    if (sequence !== place) this.#placement.misplaced(place, sequence);
    if (body === undefined) {
      this.#withoutContent += 1;
      if (!this.#removals.cover(entryClass, tenant, time, sequence))
        this.#damages.add(
          'removed',
          place,
          place,
          (range) => `the content of ${range} is gone, and no act of retention has taken it`,
        );
    } else if (Buffer.compare(contentHash(body, sealed ?? nothing), content) !== 0)
      this.#edited(place, place, 'its content is not what was recorded');
    this.#link({ place, previous, leaf, sound: sequence === place });
  }

  /** Many entries, packed as `packed.ts` has it; those at and behind `limit` are left out. Gives how many it took. */
  packed(bytes: Buffer, limit = Number.POSITIVE_INFINITY): number {
    let taken = 0;
    for (let at = 0; ; taken++) {
      const packed = packedEntry(bytes, at);
      if (packed === undefined || packed.place >= limit) return taken;
      at = packed.end;
      if (!this.#sound(bytes, packed)) this.entry(unpacked(bytes, packed));
    }
  }

  /** Takes what is as it must be, which is nearly everything, without making objects of it; else gives false. */
  #sound(bytes: Buffer, packed: PackedEntry): boolean {
    const { place, leaf, content, end } = packed;
    const last = this.#last;
    if (last === undefined || !last.sound || place !== last.place + 1 || !isPlain(bytes, packed))
      return false;
    const hashes = content - 2 * hashLength;
    if (bytes.compare(last.leaf, 0, hashLength, hashes, hashes + hashLength) !== 0) return false;
    if (sha256Text(bytes.subarray(content, end)) !== bytes.toString('latin1', hashes + hashLength, content))
      return false;
    this.#entries += 1;
    this.#last = { place, previous: undefined, leaf: sha256(bytes.subarray(leaf, content)), sound: true };
    this.#leaf(this.#last.leaf);
    return true;
  }

  /** Where the next entry belongs. */
  get reached(): number {
    return this.#begin + this.#tree.size;
  }

  #edited(from: number, to: number, why: string): void {
    this.#damages.add('edited', from, to, (range) => `${range} was edited: ${why}`);
  }

  #link(link: Link): void {
    if (this.#last !== undefined) checkLink(this.#last, link, this.#damages);
    this.#first ??= link;
    this.#last = link;
    this.#leaf(link.leaf);
  }

  #leaf(leaf: Uint8Array): void {
    this.#tree.append(leaf);
    const size = this.reached;
    while (this.#sizes.at(-1) === size) {
      this.#sizes.pop();
      this.#atSizes.push({ size, subtrees: [...this.#tree.subtrees] });
    }
  }

  /** `end`: where this part ends when it is not the last; entries missing up to there were dropped. */
  finish(end?: number): ChunkFindings {
    const { reached } = this;
    if (end !== undefined && reached < end) {
      this.#placement.gap(reached, end - 1);
      while (this.reached < end) this.#leaf(missing);
    }
    return {
      begin: this.#begin,
      end: this.reached,
      entries: this.#entries,
      withoutContent: this.#withoutContent,
      first: this.#first,
      last: this.#last,
      subtrees: [...this.#tree.subtrees],
      atSizes: this.#atSizes,
      damages: this.#damages.state,
      placement: this.#placement.state,
    };
  }
}

const unpacked = (bytes: Buffer, { place, leaf, content, end, body, sealed }: PackedEntry): StoredEntry => {
  const parts = end - (sealed ?? 0);
  return {
    place,
    header: bytes.subarray(leaf + 1, content),
    body: body === undefined ? undefined : bytes.subarray(content + 4, parts),
    sealed: sealed === undefined ? undefined : bytes.subarray(parts, end),
  };
};

/** What a reader finds where there is no single entry from `begin` up to, and without, `end`. */
export function emptyStretch(begin: number, end: number): ChunkFindings {
  const subtrees: Subtree[] = [];
  const hashes: Uint8Array[] = [missing];
  for (let at = begin; at < end; ) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level += 1;
    while (hashes.length <= level) {
      const below = hashes.at(-1) as Uint8Array;
      hashes.push(nodeHash(below, below));
    }
    subtrees.push({ level, hash: hashes[level] as Uint8Array });
    at += 2 ** level;
  }
  const placement = new Placement();
  placement.gap(begin, end - 1);
  return {
    begin,
    end,
    entries: 0,
    withoutContent: 0,
    first: undefined,
    last: undefined,
    subtrees,
    atSizes: [],
    damages: new DamageList().state,
    placement: placement.state,
  };
}

/** Every entry carries the hash of the one before: where that fails, the one before is not what it was. */
export function checkLink(before: Link, after: Link, damages: DamageList): void {
  if (!before.sound || !after.sound || after.place !== before.place + 1) return;
  if (after.previous !== undefined && Buffer.compare(after.previous, before.leaf) !== 0)
    damages.add(
      'edited',
      before.place,
      before.place,
      (range) => `${range} was edited: the entry after it carries another hash of it`,
    );
}
