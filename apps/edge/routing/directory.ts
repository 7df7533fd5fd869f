import { BlockList, isIP, isIPv6 } from 'node:net';
import type { DestinationPolicy, SpendCaps } from '../config/fraud.ts';
import type { AccountPolicy } from '../objects/account-settings.ts';
import type { DomainCallers } from '../objects/caller-settings.ts';
import type { CallLimits } from '../objects/limit-settings.ts';
import { addressesOf } from '../objects/pbx.ts';
import type { RecordingPolicy } from '../objects/recording-settings.ts';
import type { Device, Objects, Pbx, PbxNode, Route, Trunk, User } from '../objects/types.ts';

/** What holds beside the domain objects, for a time: while an incident is being dealt with. */
export interface Restraints {
  /** Why no call but an emergency call goes out over that trunk now. */
  closed(domain: string, trunk: string): string | undefined;
  /** The password that the device has is taken no more; a new one is. */
  revoked(domain: string, device: Device): boolean;
}

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
  /** Names of users, and of their devices, all of whose devices may use MD5: phones that know nothing else. */
  readonly md5Only: ReadonlySet<string>;
  /** Their share of all users, 0 to 1. */
  readonly md5Share: number;
  /** Some trunk that authenticates to us may use MD5: then it is offered beside the others, to everybody alike. */
  readonly md5Trunks: boolean;
  /** Of all calls of the domain, and of the calls of each of its users. */
  readonly limits?: CallLimits;
  readonly userLimits?: CallLimits;
  /** Caps of the domain as a whole, and where its calls may go. */
  readonly spend?: SpendCaps;
  readonly destinations?: DestinationPolicy;
  /** Whose calls are recorded. */
  readonly recording?: RecordingPolicy;
  /** What is demanded of its accounts. */
  readonly accounts?: AccountPolicy;
  /** Names and numbers that nobody has: who uses them has told us. */
  readonly honeypots?: readonly string[];
  /** Registers and serves the phones of this domain in place of `users`; its nodes are among `trunks` too. */
  readonly pbx?: Pbx;
  readonly restraints?: Restraints;
  /** Numbers that callers may not show. */
  readonly callers?: DomainCallers;
}

/** No name of a trunk holds a slash. */
const nodePrefix = 'pbx/';

/** Name of the trunk that stands for a node of a domain's PBX. */
export const nodeTrunkName = (node: string): string => `${nodePrefix}${node}`;

/** A trunk of that name is a node of the domain's PBX. */
export const isNodeTrunk = (name: string): boolean => name.startsWith(nodePrefix);

