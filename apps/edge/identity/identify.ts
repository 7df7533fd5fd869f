import { createHash } from 'node:crypto';
import type { DigestServer } from '@ringfence/sip/digest/server.ts';
import { parseAuthParams } from '@ringfence/sip/message/auth-params.ts';
import type { SipRequest, Uri } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { DigestAlgorithm, Ha1Set, Trunk } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { Directory, DomainDirectory } from '../routing/directory.ts';
import type { Registrations } from '../trunks/registration/registrations.ts';

export interface KnownSender {
  readonly kind: 'known';
  readonly principal: Principal;
  readonly domain: DomainDirectory;
  /** Whom a provider calls, where the Request-URI is the contact that we registered with it. */
  readonly called?: Uri;
}

export interface UnprovenSender {
  readonly kind: 'unproven';
  readonly domain: DomainDirectory;
  /** Values of WWW-Authenticate, most preferred algorithm first (RFC 8760 §2.4). */
  readonly challenges: readonly string[];
  /** Present where credentials for our realm came and did not hold. */
  readonly failure?: { readonly username: string; readonly reason: string };
  readonly stale: boolean;
}

export type Identification = KnownSender | UnprovenSender;

/** SHA-256 first: linphonec 5.1 gives up where the first challenge is SHA-512-256, which it does not know. */
const strong: readonly DigestAlgorithm[] = ['SHA-256', 'SHA-512-256'];
const withMd5: readonly DigestAlgorithm[] = ['SHA-256', 'SHA-512-256', 'MD5'];
/** Phones that know only MD5 give up where another challenge stands beside it. */
const md5Alone: readonly DigestAlgorithm[] = ['MD5'];

/**
 * Who is it: client certificate, trunk address, digest credentials, in that order.
 *
 * The only maker of a `Principal`. An unknown user, a wrong password and a missing credential lead to the same
 * answer, and cost the same.
 */
export class Identifier {
  readonly #digest: DigestServer;
  readonly #directory: () => Directory;
  readonly #defaultDomain: () => string;
  readonly #key: Uint8Array;
  readonly #registered: Registrations['match'];
  readonly #isUrgent: (request: SipRequest) => boolean;

  /** @param key keeps what unknown names are offered the same, also after a restart, and unpredictable. */
  constructor(
    digest: DigestServer,
    directory: () => Directory,
    defaultDomain: () => string,
    key: Uint8Array,
    registered: Registrations['match'] = () => undefined,
    isUrgent: (request: SipRequest) => boolean = () => false,
  ) {
    this.#isUrgent = isUrgent;
    this.#registered = registered;
    this.#key = key;
    this.#digest = digest;
    this.#directory = directory;
    this.#defaultDomain = defaultDomain;
  }

  /** The trunk that the flow alone proves, without reading any credentials. */
  byFlow(flow: Flow, request: SipRequest): KnownSender | undefined {
    const directory = this.#directory();
    const registered = this.#registered(request, flow);
    if (registered !== undefined) return trunkOf(directory, registered);
    const names = flow.tls?.peerNames;
    const host = 'host' in request.uri ? request.uri.host : undefined;
    const certified = names === undefined ? undefined : directory.trunkByCertificate(names, host);
    const trunk = certified ?? directory.trunkByAddress(flow.remote.address, host);
    if (trunk === undefined) return undefined;
    // A trunk that demands encryption is only itself over TLS: a forged UDP source proves nothing.
    if (trunk.encryption === 'required' && !isEncrypted(flow.transport)) return undefined;
    const domain = directory.domain(trunk.domain);
    if (domain === undefined) return undefined;
    return {
      kind: 'known',
      domain,
      principal: {
        kind: 'trunk',
        domain: trunk.domain,
        trunk: trunk.name,
        encryption: trunk.encryption,
        proof: certified === undefined ? 'address' : 'certificate',
      },
    };
  }

