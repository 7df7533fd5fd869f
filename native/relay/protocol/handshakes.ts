/**
 * What goes over the control socket of ICE, DTLS and ZRTP: sections of a configuration, each behind its length, and
 * what a participant adds to the reply. `addon/negotiation.cc` reads of them what the relay threads need to know.
 */
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import type {
  DtlsConfig,
  Fingerprint,
  IceCandidate,
  IceConfig,
  IceCredentials,
  ZrtpConfig,
  ZrtpRetained,
} from '../handshake.ts';
import type { BodyReader, FrameWriter } from './frames.ts';
import { formatHost, parseHost } from './host.ts';

/** Candidates of one peer in one message; what is more is left out. */
export const mostCandidates = 32;
/** Fingerprints in one description. */
export const mostFingerprints = 8;
/** RFC 8839 §5.4: both have at most 256 characters; one octet says how many, so ours end at 255. */
const longestIceText = 255;
const longestFoundation = 32;

const kinds = ['host', 'srflx', 'prflx', 'relay'] as const;
const hashes = ['sha-256', 'sha-384', 'sha-512'] as const;

/** RFC 8839 §5.4: `ice-char`s alone. */
function isIceText(text: string, least: number): boolean {
  if (text.length < least || text.length > longestIceText) return false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    const letter = (code | 0x20) >= 97 && (code | 0x20) <= 122;
    if (!letter && !(code >= 48 && code <= 57) && code !== 43 && code !== 47) return false;
  }
  return true;
}

const isIceUfrag = (text: string): boolean => isIceText(text, 4);
const isIcePassword = (text: string): boolean => isIceText(text, 22);

export function writeText(writer: FrameWriter, text: string): void {
  const bytes = Buffer.from(text, 'utf8').subarray(0, 255);
  writer.u8(bytes.length);
  writer.bytes(bytes);
}

export function readText(reader: BodyReader): string {
  return Buffer.from(reader.bytes(reader.u8())).toString('utf8');
}

/** Candidates whose address is a name or whose port is 0 are left out: there is nothing to check. */
export function writeCandidates(writer: FrameWriter, candidates: readonly IceCandidate[]): void {
  const usable = candidates
    .map((candidate) => ({ candidate, host: parseHost(candidate.address) }))
    .filter(({ candidate, host }) => host !== undefined && candidate.port > 0 && candidate.port <= 0xffff)
    .slice(0, mostCandidates);
  writer.u8(usable.length);
  for (const { candidate, host } of usable) {
    writeText(writer, candidate.foundation.slice(0, longestFoundation));
    writer.u8(candidate.component);
    writer.u32(candidate.priority >>> 0);
    writer.host(host as Uint8Array);
    writer.u16(candidate.port);
    writer.u8(kinds.indexOf(candidate.kind));
  }
}

export function readCandidates(reader: BodyReader): IceCandidate[] {
  const candidates: IceCandidate[] = [];
  for (let left = Math.min(reader.u8(), mostCandidates); left > 0 && !reader.failed; left -= 1) {
    const foundation = readText(reader);
    const component = reader.u8();
    const priority = reader.u32();
    const address = formatHost(reader.bytes(reader.u8() === 4 ? 4 : 16));
    const port = reader.u16();
    const kind = kinds[reader.u8()];
    if (reader.failed || kind === undefined || (component !== 1 && component !== 2)) continue;
    candidates.push({ foundation, component, priority, address, port, kind });
  }
  return candidates;
}

/** Credentials that cannot be are written as none: no check is ever verified then, and none is made. */
export function writeIce(writer: FrameWriter, config: IceConfig): void {
  const { ours } = config;
  writer.u8((config.lite ? 1 : 0) | (config.controlling ? 2 : 0) | (ours ? 4 : 0));
  writeCredentials(writer, config);
  if (ours) writeCredentials(writer, ours);
  writeCandidates(writer, config.candidates);
}

function writeCredentials(writer: FrameWriter, { ufrag, password }: IceCredentials): void {
  const good = isIceUfrag(ufrag) && isIcePassword(password);
  writeText(writer, good ? ufrag : '');
  writeText(writer, good ? password : '');
}

