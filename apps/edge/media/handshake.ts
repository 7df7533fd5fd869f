import { createHash, randomBytes } from 'node:crypto';
import type { EndpointConfig, EndpointOpened, EndpointSpec } from '@ringfence/relay/contract.ts';
import { dtlsSuites, type IceConfig, type IceCredentials } from '@ringfence/relay/handshake.ts';
import type { DtlsAttributes } from '@ringfence/sdp/dtls.ts';
import { serializeFingerprint } from '@ringfence/sdp/dtls.ts';
import { serializeCandidate } from '@ringfence/sdp/ice.ts';
import type { Attribute } from '@ringfence/sdp/session.ts';
import { fingerprintOctets } from '../policy/pins.ts';
import { answeredIce, type KeyingSide, type OfferedProtection, offeredIce } from './keying.ts';
import type { ReadStream } from './read-offer.ts';

/** What two ends have come to for the handshakes of one stream. */
export interface HandshakeState {
  /** Our part in DTLS; undefined before the peer has said its own. */
  readonly role?: 'client' | 'server';
  /** Identity of the peer's association: its tls-id. */
  readonly tlsId?: string;
  /** ICE: who decides on the pair (RFC 8445 §6.1.1), under the peer's credentials of that name. */
  readonly controlling?: boolean;
  readonly ufrag?: string;
  /** Our name before the peer's first restart of ICE, of which our tls-id was made: the association lives on. */
  readonly firstName?: string;
}

/** Who made the offer that these descriptions belong to. */
export type Offerer = 'us' | 'peer';

/**
 * Our part in DTLS, RFC 5763 §5. Of a choice that is ours: what it was before, so that the association lives on
 * (RFC 8842 §5.3), else the active one with ICE, which says when the peer is there to answer. Without ICE it has heard nothing
 * of us yet, and a call may ring for minutes before it does: it comes to us.
 */
function roleOf(
  { setup }: DtlsAttributes,
  offerer: Offerer,
  before: HandshakeState['role'],
  reachable: boolean,
): 'client' | 'server' {
  if (setup === 'passive') return 'client';
  if (setup === 'actpass' && offerer === 'peer') return before ?? (reachable ? 'client' : 'server');
  // RFC 4145 §4: whoever says nothing is active.
  return 'server';
}

/** What is agreed with a peer that has said this, given what was agreed before. */
export function agreeHandshake(
  stream: ReadStream,
  ice: 'lite' | 'full' | undefined,
  offerer: Offerer,
  before: HandshakeState = {},
): HandshakeState | undefined {
  const { dtls } = stream;
  const checks = ice === undefined ? undefined : stream.ice;
  if (dtls === undefined && checks === undefined) return undefined;
  const reachable = checks !== undefined;
  const kept = checks !== undefined && before.ufrag === checks.ufrag ? before.controlling : undefined;
  return {
    ...(dtls === undefined ? {} : { role: roleOf(dtls, offerer, before.role, reachable) }),
    ...(dtls?.tlsId === undefined ? {} : { tlsId: dtls.tlsId }),
    ...(checks === undefined
      ? {}
      : {
          ufrag: checks.ufrag,
          ...(before.firstName === undefined ? {} : { firstName: before.firstName }),
          controlling: kept ?? (checks.lite || (ice === 'full' && offerer === 'us')),
        }),
  };
}

/** The peer's offer begins ICE anew, which our answer has to do as well: RFC 8445 §9, RFC 8839 §4.4.1.1.1. */
export const beginsAnew = (
  stream: ReadStream,
  offerer: Offerer,
  before: HandshakeState | undefined,
): boolean =>
  offerer === 'peer' &&
  stream.ice !== undefined &&
  before?.ufrag !== undefined &&
  before.ufrag !== stream.ice.ufrag;

/** New credentials of ours, of 48 and 144 random bits (RFC 8445 §5.3); base64 has the characters of RFC 8839 §5.4. */
export const newCredentials = (): IceCredentials => ({
  ufrag: randomBytes(6).toString('base64'),
  password: randomBytes(18).toString('base64'),
});

/** The part of an endpoint's configuration that handshakes need. */
export function handshakeConfig(
  stream: ReadStream,
  agreed: HandshakeState | undefined,
  /** The certificates that are taken, whatever signalling names. */
  pinned?: readonly string[],
  ours?: IceCredentials,
): Pick<EndpointConfig, 'ice' | 'dtls'> {
  const { dtls, ice } = stream;
  const config: { -readonly [K in 'ice' | 'dtls']?: EndpointConfig[K] } = {};
  if (dtls !== undefined && agreed?.role !== undefined)
    config.dtls = {
      role: agreed.role,
      fingerprints:
        pinned?.map((text) => ({ hash: 'sha-256', value: fingerprintOctets(text) })) ?? dtls.fingerprints,
      suites: dtlsSuites,
    };
  if (ice !== undefined && agreed?.controlling !== undefined) {
    const { ufrag, password, lite, candidates } = ice;
    config.ice = {
      ufrag,
      password,
      lite,
      controlling: agreed.controlling,
      candidates,
      ...(ours === undefined ? {} : { ours }),
    } satisfies IceConfig;
  }
  return config;
}