  byCredentials(request: SipRequest, flow: Flow, now: number): Identification {
    const domain = this.domainOf(request);
    const authorization = request.headers.all('Authorization');
    if (authorization.length === 0) return this.#unproven(domain, request, flow, now, false);
    // A password that was revoked still proves who calls for help.
    const urgent = request.method === 'INVITE' && this.#isUrgent(request);
    const verified = this.#digest.verify({
      authorization,
      method: request.method,
      uri: serializeUri(request.uri),
      source: flow.remote.address,
      now,
      realms: [domain.name],
      lookup: (username, _realm, algorithm) =>
        ha1Of(domain, username, urgent)
          ?.get(algorithm as DigestAlgorithm)
          ?.reveal(),
      body: request.body,
    });
    if (!verified.ok) {
      const { reason } = verified.error;
      // Credentials for somebody else's realm are no attempt at ours (RFC 3261 §22.3).
      if (reason === 'missing') return this.#unproven(domain, request, flow, now, false);
      const username = usernameOf(authorization);
      return this.#unproven(domain, request, flow, now, reason === 'stale', { username, reason });
    }
    const { username } = verified.value;
    const device = known(domain, username);
    if (device !== undefined) return device;
    const trunk = domain.inboundTrunks.get(username);
    if (trunk === undefined)
      return this.#unproven(domain, request, flow, now, false, { username, reason: 'gone' });
    return {
      kind: 'known',
      domain,
      principal: {
        kind: 'trunk',
        domain: domain.name,
        trunk: trunk.name,
        encryption: trunk.encryption,
        proof: 'digest',
      },
    };
  }

  /**
   * The tenant a request is about: that of the address of record for REGISTER (RFC 3261 §10.2), else the sender's,
   * which From names; whatever names no domain of ours means the default.
   */
  domainOf(request: SipRequest): DomainDirectory {
    const directory = this.#directory();
    const register = request.method === 'REGISTER';
    const first = register ? request.uri : request.from.uri;
    const second = register ? request.to.uri : request.uri;
    return (
      ('host' in first ? directory.domain(first.host) : undefined) ??
      ('host' in second ? directory.domain(second.host) : undefined) ??
      (directory.domain(this.#defaultDomain()) as DomainDirectory)
    );
  }

  /** A device that has proven itself before, over a connection that still is the same. */
  device(domain: string, device: string): KnownSender | undefined {
    const directory = this.#directory().domain(domain);
    return directory === undefined ? undefined : known(directory, device);
  }

  /** The phone of a PBX that a binding over this flow stands for: the PBX has checked its digest. */
  phone(domain: string, user: string): KnownSender | undefined {
    const directory = this.#directory().domain(domain);
    if (directory?.pbx === undefined) return undefined;
    return {
      kind: 'known',
      domain: directory,
      principal: {
        kind: 'device',
        domain: directory.name,
        user,
        device: user,
        encryption: directory.pbx.phones,
        proof: 'digest',
      },
    };
  }

  /** Somebody who may become a phone of that PBX: nothing is proven yet. */
  stranger(domain: DomainDirectory): KnownSender {
    return { kind: 'known', domain, principal: { kind: 'unknown' } };
  }

  /** The URI is an address in the domain of another tenant. */
  isForeign(uri: Uri, domain: DomainDirectory): boolean {
    const named = 'host' in uri ? this.#directory().domain(uri.host) : undefined;
    return named !== undefined && named !== domain;
  }

  /**
   * MD5 alone for users whose phones know nothing else, by their policy.
   *
   * So that this tells nobody who exists, names that do not exist get it as often as those that do.
   */
  #algorithms(domain: DomainDirectory, request: SipRequest): readonly DigestAlgorithm[] {
    const others = domain.md5Trunks ? withMd5 : strong;
    if (domain.md5Only.size === 0) return others;
    const { uri } = request.method === 'REGISTER' ? request.to : request.from;
    const name = 'user' in uri ? uri.user?.toLowerCase() : undefined;
    if (name === undefined) return others;
    if (domain.md5Only.has(name)) return md5Alone;
    if (domain.users.has(name) || domain.devices.has(name)) return others;
    const hash = createHash('sha256').update(this.#key).update(`${domain.name}\n${name}`).digest();
    return hash.readUInt32BE() / 0x1_0000_0000 < domain.md5Share ? md5Alone : others;
  }

  #unproven(
    domain: DomainDirectory,
    request: SipRequest,
    flow: Flow,
    now: number,
    stale: boolean,
    failure?: { username: string; reason: string },
  ): Identification {
    const challenges = this.#digest.challenge({
      realm: domain.name,
      algorithms: this.#algorithms(domain, request),
      source: flow.remote.address,
      stale,
      now,
    });
    const unproven = { kind: 'unproven', domain, challenges, stale } as const;
    return failure === undefined ? unproven : { ...unproven, failure };
  }
}

/** The trunk as it is now; the registration may be older. */
function trunkOf(
  directory: Directory,
  { trunk, called }: { readonly trunk: Trunk; readonly called: Uri },
): KnownSender | undefined {
  const domain = directory.domain(trunk.domain);
  const { name, encryption } = domain?.trunks.get(trunk.name) ?? trunk;
  if (domain === undefined) return undefined;
  return {
    kind: 'known',
    domain,
    called,
    principal: { kind: 'trunk', domain: domain.name, trunk: name, encryption, proof: 'registration' },
  };
}

function known(domain: DomainDirectory, name: string): KnownSender | undefined {
  const entry = domain.devices.get(name);
  if (entry === undefined) return undefined;
  const principal = {
    kind: 'device',
    domain: domain.name,
    user: entry.user.name,
    device: entry.device.name,
    encryption: entry.device.encryption,
    proof: 'digest',
  } as const;
  return { kind: 'known', domain, principal };
}

function usernameOf(authorization: readonly string[]): string {
  for (const value of authorization) {
    const parsed = parseAuthParams(value);
    const username = parsed.ok ? parsed.value.params.get('username') : undefined;
    if (username !== undefined) return username;
  }
  return '';
}

function ha1Of(domain: DomainDirectory, username: string, urgent: boolean): Ha1Set | undefined {
  const device = domain.devices.get(username)?.device;
  // As if nobody of that name had a password.
  if (!urgent && device !== undefined && domain.restraints?.revoked(domain.name, device) === true)
    return undefined;
  return device?.ha1 ?? domain.inboundTrunks.get(username)?.inbound?.ha1;
}
