import { appendFile, rename, writeFile } from 'node:fs/promises';
import type { Bans } from '../bans/bans.ts';
import type { Ban } from '../bans/types.ts';

export interface PublishPlaces {
  /** Absolute paths. */
  readonly list?: string;
  readonly json?: string;
  readonly log?: string;
}

/** Changes are gathered for so long. */
const gatherMs = 1_000;
/** Log lines that wait for a disk; further ones are lost. */
const mostHeld = 1 << 20;

/**
 * Tells other systems whom the edge has banned: a plain list, JSON that the reader of feeds understands, and a line for
 * each ban as fail2ban's filters want it.
 *
 * Sockets are left out: what may rest on forged datagrams goes to nobody else. Files are replaced as a whole.
 */
export class BanPublisher {
  readonly #places: PublishPlaces;
  readonly #bans: Bans;
  readonly #now: () => number;
  readonly #failed: (error: unknown) => void;
  #lines = '';
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(places: PublishPlaces, bans: Bans, now: () => number, failed: (error: unknown) => void) {
    this.#places = places;
    this.#bans = bans;
    this.#now = now;
    this.#failed = failed;
    if (Object.keys(places).length === 0) return;
    bans.onChange(({ kind, ban }) => {
      if (ban.scope === 'socket' || kind === 'exempt') return;
      if (kind === 'added' && this.#lines.length < mostHeld) this.#lines += logLine(ban);
      this.#timer ??= setTimeout(() => this.#write(), gatherMs);
    });
    this.#timer = setTimeout(() => this.#write(), gatherMs);
  }

  /** Settles when everything is written. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) this.#write();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { list, json, log } = this.#places;
    const bans = this.#bans.list().filter(({ scope }) => scope !== 'socket');
    const lines = this.#lines;
    this.#lines = '';
    this.#writing = this.#writing.then(async () => {
      try {
        if (list !== undefined) await replace(list, listText(bans));
        if (json !== undefined) await replace(json, jsonText(bans, this.#now()));
        if (log !== undefined && lines !== '') await appendFile(log, lines, { mode: 0o644 });
      } catch (error) {
        this.#failed(error);
      }
    });
  }
}

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o644 });
  await rename(`${path}.new`, path);
}

export const listText = (bans: readonly Ban[]): string =>
  `# Banned by Ringfence; addresses and blocks, one a line.\n${bans.map(({ source }) => `${source}\n`).join('')}`;

export const jsonText = (bans: readonly Ban[], now: number): string =>
  `${JSON.stringify({
    ID: String(Math.floor(now / 1000)),
    ipaddress: bans.map(({ source }) => source),
    bans: bans.map(({ source, since, until, cause, rule, by, times }) => ({
      source,
      since: new Date(since).toISOString(),
      until: new Date(until).toISOString(),
      cause,
      rule,
      by,
      times,
    })),
  })}\n`;

/** Filters of fail2ban made for Kamailio look for `Blocking traffic from <HOST>`. */
export const logLine = ({ source, since, until, cause, rule }: Ban): string =>
  `${new Date(since).toISOString()} ringfence: Blocking traffic from ${source} for ${Math.round((until - since) / 1000)} s (${cause}, ${rule})\n`;
