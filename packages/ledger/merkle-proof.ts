import { hashLength } from './entry.ts';
import { emptyRoot, nodeHash } from './merkle.ts';

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const odd = (n: number): boolean => n % 2 === 1;
const halved = (n: number): number => Math.floor(n / 2);
const wellFormed = (path: readonly Uint8Array[]): boolean =>
  path.length <= 64 && path.every(({ length }) => length === hashLength);
const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** Whether `leaf` is shown to be leaf `index` of the tree of `size` leaves with that root (RFC 9162 §2.1.3.2). */
export function checkInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isCount(index) || !isCount(size) || index >= size || !wellFormed(path)) return false;
  let place = index;
  let last = size - 1;
  let made = leaf;
  for (const side of path) {
    if (last === 0) return false;
    if (odd(place) || place === last) {
      made = nodeHash(side, made);
      while (!odd(place) && place !== 0) {
        place = halved(place);
        last = halved(last);
      }
    } else made = nodeHash(made, side);
    place = halved(place);
    last = halved(last);
  }
  return last === 0 && same(made, root);
}

/** Whether the second tree is shown to begin with the whole of the first (RFC 9162 §2.1.4.2). */
export function checkConsistency(
  first: { readonly size: number; readonly root: Uint8Array },
  second: { readonly size: number; readonly root: Uint8Array },
  path: readonly Uint8Array[],
): boolean {
  if (!isCount(first.size) || !isCount(second.size) || first.size > second.size || !wellFormed(path))
    return false;
  if (first.size === second.size) return path.length === 0 && same(first.root, second.root);
  if (first.size === 0) return path.length === 0 && same(first.root, emptyRoot);
  let place = first.size - 1;
  let last = second.size - 1;
  while (odd(place)) {
    place = halved(place);
    last = halved(last);
  }
  // Where the first tree is whole, its root is a node of the second, and the proof does not repeat it.
  const steps = place === 0 ? [first.root, ...path] : [...path];
  const [start, ...rest] = steps;
  if (start === undefined) return false;
  let before = start;
  let after = start;
  for (const side of rest) {
    if (last === 0) return false;
    if (odd(place) || place === last) {
      before = nodeHash(side, before);
      after = nodeHash(side, after);
      while (!odd(place) && place !== 0) {
        place = halved(place);
        last = halved(last);
      }
    } else after = nodeHash(after, side);
    place = halved(place);
    last = halved(last);
  }
  return last === 0 && same(before, first.root) && same(after, second.root);
}
