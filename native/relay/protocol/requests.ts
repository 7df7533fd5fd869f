import { suiteParameters } from '@ringfence/srtp/suite.ts';
import type { EndpointConfig, EndpointSpec } from '../contract.ts';
import type { FrameWriter } from './frames.ts';
import { writeDtls, writeIce, writeZrtp } from './handshakes.ts';
import { parseHost } from './host.ts';

const flags = {
  remote: 1,
  signalling: 2,
  receive: 4,
  send: 8,
  accept: 16,
  emit: 32,
  endRtcp: 64,
  telephoneEvent: 128,
  ice: 256,
  dtls: 512,
  zrtp: 1024,
} as const;
const specFlags = { config: 1, ice: 2, fullIce: 4, dtls: 8, zrtp: 16 } as const;
const portModes = { mux: 0, pair: 1, single: 2 } as const;
const mediaKinds = { rtp: 0, srtp: 1, opaque: 2 } as const;
const mostClockRates = 16;

/** Why a spec or config cannot be sent; nothing was written then. */
export type EncodingProblem = 'bad-address' | 'bad-config';

export function writeConfig(writer: FrameWriter, config: EndpointConfig): EncodingProblem | undefined {
  const { remote, receive, send } = config;
  const host = remote && parseHost(remote.address);
  const signalling = remote?.signalling === undefined ? undefined : parseHost(remote.signalling);
  if (remote && (!host || (remote.signalling !== undefined && !signalling))) return 'bad-address';
  if (receive) {
    const { masterKeyLength, masterSaltLength } = suiteParameters[receive.suite];
    if (receive.material.length !== masterKeyLength + masterSaltLength) return 'bad-config';
    if ((receive.mki?.length ?? 0) > 128) return 'bad-config';
  }
  const { ice, dtls, zrtp } = config;
  writer.u16(
    (remote ? flags.remote : 0) |
      (signalling ? flags.signalling : 0) |
      (receive ? flags.receive : 0) |
      (send ? flags.send : 0) |
      (config.accept === false ? 0 : flags.accept) |
      (config.emit === false ? 0 : flags.emit) |
      (config.rtcp === 'end' ? flags.endRtcp : 0) |
      (config.telephoneEvent === undefined ? 0 : flags.telephoneEvent) |
      (ice ? flags.ice : 0) |
      (dtls ? flags.dtls : 0) |
      (zrtp ? flags.zrtp : 0),
  );
  writer.u8(mediaKinds[config.media]);
  if (remote && host) {
    writer.host(host);
    writer.u16(remote.rtpPort);
    writer.u16(remote.rtcpPort);
  }
  if (signalling) writer.host(signalling);
  if (receive) {
    writer.u8(suiteParameters[receive.suite].id);
    writer.u8(receive.material.length);
    writer.bytes(receive.material);
    writer.u8(receive.mki?.length ?? 0);
    if (receive.mki) writer.bytes(receive.mki);
  }
  if (send) writer.u8(suiteParameters[send.suite].id);
  const rates = Object.entries(config.clockRates ?? {}).slice(0, mostClockRates);
  writer.u8(rates.length);
  for (const [payloadType, rate] of rates) {
    writer.u8(Number(payloadType) & 0x7f);
    writer.u32(rate >>> 0);
  }
  if (config.telephoneEvent !== undefined) writer.u8(config.telephoneEvent & 0x7f);
  if (ice) writer.section(() => writeIce(writer, ice));
  if (dtls) writer.section(() => writeDtls(writer, dtls));
  if (zrtp) writer.section(() => writeZrtp(writer, zrtp));
  return undefined;
}

export function writeSpec(writer: FrameWriter, spec: EndpointSpec): EncodingProblem | undefined {
  const host = parseHost(spec.local);
  if (!host) return 'bad-address';
  writer.u8(portModes[spec.ports]);
  writer.u8(spec.dscp & 0x3f);
  writer.host(host);
  writer.u8(spec.suites.length);
  for (const suite of spec.suites) writer.u8(suiteParameters[suite].id);
  writer.u8(
    (spec.config ? specFlags.config : 0) |
      (spec.ice ? specFlags.ice : 0) |
      (spec.ice === 'full' ? specFlags.fullIce : 0) |
      (spec.dtls ? specFlags.dtls : 0) |
      (spec.zrtp ? specFlags.zrtp : 0),
  );
  return spec.config ? writeConfig(writer, spec.config) : undefined;
}
