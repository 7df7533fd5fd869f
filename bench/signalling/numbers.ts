/** A number for each call, valid in its country's plan, so that a call can be told from the others on both sides. */

/** sipp's injection file: one line a call, read in order. */
export function numbersFile(calls: number): string {
  const lines = ['SEQUENTIAL'];
  // North American exchanges begin with 2 to 9.
  for (let call = 0; call < calls; call += 1) lines.push(`+1202${2_000_000 + (call % 7_000_000)};`);
  return `${lines.join('\n')}\n`;
}
