/** 4 or 16 octets of an IP address in text; undefined where it is none. */
export function parseHost(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseHost6(text) : parseHost4(text);
}

function parseHost4(text: string): Uint8Array | undefined {
  const out = new Uint8Array(4);
  let field = 0;
  let value = -1;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 46;
    if (code === 46) {
      if (value < 0 || field > 3) return undefined;
      out[field++] = value;
      value = -1;
    } else {
      if (code < 48 || code > 57 || value === 0) return undefined;
      value = Math.max(value, 0) * 10 + code - 48;
      if (value > 255) return undefined;
    }
  }
  return field === 4 ? out : undefined;
}

function parseHost6(text: string): Uint8Array | undefined {
  let hex = text;
  const lastColon = text.lastIndexOf(':');
  if (text.includes('.')) {
    const tail = parseHost4(text.slice(lastColon + 1));
    if (!tail) return undefined;
    const group = (i: number) => (((tail[i] ?? 0) << 8) | (tail[i + 1] ?? 0)).toString(16);
    hex = `${text.slice(0, lastColon + 1)}${group(0)}:${group(2)}`;
  }
  const halves = hex.split('::');
  if (halves.length > 2) return undefined;
  const head = halves[0] ? halves[0].split(':') : [];
  const tail = halves[1] ? halves[1].split(':') : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const out = new Uint8Array(16);
  const groups = halves.length === 2 ? [...head, ...Array<string>(missing).fill('0'), ...tail] : head;
  for (let i = 0; i < 8; i++) {
    const group = groups[i] ?? '';
    if (group.length < 1 || group.length > 4) return undefined;
    let value = 0;
    for (let j = 0; j < group.length; j++) {
      const digit = Number.parseInt(group[j] ?? '', 16);
      if (Number.isNaN(digit)) return undefined;
      value = value * 16 + digit;
    }
    out[2 * i] = value >> 8;
    out[2 * i + 1] = value & 0xff;
  }
  return out;
}

/** Text of an address of 4 or 16 octets, RFC 5952 for IPv6. */
export function formatHost(host: Uint8Array): string {
  if (host.length === 4) return `${host[0]}.${host[1]}.${host[2]}.${host[3]}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((host[i] ?? 0) << 8) | (host[i + 1] ?? 0));
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [i, length];
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best < 0 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}
