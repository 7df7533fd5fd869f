import { join } from 'node:path';
import { adoptRelay, startRelay } from '@ringfence/relay/client.ts';
import type { Relay } from '@ringfence/relay/contract.ts';
import { Reserve } from '@ringfence/relay/reserve.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import { RtpengineEngine } from '../rtpengine/engine.ts';

/** A media engine that runs: our own process, or rtpengine. */
export type MediaEngine = Relay & {
  /** Ends it and what it holds. */
  stop(): Promise<void>;
  /** Our own process: lets go of it, so that another edge takes over what it holds. */
  release?(): Promise<void>;
  /** Our own process. */
  readonly pid?: number;
};

export interface StartedEngine {
  readonly engine: MediaEngine;
  /** What another edge has left open in it. */
  readonly endpoints: ReadonlySet<number>;
  /** It is the process of an edge that is gone. */
  readonly adopted: boolean;
}

const fresh = (engine: MediaEngine): StartedEngine => ({ engine, endpoints: new Set(), adopted: false });

/**
 * Starts the engine that the configuration names, or takes over the media process that an edge which is gone has left
 * in that data folder; rejects where our own media process does not start, or answers to another edge that runs.
 */
export async function startEngine(
  media: Configuration['media'],
  bus: EventBus,
  home: string,
  zid: Uint8Array,
): Promise<StartedEngine> {
  if (media.engine === 'rtpengine') {
    const engine = await RtpengineEngine.start({
      instances: media.rtpengine.map((instance) => ({ ...instance, endRtcp: media.rtcp === 'end' })),
      oneWayAfterMs: media.silenceSeconds * 1000,
      onInstance: ({ name, up, reason, endpoints }) =>
        bus.emit({
          type: 'media.instance',
          instance: name,
          state: up ? 'up' : 'down',
          reason,
          streams: endpoints,
        }),
    });
    // Calls are refused until one answers; the edge itself has other work that it can do.
    if (engine.healthy.length === 0)
      bus.emit({ type: 'media.down', reason: 'no rtpengine answers its control port', calls: 0 });
    else bus.emit({ type: 'media.up', threads: media.threads });
    return fresh(engine);
  }
  const door = join(home, 'media.sock');
  const left = await adoptRelay(door);
  if (left !== undefined) {
    const endpoints = new Set(await left.endpoints());
    bus.emit({ type: 'media.up', threads: media.threads });
    return { engine: new Reserve(left), endpoints, adopted: true };
  }
  const relay = await startRelay({
    user: media.user,
    portRange: media.ports,
    oneWayAfterMs: media.silenceSeconds * 1000,
    graceMs: media.graceSeconds * 1000,
    zid,
    ...(media.graceSeconds === 0 ? {} : { door }),
    ...(media.threads === 0 ? {} : { threads: media.threads }),
  });
  bus.emit({ type: 'media.up', threads: media.threads });
  if (!relay.lasting && media.graceSeconds > 0)
    bus.emit({
      type: 'edge.error',
      where: 'media',
      detail: `calls will not outlive this process: ${door} is too long for a UNIX socket`,
    });
  return fresh(new Reserve(relay));
}
