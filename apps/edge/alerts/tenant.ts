import type { EdgeEvent } from '../events/types.ts';

/** Where an event has no `domain`, these say whose it is: `device:alice@example.test/desk`, `carrier@example.test`. */
const parties = ['party', 'caller', 'owner'] as const;

/**
 * The tenant that an event is of, in small letters; undefined where it is of the node, of several tenants, or where that
 * cannot be told: then it is nobody's but the administrators' of the node.
 */
export function tenantOf(event: EdgeEvent): string | undefined {
  const fields = event as unknown as Readonly<Record<string, unknown>>;
  const { domain } = fields;
  if (typeof domain === 'string') return domain === '' ? undefined : domain.toLowerCase();
  if (domain !== undefined) return undefined;
  for (const name of parties) {
    const value = fields[name];
    if (typeof value !== 'string') continue;
    const slash = value.startsWith('device:') ? value.lastIndexOf('/') : -1;
    const end = slash < 0 ? value.length : slash;
    const at = value.lastIndexOf('@', end);
    if (at < 0) continue;
    const found = value.slice(at + 1, end);
    if (found !== '' && !found.includes('/') && !found.includes(' ')) return found.toLowerCase();
  }
  return undefined;
}
