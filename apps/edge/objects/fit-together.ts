import type { Report } from '../config/validate.ts';
import type { DeviceRow, PbxRow, TrunkRow, UserRow } from '../store/object-rows.ts';
import { overlap, readRange } from './address-range.ts';
import { addressesOf } from './pbx.ts';
import type { Domain, Route } from './types.ts';

/** An object as it will be, with its key in the file; empty where it is in the store only. */
export interface Keyed<T> {
  readonly row: T;
  readonly key: string;
}

export interface Future {
  readonly users: readonly Keyed<UserRow>[];
  readonly devices: readonly Keyed<DeviceRow>[];
  readonly trunks: readonly Keyed<TrunkRow>[];
  readonly routes: readonly Keyed<Route>[];
  readonly pbx: readonly Keyed<PbxRow>[];
  readonly domains: readonly Keyed<Domain>[];
}

/**
 * Checks that all objects, as they would stand after a change, can live together: names and numbers are unique within
 * their domain, references stay inside it, and no two trunks claim the same caller.
 */
export function checkTogether(future: Future, report: Report): void {
  const taken = new Map<string, string>();
  /** Reports at the object from the file where one of two is not. */
  const claim = (identity: string, what: string, owner: string, key: string, instead: string): void => {
    const other = taken.get(identity);
    if (other === undefined) taken.set(identity, owner);
    else report.value(key, `${what} already belongs to ${other}`, instead);
  };
  const fromFileLast = <T>(list: readonly Keyed<T>[]) =>
    [...list].sort((a, b) => Number(a.key !== '') - Number(b.key !== ''));

  for (const { row, key } of fromFileLast(future.domains))
    claim(
      `domain ${row.name}`,
      `the domain ${row.name}`,
      'another entry',
      `${key}.name`,
      'Describe a domain once.',
    );
  for (const { row, key } of fromFileLast(future.users)) {
    const owner = `user ${row.name}`;
    // SIP user parts differ by case, but no telephone user expects Alice and alice to be two people
    claim(
      `user ${row.domain} ${row.name.toLowerCase()}`,
      `the user name \`${row.name}\``,
      owner,
      `${key}.name`,
      'Choose another name; case does not count.',
    );
    if (row.number !== undefined) {
      claim(
        `number ${row.domain} ${row.number}`,
        `the number ${row.number}`,
        owner,
        `${key}.number`,
        'Give each user of a domain its own number.',
      );
    }
  }
  for (const { row, key } of fromFileLast(future.devices)) {
    claim(
      `login ${row.domain} ${row.name}`,
      `the digest user name \`${row.name}\``,
      `device ${row.name} of user ${row.user}`,
      `${key}.name`,
      'Device names are unique within a domain; choose another.',
    );
  }
  for (const { row, key } of fromFileLast(future.trunks)) {
    const owner = `trunk ${row.name} of ${row.domain}`;
    claim(
      `trunk ${row.domain} ${row.name}`,
      `the trunk name \`${row.name}\``,
      owner,
      `${key}.name`,
      'Choose another name.',
    );
    if (row.inbound !== undefined) {
      claim(
        `login ${row.domain} ${row.inbound.username}`,
        `the digest user name \`${row.inbound.username}\``,
        owner,
        `${key}.inboundAuthentication.username`,
        'Digest user names are unique within a domain; choose another.',
      );
    }
    // A certificate or an address is all there is to go by, so it must name one trunk of one tenant.
    for (const [i, name] of row.certificateNames.entries()) {
      claim(
        `certificate ${name.toLowerCase()}`,
        `the certificate name ${name}`,
        owner,
        `${key}.certificateNames[${i}]`,
        'A certificate name stands for one trunk; remove it from one of the two.',
      );
    }
  }
  for (const { row, key } of fromFileLast(future.pbx)) {
    claim(
      `pbx ${row.domain}`,
      `the domain ${row.domain}`,
      `pbx ${row.name}`,
      key === '' ? 'pbx' : key,
      'A domain has one PBX; list its machines as `nodes`.',
    );
    for (const [i, node] of row.nodes.entries())
      for (const [j, name] of node.certificateNames.entries())
        claim(
          `certificate ${name.toLowerCase()}`,
          `the certificate name ${name}`,
          `node ${node.name} of the pbx of ${row.domain}`,
          `${key}.nodes[${i}].certificateNames[${j}]`,
          'A certificate name stands for one peer; remove it from one of the two.',
        );
    const own = future.users.find((user) => user.row.domain === row.domain);
    if (own !== undefined)
      report.value(
        key === '' ? `${own.key}.domain` : `${key}.domain`,
        `the domain ${row.domain} has users at the edge, such as ${own.row.name}, and a PBX`,
        'Phones of a domain register either here or at its PBX: use two domains, or remove the users.',
      );
  }
  checkAddresses([...fromFileLast(future.trunks), ...fromFileLast(future.pbx).flatMap(nodesAsPeers)], report);
  checkReferences(future, report);
}

