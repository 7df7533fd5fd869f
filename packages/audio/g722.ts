/**
 * ITU-T G.722 at 64 kbit/s: two sub-bands of 16 kHz sound, each coded by ADPCM, in one octet for two samples.
 *
 * Tables and block numbers are those of the Recommendation (G.722 11/88, §5 and §6).
 */
export class G722Encoder {
  readonly #low = new SubBand(32);
  readonly #high = new SubBand(8);
  readonly #filter = new Int32Array(24);

  /** An octet for each two samples; an odd one at the end is left out. */
  encode(samples: Int16Array): Uint8Array {
    const out = new Uint8Array(samples.length >> 1);
    for (let i = 0; i < out.length; i++) {
      const { low, high } = split(this.#filter, samples[2 * i] ?? 0, samples[2 * i + 1] ?? 0);
      out[i] = (this.#encodeHigh(high) << 6) | this.#encodeLow(low);
    }
    return out;
  }

  /** Block 1L, QUANTL. */
  #encodeLow(sample: number): number {
    const band = this.#low;
    const difference = saturate(sample - band.estimate);
    const size = difference >= 0 ? difference : -(difference + 1);
    let level = 1;
    while (level < 30 && size >= ((quantiser6[level] ?? 0) * band.scale) >> 12) level++;
    const code = (difference < 0 ? negative6 : positive6)[level] ?? 0;
    band.adaptLow(code >> 2);
    return code;
  }

  /** Block 1H, QUANTH. */
  #encodeHigh(sample: number): number {
    const band = this.#high;
    const difference = saturate(sample - band.estimate);
    const size = difference >= 0 ? difference : -(difference + 1);
    const outer = size >= (564 * band.scale) >> 12;
    const code = difference < 0 ? (outer ? 0 : 1) : outer ? 2 : 3;
    band.adaptHigh(code);
    return code;
  }
}

export class G722Decoder {
  readonly #low = new SubBand(32);
  readonly #high = new SubBand(8);
  readonly #filter = new Int32Array(24);

  /** Two samples for each octet. */
  decode(octets: Uint8Array): Int16Array {
    const out = new Int16Array(2 * octets.length);
    for (const [i, octet] of octets.entries()) {
      const low = this.#low;
      const code = octet & 63;
      const heard = clamp15(low.estimate + ((low.scale * (inverse6[code] ?? 0)) >> 15));
      low.adaptLow(code >> 2);
      const high = this.#high;
      const fine = clamp15(high.estimate + ((high.scale * (inverse2[octet >> 6] ?? 0)) >> 15));
      high.adaptHigh(octet >> 6);
      const { first, second } = join(this.#filter, heard, fine);
      out[2 * i] = first;
      out[2 * i + 1] = second;
    }
    return out;
  }
}

/** Predictor and scale factor of one sub-band: blocks 3 and 4. */
class SubBand {
  /** Signal estimate. */
  estimate = 0;
  /** Quantiser scale factor. */
  scale: number;
  #logarithm = 0;
  readonly #partial = [0, 0];
  readonly #reconstructed = [0];
  readonly #poles = [0, 0];
  readonly #zeros = [0, 0, 0, 0, 0, 0];
  readonly #differences = [0, 0, 0, 0, 0, 0];

  constructor(scale: number) {
    this.scale = scale;
  }

