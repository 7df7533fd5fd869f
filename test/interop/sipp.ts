/** sipp as caller and called party over UDP, TCP and TLS (behind stunnel), with RTP compared bit by bit. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { certificatesIn, makeCertificates } from './harness/certificates.ts';
import { freePort } from './harness/ports.ts';
import { until } from './harness/process.ts';
import { expectBitExact, RtpEnd } from './harness/rtp.ts';
import { runCases } from './harness/run-cases.ts';
import { sippErrors, sippVersion, startSipp } from './peers/sipp.ts';
import { startStunnelClient, startStunnelServer, stunnelVersion } from './peers/stunnel.ts';

const SCENARIOS = join(dirname(fileURLToPath(import.meta.url)), 'scenarios');
const PACKETS = 100;
const HOLD_MS = PACKETS * 20 + 1_500;
const CALLER = '127.0.0.2';
const CALLED = '127.0.0.3';
const NUMBER = '+12025550123';

type Transport = 'udp' | 'tcp' | 'tls';
type Place = { readonly address: string; readonly port: number };

/** Where media goes, as the last SDP that this sipp received says. */
function mediaTarget(file: string): Place | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  let place: Place | null = null;
  // sipp writes a line of dashes before each message, then whether it was sent or received.
  for (const part of text.split(/-{20,}/)) {
    if (!/message received/.test(part)) continue;
    const port = /^m=audio (\d+) /m.exec(part)?.[1];
    const address = /^c=IN IP4 (\S+)/m.exec(part)?.[1];
    if (port && address) place = { address, port: Number(port) };
  }
  return place;
}

type Joined = {
  readonly context: CaseContext;
  readonly caller: Transport;
  readonly called: Transport;
  /** Puts something between the two; given where the called party is, says where the caller sends. */
  readonly between: (called: Place) => Promise<Place>;
};

async function call({ context, caller, called, between }: Joined): Promise<string> {
  const { workspace, closes } = context;
  const certificates = caller === 'tls' || called === 'tls' ? makeCertificates(workspace) : undefined;
  const left = closes(await RtpEnd.open(CALLER));
  const right = closes(await RtpEnd.open(CALLED));
  const inside = { address: CALLED, port: await freePort(CALLED) };
  const outside =
    called === 'tls'
      ? closes(
          await startStunnelServer({
            workspace,
            certificates: certificates!,
            target: inside,
            address: CALLED,
          }),
        )
      : inside;
  const answering = closes(
    await startSipp({
      workspace,
      name: 'called',
      scenario: join(SCENARIOS, 'called.xml'),
      ...inside,
      transport: called === 'udp' ? 'udp' : 'tcp',
      keys: { proto: called.toUpperCase(), cport: String(outside.port), mport: String(right.port) },
      calls: 1,
      extra: ['-trace_msg', '-message_file', workspace.path('called.messages')],
    }),
  );
  const server = await between(outside);
  const target =
    caller === 'tls'
      ? closes(
          await startStunnelClient({
            workspace,
            certificates: certificates!,
            target: server,
            sourceAddress: CALLER,
          }),
        )
      : server;
  const calling = closes(
    await startSipp({
      workspace,
      name: 'caller',
      scenario: join(SCENARIOS, 'caller.xml'),
      address: CALLER,
      port: await freePort(CALLER),
      target,
      transport: caller === 'udp' ? 'udp' : 'tcp',
      keys: { dialled: NUMBER, proto: caller.toUpperCase(), mport: String(left.port) },
      calls: 1,
      holdMs: HOLD_MS,
      extra: ['-trace_msg', '-message_file', workspace.path('caller.messages'), '-timeout', '20'],
    }),
  );
  const answer = await until('SDP answer at the caller', 8_000, () =>
    mediaTarget(workspace.path('caller.messages')),
  );
  const offer = await until('SDP offer at the called party', 2_000, () =>
    mediaTarget(workspace.path('called.messages')),
  );
  await Promise.all([left.send(answer, PACKETS), right.send(offer, PACKETS)]);
  const { code } = await calling.waitForExit(20_000);
  expect(code === 0, `the caller ended with ${code}: ${sippErrors(workspace, 'caller')}`);
  const ended = await answering.waitForExit(10_000);
  expect(ended.code === 0, `the called party ended with ${ended.code}: ${sippErrors(workspace, 'called')}`);
  const forth = expectBitExact(left, right, 'to called');
  const back = expectBitExact(right, left, 'to caller');
  return `RTP bit-exact ${forth}, ${back}`;
}

async function throughEdge(context: CaseContext, caller: Transport, called: Transport): Promise<string> {
  const { workspace } = context;
  return call({
    context,
    caller,
    called,
    between: async (outside) => {
      const tls = caller === 'tls' || called === 'tls';
      const certificates = tls ? certificatesIn(workspace) : undefined;
      const edge = await context.edge({
        listeners: [
          { name: 'udp', transport: 'udp', encryption: 'none' },
          { name: 'tcp', transport: 'tcp', encryption: 'none' },
          // sipp has no SRTP: its media is plain behind TLS.
          ...(tls ? [{ name: 'tls', transport: 'tls' as const, encryption: 'none' as const }] : []),
        ],
        ...(certificates ? { certificates } : {}),
        objects: {
          trunks: [
            { name: 'left', target: `sip:${CALLER}`, addresses: [`${CALLER}/32`], encryption: 'none' },
            {
              name: 'right',
              target: `sip:${outside.address}:${outside.port};transport=${called}`,
              addresses: [`${CALLED}/32`],
              encryption: 'none',
            },
          ],
          routes: [{ match: '+*', from: 'any', to: { trunk: 'right' } }],
        },
      });
      return { address: edge.address, port: edge.port(caller) };
    },
  }).then((evidence) => {
    const seen = readFileSync(workspace.path('called.messages'), 'utf8');
    expect(!/X-Inside/i.test(seen), 'a header that is on no list was passed on');
    expect(!seen.includes(CALLER), `the address of the caller shows at the called party`);
    return `${evidence}; nothing of the caller's side shown`;
  });
}

const tls = (version: () => string | null) => () => (stunnelVersion() === null ? null : version());

const pairs: readonly (readonly [Transport, Transport])[] = [
  ['udp', 'udp'],
  ['tcp', 'tcp'],
  ['tls', 'tls'],
  ['tcp', 'udp'],
  ['tls', 'udp'],
  ['udp', 'tls'],
];

const through: Case[] = pairs.map(([caller, called]) => ({
  name: `sipp-${caller}-to-${called}`,
  peer: caller === 'tls' || called === 'tls' ? 'sipp, stunnel4' : 'sipp',
  version: caller === 'tls' || called === 'tls' ? tls(sippVersion) : sippVersion,
  what: `caller over ${caller.toUpperCase()}, called over ${called.toUpperCase()}, plain RTP`,
  run: (context) => throughEdge(context, caller, called),
}));

const direct: Case[] = (['udp', 'tcp', 'tls'] as const).map((transport) => ({
  name: `peers-sipp-${transport}`,
  peer: 'sipp',
  version: transport === 'tls' ? tls(sippVersion) : sippVersion,
  what: `two sipp joined over ${transport.toUpperCase()}`,
  peersOnly: true,
  run: (context) =>
    call({ context, caller: transport, called: transport, between: async (called) => called }),
}));

export const cases: readonly Case[] = [...through, ...direct];

if (import.meta.main) await runCases(cases);
