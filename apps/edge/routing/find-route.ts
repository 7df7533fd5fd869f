import type { Uri } from '@ringfence/sip/message/types.ts';
import type { Rewrite } from '../objects/rewrite-settings.ts';
import type { Pbx, Route, Trunk, User } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { LiveBinding } from '../registrar/registrar.ts';
import type { DomainDirectory } from './directory.ts';
import { digitsOf, type Numbers } from './numbers.ts';

/** Whom the caller wants, as read from the Request-URI. */
export interface Dialled {
  /** User part or number as dialled; for records. */
  readonly text: string;
  /** Digits without separators, where it is a number. */
  readonly digits?: string;
  /** E.164 form, where the number has one. */
  readonly e164?: string;
  readonly emergency: boolean;
  /** The phone that a public GRUU names among those of its user (RFC 5627 §3.1). */
  readonly instance?: string;
}

/** A domain's PBX. */
export interface PbxDestination {
  readonly kind: 'pbx';
  readonly name: string;
  readonly pbx: Pbx;
  /** The node where the caller is registered. */
  readonly sticky?: string;
}

/** The one phone that a PBX calls by its token. */
export interface PhoneDestination {
  readonly kind: 'phone';
  readonly name: string;
  readonly binding: LiveBinding;
}

export type Destination =
  | { readonly kind: 'user'; readonly name: string; readonly user: User }
  | {
      readonly kind: 'trunk';
      readonly name: string;
      readonly trunk: Trunk /** In the order to be tried, the first included. */;
      readonly trunks: readonly Trunk[];
      /** Rules of the route for calls that go out by it. */
      readonly rewrite?: Rewrite;
      readonly number: string;
    }
  | { readonly kind: 'blocked'; readonly name: string; readonly why: string }
  | PbxDestination
  | PhoneDestination
  | { readonly kind: 'none' };

/** Told of every route that was looked at, for the tester. */
export type RouteNote = (route: Route, result: 'taken' | 'no-match' | 'for-others' | 'leads-nowhere') => void;

/** Reads the Request-URI (RFC 3261 §19.1.6 and RFC 3966 for numbers, RFC 5031 for emergency service URNs). */
export function readDialled(uri: Uri, numbers: Numbers): Dialled {
  if (uri.scheme === 'other') {
    const emergency = uri.text.toLowerCase().startsWith('urn:service:sos');
    return { text: emergency ? 'sos' : '', emergency };
  }
  const text = uri.scheme === 'tel' ? uri.number : (uri.user ?? '');
  const semicolon = text.indexOf(';');
  const digits = digitsOf(semicolon === -1 ? text : text.slice(0, semicolon));
  const gr = uri.params.get('gr');
  const named = typeof gr === 'string' ? { instance: gr } : undefined;
  if (digits === undefined) return { text, emergency: text.toLowerCase() === 'sos', ...named };
  if (numbers.isEmergency(digits)) return { text, digits, emergency: true };
  const e164 = numbers.e164(digits);
  const number = { text, digits, emergency: false, ...named };
  return e164 === undefined ? number : { ...number, e164 };
}

/**
 * Where to: emergency first, then the domain's own users by name or number, then its routes in their order.
 *
 * Looks only into the caller's own domain.
 */
export function findRoute(
  directory: DomainDirectory,
  principal: Principal,
  dialled: Dialled,
  emergencyTrunk: string | undefined,
  note?: RouteNote,
): Destination {
  if (dialled.emergency) return emergencyRoute(directory, principal, dialled, emergencyTrunk);
  if (dialled.text === '') return { kind: 'none' };
  const user = localUser(directory, dialled);
  if (user !== undefined) return { kind: 'user', name: `user:${user.name}`, user };
  const side = principal.kind === 'trunk' ? 'trunks' : 'users';
  for (const route of directory.routes) {
    if (route.from !== 'any' && route.from !== side) {
      note?.(route, 'for-others');
      continue;
    }
    if (!matches(route.match, dialled)) {
      note?.(route, 'no-match');
      continue;
    }
    const destination = follow(directory, route, dialled);
    note?.(route, destination === undefined ? 'leads-nowhere' : 'taken');
    if (destination !== undefined) return destination;
  }
  return { kind: 'none' };
}

/** The domain's own user of that name or number. */
export const localUser = (directory: DomainDirectory, { text, e164, digits }: Dialled): User | undefined =>
  directory.users.get(text.toLowerCase()) ??
  (e164 === undefined ? undefined : directory.numbers.get(e164)) ??
  (digits === undefined ? undefined : directory.numbers.get(digits));

/** The trunk that is set for it, then all others of the domain; never back to the trunk that the call comes from. */
function emergencyRoute(
  directory: DomainDirectory,
  principal: Principal,
  dialled: Dialled,
  wanted: string | undefined,
): Destination {
  const from = principal.kind === 'trunk' ? principal.trunk : undefined;
  const set = wanted === undefined ? undefined : directory.trunks.get(wanted);
  const trunks: Trunk[] = [];
  // A recorder answers every call, and helps nobody.
  for (const trunk of set === undefined ? directory.trunks.values() : [set, ...directory.trunks.values()])
    if (trunk.name !== from && trunk.name !== directory.recording?.recorder && !trunks.includes(trunk))
      trunks.push(trunk);
  const number = dialled.digits ?? dialled.text;
  return trunks[0] === undefined
    ? { kind: 'none' }
    : { kind: 'trunk', name: `emergency:${trunks[0].name}`, trunk: trunks[0], trunks, number };
}

function follow(directory: DomainDirectory, route: Route, dialled: Dialled): Destination | undefined {
  if ('block' in route.to) return { kind: 'blocked', name: `block:${route.name}`, why: route.to.block };
  if ('user' in route.to) {
    const user = directory.users.get(route.to.user.toLowerCase());
    return user === undefined ? undefined : { kind: 'user', name: `user:${user.name}`, user };
  }
  const names = 'trunks' in route.to ? route.to.trunks : [route.to.trunk];
  const all = names.flatMap((name) => directory.trunks.get(name) ?? []);
  if (all[0] === undefined) return undefined;
  const { restraints } = directory;
  const why = restraints?.closed(directory.name, all[0].name);
  const trunks =
    restraints === undefined
      ? all
      : all.filter(({ name }) => restraints.closed(directory.name, name) === undefined);
  // Another route must not take what is closed here.
  if (trunks[0] === undefined) return { kind: 'blocked', name: `trunk:${all[0].name}`, why: why ?? '' };
  const number = dialled.e164 ?? dialled.digits ?? dialled.text;
  const found = { kind: 'trunk', name: `trunk:${trunks[0].name}`, trunk: trunks[0], trunks, number } as const;
  return route.rewrite === undefined ? found : { ...found, rewrite: route.rewrite };
}

/** `x` stands for one digit, a trailing `*` for any rest, `default` for everything. */
export function matches(pattern: string, dialled: Dialled): boolean {
  if (pattern === 'default') return true;
  return (
    matchesText(pattern, dialled.e164) ||
    matchesText(pattern, dialled.digits) ||
    matchesText(pattern, dialled.text)
  );
}

function matchesText(pattern: string, text: string | undefined): boolean {
  if (text === undefined) return false;
  const open = pattern.endsWith('*');
  const length = open ? pattern.length - 1 : pattern.length;
  if (open ? text.length < length : text.length !== length) return false;
  for (let i = 0; i < length; i += 1) {
    const want = pattern.charCodeAt(i);
    const have = text.charCodeAt(i);
    if (want === have) continue;
    if ((want !== 0x78 && want !== 0x58) || have < 0x30 || have > 0x39) return false;
  }
  return true;
}