  /** Four bits of the lower band. */
  adaptLow(code: number): void {
    const difference = (this.scale * (inverse4[code] ?? 0)) >> 15;
    const logarithm = ((this.#logarithm * 127) >> 7) + (weightLow[levelLow[code] ?? 0] ?? 0);
    this.#logarithm = Math.max(0, Math.min(18432, logarithm));
    this.#scaleFrom(8);
    this.#predict(difference);
  }

  /** Two bits of the higher band. */
  adaptHigh(code: number): void {
    const difference = (this.scale * (inverse2[code] ?? 0)) >> 15;
    const logarithm = ((this.#logarithm * 127) >> 7) + (weightHigh[levelHigh[code] ?? 0] ?? 0);
    this.#logarithm = Math.max(0, Math.min(22528, logarithm));
    this.#scaleFrom(10);
    this.#predict(difference);
  }

  #scaleFrom(shift: number): void {
    const mantissa = inverseLog[(this.#logarithm >> 6) & 31] ?? 0;
    const exponent = shift - (this.#logarithm >> 11);
    this.scale = (exponent < 0 ? mantissa << -exponent : mantissa >> exponent) << 2;
  }

  /** Block 4: two poles and six zeros follow the signal. */
  #predict(difference: number): void {
    const [r1 = 0] = this.#reconstructed;
    const [p1 = 0, p2 = 0] = this.#partial;
    const [a1 = 0, a2 = 0] = this.#poles;
    const zeros = this.#zeros;
    const past = this.#differences;
    const reconstructed = saturate(this.estimate + difference);
    const partial = saturate(this.#zeroPart() + difference);
    const sign = partial < 0;
    const same1 = sign === p1 < 0;
    const same2 = sign === p2 < 0;

    const leak1 = saturate(a1 << 2);
    const w2 = Math.min(same1 ? -leak1 : leak1, 32767);
    let next2 = (same2 ? 128 : -128) + (w2 >> 7) + ((a2 * 32512) >> 15);
    next2 = Math.max(-12288, Math.min(12288, next2));
    const bound = saturate(15360 - next2);
    const next1 = saturate((same1 ? 192 : -192) + ((a1 * 32640) >> 15));
    this.#poles[0] = Math.max(-bound, Math.min(bound, next1));
    this.#poles[1] = next2;

    const step = difference === 0 ? 0 : 128;
    for (let i = 0; i < 6; i++) {
      const same = (past[i] ?? 0) < 0 === difference < 0;
      zeros[i] = saturate((same ? step : -step) + (((zeros[i] ?? 0) * 32640) >> 15));
    }
    past.pop();
    past.unshift(difference);
    this.#partial[1] = p1;
    this.#partial[0] = partial;
    this.#reconstructed[0] = reconstructed;
    const polePart = saturate(
      ((this.#poles[0] * saturate(reconstructed + reconstructed)) >> 15) +
        ((this.#poles[1] * saturate(r1 + r1)) >> 15),
    );
    this.estimate = saturate(polePart + this.#zeroPart());
  }

  #zeroPart(): number {
    let sum = 0;
    for (let i = 0; i < 6; i++) {
      const past = this.#differences[i] ?? 0;
      sum += ((this.#zeros[i] ?? 0) * saturate(past + past)) >> 15;
    }
    return saturate(sum);
  }
}

/** Quadrature mirror filter, block of §5.2: two samples into one of each sub-band. */
function split(filter: Int32Array, first: number, second: number): { low: number; high: number } {
  filter.copyWithin(0, 2);
  filter[22] = first;
  filter[23] = second;
  let odd = 0;
  let even = 0;
  for (let i = 0; i < 12; i++) {
    odd += (filter[2 * i] ?? 0) * (mirror[i] ?? 0);
    even += (filter[2 * i + 1] ?? 0) * (mirror[11 - i] ?? 0);
  }
  return { low: clamp15((even + odd) >> 14), high: clamp15((even - odd) >> 14) };
}

function join(filter: Int32Array, low: number, high: number): { first: number; second: number } {
  filter.copyWithin(0, 2);
  filter[22] = low + high;
  filter[23] = low - high;
  let odd = 0;
  let even = 0;
  for (let i = 0; i < 12; i++) {
    even += (filter[2 * i] ?? 0) * (mirror[i] ?? 0);
    odd += (filter[2 * i + 1] ?? 0) * (mirror[11 - i] ?? 0);
  }
  return { first: saturate(odd >> 11), second: saturate(even >> 11) };
}

const saturate = (value: number): number => (value > 32767 ? 32767 : value < -32768 ? -32768 : value);
const clamp15 = (value: number): number => (value > 16383 ? 16383 : value < -16384 ? -16384 : value);

const mirror = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
const quantiser6 = [
  0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
  1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
const negative6 = [
  0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7,
  6, 5, 4,
];
const positive6 = [
  0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36,
  35, 34, 33, 32,
];
const weightLow = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const levelLow = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const weightHigh = [0, -214, 798];
const levelHigh = [2, 1, 2, 1];
const inverse4 = [
  0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
];
const inverse2 = [-7408, -1616, 7408, 1616];
const inverse6 = [
  -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
  -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
  -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192,
  6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432,
  -136,
];
const inverseLog = [
  2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960,
  3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
