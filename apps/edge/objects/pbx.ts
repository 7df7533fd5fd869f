import { isIP } from 'node:net';
import { isInside } from '../config/address-class.ts';
import { checkHeaderNames, checkHygiene } from '../config/hygiene.ts';
import type { Report } from '../config/validate.ts';
import type { PbxRow } from '../store/object-rows.ts';
import { readRange } from './address-range.ts';
import type { PbxObject } from './schema.ts';
import { readTrunkTarget } from './trunk-target.ts';
import type { PbxNode } from './types.ts';

/** Wider ranges would hand half the internet to a PBX. */
const widest = { 4: 16, 6: 48 } as const;

/** What a PBX's entry means, with the defaults of whatever it leaves out. */
export const pbxRow = (pbx: PbxObject, domain: string): PbxRow => ({
  domain,
  name: pbx.name ?? 'pbx',
  nodes: pbx.nodes.map((node) => ({
    name: node.name,
    target: node.target,
    priority: node.priority ?? 10,
    weight: node.weight ?? 10,
    addresses: node.addresses ?? [],
    certificateNames: node.certificateNames ?? [],
  })),
  encryption: pbx.encryption ?? 'required',
  phones: pbx.phones ?? 'required',
  expires: pbx.expires ?? 3600,
  phoneExpires: pbx.phoneExpires ?? 60,
  strangersPerSecond: pbx.strangersPerSecond ?? 50,
  ...(pbx.product === undefined ? {} : { product: pbx.product }),
  allowedHeaders: pbx.allowedHeaders ?? ['Alert-Info'],
  ...(pbx.methods === undefined ? {} : { methods: pbx.methods }),
  ...(pbx.headers === undefined ? {} : { headers: pbx.headers }),
  dangerousPlaintext: pbx.dangerousPlaintext ?? false,
});

/** Whence a node's requests come: what is listed, and its target where that is an address. */
export function addressesOf({ target, addresses }: Pick<PbxNode, 'target' | 'addresses'>): readonly string[] {
  const host = readTrunkTarget(target)?.host;
  return host === undefined || isIP(host) === 0 || addresses.includes(host)
    ? addresses
    : [host, ...addresses];
}

export function checkPbx(pbx: PbxObject, key: string, report: Report): void {
  const encryption = pbx.encryption ?? 'required';
  const names = new Set<string>();
  checkHygiene(pbx, key, report);
  checkHeaderNames(pbx.allowedHeaders ?? [], `${key}.allowedHeaders`, report);
  if (pbx.methods !== undefined && !pbx.methods.includes('REGISTER'))
    report.value(
      `${key}.methods`,
      'lacks REGISTER, without which no phone can be told from strangers',
      'Add `REGISTER` to the list.',
    );
  pbx.nodes.forEach((node, i) => {
    const at = `${key}.nodes[${i}]`;
    if (names.has(node.name))
      report.value(`${at}.name`, `the node name \`${node.name}\` is here twice`, 'Choose another.');
    names.add(node.name);
    const target = readTrunkTarget(node.target);
    if (target === undefined) {
      report.value(
        `${at}.target`,
        `\`${node.target.slice(0, 60)}\` is not a target`,
        'Write `sip:host:port;transport=udp|tcp|tls`, such as `sip:10.0.0.5:5060;transport=udp`.',
      );
      return;
    }
    const encrypted = target.scheme === 'sips' || target.transport === 'tls';
    if (encryption === 'required' && !encrypted)
      report.value(
        pbx.encryption === undefined ? `${at}.target` : `${key}.encryption`,
        `encryption is required${pbx.encryption === undefined ? ' (the default)' : ''}, but the node is reached over ${target.transport ?? 'UDP'}`,
        'Add `;transport=tls` to the target, or write `encryption: none` for a PBX in your own network.',
      );
    if (encryption !== 'required' && !isInside(target.host) && pbx.dangerousPlaintext !== true)
      report.value(
        `${key}.encryption`,
        `is \`${encryption}\` towards ${target.host}, which is not known to be private`,
        'Write `required` with `;transport=tls`; or, knowing that calls can be heard, add `dangerousPlaintext: true`.',
      );
    if (isIP(target.host) === 0 && node.addresses === undefined && node.certificateNames === undefined)
      report.value(
        `${at}.target`,
        `is a name, so nothing says which requests are this node's`,
        'Write `addresses:` or `certificateNames:` for it, or its IP address as target.',
      );
    node.addresses?.forEach((text, j) => {
      const range = readRange(text);
      if (range !== undefined && range.prefix >= widest[range.family]) return;
      report.value(
        `${at}.addresses[${j}]`,
        range === undefined
          ? `\`${text.slice(0, 60)}\` is not an address or range`
          : 'takes in too much of the network',
        `Write the addresses of the node, or a range of at least /${widest[range?.family ?? 4]}.`,
      );
    });
  });
}
