const colon = 0x3a;
const space = (octet: number | undefined): boolean =>
  octet === 0x20 || octet === 9 || octet === 13 || octet === 10;

const name = 'content-length';

/** Index behind the name if the line is a Content-Length field in its long or compact form, else -1. */
const skipName = (data: Uint8Array, from: number, end: number): number => {
  if ((data[from]! | 0x20) === 0x6c) return from + 1;
  if (end - from < name.length) return -1;
  for (let i = 0; i < name.length; i++) if ((data[from + i]! | 0x20) !== name.charCodeAt(i)) return -1;
  return from + name.length;
};

/**
 * The value if the header line `data[from, end)`, folds included, is Content-Length (RFC 3261 §20.14), else `undefined`.
 *
 * -1 stands for a value that is not digits alone, or above 2^31-1; a sign, a comma or a second number is such.
 */
export const readLengthLine = (data: Uint8Array, from: number, end: number): number | undefined => {
  let i = skipName(data, from, end);
  if (i < 0) return undefined;
  while (i < end && (data[i] === 0x20 || data[i] === 9)) i++;
  if (i >= end || data[i] !== colon) return undefined;
  i++;
  while (i < end && space(data[i])) i++;
  let stop = end;
  while (stop > i && space(data[stop - 1])) stop--;
  if (stop === i) return -1;
  let length = 0;
  for (; i < stop; i++) {
    const digit = data[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
    if (length > 0x7fffffff) return -1;
  }
  return length;
};
