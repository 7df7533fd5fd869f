import { parseUri } from '@ringfence/sip/message/uri.ts';
import { type AddressRange, overlap, readRange } from '../../objects/address-range.ts';
import type { Objects } from '../../objects/types.ts';
import { targetsOf } from '../../trunks/order.ts';
import { isLoopback } from '../source.ts';
import { RangeTable } from './range-table.ts';

/** Why an address is never banned. */
export type Guarded = 'allowed' | 'trunk' | 'pbx' | 'administrator' | 'loopback' | 'own';

interface Entry {
  readonly range: AddressRange;
  readonly kind: Guarded;
  readonly name: string;
}

export interface ProtectionSources {
  /** The address has proven to be a trunk's. */
  isTrunk(address: string): boolean;
  /** Addresses that names of trunks and PBXs have led to. */
  resolved(): readonly string[];
}

const mostAdministrators = 64;
const loopback: readonly Entry[] = ['127.0.0.0/8', '::1'].flatMap((text) => entry(text, 'loopback', text));

/** Whom no ban, no feed and no detection may touch: an allow list, trunks, PBXs, administrators, this machine. */
export class Protection {
  readonly #sources: ProtectionSources;
  #entries: readonly Entry[] = loopback;
  #table = new RangeTable<Entry>();
  #allow: readonly string[] = [];
  #objects: Pick<Objects, 'trunks' | 'pbx'> = { trunks: [] };
  #own: readonly string[] = [];
  readonly #administrators = new Set<string>();

  constructor(sources: ProtectionSources) {
    this.#sources = sources;
  }

  /** Blocks that the administrator has named. */
  allow(allow: readonly string[]): void {
    this.#allow = allow;
    this.#rebuild();
  }

  /** Trunks and PBXs as they are now. */
  objects(objects: Pick<Objects, 'trunks' | 'pbx'>): void {
    this.#objects = objects;
    this.#rebuild();
  }

  /** Addresses of this machine. */
  own(addresses: readonly string[]): void {
    this.#own = addresses;
    this.#rebuild();
  }

  /** An administrator has worked from there; the last 64 are remembered. */
  administrator(address: string): void {
    if (readRange(address) === undefined) return;
    this.#administrators.delete(address);
    this.#administrators.add(address);
    for (const oldest of this.#administrators) {
      if (this.#administrators.size <= mostAdministrators) break;
      this.#administrators.delete(oldest);
    }
    this.#rebuild();
  }

  /** Who in that block must not be banned; undefined where nobody is. */
  within(range: AddressRange): { readonly kind: Guarded; readonly name: string } | undefined {
    const listed = this.#entries.find((one) => overlap(one.range, range));
    if (listed !== undefined) return listed;
    const single = range.prefix === (range.family === 4 ? 32 : 128);
    if (single && this.#sources.isTrunk(addressOf(range))) return { kind: 'trunk', name: addressOf(range) };
    for (const address of this.#sources.resolved()) {
      const one = readRange(address);
      if (one !== undefined && overlap(one, range)) return { kind: 'trunk', name: address };
    }
    return undefined;
  }

  /** The same for one address that something has just come from: constant cost. */
  covers(address: string): boolean {
    return isLoopback(address) || this.#table.find(address) !== undefined || this.#sources.isTrunk(address);
  }

  #rebuild(): void {
    const { trunks, pbx = [] } = this.#objects;
    this.#entries = [
      ...loopback,
      ...this.#own.flatMap((text) => entry(text, 'own', text)),
      ...this.#allow.flatMap((text) => entry(text, 'allowed', 'bans.allow')),
      ...[...this.#administrators].flatMap((text) => entry(text, 'administrator', text)),
      ...trunks.flatMap((trunk) => [
        ...trunk.addresses.flatMap((text) => entry(text, 'trunk', trunk.name)),
        ...targetsOf(trunk).flatMap(({ target }) => entry(hostOf(target), 'trunk', trunk.name)),
      ]),
      ...pbx.flatMap(({ nodes }) =>
        nodes.flatMap((node) => [
          ...node.addresses.flatMap((text) => entry(text, 'pbx', node.name)),
          ...entry(hostOf(node.target), 'pbx', node.name),
        ]),
      ),
    ];
    this.#table = new RangeTable();
    for (const one of this.#entries) this.#table.set(one.range, one);
  }
}

function entry(text: string, kind: Guarded, name: string): Entry[] {
  const range = readRange(text);
  return range === undefined ? [] : [{ range, kind, name }];
}

/** Where a target is an address, that; brackets of IPv6 go. */
function hostOf(target: string): string {
  const uri = parseUri(target);
  if (!uri.ok || (uri.value.scheme !== 'sip' && uri.value.scheme !== 'sips')) return '';
  return uri.value.host.replace(/^\[|\]$/g, '');
}

const addressOf = ({ family, first }: AddressRange): string =>
  family === 4
    ? [24n, 16n, 8n, 0n].map((shift) => Number((first >> shift) & 255n)).join('.')
    : Array.from({ length: 8 }, (_, i) => ((first >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
