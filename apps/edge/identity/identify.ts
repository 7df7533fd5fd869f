import type { DigestServer } from '@ringfence/sip/digest/server.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { DigestAlgorithm, Ha1Set } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { Directory, DomainDirectory } from '../routing/directory.ts';

export type Identification =
  | { readonly kind: 'known'; readonly principal: Principal; readonly domain: DomainDirectory }
  | {
      readonly kind: 'unproven';
      readonly domain: DomainDirectory;
      /** Values of WWW-Authenticate, strongest algorithm first (RFC 8760 §2.4). */
      readonly challenges: readonly string[];
      /** Present where credentials came and did not hold. */
      readonly failure?: { readonly username: string; readonly reason: string };
      readonly stale: boolean;
    };

const strong: readonly DigestAlgorithm[] = ['SHA-256', 'SHA-512-256'];
const withMd5: readonly DigestAlgorithm[] = ['SHA-256', 'SHA-512-256', 'MD5'];

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

  constructor(digest: DigestServer, directory: () => Directory, defaultDomain: () => string) {
    this.#digest = digest;
    this.#directory = directory;
    this.#defaultDomain = defaultDomain;
  }

  /** The trunk that the flow alone proves, without reading any credentials. */
  byFlow(flow: Flow): Identification | undefined {
    const directory = this.#directory();
    const names = flow.tls?.peerNames;
    const certified = names === undefined ? undefined : directory.trunkByCertificate(names);
    const trunk = certified ?? directory.trunkByAddress(flow.remote.address);
    if (trunk === undefined) return undefined;
    // A trunk that demands encryption is only itself over TLS: a forged UDP source proves nothing.
    if (trunk.encryption === 'required' && flow.transport !== 'tls') return undefined;
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
    const authorization = this.#authorization(request, domain.name);
    if (authorization === undefined) return this.#unproven(domain, flow, now, false);
    const verified = this.#digest.verify({
      authorization,
      method: request.method,
      uri: serializeUri(request.uri),
      source: flow.remote.address,
      now,
      realms: [domain.name],
      lookup: (username, _realm, algorithm) =>
        ha1Of(domain, username)
          ?.get(algorithm as DigestAlgorithm)
          ?.reveal(),
      body: request.body,
    });
    if (!verified.ok) {
      const { reason } = verified.error;
      const username = 'username' in verified.error ? String(verified.error.username) : '';
      return this.#unproven(domain, flow, now, reason === 'stale', { username, reason });
    }
    const { username } = verified.value;
    const entry = domain.devices.get(username);
    if (entry !== undefined)
      return {
        kind: 'known',
        domain,
        principal: {
          kind: 'device',
          domain: domain.name,
          user: entry.user.name,
          device: entry.device.name,
          encryption: entry.device.encryption,
          proof: 'digest',
        },
      };
    const trunk = domain.inboundTrunks.get(username);
    if (trunk === undefined) return this.#unproven(domain, flow, now, false, { username, reason: 'gone' });
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

  /** The tenant a request is about: the Request-URI's host, else the one of From; anything else means the default. */
  domainOf(request: SipRequest): DomainDirectory {
    const directory = this.#directory();
    for (const uri of [request.uri, request.from.uri]) {
      if (uri.scheme !== 'sip' && uri.scheme !== 'sips') continue;
      const domain = directory.domain(uri.host);
      if (domain !== undefined) return domain;
    }
    return directory.domain(this.#defaultDomain()) as DomainDirectory;
  }

  domainNamed(name: string): DomainDirectory | undefined {
    return this.#directory().domain(name);
  }

  /** RFC 3261 §22.3: of several credentials, those for our realm. */
  #authorization(request: SipRequest, realm: string): string | undefined {
    const all = request.headers.all('Authorization');
    if (all.length < 2) return all[0];
    return all.find((value) => value.includes(`"${realm}"`)) ?? all[0];
  }

  #unproven(
    domain: DomainDirectory,
    flow: Flow,
    now: number,
    stale: boolean,
    failure?: { username: string; reason: string },
  ): Identification {
    const challenges = this.#digest.challenge({
      realm: domain.name,
      algorithms: domain.md5 ? withMd5 : strong,
      source: flow.remote.address,
      stale,
      now,
    });
    const unproven = { kind: 'unproven', domain, challenges, stale } as const;
    return failure === undefined ? unproven : { ...unproven, failure };
  }
}

function ha1Of(domain: DomainDirectory, username: string): Ha1Set | undefined {
  return domain.devices.get(username)?.device.ha1 ?? domain.inboundTrunks.get(username)?.inbound?.ha1;
}