/** A PBX's node as the trunk that it is to calls: known by address or certificate, reached at its target. */
export const nodeTrunk = (pbx: Pbx, node: PbxNode): Trunk => ({
  domain: pbx.domain,
  name: nodeTrunkName(node.name),
  target: node.target,
  addresses: addressesOf(node),
  certificateNames: node.certificateNames,
  encryption: pbx.encryption,
});

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
  /** Several tenants may have their trunks at one carrier. */
  readonly #exact = new Map<string, Trunk[]>();
  readonly #certificates = new Map<string, Trunk[]>();

  constructor(given: Objects, defaultDomain: string, restraints?: Restraints) {
    const pbx = given.pbx ?? [];
    // Behind the others, so that calls which may go over any trunk prefer those.
    const nodes = pbx.flatMap((one) => one.nodes.map((node) => nodeTrunk(one, node)));
    const objects = { ...given, pbx, trunks: [...given.trunks, ...nodes] };
    const names = new Set<string>([defaultDomain]);
    for (const { domain } of [...objects.users, ...objects.trunks, ...objects.routes]) names.add(domain);
    for (const name of names) {
      const entry = index(name, objects);
      this.#domains.set(name.toLowerCase(), restraints === undefined ? entry : { ...entry, restraints });
    }
    const addressed: AddressedTrunk[] = [];
    for (const trunk of objects.trunks) {
      for (const name of trunk.certificateNames) append(this.#certificates, name.toLowerCase(), trunk);
      const list = addressList(trunk, this.#exact);
      if (list !== undefined) addressed.push({ trunk, addresses: list });
    }
    this.#addressed = addressed;
  }

  /** Host names know no case (RFC 3261 §19.1.4); those of parsed URIs are lower case already. */
  domain(name: string): DomainDirectory | undefined {
    return this.#domains.get(name) ?? this.#domains.get(name.toLowerCase());
  }

  domains(): IterableIterator<DomainDirectory> {
    return this.#domains.values();
  }

  /** The trunk whose addresses hold this one; a single address wins over a range, then the domain that is asked for. */
  trunkByAddress(address: string, domain?: string): Trunk | undefined {
    const exact = this.#exact.get(address);
    if (exact !== undefined) return preferred(exact, domain);
    if (this.#addressed.length === 0) return undefined;
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    const within: Trunk[] = [];
    for (const { trunk, addresses } of this.#addressed)
      if (addresses.check(address, family)) within.push(trunk);
    return preferred(within, domain);
  }

  trunkByCertificate(names: readonly string[], domain?: string): Trunk | undefined {
    for (const name of names) {
      const trunk = preferred(this.#certificates.get(name.toLowerCase()) ?? [], domain);
      if (trunk !== undefined) return trunk;
    }
    return undefined;
  }
}

const preferred = (trunks: readonly Trunk[], domain: string | undefined): Trunk | undefined =>
  trunks.length < 2
    ? trunks[0]
    : (trunks.find((trunk) => trunk.domain.toLowerCase() === domain) ?? trunks[0]);

function append(into: Map<string, Trunk[]>, key: string, trunk: Trunk): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, [trunk]);
  else known.push(trunk);
}

/** Addresses and ranges of a trunk. What is neither is no address at all: a slip must never let everybody in. */
function addressList(trunk: Trunk, exact: Map<string, Trunk[]>): BlockList | undefined {
  let list: BlockList | undefined;
  for (const text of trunk.addresses) {
    const slash = text.indexOf('/');
    const address = slash === -1 ? text : text.slice(0, slash);
    const version = isIP(address);
    if (version === 0) continue;
    const whole = version === 6 ? 128 : 32;
    const length = slash === -1 ? whole : prefixLength(text.slice(slash + 1), whole);
    if (length === undefined) continue;
    if (length === whole) {
      append(exact, address.toLowerCase(), trunk);
      // An IPv6 address has many spellings: the list compares its bits.
      if (version === 4) continue;
    }
    list ??= new BlockList();
    list.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

function prefixLength(text: string, whole: number): number | undefined {
  if (text.length === 0 || text.length > 3) return undefined;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return undefined;
  }
  const length = Number(text);
  return length > whole ? undefined : length;
}

function index(name: string, objects: Objects): DomainDirectory {
  const users = new Map<string, User>();
  const numbers = new Map<string, User>();
  const devices = new Map<string, DeviceEntry>();
  const trunks = new Map<string, Trunk>();
  const inboundTrunks = new Map<string, Trunk>();
  const md5Only = new Set<string>();
  let md5Users = 0;
  let md5Trunks = false;
  for (const user of objects.users) {
    if (user.domain !== name) continue;
    users.set(user.name.toLowerCase(), user);
    if (user.number !== undefined) numbers.set(user.number, user);
    for (const device of user.devices) {
      devices.set(device.name, { user, device });
    }
    if (user.devices.length === 0 || !user.devices.every(({ ha1 }) => ha1.has('MD5'))) continue;
    md5Users += 1;
    for (const known of [user, ...user.devices]) md5Only.add(known.name.toLowerCase());
  }
  for (const trunk of objects.trunks) {
    if (trunk.domain !== name) continue;
    trunks.set(trunk.name, trunk);
    if (trunk.inbound === undefined) continue;
    inboundTrunks.set(trunk.inbound.username, trunk);
    md5Trunks ||= trunk.inbound.ha1.has('MD5');
  }
  const routes = objects.routes.filter((route) => route.domain === name).sort(before);
  const md5Share = users.size === 0 ? 0 : md5Users / users.size;
  const own = objects.domains?.find((one) => one.domain === name);
  const pbx = objects.pbx?.find((one) => one.domain === name);
  return {
    name,
    users,
    numbers,
    devices,
    trunks,
    inboundTrunks,
    routes,
    md5Only,
    md5Share,
    md5Trunks,
    ...(pbx === undefined ? {} : { pbx }),
    ...(own?.limits === undefined ? {} : { limits: own.limits }),
    ...(own?.userLimits === undefined ? {} : { userLimits: own.userLimits }),
    ...(own?.spend === undefined ? {} : { spend: own.spend }),
    ...(own?.destinations === undefined ? {} : { destinations: own.destinations }),
    ...(own?.recording === undefined ? {} : { recording: own.recording }),
    ...(own?.accounts === undefined ? {} : { accounts: own.accounts }),
    ...(own?.callers === undefined ? {} : { callers: own.callers }),
    ...(own?.honeypots === undefined ? {} : { honeypots: own.honeypots }),
  };
}

/** Lower priority first, then the pattern that says more, then the name, so that the order never depends on chance. */
function before(a: Route, b: Route): number {
  const last = Number(a.match === 'default') - Number(b.match === 'default');
  if (last !== 0) return last;
  return a.priority - b.priority || weight(b.match) - weight(a.match) || (a.name < b.name ? -1 : 1);
}

const weight = (match: string): number => (match.endsWith('*') ? match.length - 1 : match.length + 0.5);
