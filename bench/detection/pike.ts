/** What watching costs a server for each request: our detection on and off, Kamailio with pike and without. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { startEdge } from '../../test/interop/edge.ts';
import { freePort } from '../../test/interop/harness/ports.ts';
import { sleep } from '../../test/interop/harness/process.ts';
import { cpuSeconds } from '../../test/interop/harness/process-tree.ts';
import { Workspace } from '../../test/interop/harness/workspace.ts';
import { READY_EVENT, startKamailio } from '../../test/interop/peers/kamailio.ts';

export interface Cost {
  /** µs of CPU for a request that was answered. */
  readonly perRequest: number;
  readonly answered: number;
}

const address = '127.0.0.1';
const senders = 64;
const perSecond = 4_000;

interface Server {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<unknown>;
}

/** Requests without proof from 64 addresses, paced; each wants an answer. */
async function flood({ pid, port }: Server, requests: number): Promise<Cost> {
  const sockets: Socket[] = [];
  let answered = 0;
  for (let i = 0; i < senders; i += 1) {
    const socket = createSocket('udp4').on('message', () => (answered += 1));
    socket.bind(0, `127.0.1.${i + 1}`);
    await once(socket, 'listening');
    sockets.push(socket);
  }
  const before = cpuSeconds([pid]);
  const began = performance.now();
  for (let sent = 0; sent < requests; ) {
    const due = Math.min(requests, Math.floor(((performance.now() - began) / 1000) * perSecond));
    for (; sent < due; sent += 1) {
      const socket = sockets[sent % senders]!;
      const { address: from, port: back } = socket.address();
      const id = `${sent}a${Math.floor(sent * 7919).toString(36)}`;
      socket.send(
        `REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP ${from}:${back};branch=z9hG4bK${id}xyz;rport\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.test>;tag=${id}f\r\nTo: <sip:alice@example.test>\r\nCall-ID: ${id}callcall\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@${from}:${back}>\r\nUser-Agent: Phone 1.2.3 with a name that is long enough for the challenge to fit\r\nSupported: path, outbound, gruu, replaces, timer, 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, UPDATE, INFO\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n`,
        port,
        address,
      );
    }
    await sleep(1);
  }
  await sleep(300);
  for (const socket of sockets) socket.close();
  const used = cpuSeconds([pid]) - before;
  return { perRequest: Math.round((used * 1e6) / Math.max(1, answered)), answered };
}

const kamailio = (port: number, pike: boolean): string => `#!KAMAILIO
debug=-1
fork=yes
children=1
disable_tcp=yes
listen=udp:${address}:${port}
auto_aliases=no
dns=no
rev_dns=no
maxbuffer=4194304

loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
loadmodule "auth.so"
${pike ? 'loadmodule "pike.so"\nmodparam("pike", "sampling_time_unit", 2)\n# Nobody is blocked: what is measured is the watching.\nmodparam("pike", "reqs_density_per_unit", 30000)' : ''}

request_route {
  ${pike ? 'if (!pike_check_req()) exit;' : ''}
  if (!mf_process_maxfwd_header("10")) exit;
  if (!sanity_check("17895", "7")) exit;
  www_challenge("example.test", "1");
  exit;
}
${READY_EVENT}`;

async function withServer(start: (workspace: Workspace) => Promise<Server>, requests: number): Promise<Cost> {
  const workspace = new Workspace('bench-detection');
  try {
    const server = await start(workspace);
    try {
      // Compilers and caches have seen it once.
      await flood(server, Math.floor(requests / 4));
      return await flood(server, requests);
    } finally {
      await server.stop();
    }
  } finally {
    workspace.remove();
  }
}

export const costOfOurs = (enabled: boolean, requests: number): Promise<Cost> =>
  withServer(async (workspace) => {
    const edge = await startEdge({
      workspace,
      listeners: [{ name: 'udp', transport: 'udp', encryption: 'preferred' }],
      objects: { users: [] },
      detection: { enabled },
    });
    return { pid: edge.pid, port: edge.port('udp'), stop: () => edge.stop() };
  }, requests);

export const costOfKamailio = (pike: boolean, requests: number): Promise<Cost> =>
  withServer(async (workspace) => {
    const port = await freePort(address);
    const program = await startKamailio({ workspace, name: 'kamailio', config: kamailio(port, pike) });
    return { pid: program.pid, port, stop: () => program.stop() };
  }, requests);
