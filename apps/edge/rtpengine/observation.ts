import type { NgReply } from '@ringfence/ng/exchange.ts';
import { type NgStream, readStatistics } from '@ringfence/ng/statistics.ts';
import type { EndpointStats } from '@ringfence/relay/contract.ts';

const nothing: NgStream = {
  localAddress: '',
  localPort: 0,
  address: '',
  port: 0,
  packets: 0,
  octets: 0,
  errors: 0,
  ssrc: 0,
  suite: '',
};

/**
 * What is known of an endpoint from rtpengine's counters.
 *
 * Packets and octets are rtpengine's own. Loss and jitter are what the far side's RTCP reports have said of the source
 * that is heard here, and 0 without reports. Its errors stand under `malformed`: ng does not tell why a packet was not
 * relayed. When the last packet came is known from one look to the next, by our clock, as that machine's may be another.
 */
export class Observation {
  /** When the count of packets was last seen to grow; -1 before. */
  changedAt = -1;
  #received = nothing;
  #control = nothing;
  #sent = nothing;
  #lost = 0;
  #jitterMs = 0;
  /** Silence is counted from here at the earliest. */
  configuredAt: number;

  constructor(now: number) {
    this.configuredAt = now;
  }

  take(reply: NgReply, now: number): void {
    const { parties, sources } = readStatistics(reply);
    const [received = nothing, control = nothing] = parties.get('out') ?? [];
    const [sent = nothing] = parties.get('in') ?? [];
    if (received.packets > this.#received.packets) this.changedAt = now;
    this.#received = received;
    this.#control = control;
    this.#sent = sent;
    const source = sources.get(received.ssrc);
    if (source !== undefined && source.reports > 0) {
      this.#lost = Math.max(0, source.cumulativeLoss);
      this.#jitterMs = source.jitterMs;
    }
  }

  stats(id: number, now: number): EndpointStats {
    const { packets, octets, errors, address, port } = this.#received;
    return {
      id,
      received: {
        packets,
        octets,
        rtcpPackets: this.#control.packets,
        lost: this.#lost,
        reordered: 0,
        duplicates: 0,
        jitterMs: this.#jitterMs,
        idleMs: this.changedAt < 0 ? -1 : Math.round(now - this.changedAt),
      },
      sent: { packets: this.#sent.packets, octets: this.#sent.octets },
      dropped: { source: 0, authentication: 0, replay: 0, malformed: errors, unlinked: 0 },
      ...(packets === 0 || address === '' ? {} : { source: { address, port } }),
    };
  }
}
