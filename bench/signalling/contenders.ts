/** The servers that stand between caller and called party, each started afresh for every run. */
import { edgePresent, startEdge } from '../../test/interop/edge.ts';
import { makeCertificates } from '../../test/interop/harness/certificates.ts';
import { freePort } from '../../test/interop/harness/ports.ts';
import type { Program } from '../../test/interop/harness/process.ts';
import type { Workspace } from '../../test/interop/harness/workspace.ts';
import { kamailioVersion, startKamailio } from '../../test/interop/peers/kamailio.ts';
import { rtpengineVersion, startRtpengine } from '../../test/interop/peers/rtpengine.ts';
import { startStunnelClient, stunnelVersion } from '../../test/interop/peers/stunnel.ts';
import { kamailioConfig } from './kamailio-config.ts';

/** Addresses of the loopback: caller and called party have their own, by which the edge tells two trunks apart. */
export type Places = { readonly server: string; readonly caller: string; readonly called: string };

export type ContenderId = 'ours' | 'ours-tls' | 'kamailio-rtpengine' | 'kamailio' | 'direct';

export type Contender = {
  readonly id: ContenderId;
  readonly label: string;
  /** Why it cannot run here; null where it can. */
  readonly absent: string | null;
};

export type Running = {
  readonly roots: readonly number[];
  readonly target: { readonly address: string; readonly port: number };
  readonly callerAddress: string;
  readonly transport: 'udp' | 'tcp';
  readonly viaTransport: 'UDP' | 'TLS';
  stop(): Promise<void>;
};

type Start = {
  readonly workspace: Workspace;
  readonly places: Places;
  readonly calledPort: number;
  /** Memory is to be seen growing: none may be taken in advance. */
  readonly forMemory?: boolean;
  /** Folder for CPU profiles of the edge; what is measured then is not what it costs without. */
  readonly profile?: string | undefined;
};

/** All workers share two cores with caller and called party; measured with 2, 4 and 8 of them. */
const CHILDREN_ALONE = 2;
const CHILDREN_BLOCKING = 4;

export function contender(id: ContenderId): Contender {
  const kamailio = kamailioVersion();
  const rtpengine = rtpengineVersion();
  const edge = edgePresent() ? null : 'apps/edge/main.ts is not there';
  switch (id) {
    case 'ours':
      return { id, label: 'Ringfence', absent: edge };
    case 'ours-tls':
      return {
        id,
        label: 'Ringfence, TLS in',
        absent: edge ?? (stunnelVersion() ? null : 'stunnel4 is not installed'),
      };
    case 'kamailio':
      return { id, label: `Kamailio ${kamailio}`, absent: kamailio ? null : 'kamailio is not installed' };
    case 'kamailio-rtpengine':
      return {
        id,
        label: `Kamailio ${kamailio} + rtpengine ${rtpengine}`,
        absent: kamailio ? (rtpengine ? null : 'rtpengine is not installed') : 'kamailio is not installed',
      };
    case 'direct':
      return { id, label: 'no server', absent: null };
  }
}

export async function startContender(contender: Contender, start: Start): Promise<Running> {
  switch (contender.id) {
    case 'ours':
      return startOurs(start, false);
    case 'ours-tls':
      return startOurs(start, true);
    case 'kamailio':
      return startPeer(start, false);
    case 'kamailio-rtpengine':
      return startPeer(start, true);
    case 'direct':
      return {
        roots: [],
        target: { address: start.places.called, port: start.calledPort },
        callerAddress: start.places.caller,
        transport: 'udp',
        viaTransport: 'UDP',
        stop: async () => undefined,
      };
  }
}

async function startPeer(start: Start, media: boolean): Promise<Running> {
  const { workspace, places, calledPort } = start;
  const started: Program[] = [];
  let control: number | null = null;
  if (media) {
    control = await freePort();
    started.push(
      await startRtpengine({
        workspace,
        controlPort: control,
        address: places.server,
        // Enough for 15,000 calls at once with four ports each.
        ports: { from: 20_000, to: 60_000 },
        threads: 2,
      }),
    );
  }
  const port = await freePort(places.server);
  const config = kamailioConfig({
    address: places.server,
    port,
    called: `${places.called}:${calledPort}`,
    children: media ? CHILDREN_BLOCKING : CHILDREN_ALONE,
    rtpenginePort: control,
    rawSockets: process.getuid?.() === 0,
    memoryInAdvance: start.forMemory !== true,
  });
  const stop = async () => {
    for (const program of started.reverse()) await program.stop();
  };
  try {
    started.push(
      await startKamailio({ workspace, name: 'kamailio', config, sharedMemory: 512, privateMemory: 16 }),
    );
  } catch (cause) {
    await stop();
    throw cause;
  }
  return {
    roots: started.map((program) => program.pid),
    target: { address: places.server, port },
    callerAddress: places.caller,
    transport: 'udp',
    viaTransport: 'UDP',
    stop,
  };
}

async function startOurs(start: Start, tls: boolean): Promise<Running> {
  const { workspace, places, calledPort } = start;
  const certificates = tls ? makeCertificates(workspace, places.server) : undefined;
  const edge = await startEdge({
    workspace,
    address: places.server,
    ...(start.profile ? { profile: start.profile } : {}),
    listeners: [
      { name: 'inside', transport: 'udp', encryption: 'none' },
      // Its media is plain here: what is compared with UDP is the signalling alone.
      ...(tls ? [{ name: 'secure', transport: 'tls' as const, encryption: 'none' as const }] : []),
    ],
    ...(certificates ? { certificates } : {}),
    objects: {
      trunks: [
        {
          name: 'callers',
          target: `sip:${places.caller}:5060`,
          addresses: [`${places.caller}/32`],
          encryption: 'none',
        },
        {
          name: 'called',
          target: `sip:${places.called}:${calledPort};transport=udp`,
          addresses: [`${places.called}/32`],
          encryption: 'none',
          // Thousands of calls a second would spend any cap.
          free: true,
        },
      ],
      routes: [{ match: '+*', from: 'any', to: { trunk: 'called' } }],
    },
    // A trunk may send ten times as much as this every second.
    admission: { perSourcePerSecond: 10_000 },
  });
  const tunnel =
    tls && certificates
      ? await startStunnelClient({
          workspace,
          certificates,
          sourceAddress: places.caller,
          target: { address: places.server, port: edge.port('secure') },
        })
      : null;
  return {
    roots: [edge.pid],
    target: tunnel ?? { address: places.server, port: edge.port('inside') },
    callerAddress: tunnel ? tunnel.address : places.caller,
    transport: tunnel ? 'tcp' : 'udp',
    viaTransport: tunnel ? 'TLS' : 'UDP',
    stop: async () => {
      await tunnel?.stop();
      await edge.stop();
    },
  };
}
