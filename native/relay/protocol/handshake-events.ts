import { suiteParameters } from '@ringfence/srtp/suite.ts';
import type { HandshakeEvent, IceEvent, Secured, Unsecured, ZrtpSecured } from '../handshake.ts';
import type { BodyReader, FrameWriter } from './frames.ts';
import { readOctets, readRetained, readText, writeOctets, writeRetained, writeText } from './handshakes.ts';
import { parseHost } from './host.ts';
import { source } from './replies.ts';
import { suiteOfId } from './suites.ts';

/** `secured` and `unsecured` of DTLS are written by the addon too, in the same form: `addon/dtls.cc`. */
export const handshakeEventKinds = { secured: 6, unsecured: 7, zrtpPassed: 8, ice: 9 } as const;

const means = ['dtls', 'zrtp'] as const;
/** In the order of their numbers on the wire, which `addon/dtls.h` knows too. */
const unsecuredReasons = [
  'fingerprint',
  'hello-hash',
  'no-common-suite',
  'timeout',
  'alert',
  'protocol',
  'authentication',
] as const satisfies readonly Unsecured['reason'][];
const iceStates = ['connected', 'failed', 'lost'] as const satisfies readonly IceEvent['state'][];
const continuities = ['new', 'continued', 'mismatch'] as const satisfies readonly ZrtpSecured['continuity'][];
const zrtpFlags = { verified: 1, enrolled: 2, relayed: 4 } as const;
const securedFlags = { fingerprint: 1, zrtp: 2 } as const;

export function writeHandshakeEvent(writer: FrameWriter, event: HandshakeEvent): void {
  switch (event.kind) {
    case 'secured':
      writer.u8(handshakeEventKinds.secured);
      writer.u32(event.endpoint);
      writeSecured(writer, event);
      break;
    case 'unsecured':
      writer.u8(handshakeEventKinds.unsecured);
      writer.u32(event.endpoint);
      writer.u8(means.indexOf(event.by));
      writer.u8(unsecuredReasons.indexOf(event.reason));
      writeText(writer, event.detail);
      break;
    case 'zrtp-passed':
      writer.u8(handshakeEventKinds.zrtpPassed);
      writer.u32(event.endpoint);
      writeOctets(writer, event.zid);
      writer.u8(event.helloMatches === undefined ? 2 : event.helloMatches ? 1 : 0);
      writer.u8(event.confirmed ? 1 : 0);
      break;
    case 'ice': {
      writer.u8(handshakeEventKinds.ice);
      writer.u32(event.endpoint);
      writer.u8(iceStates.indexOf(event.state));
      const host = event.remote && parseHost(event.remote.address);
      if (event.remote && host) {
        writer.host(host);
        writer.u16(event.remote.port);
      } else writer.u8(0);
      break;
    }
  }
}

function writeSecured(writer: FrameWriter, event: Secured): void {
  writer.u8(means.indexOf(event.by));
  writeText(writer, event.version);
  writer.u8(suiteParameters[event.suite].id);
  writeText(writer, event.group);
  writeText(writer, event.cipher);
  writer.u8((event.fingerprint ? securedFlags.fingerprint : 0) | (event.zrtp ? securedFlags.zrtp : 0));
  if (event.fingerprint) writeOctets(writer, event.fingerprint);
  const { zrtp } = event;
  if (!zrtp) return;
  writeOctets(writer, zrtp.peerZid);
  writeText(writer, zrtp.sas);
  writeText(writer, zrtp.sasType);
  writer.u8(continuities.indexOf(zrtp.continuity));
  writer.u8(
    (zrtp.verified ? zrtpFlags.verified : 0) |
      (zrtp.enrolled ? zrtpFlags.enrolled : 0) |
      (zrtp.relayed === undefined ? 0 : zrtpFlags.relayed),
  );
  if (zrtp.relayed !== undefined) writeText(writer, zrtp.relayed);
  writeRetained(writer, zrtp.retained);
}

export function readHandshakeEvent(
  reader: BodyReader,
  kind: number,
  endpoint: number,
): HandshakeEvent | undefined {
  switch (kind) {
    case handshakeEventKinds.secured:
      return readSecured(reader, endpoint);
    case handshakeEventKinds.unsecured: {
      const by = means[reader.u8()];
      const reason = unsecuredReasons[reader.u8()];
      const detail = readText(reader);
      return by && reason && { kind: 'unsecured', endpoint, by, reason, detail };
    }
    case handshakeEventKinds.zrtpPassed: {
      const zid = readOctets(reader);
      const matches = reader.u8();
      const helloMatches = matches === 2 ? undefined : matches === 1;
      return { kind: 'zrtp-passed', endpoint, zid, helloMatches, confirmed: reader.u8() === 1 };
    }
    case handshakeEventKinds.ice: {
      const state = iceStates[reader.u8()];
      const remote = source(reader);
      return state && { kind: 'ice', endpoint, state, ...(remote ? { remote } : {}) };
    }
    default:
      return undefined;
  }
}

function readSecured(reader: BodyReader, endpoint: number): Secured | undefined {
  const by = means[reader.u8()];
  const version = readText(reader);
  const suite = suiteOfId[reader.u8()];
  const group = readText(reader);
  const cipher = readText(reader);
  const bits = reader.u8();
  const fingerprint = (bits & securedFlags.fingerprint) === 0 ? undefined : readOctets(reader);
  const zrtp = (bits & securedFlags.zrtp) === 0 ? undefined : readZrtpSecured(reader);
  const readZrtp = (bits & securedFlags.zrtp) === 0 || zrtp !== undefined;
  if (!by || !suite || !readZrtp) return undefined;
  return {
    kind: 'secured',
    endpoint,
    by,
    version,
    suite,
    group,
    cipher,
    ...(fingerprint ? { fingerprint } : {}),
    ...(zrtp ? { zrtp } : {}),
  };
}

function readZrtpSecured(reader: BodyReader): ZrtpSecured | undefined {
  const peerZid = readOctets(reader);
  const sas = readText(reader);
  const sasType = readText(reader);
  const continuity = continuities[reader.u8()];
  const bits = reader.u8();
  const relayed = (bits & zrtpFlags.relayed) === 0 ? undefined : readText(reader);
  const retained = readRetained(reader);
  if (continuity === undefined) return undefined;
  return {
    peerZid,
    sas,
    sasType,
    continuity,
    verified: (bits & zrtpFlags.verified) !== 0,
    ...((bits & zrtpFlags.enrolled) === 0 ? {} : { enrolled: true }),
    ...(relayed === undefined ? {} : { relayed }),
    retained,
  };
}
