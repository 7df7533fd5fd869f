import { isInside } from '../config/address-class.ts';
import { checkHygiene } from '../config/hygiene.ts';
import { isMailbox } from '../config/mail.ts';
import type { Encryption } from '../config/schema.ts';
import type { Report } from '../config/validate.ts';
import { type AddressRange, readRange } from './address-range.ts';
import { checkRewrite } from './check-rewrite.ts';
import { passwordWeakness } from './password.ts';
import { checkPbx } from './pbx.ts';
import type { ObjectsFile, RouteObject, TrunkObject, UserObject } from './schema.ts';
import { readTrunkTarget } from './trunk-target.ts';

const domainName = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*$/;
const pattern = /^(?:default|\*|\+\*|\+?[0-9x#]+\*?)$/;
/** Wider ranges would hand half the internet to a trunk. */
const widest = { 4: 8, 6: 16 } as const;

export interface CheckOptions {
  readonly defaultDomain: string;
  /** `--dangerous-weak-password` */
  readonly weakPasswords: boolean;
  /** Least strength of passwords in that domain. */
  strength(domain: string): number;
}

/** What each object shows by itself; names within the file, references and the store come later. */
export function checkObjects(objects: ObjectsFile, options: CheckOptions, report: Report): void {
  for (const [i, { name, accounts }] of (objects.domains ?? []).entries()) {
    checkDomain(name, `domains[${i}]`, report, 'name');
    for (const [j, text] of (accounts?.inside ?? []).entries())
      checkRange(text, `domains[${i}].accounts.inside[${j}]`, report);
  }
  for (const [i, user] of (objects.users ?? []).entries()) checkUser(user, `users[${i}]`, options, report);
  for (const [i, trunk] of (objects.trunks ?? []).entries())
    checkTrunk(trunk, `trunks[${i}]`, options, report);
  for (const [i, route] of (objects.routes ?? []).entries()) checkRoute(route, `routes[${i}]`, report);
  for (const [i, pbx] of (objects.pbx ?? []).entries()) {
    checkDomain(pbx.domain, `pbx[${i}]`, report);
    checkPbx(pbx, `pbx[${i}]`, report);
  }
}

function checkDomain(domain: string | undefined, key: string, report: Report, below = 'domain'): void {
  if (domain !== undefined && !domainName.test(domain)) {
    report.value(`${key}.${below}`, 'is not a host name', 'Write a name such as `example.com`.');
  }
}

function checkUser(user: UserObject, key: string, options: CheckOptions, report: Report): void {
  checkDomain(user.domain, key, report);
  if (user.email !== undefined && !isMailbox(user.email))
    report.value(`${key}.email`, 'is not a mailbox', 'Write one address such as `alice@example.com`.');
  user.devices.forEach((device, i) => {
    checkHygiene(device, `${key}.devices[${i}]`, report);
    if (device.password === undefined) return;
    const domain = user.domain ?? options.defaultDomain;
    const names = [
      device.name,
      user.name,
      domain,
      domain.split('.')[0]!,
      ...(user.number === undefined ? [] : [user.number]),
      ...(user.displayName === undefined ? [] : [user.displayName]),
    ];
    checkPassword(device.password, names, domain, `${key}.devices[${i}].password`, options, report);
  });
}

function checkPassword(
  password: string,
  names: readonly string[],
  domain: string,
  key: string,
  options: CheckOptions,
  report: Report,
): void {
  const weakness = options.weakPasswords
    ? undefined
    : passwordWeakness(password, names, options.strength(domain.toLowerCase()));
  if (weakness !== undefined) {
    report.value(
      key,
      weakness,
      'Use a longer one (`ringfence user add` makes one), or pass --dangerous-weak-password.',
    );
  }
}

function checkTrunk(trunk: TrunkObject, key: string, options: CheckOptions, report: Report): void {
  checkDomain(trunk.domain, key, report);
  checkHygiene(trunk, key, report);
  const encryption: Encryption = trunk.encryption ?? 'required';
  checkTargets(trunk, encryption, key, report);
  checkRewrite(trunk.rewrite?.outbound, `${key}.rewrite.outbound`, report);
  checkRewrite(trunk.rewrite?.inbound, `${key}.rewrite.inbound`, report);
  const { registration } = trunk;
  if (registration?.registrar !== undefined)
    checkTarget(registration.registrar, trunk, encryption, `${key}.registration.registrar`, key, report);
  if (registration?.domain !== undefined) checkDomain(registration.domain, `${key}.registration`, report);
  if (
    registration !== undefined &&
    registration.user === undefined &&
    trunk.outboundAuthentication === undefined
  )
    report.value(
      `${key}.registration`,
      'says no user to register',
      'Add `outboundAuthentication:` with `username` and `password`, or `user:` where the provider asks for none.',
    );
  trunk.addresses?.forEach((text, i) => {
    const range = checkRange(text, `${key}.addresses[${i}]`, report);
    if (range !== undefined && range.prefix < widest[range.family]) {
      report.value(
        `${key}.addresses[${i}]`,
        `takes in too much of the internet`,
        `Use prefixes of at least /${widest[range.family]}, or authenticate the trunk by digest or certificate.`,
      );
    }
  });
  for (const side of ['inboundAuthentication', 'outboundAuthentication'] as const) {
    const given = trunk[side];
    if (given === undefined) continue;
    if (given.username === '' || given.username.includes(':')) {
      report.value(`${key}.${side}.username`, 'is empty or contains a colon', 'Write the digest user name.');
    }
    // the other side chose its own password for us
    if (side === 'inboundAuthentication' && given.password !== undefined) {
      const domain = trunk.domain ?? options.defaultDomain;
      const names = [given.username, trunk.name, domain];
      checkPassword(given.password, names, domain, `${key}.${side}.password`, options, report);
    }
  }
}

function checkRange(text: string, key: string, report: Report): AddressRange | undefined {
  const range = readRange(text);
  if (range === undefined)
    report.value(
      key,
      `\`${text.slice(0, 60)}\` is not an address or range`,
      'Write an IP address, or a range whose host bits are zero, such as `192.0.2.0/24`.',
    );
  return range;
}

/** Either one `target` or a list of them, and each as encrypted as the trunk demands. */
function checkTargets(trunk: TrunkObject, encryption: Encryption, key: string, report: Report): void {
  if ((trunk.target === undefined) === (trunk.targets === undefined || trunk.targets.length === 0)) {
    report.value(
      key,
      trunk.target === undefined ? 'has no target' : 'has `target` and `targets`',
      'Write one `target:`, or a list of `targets:`, not both.',
    );
  }
  if (trunk.target !== undefined) checkTarget(trunk.target, trunk, encryption, `${key}.target`, key, report);
  for (const [i, { target }] of (trunk.targets ?? []).entries())
    checkTarget(target, trunk, encryption, `${key}.targets[${i}].target`, key, report);
}

function checkTarget(
  text: string,
  trunk: TrunkObject,
  encryption: Encryption,
  at: string,
  key: string,
  report: Report,
): void {
  const target = readTrunkTarget(text);
  if (target === undefined) {
    report.value(
      at,
      `\`${text.slice(0, 60)}\` is not a target`,
      'Write `sip:host:port;transport=udp|tcp|tls`, such as `sip:pbx.example.com;transport=tls`.',
    );
    return;
  }
  const encrypted = target.scheme === 'sips' || target.transport === 'tls';
  if (encryption === 'required' && !encrypted) {
    report.value(
      trunk.encryption === undefined ? at : `${key}.encryption`,
      `encryption is required${trunk.encryption === undefined ? ' (the default)' : ''}, but the target is reached over ${target.transport ?? 'UDP'}`,
      'Add `;transport=tls` to the target, or write `encryption: preferred`.',
    );
  }
  if (encryption !== 'required' && !isInside(target.host) && trunk.dangerousPlaintext !== true) {
    report.value(
      `${key}.encryption`,
      `is \`${encryption}\` towards ${target.host}, which is not known to be private`,
      'Write `required` with `;transport=tls`; or, knowing that calls can be heard, add `dangerousPlaintext: true`.',
    );
  }
}

function checkRoute(route: RouteObject, key: string, report: Report): void {
  checkDomain(route.domain, key, report);
  checkRewrite(route.rewrite, `${key}.rewrite`, report);
  if ('trunks' in route.to && new Set(route.to.trunks).size !== Math.max(1, route.to.trunks.length)) {
    report.value(
      `${key}.to.trunks`,
      route.to.trunks.length === 0 ? 'names no trunk' : 'names a trunk twice',
      'List each trunk once, in the order in which they are tried.',
    );
  }
  if (!pattern.test(route.match)) {
    report.value(
      `${key}.match`,
      `\`${route.match}\` is not a pattern`,
      'Write digits, `x` for any one digit, `*` at the end for any rest, such as `+49*`, or `default`.',
    );
  }
}
