import { callIdOf } from '../exports/hep/mask.ts';
import { sourceName } from '../incidents/sign.ts';
import type { Incident } from '../incidents/types.ts';
import type { Kept } from './message-ring.ts';

/** Accounts that messages are searched for by name; of more, the first. */
const mostAccounts = 20;
const mostAddresses = 10_000;

/**
 * Which messages belong to an incident: those of its calls, those from and to the sources that are involved, and those
 * that name an account that is.
 */
export function wantedBy(incident: Incident, callIds: ReadonlySet<string>): (message: Kept) => boolean {
  const sources = new Set(incident.sources.names);
  const accounts = incident.accounts.names
    .slice(0, mostAccounts)
    .flatMap((name) => accountOf(name) ?? [])
    .map((name) => Buffer.from(`:${name}`));
  const names = new Map<string, string>();
  const isSource = (address: string, port: number): boolean => {
    if (sources.size === 0) return false;
    let name = names.get(address);
    if (name === undefined) {
      const text = address.split('%', 1)[0] ?? address;
      name = sourceName(text) ?? text;
      if (names.size < mostAddresses) names.set(address, name);
    }
    return sources.has(name) || sources.has(`${address}:${port}`) || sources.has(`[${address}]:${port}`);
  };
  return ({ remote, bytes }) =>
    isSource(remote.address, remote.port) ||
    (callIds.size > 0 && callIds.has(callIdOf(bytes))) ||
    accounts.some((name) => hasWhole(bytes, name));
}

/** `alice@example.test/desk` → `alice@example.test`. Undefined: it is too short to be told from others. */
function accountOf(name: string): string | undefined {
  const at = name.indexOf('@');
  if (at < 1) return undefined;
  const slash = name.indexOf('/', at);
  return slash < 0 ? name : name.slice(0, slash);
}

/** Not as the beginning of a longer name: `example.test` is not `example.test.example`. */
function hasWhole(bytes: Buffer, name: Buffer): boolean {
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
    const next = bytes[at + name.length];
    if (next === undefined || !/[a-z0-9.-]/i.test(String.fromCharCode(next))) return true;
  }
  return false;
}