type Participation = Pick<EndpointSpec, 'ice' | 'dtls'>;

const participation = (ice: 'lite' | 'full' | undefined, dtls: boolean): Participation => ({
  ...(ice === undefined ? {} : { ice }),
  ...(dtls ? { dtls } : {}),
});

/** What an endpoint takes part in for a peer that has offered this. */
export const answeringParts = (side: KeyingSide, { ice, dtls }: ReadStream): Participation =>
  participation(ice === undefined ? undefined : answeredIce(side, ice.lite), dtls !== undefined);

/** The same for what we offer. */
export const offeringParts = (side: KeyingSide, offers: readonly OfferedProtection[]): Participation =>
  participation(offeredIce(side), offers.includes('dtls'));

/** A stream as far as its own handshake lines go. */
export interface HandshakeStream {
  readonly endpoint: EndpointOpened;
  readonly mux: boolean;
  readonly ice?: 'lite' | 'full';
  readonly keying?: 'sdes' | 'dtls' | undefined;
  readonly handshake?: HandshakeState | undefined;
  readonly mid?: string;
}

/**
 * Our own lines of one stream: `fingerprint`, `setup`, `tls-id` (RFC 8122, 5763, 8842), credentials and candidates
 * (RFC 8839), `mid` (RFC 9143). In an answer those alone that the offer asked for.
 */
export function handshakeLines(
  sessionId: string,
  stream: HandshakeStream,
  address: string,
  offerer: Offerer,
): Attribute[] {
  const lines: Attribute[] = [];
  const { endpoint, handshake, keying, mid } = stream;
  const add = (name: string, value?: string): void => {
    lines.push(value === undefined ? { name } : { name, value });
  };
  if (mid !== undefined) add('mid', mid);
  if (endpoint.ice !== undefined && (offerer === 'us' || handshake?.ufrag !== undefined)) {
    // RFC 8858: there is no second port to fall back to.
    if (stream.mux && offerer === 'us') add('rtcp-mux-only');
    add('ice-ufrag', endpoint.ice.ufrag);
    add('ice-pwd', endpoint.ice.password);
    add('ice-options', 'trickle');
    addCandidate(1, endpoint.rtpPort);
    if (!stream.mux && endpoint.rtcpPort !== 0) addCandidate(2, endpoint.rtcpPort);
    add('end-of-candidates');
  }
  if (keying === 'dtls' && endpoint.dtls !== undefined) {
    add('fingerprint', serializeFingerprint(endpoint.dtls));
    add('setup', offerer === 'us' ? 'actpass' : handshake?.role === 'client' ? 'active' : 'passive');
    if (offerer === 'us' || handshake?.tlsId !== undefined)
      add('tls-id', tlsIdOf(sessionId, endpoint, handshake?.firstName));
  }
  return lines;

  function addCandidate(component: 1 | 2, port: number): void {
    const priority = hostPriority - (component - 1);
    add(
      'candidate',
      serializeCandidate({ foundation: '1', component, priority, address, port, kind: 'host' }),
    );
  }
}

/** RFC 8445 §5.1.2.1: type preference 126, local preference 65,535, component 1. */
const hostPriority = 2_130_706_431;

/**
 * RFC 8842 §4: one association, one identity. It lives and dies with the endpoint and its certificate, and says
 * nothing of either.
 */
function tlsIdOf(sessionId: string, { id, ice, dtls }: EndpointOpened, name = ice?.ufrag ?? ''): string {
  const hash = createHash('sha256').update(`${sessionId} ${id} ${name} `);
  return hash
    .update(dtls?.value ?? '')
    .digest('base64url')
    .slice(0, 32);
}

/** The session's own lines, from those of its streams: RFC 8839 §5.3, RFC 9143 §7. */
export function sessionLines(streams: readonly (SessionLineStream | undefined)[]): Attribute[] {
  const lines: Attribute[] = [];
  if (streams.some((stream) => stream?.ice === 'lite' && stream.endpoint.ice !== undefined))
    lines.push({ name: 'ice-lite' });
  const bundled = streams.flatMap((stream) =>
    stream?.bundled === true && stream.mid !== undefined ? [stream.mid] : [],
  );
  if (bundled.length > 0) lines.push({ name: 'group', value: `BUNDLE ${bundled.join(' ')}` });
  return lines;
}

export interface SessionLineStream extends HandshakeStream {
  /** It stands in `a=group:BUNDLE`. */
  readonly bundled?: true;
}