interface Peer {
  readonly domain: string;
  readonly name: string;
  readonly addresses: readonly string[];
  /** What an administrator knows it as. */
  readonly called?: string;
}

/** Whoever sends from an address is one peer, whether trunk or PBX. */
const nodesAsPeers = ({ row, key }: Keyed<PbxRow>): Keyed<Peer>[] =>
  row.nodes.map((node, i) => ({
    row: {
      domain: row.domain,
      name: node.name,
      addresses: addressesOf(node),
      called: `node ${node.name} of the pbx of ${row.domain}`,
    },
    key: `${key}.nodes[${i}]`,
  }));

function checkAddresses(trunks: readonly Keyed<Peer>[], report: Report): void {
  const ranges = trunks.flatMap(({ row, key }) =>
    row.addresses.flatMap((text, i) => {
      const range = readRange(text);
      return range === undefined ? [] : [{ range, text, row, key: `${key}.addresses[${i}]` }];
    }),
  );
  ranges.forEach((a, i) => {
    for (const b of ranges.slice(0, i)) {
      if (a.row === b.row || !overlap(a.range, b.range)) continue;
      report.value(
        a.key,
        `${a.text} overlaps ${b.text} of ${b.row.called ?? `trunk ${b.row.name} of ${b.row.domain}`}`,
        'An address stands for one trunk; tell the two apart by digest or certificate instead.',
      );
      return;
    }
  });
}

/** A name that somebody has is no honeypot: whoever uses it has told us nothing. */
function checkHoneypots(
  { users, devices }: Future,
  { domain, honeypots = [] }: Future['domains'][number]['row'],
  key: string,
  report: Report,
): void {
  const names = new Set<string>();
  for (const { row } of users)
    if (row.domain === domain) names.add(row.name.toLowerCase()).add(row.number ?? '');
  for (const { row } of devices) if (row.domain === domain) names.add(row.name.toLowerCase());
  honeypots.forEach((name, i) => {
    if (names.has(name.toLowerCase()))
      report.value(
        key === '' ? 'domains' : `${key}.honeypots[${i}]`,
        `\`${name}\` is a user or a device of ${domain}`,
        'Remove it from the honeypots, or take a name that nobody has.',
      );
  });
}

function checkReferences(future: Future, report: Report): void {
  const users = new Set(future.users.map(({ row }) => `${row.domain}/${row.name}`));
  const trunks = new Set(future.trunks.map(({ row }) => `${row.domain}/${row.name}`));
  const routes = new Map<string, string>();
  for (const { row, key } of future.domains) {
    checkHoneypots(future, row, key, report);
    const { recording } = row;
    if (recording === undefined || trunks.has(`${row.domain}/${recording.recorder}`)) continue;
    report.value(
      key === '' ? 'domains' : `${key}.recording.recorder`,
      `there is no trunk \`${recording.recorder}\` in domain ${row.domain}`,
      'Define the recording server as a trunk of the domain, or correct the name.',
    );
  }
  for (const { row, key } of future.routes) {
    if (routes.has(`${row.domain}/${row.name}`)) {
      report.value(
        key === '' ? 'routes' : key,
        `the route \`${row.name}\` is here twice`,
        'Give the routes different names.',
      );
    }
    routes.set(`${row.domain}/${row.name}`, key);
    for (const [kind, name, below] of leadsTo(row)) {
      const known = kind === 'trunk' ? trunks : users;
      if (known.has(`${row.domain}/${name}`)) continue;
      const elsewhere = [...known].some((other) => other.endsWith(`/${name}`));
      const where = key === '' ? `the stored route \`${row.name}\` leads to` : 'there is no';
      report.value(
        key === '' ? 'routes' : `${key}.to.${below}`,
        `${where} ${kind} \`${name}\` in domain ${row.domain}${key === '' ? ', which would be gone' : ''}`,
        elsewhere
          ? 'A route stays within its domain; define it there too.'
          : `Define the ${kind}, or correct the name.`,
      );
    }
  }
}

/** What a route names, and the key that names it. */
function leadsTo({ to }: Route): (readonly [kind: 'trunk' | 'user', name: string, key: string])[] {
  if ('trunk' in to) return [['trunk', to.trunk, 'trunk']];
  if ('trunks' in to) return to.trunks.map((name, i) => ['trunk', name, `trunks[${i}]`] as const);
  return 'user' in to ? [['user', to.user, 'user']] : [];
}
