/** tshark reads what the edge sent during other cases: no malformed and no expert-error mark, in SIP, SDP, RTP and RTCP; SRTCP is judged from outside. */
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { cases as baresip } from './baresip.ts';
import type { Edge } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { freePort, freePorts } from './harness/ports.ts';
import { until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { cases as kamailio } from './kamailio.ts';
import { type Capture, captureAbsent, startCapture } from './peers/capture.ts';
import { judge, type Ports, tsharkVersion, type Verdict } from './peers/tshark.ts';
import { cases as sipp } from './sipp.ts';

const CAPTURE_SECONDS = 60;
/** Few enough for a filter, enough for a call and its RTCP. */
const MEDIA_PORTS = 32;
/** In place of a destination: sent from the RTCP port to the SIP port, as the edge sends its own reports. */
const FROM_RTCP = 0;

type Wanted = { readonly rtp?: true; readonly srtp?: true; readonly tls?: true };

function portsOf(edge: Edge): Ports {
  const of = (transport: 'udp' | 'tcp' | 'tls') =>
    edge.listeners.filter((each) => each.transport === transport).map((each) => each.port);
  return { udp: of('udp'), tcp: of('tcp'), tls: of('tls'), media: edge.media };
}

/** The same case once more, with a capture of every port of the edge around it. */
function watched(inner: Case, wanted: Wanted): Case {
  let seen: { readonly edge: Edge; readonly capture: Capture } | null = null;
  return {
    name: `tshark-${inner.name}`,
    peer: `tshark, ${inner.peer}`,
    version: () => (captureAbsent() === null && inner.version() !== null ? tsharkVersion() : null),
    what: `reads: ${inner.what}`,
    observer: {
      options: (workspace) => ({ keyLog: workspace.path('tls.keys'), mediaPorts: MEDIA_PORTS }),
      started: async (edge, { workspace, closes }) => {
        const ports = [
          ...edge.listeners.map(({ port }) => `port ${port}`),
          `portrange ${edge.media.from}-${edge.media.to}`,
        ];
        const filter = ports.join(' or ');
        seen = {
          edge,
          capture: closes(await startCapture({ workspace, name: 'edge', filter, seconds: CAPTURE_SECONDS })),
        };
      },
    },
    run: async (context) => {
      await inner.run(context);
      if (seen === null) throw new Error('the case started no edge');
      await seen.capture.stop();
      const keys = context.workspace.path('tls.keys');
      const verdict = await judge(seen.capture.file, portsOf(seen.edge), existsSync(keys) ? keys : undefined);
      expect(verdict.frames.sip >= 3, `tshark saw ${verdict.frames.sip} SIP messages of the edge`);
      expect(verdict.frames.sdp >= 2, `tshark saw ${verdict.frames.sdp} SDP bodies of the edge`);
      if (wanted.rtp)
        expect(verdict.frames.rtp >= 50, `tshark saw ${verdict.frames.rtp} RTP packets of the edge`);
      if (wanted.srtp)
        expect(verdict.frames.srtp >= 50, `tshark saw ${verdict.frames.srtp} SRTP packets of the edge`);
      if (wanted.tls)
        expect(verdict.decrypted >= 3, `tshark read ${verdict.decrypted} SIP messages out of TLS`);
      expect(verdict.marks.length === 0, verdict.marks.slice(0, 5).join('; '));
      return described(verdict);
    },
  };
}

function described({ frames, decrypted }: Verdict): string {
  const counts = Object.entries(frames).map(([protocol, count]) => `${count} ${protocol.toUpperCase()}`);
  return `${counts.join(', ')} (${decrypted} SIP out of TLS), no malformed or error mark`;
}

function find(cases: readonly Case[], name: string): Case {
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no case ${name}`);
  return found;
}

/** Without the edge: sound datagrams get no mark, and broken ones do; else the cases above could not fail. */
async function marksWhatIsBroken({ workspace, closes }: CaseContext): Promise<string> {
  const port = await freePort();
  const media = await freePorts(4);
  const socket = createSocket('udp4');
  const rtcp = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => rtcp.bind(media + 1, '127.0.0.1', resolve));
  const there = await freePort();
  const send = (text: string | Uint8Array, to: number) =>
    new Promise<void>((resolve, reject) =>
      (to === FROM_RTCP ? rtcp : socket).send(text, to === FROM_RTCP ? port : to, '127.0.0.1', (cause) =>
        cause ? reject(cause) : resolve(),
      ),
    );
  const sdp = (connection: string, protocol = 'RTP/AVP', attributes = '') =>
    `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n${connection}t=0 0\r\nm=audio ${media} ${protocol} 0\r\n${attributes}`;
  const invite = (body: string, length = body.length) =>
    [
      `INVITE sip:a@127.0.0.1:${there} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK1`,
      ...['From: <sip:b@127.0.0.1>;tag=1', 'To: <sip:a@127.0.0.1>', 'Call-ID: 1@127.0.0.1', 'CSeq: 1 INVITE'],
      ...[
        'Max-Forwards: 70',
        'Contact: <sip:b@127.0.0.1>',
        'Content-Type: application/sdp',
        `Content-Length: ${length}`,
      ],
      '',
      body,
    ].join('\r\n');
  const here = 'c=IN IP4 127.0.0.1\r\n';
  const sound = sdp(here);
  const crypto = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${Buffer.alloc(30, 7).toString('base64')}\r\n`;
  const secured = sdp(here, 'RTP/SAVP', crypto);
  // A receiver report (RFC 3550 §6.4.2) that announces more than it holds.
  const report = Buffer.from([0x81, 201, 0, 7, 0, 0, 0, 1]);
  // A goodbye with a reason (§6.6): sealed, its text and what follows are noise, then index with E bit and tag.
  const goodbye = Buffer.from([0x81, 203, 0, 3, 0, 0, 0, 1, 4, 0x41, 0x64, 0x6a, 0x6f, 0, 0, 0]);
  const noise = Buffer.from([0xb5, 0x9a, 0x14, 0xc9, 0xf7, 0x53, 0x79, 0xf5]);
  const sealed = Buffer.concat([
    goodbye.subarray(0, 8),
    noise,
    Buffer.from([0x80, 0, 0, 0]),
    Buffer.alloc(10, 9),
  ]);
  const attempts: Readonly<Record<string, readonly (readonly [string | Uint8Array, number])[]>> = {
    sound: [[invite(sound), there]],
    'sound SRTCP': [
      [invite(secured), there],
      [sealed, FROM_RTCP],
    ],
    'plain RTCP where SRTCP belongs': [
      [invite(secured), there],
      [goodbye, FROM_RTCP],
    ],
    'SRTCP where plain RTCP belongs': [
      [invite(sound), there],
      [sealed, FROM_RTCP],
    ],
    'broken SIP': [[invite(sound).replace('Max-Forwards: 70', 'Max-Forwards'), there]],
    'broken SDP': [[invite('v=0\r\no=\r\nm=audio\r\n'), there]],
    'broken RTCP': [
      [invite(sound), there],
      [report, media + 1],
    ],
  };
  const marks: Record<string, number> = {};
  try {
    for (const [name, datagrams] of Object.entries(attempts)) {
      const capture = closes(
        await startCapture({
          workspace,
          name: name.replaceAll(' ', '-'),
          filter: `udp port ${port}`,
          seconds: 20,
        }),
      );
      for (const [bytes, to] of datagrams) await send(bytes, to);
      await capture.stop();
      const { frames, marks: found } = await until('verdict', 10_000, () =>
        judge(capture.file, { udp: [port, there], tcp: [], tls: [], media: { from: media, to: media + 3 } }),
      );
      expect(frames.sip === 1, `${name}: ${frames.sip} SIP messages seen`);
      marks[name] = found.length;
    }
  } finally {
    socket.close();
    rtcp.close();
  }
  for (const name of Object.keys(attempts)) {
    if (name.startsWith('sound')) expect(marks[name] === 0, `${name} was marked`);
    else expect(marks[name]! > 0, `${name} was not marked`);
  }
  return JSON.stringify(marks);
}

export const cases: readonly Case[] = [
  watched(find(sipp, 'sipp-udp-to-udp'), { rtp: true }),
  watched(find(sipp, 'sipp-tls-to-udp'), { rtp: true, tls: true }),
  watched(find(baresip, 'baresip-srtp-to-rtp'), { rtp: true, srtp: true, tls: true }),
  watched(find(kamailio, 'kamailio-digest-sha256'), { rtp: true, srtp: true, tls: true }),
  {
    name: 'peers-tshark',
    peer: 'tshark',
    version: () => (captureAbsent() === null ? tsharkVersion() : null),
    what: 'sound SIP and SRTCP get no mark, broken SIP, SDP and RTCP and wrongly protected RTCP do',
    peersOnly: true,
    run: marksWhatIsBroken,
  },
];

if (import.meta.main) await runCases(cases);
