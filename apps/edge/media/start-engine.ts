import { startRelay } from '@ringfence/relay/client.ts';
import type { Relay } from '@ringfence/relay/contract.ts';
import { Reserve } from '@ringfence/relay/reserve.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import { RtpengineEngine } from '../rtpengine/engine.ts';

/** A media engine that runs: our own process, or rtpengine. */
export type MediaEngine = Relay & {
  /** Ends it and what it holds. */
  stop(): Promise<void>;
};

/** Starts the engine that the configuration names; rejects where our own media process does not start. */
export async function startEngine(media: Configuration['media'], bus: EventBus): Promise<MediaEngine> {
  if (media.engine === 'rtpengine') {
    const engine = await RtpengineEngine.start({
      instances: media.rtpengine,
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
    return engine;
  }
  const relay = new Reserve(
    await startRelay({
      user: media.user,
      portRange: media.ports,
      oneWayAfterMs: media.silenceSeconds * 1000,
      ...(media.threads === 0 ? {} : { threads: media.threads }),
    }),
  );
  bus.emit({ type: 'media.up', threads: media.threads });
  return relay;
}
