import type { Sound } from './wav.ts';

/** Zero crossings of the filter on each side of its middle. */
const reach = 16;

/**
 * The same sound at another rate, through a windowed sinc filter that lets nothing fold back.
 *
 * Costs about 64 multiplications a sample; meant for files that are read once.
 */
export function resample({ rate, samples }: Sound, wanted: number): Sound {
  if (rate === wanted) return { rate, samples };
  const length = Math.floor((samples.length * wanted) / rate);
  const out = new Int16Array(length);
  // Below the lower one of both Nyquist frequencies.
  const cut = Math.min(1, wanted / rate) * 0.95;
  const half = Math.ceil(reach / cut);
  for (let i = 0; i < length; i++) {
    const middle = (i * rate) / wanted;
    const first = Math.max(0, Math.ceil(middle - half));
    const last = Math.min(samples.length - 1, Math.floor(middle + half));
    let sum = 0;
    let weight = 0;
    for (let j = first; j <= last; j++) {
      const x = j - middle;
      const factor = sinc(cut * x) * hann(x / (half + 1));
      sum += (samples[j] ?? 0) * factor;
      weight += factor;
    }
    out[i] = Math.max(-32768, Math.min(32767, Math.round(weight === 0 ? 0 : sum / weight)));
  }
  return { rate: wanted, samples: out };
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const hann = (x: number): number => (Math.abs(x) >= 1 ? 0 : 0.5 + 0.5 * Math.cos(Math.PI * x));
