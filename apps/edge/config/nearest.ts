/** Levenshtein distance with the swap of two neighbours as one edit, given up above `bound`. */
export function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound) return bound + 1;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row.push(cost);
    }
    before = above;
    above = row;
  }
  return Math.min(above[b.length]!, bound + 1);
}

/** The known name that `name` was most likely meant to be; undefined where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  const bound = Math.max(2, Math.floor(name.length / 3));
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let least = bound + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bound);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}
