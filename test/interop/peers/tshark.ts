/** tshark reads a capture: what it recognised, and where it put a malformed or an expert-error mark. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { installedVersion } from '../harness/version.ts';

const run = promisify(execFile);

/** PI_ERROR of Wireshark's epan/proto.h. */
const EXPERT_ERROR = 0x0080_0000;

export type Ports = {
  readonly udp: readonly number[];
  readonly tcp: readonly number[];
  readonly tls: readonly number[];
  readonly media: { readonly from: number; readonly to: number };
};

export type Verdict = {
  /** Frames that the edge sent, by the protocol that tshark saw in them. */
  readonly frames: Readonly<Record<'sip' | 'sdp' | 'rtp' | 'srtp' | 'rtcp' | 'srtcp', number>>;
  /** SIP messages that tshark read out of TLS. */
  readonly decrypted: number;
  /** A line for each mark in a frame that the edge sent. */
  readonly marks: readonly string[];
};

const FIELDS = [
  'frame.number',
  'frame.protocols',
  'udp.srcport',
  'tcp.srcport',
  '_ws.malformed',
  '_ws.expert.severity',
  '_ws.expert.message',
  'sip.Method',
  'sip.Status-Code',
  'srtp.enc_payload',
  'sdp.media.port',
  'sdp.media.proto',
  'udp.payload',
];

/** Octets after the ciphertext of SRTCP: index with E bit, then the 80-bit tag (RFC 3711 §3.4, RFC 4568 §6.2). */
const SRTCP_INDEX = 4;
const SRTCP_TAG = 10;

/** What is wrong with a datagram of an encrypted leg as SRTCP under a suite with HMAC-SHA1, as far as shows from outside. */
function srtcpFault(datagram: Uint8Array): string | undefined {
  const trailer = datagram.length - SRTCP_INDEX - SRTCP_TAG;
  // Header and SSRC stay in the clear; RTCP is a whole number of words, and counter mode adds none.
  if (trailer < 8 || trailer % 4 !== 0) return `${datagram.length} octets are no SRTCP`;
  if (datagram[0]! >> 6 !== 2) return 'SRTCP of another version';
  if (datagram[1]! < 192 || datagram[1]! > 223) return `SRTCP of type ${datagram[1]}`;
  if (datagram[trailer]! >> 7 !== 1) return 'SRTCP without encryption';
  return undefined;
}

/** Judges the frames whose source port is one of the edge's own; what its peers send is theirs to answer for. */
export async function judge(file: string, ports: Ports, keyLog?: string): Promise<Verdict> {
  const decodeAs = [
    ...ports.udp.map((port) => `udp.port==${port},sip`),
    ...ports.tcp.map((port) => `tcp.port==${port},sip`),
    ...ports.tls.flatMap((port) => [`tcp.port==${port},tls`, `tls.port==${port},sip`]),
  ];
  // Media is left to what tshark learns from the SDP: only then has it understood the SDP.
  const { stdout } = await run(
    'tshark',
    [
      ...[
        '-r',
        file,
        '-n',
        '-2',
        '-T',
        'fields',
        '-E',
        'separator=/t',
        '-E',
        'occurrence=a',
        '-E',
        'aggregator=,',
      ],
      ...(keyLog ? ['-o', `tls.keylog_file:${keyLog}`] : []),
      ...decodeAs.flatMap((rule) => ['-d', rule]),
      ...FIELDS.flatMap((field) => ['-e', field]),
    ],
    { maxBuffer: 256 * 1024 * 1024 },
  );
  const own = new Set([...ports.udp, ...ports.tcp, ...ports.tls]);
  const isOwn = (port: number) => own.has(port) || (port >= ports.media.from && port <= ports.media.to);
  const frames = { sip: 0, sdp: 0, rtp: 0, srtp: 0, rtcp: 0, srtcp: 0 };
  const marks: string[] = [];
  /** The edge's media ports that its latest SDP called encrypted: RTP's, and RTCP's beside it (RFC 3605). */
  const encrypted = new Set<number>();
  let decrypted = 0;
  for (const line of stdout.split('\n')) {
    if (line === '') continue;
    const [
      number,
      protocols = '',
      udp,
      tcp,
      malformed,
      severity = '',
      message,
      method,
      status,
      srtp,
      ...rest
    ] = line.split('\t');
    const [mediaPorts = '', mediaProtocols = '', payload = ''] = rest;
    const port = Number(udp || tcp);
    if (!isOwn(port)) continue;
    const layers = protocols.split(':');
    // tshark reads a sealed packet that does not begin with a report as if it were plain, and calls it malformed.
    if (layers.includes('rtcp') && encrypted.has(port)) {
      frames.srtcp += 1;
      const fault = srtcpFault(Buffer.from(payload, 'hex'));
      if (fault !== undefined) marks.push(`frame ${number} ${protocols}: ${fault}`);
      continue;
    }
    if (layers.includes('sdp')) noteEncrypted(encrypted, mediaPorts.split(','), mediaProtocols.split(','));
    if (layers.includes('sip')) frames.sip += 1;
    if (layers.includes('sip') && layers.includes('tls')) decrypted += 1;
    if (layers.includes('sdp')) frames.sdp += 1;
    if (layers.includes('rtcp')) frames.rtcp += 1;
    else if (layers.includes('srtp') || srtp) frames.srtp += 1;
    else if (layers.includes('rtp')) frames.rtp += 1;
    const error = severity.split(',').some((value) => Number(value) === EXPERT_ERROR);
    if (malformed || error)
      marks.push(`frame ${number} ${protocols} ${method || status || ''}: ${message || 'malformed'}`);
  }
  return { frames, decrypted, marks };
}

function noteEncrypted(encrypted: Set<number>, ports: readonly string[], protocols: readonly string[]): void {
  for (const [at, text] of ports.entries()) {
    const port = Number(text);
    for (const each of [port, port + 1]) {
      if (protocols[at]?.includes('RTP/SAVP')) encrypted.add(each);
      else encrypted.delete(each);
    }
  }
}

export const tsharkVersion = (): string | null =>
  installedVersion('tshark', ['--version'], /TShark[^\d]*([\d.]+\d)/);
