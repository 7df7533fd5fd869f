import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { isInside } from '../../config/address-class.ts';
import { readRange } from '../../objects/address-range.ts';

export interface FeedContent {
  /** Entries as text, at most as many as asked for. */
  readonly entries: readonly string[];
  /** More there were. */
  readonly left: number;
}

/** Names under which lists and addresses stand in JSON; `ipaddress` is APIBAN's. */
const listNames = ['ipaddress', 'ipaddresses', 'addresses', 'ips', 'bans', 'data'] as const;
const addressNames = ['ip', 'ipaddress', 'address', 'source', 'cidr', 'prefix'] as const;
const longestEntry = 64;

/**
 * The entries of a feed: lines of an address or block each, with comments behind `#` or `;`, or JSON: a list of texts or
 * objects, or an object that holds one, such as APIBAN's. Whether they are addresses is not looked at here.
 */
export function readFeed(content: string, most: number): Result<FeedContent> {
  const start = content.trimStart()[0];
  return start === '[' || start === '{' ? readJson(content, most) : ok(readLines(content, most));
}

function readLines(content: string, most: number): FeedContent {
  const entries: string[] = [];
  let left = 0;
  for (let at = 0; at < content.length; ) {
    const end = content.indexOf('\n', at);
    const line = content.slice(at, end < 0 ? content.length : end);
    at = end < 0 ? content.length : end + 1;
    const comment = line.search(/[#;]/);
    const [entry = ''] = (comment < 0 ? line : line.slice(0, comment)).trim().split(/[ \t,]/, 1);
    if (entry === '' || entry.length > longestEntry) continue;
    if (entries.length < most) entries.push(entry);
    else left += 1;
  }
  return { entries, left };
}

function readJson(content: string, most: number): Result<FeedContent> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    return err('it begins like JSON, but is none');
  }
  const list = Array.isArray(value) ? value : listIn(value);
  if (list === undefined) return err('its JSON holds no list of addresses');
  const entries: string[] = [];
  let left = 0;
  for (const item of list as readonly unknown[]) {
    const entry = typeof item === 'string' ? item : textIn(item);
    if (entry === undefined || entry.length > longestEntry) continue;
    if (entries.length < most) entries.push(entry.trim());
    else left += 1;
  }
  return ok({ entries, left });
}

function listIn(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const name of listNames) {
    const list = (value as Readonly<Record<string, unknown>>)[name];
    if (Array.isArray(list)) return list;
  }
  return undefined;
}

function textIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const name of addressNames) {
    const text = (value as Readonly<Record<string, unknown>>)[name];
    if (typeof text === 'string') return text;
  }
  return undefined;
}

/** Wider blocks are a mistake of whoever made the feed, or worse. */
const widest = { 4: 16, 6: 32 } as const;

/** Undefined where an entry of a feed is none that may be banned: no address, too wide, of a private network. */
export function usableEntry(entry: string): ReturnType<typeof readRange> {
  const range = readRange(entry);
  if (range === undefined || range.prefix < widest[range.family]) return undefined;
  const slash = entry.indexOf('/');
  return isInside(slash < 0 ? entry : entry.slice(0, slash)) ? undefined : range;
}
