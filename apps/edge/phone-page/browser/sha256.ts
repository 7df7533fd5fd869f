/**
 * SHA-256 (FIPS 180-4 §6.2). Digest has to be computed in one turn, and the browser's own comes as a promise; what it
 * is given here are a few hundred octets.
 */
export function sha256Hex(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const blocks = Math.ceil((bytes.length + 9) / 64);
  const padded = new DataView(new ArrayBuffer(blocks * 64));
  for (const [at, octet] of bytes.entries()) padded.setUint8(at, octet);
  padded.setUint8(bytes.length, 0x80);
  padded.setBigUint64(blocks * 64 - 8, BigInt(bytes.length) * 8n);

  const { roots, constants } = tables;
  const state = Uint32Array.from(roots);
  const w = new Uint32Array(64);
  for (let block = 0; block < blocks; block += 1) {
    for (let t = 0; t < 16; t += 1) w[t] = padded.getUint32(block * 64 + t * 4);
    for (let t = 16; t < 64; t += 1) {
      const early = w[t - 15]!;
      const late = w[t - 2]!;
      const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
      const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
      w[t] = s1 + w[t - 7]! + s0 + w[t - 16]!;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as Eight;
    for (let t = 0; t < 64; t += 1) {
      const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const one = (h + sum1 + ((e & f) ^ (~e & g)) + constants[t]! + w[t]!) | 0;
      const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const two = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i]! += value;
  }
  return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('');
}

type Eight = [number, number, number, number, number, number, number, number];

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

/** §4.2.2, §5.3.3: the first 32 bits of the fractions of cube roots of 64 primes, and of square roots of eight. */
const tables = ((): { readonly roots: Uint32Array; readonly constants: Uint32Array } => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return {
    roots: Uint32Array.from(primes.slice(0, 8), (prime) => fraction(prime, 2)),
    constants: Uint32Array.from(primes, (prime) => fraction(prime, 3)),
  };
})();

/** The integer root of prime · 2^(32·power), which a double is too short for at times; its low 32 bits. */
function fraction(prime: number, power: 2 | 3): number {
  const target = BigInt(prime) << BigInt(32 * power);
  let root = 0n;
  for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((root + bit) ** BigInt(power) <= target) root += bit;
  return Number(root & 0xffff_ffffn);
}
