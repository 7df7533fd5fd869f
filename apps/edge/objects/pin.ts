/** What people take for a PIN, beside runs, repetitions and years: the order is that of the keys of a telephone. */
const favourites = new Set(
  '0852 2580 1470 3690 1590 3570 1379 9731 1397 1937 7913 2468 8642 1357 9753 1212 2121 1313 4321 1004 1010 2001 6969 5683 4711 0815 1701 3141 31415 2718 112233 121212 123321 131313 147258 159753 159357 246810 314159 420420 456123 520520 696969 741852 789456 852456 963852 987654 147147 258258 369369 112358'.split(
    ' ',
  ),
);
const shortest = 4;

/**
 * Why a PIN of a mailbox or a feature would be guessed soon; undefined where it may be used.
 *
 * `names` are the extension and the number that it belongs to: what an attacker tries first.
 */
export function pinWeakness(pin: string, names: readonly string[]): string | undefined {
  for (const c of pin) if (c < '0' || c > '9') return 'holds something else than digits';
  if (pin.length < shortest) return `has ${pin.length} digits, fewer than ${shortest}`;
  const reversed = [...pin].reverse().join('');
  for (const name of names) {
    const digits = [...name].filter((c) => c >= '0' && c <= '9').join('');
    if (digits.length === 0) continue;
    if (digits === pin || digits === reversed) return 'is the extension or the number itself';
    if (digits.length > pin.length && (digits.endsWith(pin) || digits.startsWith(pin)))
      return 'is a part of the number';
    if (pin === digits + digits) return 'is the extension twice';
  }
  if (favourites.has(pin)) return 'is among those that people choose most';
  if (new Set(pin).size === 1) return 'repeats one digit';
  if ('01234567890123456789'.includes(pin) || '98765432109876543210'.includes(pin))
    return 'counts up or down';
  for (let length = 2; length * 2 <= pin.length; length += 1)
    if (pin.length % length === 0 && pin === pin.slice(0, length).repeat(pin.length / length))
      return 'repeats a few digits';
  if (pin.length === 4 && (pin.startsWith('19') || pin.startsWith('20'))) return 'is a year';
  return undefined;
}
