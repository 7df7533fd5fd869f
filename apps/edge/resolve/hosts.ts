import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

const limit = 10_000;

/** Names of a hosts file (hosts(5)) in lower case, each with its addresses. */
export const parseHosts = (text: string): ReadonlyMap<string, readonly string[]> => {
  const names = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...rest] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of rest) {
      const key = name.toLowerCase();
      const known = names.get(key);
      if (known === undefined) names.set(key, [address]);
      else if (!known.includes(address)) known.push(address);
    }
    if (names.size > limit) break;
  }
  return names;
};

/** Empty where the file cannot be read. */
export const readHosts = async (file = '/etc/hosts'): Promise<ReadonlyMap<string, readonly string[]>> => {
  try {
    return parseHosts(await readFile(file, 'utf8'));
  } catch {
    return new Map();
  }
};
