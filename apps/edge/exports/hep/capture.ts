import type { Flow, SocketAddress } from '@ringfence/sip/transport/flow.ts';
import { eventJson } from '../../events/envelope.ts';
import type { EdgeEvent, Severity } from '../../events/types.ts';
import type { LegQuality } from '../../media/quality.ts';
import type { MessageTap } from '../../transport/message-tap.ts';
import { callIdOf, maskMessage } from './mask.ts';
import { encodeHep, type HepPacket, hepType } from './packet.ts';

export interface HepCaptureOptions {
  readonly captureId: number;
  readonly key?: Uint8Array;
  /** Credentials and keys go out too. */
  readonly unmasked: boolean;
  readonly sip: boolean;
  readonly rtcp: boolean;
  readonly logs: boolean;
  readonly now: () => number;
  /** Call-IDs of both sides of a call of ours that lives. */
  readonly callIds: (call: string) => readonly string[];
  readonly push: (packet: Uint8Array) => void;
}

/** Calls whose Call-IDs are remembered for what is told of them. */
const mostCalls = 20_000;
const nowhere: SocketAddress = { address: '127.0.0.1', port: 0 };

/** What Homer sees: SIP as it is within the edge, reports of media, and events as logs. */
export class HepCapture implements MessageTap {
  readonly #options: HepCaptureOptions;
  readonly #callIds = new Map<string, readonly string[]>();

  constructor(options: HepCaptureOptions) {
    this.#options = options;
  }

  received(flow: Flow, bytes: Uint8Array): void {
    if (this.#options.sip) this.#sip(flow, flow.remote, flow.local, bytes);
  }

  sent(flow: Flow, bytes: Uint8Array): void {
    if (this.#options.sip) this.#sip(flow, flow.local, flow.remote, bytes);
  }

  /** For the event stream. `wanted`: the export's own choice of events. */
  event(event: EdgeEvent, time: number, severity: Severity, wanted: boolean): void {
    const call = 'call' in event ? event.call : undefined;
    const ids = call === undefined ? [] : this.#idsOf(call);
    if (this.#options.rtcp && event.type === 'call.ended') this.#reports(event.quality, ids, time);
    if (this.#options.logs && wanted) {
      const payload = Buffer.from(eventJson(event, time, severity));
      for (const id of ids.length === 0 ? [call ?? ''] : ids)
        this.#push({ type: hepType.log, time, payload }, id);
    }
    if (event.type === 'call.ended') this.#callIds.delete(event.call);
  }

  #sip(flow: Flow, source: SocketAddress, destination: SocketAddress, bytes: Uint8Array): void {
    // Keepalives are no messages.
    if (bytes.length < 16) return;
    const payload = this.#options.unmasked ? bytes : maskMessage(bytes);
    this.#push(
      {
        type: hepType.sip,
        time: this.#options.now(),
        payload,
        protocol: flow.transport === 'udp' ? 'udp' : 'tcp',
        source,
        destination,
      },
      callIdOf(bytes),
    );
  }

  /** What each side has last said of what it got, in the form that Homer reads RTCP in. */
  #reports(qualities: readonly unknown[], ids: readonly string[], time: number): void {
    qualities.forEach((value, leg) => {
      const quality = value as LegQuality | null | undefined;
      if (quality === undefined || quality === null) return;
      const { received, lossPercent, mos, reported } = quality;
      const report = {
        type: 200,
        ssrc: leg,
        report_count: 1,
        report_blocks: [
          {
            source_ssrc: leg,
            fraction_lost: Math.round((lossPercent / 100) * 256),
            packets_lost: received.lost,
            ia_jitter: Math.round(received.jitterMs),
            ...(reported?.roundTripMs === undefined ? {} : { round_trip_ms: reported.roundTripMs }),
          },
        ],
        sender_information: { packets: received.packets, octets: received.octets },
        ...(mos === undefined ? {} : { mos }),
      };
      this.#push(
        { type: hepType.rtcpJson, time, payload: Buffer.from(JSON.stringify(report)) },
        ids[leg] ?? ids[0] ?? '',
      );
    });
  }

  #idsOf(call: string): readonly string[] {
    const live = this.#options.callIds(call);
    const known = this.#callIds.get(call) ?? [];
    if (live.length <= known.length) return known;
    if (this.#callIds.size >= mostCalls) {
      const [oldest] = this.#callIds.keys();
      if (oldest !== undefined) this.#callIds.delete(oldest);
    }
    this.#callIds.set(call, live);
    return live;
  }

  #push(
    packet: Pick<HepPacket, 'type' | 'time' | 'payload'> &
      Partial<Pick<HepPacket, 'protocol' | 'source' | 'destination'>>,
    correlation: string,
  ): void {
    const { captureId, key, push } = this.#options;
    push(
      encodeHep({
        protocol: 'udp',
        source: nowhere,
        destination: nowhere,
        ...packet,
        captureId,
        correlation,
        ...(key === undefined ? {} : { key }),
      }),
    );
  }
}
