/** ITU-T G.711: 16 bit samples to 8 bit. */
export const toALaw = (sample: number): number => {
  const sign = sample >= 0 ? 0x80 : 0;
  // 12 bits of size; the law is symmetric about -1/2.
  const size = Math.min(sample >= 0 ? sample >> 3 : ~sample >> 3, 0xfff);
  const exponent = size < 32 ? 0 : 27 - Math.clz32(size);
  const code = exponent === 0 ? size >> 1 : (exponent << 4) | ((size >> exponent) & 15);
  return (sign | code) ^ 0x55;
};

const bias = 0x84;
const clip = 32635;

export const toMuLaw = (sample: number): number => {
  const sign = sample < 0 ? 0x80 : 0;
  const size = Math.min(Math.abs(sample), clip) + bias;
  const exponent = 24 - Math.clz32(size);
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 15)) & 0xff;
};
