/**
 * What ICE and DTLS add to the setup of a call: two media processes of ours, of which one plays the peer with checks of
 * its own (RFC 8445 §2.5, full), from the moment in which both know each other's descriptions to keys on both sides.
 *
 * Everything goes through a relay of the bench, which counts how often a datagram of the peer was answered: the round
 * trips that the setup took.
 */
import { startRelay } from '@ringfence/relay/client.ts';
import type { EndpointConfig, EndpointOpened } from '@ringfence/relay/contract.ts';
import type { RunningRelay } from '@ringfence/relay/control.ts';
import { type DtlsConfig, dtlsSuites } from '@ringfence/relay/handshake.ts';
import { HOST, udpSocket, until } from './dtls-cost.ts';

export interface Setup {
  /** Until both sides have keys. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** Of those that were made one after the other, the median. */
  readonly roundTrips: number;
}

/** `role`: of the edge in DTLS. `edgeIce`: whether the edge checks by itself. */
export interface SetupKind {
  readonly role: DtlsConfig['role'];
  readonly edgeIce: 'lite' | 'full';
}

/** Stands between both: as often as it turns round from the peer to the edge a round trip has begun. */
async function between(peer: () => number, edge: () => number) {
  const [outer, inner] = [await udpSocket(), await udpSocket()];
  let turns = 0;
  let last: 'peer' | 'edge' | undefined;
  outer.on('message', (bytes) => {
    if (last !== 'peer') turns += 1;
    last = 'peer';
    inner.send(bytes, edge(), HOST);
  });
  inner.on('message', (bytes) => {
    if (last !== 'edge') turns += 1;
    last = 'edge';
    outer.send(bytes, peer(), HOST);
  });
  return {
    /** What the peer, and what the edge takes for the other. */
    forPeer: outer.address().port,
    forEdge: inner.address().port,
    roundTrips: () => turns / 2,
    close: () => {
      outer.close();
      inner.close();
    },
  };
}

async function opened(relay: RunningRelay, ice: 'lite' | 'full'): Promise<EndpointOpened> {
  const answer = await relay.open([{ local: HOST, ports: 'mux', dscp: 46, suites: [], dtls: true, ice }]);
  const endpoint = answer.ok ? answer.value[0] : undefined;
  if (endpoint?.dtls === undefined || endpoint.ice === undefined) throw new Error('relay: no endpoint');
  return endpoint;
}

/** What one side is told of the other. */
const towards = (
  far: EndpointOpened,
  port: number,
  lite: boolean,
  controlling: boolean,
  role: DtlsConfig['role'],
): EndpointConfig => ({
  media: 'srtp',
  remote: { address: HOST, rtpPort: port, rtcpPort: port },
  ice: {
    ufrag: far.ice?.ufrag ?? '',
    password: far.ice?.password ?? '',
    lite,
    controlling,
    candidates: [
      { foundation: '1', component: 1, priority: 2_130_706_431, address: HOST, port, kind: 'host' },
    ],
  },
  dtls: { role, fingerprints: far.dtls === undefined ? [] : [far.dtls], suites: dtlsSuites },
});

async function one(
  edge: RunningRelay,
  peer: RunningRelay,
  { role, edgeIce }: SetupKind,
  secured: Map<RunningRelay, Set<number>>,
): Promise<{ readonly ms: number; readonly roundTrips: number }> {
  const [here, there] = await Promise.all([opened(edge, edgeIce), opened(peer, 'full')]);
  const way = await between(
    () => there.rtpPort,
    () => here.rtpPort,
  );
  const full = edgeIce === 'full';
  edge.configure(here.id, towards(there, way.forEdge, false, false, role));
  await edge.flush();
  const began = performance.now();
  peer.configure(there.id, towards(here, way.forPeer, !full, true, role === 'client' ? 'server' : 'client'));
  await until(
    () => secured.get(edge)?.has(here.id) === true && secured.get(peer)?.has(there.id) === true,
    'keys on both sides',
  );
  const ms = performance.now() - began;
  const roundTrips = way.roundTrips();
  await Promise.all([edge.close([here.id]), peer.close([there.id])]);
  way.close();
  return { ms, roundTrips };
}

export async function measureSetups(kind: SetupKind, count: number): Promise<Setup> {
  const [edge, peer] = await Promise.all([startRelay(), startRelay()]);
  const secured = new Map([edge, peer].map((relay) => [relay, new Set<number>()]));
  for (const relay of [edge, peer])
    relay.onEvent((event) => {
      if (event.kind === 'secured') secured.get(relay)?.add(event.endpoint);
      if (event.kind === 'unsecured') throw new Error(`no keys: ${event.reason} ${event.detail}`);
    });
  try {
    // The first warms both up.
    await one(edge, peer, kind, secured);
    const all: { readonly ms: number; readonly roundTrips: number }[] = [];
    for (let i = 0; i < count; i += 1) all.push(await one(edge, peer, kind, secured));
    const times = all.map(({ ms }) => ms).toSorted((a, b) => a - b);
    const trips = all.map(({ roundTrips }) => roundTrips).toSorted((a, b) => a - b);
    return {
      p50Ms: times[count >> 1] ?? Number.NaN,
      p95Ms: times[Math.floor(count * 0.95)] ?? Number.NaN,
      roundTrips: trips[count >> 1] ?? Number.NaN,
    };
  } finally {
    await Promise.all([edge.stop(), peer.stop()]);
  }
}
