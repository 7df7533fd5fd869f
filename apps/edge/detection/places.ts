import { BlockList, isIPv6 } from 'node:net';
import type { Place } from '@ringfence/threat/registrations.ts';
import type { DetectionSettings } from '../config/detection.ts';
import { readRange } from '../objects/address-range.ts';

/** Where an address is, by the networks that the configuration names; the narrowest that holds it. */
export class Places {
  readonly #ranges: readonly { readonly list: BlockList; readonly place: Place }[];

  constructor(settings: DetectionSettings['places']) {
    const ranges = settings.flatMap(({ networks, name, country, latitude, longitude }) =>
      networks.flatMap((text) => {
        const range = readRange(text);
        if (range === undefined) return [];
        const list = new BlockList();
        const [address = ''] = text.split('/');
        list.addSubnet(address, range.prefix, range.family === 4 ? 'ipv4' : 'ipv6');
        const place: Place = {
          name,
          ...(country === undefined ? {} : { country }),
          ...(latitude === undefined ? {} : { latitude }),
          ...(longitude === undefined ? {} : { longitude }),
        };
        return [{ list, place, size: range.last - range.first }];
      }),
    );
    this.#ranges = ranges.sort((a, b) => (a.size < b.size ? -1 : a.size > b.size ? 1 : 0));
  }

  of(address: string): Place | undefined {
    if (this.#ranges.length === 0) return undefined;
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return this.#ranges.find(({ list }) => list.check(address, family))?.place;
  }
}