export function readIce(reader: BodyReader): IceConfig | undefined {
  const bits = reader.u8();
  const ufrag = readText(reader);
  const password = readText(reader);
  const ours = (bits & 4) === 0 ? undefined : { ufrag: readText(reader), password: readText(reader) };
  const candidates = readCandidates(reader);
  if (reader.failed) return undefined;
  return {
    lite: (bits & 1) !== 0,
    controlling: (bits & 2) !== 0,
    ufrag,
    password,
    candidates,
    ...(ours ? { ours } : {}),
  };
}

export function writeFingerprint(writer: FrameWriter, { hash, value }: Fingerprint): void {
  writer.u8(hashes.indexOf(hash));
  writer.u8(value.length);
  writer.bytes(value);
}

export function readFingerprint(reader: BodyReader): Fingerprint | undefined {
  const hash = hashes[reader.u8()];
  const value = reader.bytes(reader.u8());
  return hash === undefined || reader.failed ? undefined : { hash, value };
}

export function writeDtls(writer: FrameWriter, config: DtlsConfig): void {
  writer.u8(config.role === 'client' ? 0 : 1);
  const fingerprints = config.fingerprints.slice(0, mostFingerprints);
  writer.u8(fingerprints.length);
  for (const fingerprint of fingerprints) writeFingerprint(writer, fingerprint);
  writer.u8(config.suites.length);
  for (const suite of config.suites) writer.u8(suiteParameters[suite].id);
}

const zrtpFlags = { end: 1, demanded: 2, helloHash: 4, retained: 8, enrol: 16 } as const;

export function writeZrtp(writer: FrameWriter, config: ZrtpConfig): void {
  const { helloHash, retained } = config;
  writer.u8(
    (config.mode === 'end' ? zrtpFlags.end : 0) |
      (config.demanded ? zrtpFlags.demanded : 0) |
      (helloHash ? zrtpFlags.helloHash : 0) |
      (retained ? zrtpFlags.retained : 0) |
      (config.enrol ? zrtpFlags.enrol : 0),
  );
  if (helloHash) writeOctets(writer, helloHash);
  if (retained) writeRetained(writer, retained);
}

export function readZrtp(reader: BodyReader): ZrtpConfig | undefined {
  const bits = reader.u8();
  const helloHash = (bits & zrtpFlags.helloHash) === 0 ? undefined : readOctets(reader);
  const retained = (bits & zrtpFlags.retained) === 0 ? undefined : readRetained(reader);
  if (reader.failed) return undefined;
  return {
    mode: (bits & zrtpFlags.end) === 0 ? 'pass' : 'end',
    demanded: (bits & zrtpFlags.demanded) !== 0,
    ...(helloHash ? { helloHash } : {}),
    ...(retained ? { retained } : {}),
    ...((bits & zrtpFlags.enrol) === 0 ? {} : { enrol: true }),
  };
}

const retainedFlags = { verified: 1, pbx: 2 } as const;

export function writeRetained(writer: FrameWriter, { zid, rs1, rs2, pbx, verified }: ZrtpRetained): void {
  writeOctets(writer, zid);
  writeOctets(writer, rs1);
  writeOctets(writer, rs2 ?? new Uint8Array(0));
  writer.u8((verified ? retainedFlags.verified : 0) | (pbx ? retainedFlags.pbx : 0));
  if (pbx) writeOctets(writer, pbx);
}

export function readRetained(reader: BodyReader): ZrtpRetained {
  const zid = readOctets(reader);
  const rs1 = readOctets(reader);
  const rs2 = readOctets(reader);
  const bits = reader.u8();
  const pbx = (bits & retainedFlags.pbx) === 0 ? undefined : readOctets(reader);
  const verified = (bits & retainedFlags.verified) !== 0;
  return { zid, rs1, ...(rs2.length > 0 ? { rs2 } : {}), ...(pbx ? { pbx } : {}), verified };
}

export function writeOctets(writer: FrameWriter, octets: Uint8Array): void {
  writer.u8(octets.length);
  writer.bytes(octets);
}

export const readOctets = (reader: BodyReader): Uint8Array => reader.bytes(reader.u8());
