import { setImmediate as turn } from 'node:timers/promises';
import type { FeedSettings } from '../../config/bans.ts';
import type { EdgeEvent } from '../../events/types.ts';
import type { AddressRange } from '../../objects/address-range.ts';
import type { Bans } from '../bans/bans.ts';
import { RangeTable } from '../bans/range-table.ts';
import { readBanTarget } from '../bans/source-text.ts';
import { fetchFeed } from './fetch-feed.ts';
import { readFeed, usableEntry } from './read-feed.ts';

/** An entry of a feed, in the form of bans. */
export interface FeedEntry {
  readonly text: string;
  readonly range: AddressRange;
}

export interface FeedsOptions {
  readonly bans: Bans;
  readonly emit: (event: EdgeEvent) => void;
  /** Unix ms. */
  readonly now: () => number;
  /** What a feed holds now, for how many seconds. */
  readonly loaded?: (name: string, entries: readonly FeedEntry[], seconds: number) => void;
  /** Default: over the network and from files. */
  readonly fetch?: typeof fetchFeed;
}

interface Feed {
  readonly settings: FeedSettings;
  readonly stop: AbortController;
  tag: string;
  entries: readonly FeedEntry[];
  loadedAt: number;
  timer: NodeJS.Timeout | undefined;
}

/** Entries read in one turn of the event loop: calls do not wait for a long list. */
const atOnce = 500;

/**
 * Lists of addresses that others have seen attack, read again and again.
 *
 * Each is bounded in octets and entries, and what cannot be banned (wide blocks, private networks) is passed over. A feed
 * that cannot be read keeps what it had for `staleSeconds`. Whoever is protected is so from feeds as well.
 */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #feeds = new Map<string, Feed>();

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  /** From now on these; those that stay as they are go on. */
  configure(list: readonly FeedSettings[]): void {
    for (const [name, feed] of this.#feeds) {
      const same = list.some((settings) => JSON.stringify(settings) === JSON.stringify(feed.settings));
      if (!same) this.#end(name, feed);
    }
    for (const settings of list) {
      if (this.#feeds.has(settings.name)) continue;
      const feed: Feed = {
        settings,
        stop: new AbortController(),
        tag: '',
        entries: [],
        loadedAt: this.#options.now(),
        timer: undefined,
      };
      this.#feeds.set(settings.name, feed);
      void this.#round(feed);
    }
  }

  stop(): void {
    for (const feed of this.#feeds.values()) {
      feed.stop.abort();
      clearTimeout(feed.timer);
    }
  }

  #end(name: string, feed: Feed): void {
    feed.stop.abort();
    clearTimeout(feed.timer);
    this.#feeds.delete(name);
    this.#options.bans.useFeed(name, undefined);
    this.#options.loaded?.(name, [], 0);
  }

  async #round(feed: Feed): Promise<void> {
    await this.#load(feed);
    if (feed.stop.signal.aborted) return;
    feed.timer = setTimeout(() => void this.#round(feed), feed.settings.refreshSeconds * 1000).unref();
  }

  async #load(feed: Feed): Promise<void> {
    const { bans, emit, now, loaded, fetch = fetchFeed } = this.#options;
    const { name, maximum, refreshSeconds, staleSeconds } = feed.settings;
    const failed = (detail: string): void => {
      const stale = now() - feed.loadedAt >= staleSeconds * 1000;
      if (stale) bans.useFeed(name, undefined);
      emit({ type: 'feed.failed', feed: name, detail, stale });
    };
    const fetched = await fetch(feed.settings, feed.tag);
    if (feed.stop.signal.aborted) return;
    if (!fetched.ok) return failed(fetched.error);
    const { content, tag } = fetched.value;
    if (content === undefined) {
      feed.loadedAt = now();
      loaded?.(name, feed.entries, 2 * refreshSeconds);
      return;
    }
    const read = readFeed(content, maximum);
    if (!read.ok) return failed(read.error);
    const table = new RangeTable<true>();
    const entries: FeedEntry[] = [];
    let skipped = read.value.left;
    for (const [i, text] of read.value.entries.entries()) {
      if (i % atOnce === atOnce - 1) await turn();
      const target = usableEntry(text) === undefined ? undefined : readBanTarget(text);
      if (target === undefined) skipped += 1;
      else {
        table.set(target.range, true);
        entries.push({ text: target.text, range: target.range });
      }
    }
    if (feed.stop.signal.aborted) return;
    feed.tag = tag;
    feed.entries = entries;
    feed.loadedAt = now();
    bans.useFeed(name, table);
    loaded?.(name, entries, 2 * refreshSeconds);
    emit({ type: 'feed.loaded', feed: name, addresses: entries.length, skipped });
  }
}
