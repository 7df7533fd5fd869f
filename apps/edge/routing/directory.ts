import { BlockList, isIPv6 } from 'node:net';
import type { Device, Objects, Route, Trunk, User } from '../objects/types.ts';

export interface DeviceEntry {
  readonly user: User;
  readonly device: Device;
}

/** Everything of one tenant, by the keys that calls are looked up with. */
export interface DomainDirectory {
  readonly name: string;
  readonly users: ReadonlyMap<string, User>;
  readonly numbers: ReadonlyMap<string, User>;
  readonly devices: ReadonlyMap<string, DeviceEntry>;
  readonly trunks: ReadonlyMap<string, Trunk>;
  readonly inboundTrunks: ReadonlyMap<string, Trunk>;
  readonly routes: readonly Route[];
  /** Some device or trunk of the domain may use MD5: then challenges offer it, to everybody alike. */
  readonly md5: boolean;
}

interface AddressedTrunk {
  readonly trunk: Trunk;
  readonly addresses: BlockList;
}

/**
 * Indexes over the domain objects, built anew whenever they change.
 *
 * A look-up names its domain, and finds nothing of any other: a SIP domain is a tenant.
 */
export class Directory {
  readonly #domains = new Map<string, DomainDirectory>();
  readonly #addressed: readonly AddressedTrunk[];
  readonly #exact = new Map<string, Trunk>();
  readonly #certificates = new Map<string, Trunk>();

  constructor(objects: Objects, defaultDomain: string) {
    const names = new Set<string>([defaultDomain]);
    for (const { domain } of [...objects.users, ...objects.trunks, ...objects.routes]) names.add(domain);
    for (const name of names) this.#domains.set(name, index(name, objects));
    const addressed: AddressedTrunk[] = [];
    for (const trunk of objects.trunks) {
      for (const name of trunk.certificateNames) this.#certificates.set(name.toLowerCase(), trunk);
      const list = addressList(trunk, this.#exact);
      if (list !== undefined) addressed.push({ trunk, addresses: list });
    }
    this.#addressed = addressed;
  }

  domain(name: string): DomainDirectory | undefined {
    return this.#domains.get(name);
  }

  domains(): IterableIterator<DomainDirectory> {
    return this.#domains.values();
  }

  /** The trunk whose addresses hold this one; a single address wins over a range. */
  trunkByAddress(address: string): Trunk | undefined {
    const exact = this.#exact.get(address);
    if (exact !== undefined) return exact;
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    for (const { trunk, addresses } of this.#addressed) if (addresses.check(address, family)) return trunk;
    return undefined;
  }

  trunkByCertificate(names: readonly string[]): Trunk | undefined {
    for (const name of names) {
      const trunk = this.#certificates.get(name.toLowerCase());
      if (trunk !== undefined) return trunk;
    }
    return undefined;
  }
}

function addressList(trunk: Trunk, exact: Map<string, Trunk>): BlockList | undefined {
  let list: BlockList | undefined;
  for (const text of trunk.addresses) {
    const [address = '', prefix] = text.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    const whole = family === 'ipv6' ? 128 : 32;
    const length = prefix === undefined ? whole : Number(prefix);
    if (length === whole) {
      exact.set(address.toLowerCase(), trunk);
      if (family === 'ipv4') continue;
    }
    list ??= new BlockList();
    list.addSubnet(address, length, family);
  }
  return list;
}

function index(name: string, objects: Objects): DomainDirectory {
  const users = new Map<string, User>();
  const numbers = new Map<string, User>();
  const devices = new Map<string, DeviceEntry>();
  const trunks = new Map<string, Trunk>();
  const inboundTrunks = new Map<string, Trunk>();
  let md5 = false;
  for (const user of objects.users) {
    if (user.domain !== name) continue;
    users.set(user.name.toLowerCase(), user);
    if (user.number !== undefined) numbers.set(user.number, user);
    for (const device of user.devices) {
      devices.set(device.name, { user, device });
      md5 ||= device.ha1.has('MD5');
    }
  }
  for (const trunk of objects.trunks) {
    if (trunk.domain !== name) continue;
    trunks.set(trunk.name, trunk);
    if (trunk.inbound === undefined) continue;
    inboundTrunks.set(trunk.inbound.username, trunk);
    md5 ||= trunk.inbound.ha1.has('MD5');
  }
  const routes = objects.routes.filter((route) => route.domain === name).sort(before);
  return { name, users, numbers, devices, trunks, inboundTrunks, routes, md5 };
}

/** Lower priority first, then the pattern that says more, then the name, so that the order never depends on chance. */
function before(a: Route, b: Route): number {
  const last = Number(a.match === 'default') - Number(b.match === 'default');
  if (last !== 0) return last;
  return a.priority - b.priority || weight(b.match) - weight(a.match) || (a.name < b.name ? -1 : 1);
}

const weight = (match: string): number => (match.endsWith('*') ? match.length - 1 : match.length + 0.5);
