import type { RelayEvent } from '@ringfence/relay/contract.ts';
import type { HandshakeEvent } from '@ringfence/relay/handshake.ts';
import type { EventBus } from '../events/bus.ts';

/** What of a call hears of its media. */
export interface EventedCall {
  readonly id: string;
  /** It was answered, and goes on. */
  readonly live: boolean;
  hangUp(cause: string): void;
  pressed(leg: number, key: string, durationMs: number): void;
  /** Keys, or the want of them: ICE, DTLS and ZRTP of one of its streams. */
  handshake(leg: number, event: HandshakeEvent): void;
}

export interface EngineEventParts<C extends EventedCall> {
  readonly bus: EventBus;
  /** Whose stream an endpoint is; undefined: it belongs to no call any more. */
  ownerOf(endpoint: number): { readonly call: C; readonly leg: number } | undefined;
  /** Runs a continuation and then sends what it has to send. */
  run(step: () => void): void;
  /** The media engine is gone as a whole. */
  down(reason: string): void;
  /** Calls that have lost media in one turn, told of once. */
  lost(calls: readonly C[]): void;
}

/** Takes what the media engine tells to the calls that it is about, and to the log. */
export class EngineEvents<C extends EventedCall> {
  readonly #parts: EngineEventParts<C>;
  /** Calls that have lost media in this turn; each of their legs says so. */
  readonly #losing = new Set<C>();

  constructor(parts: EngineEventParts<C>) {
    this.#parts = parts;
  }

  readonly take = (event: RelayEvent): void => {
    const { bus, run } = this.#parts;
    if (event.kind === 'down') return this.#parts.down(event.reason);
    if (event.kind === 'learned') return;
    const owner = this.#parts.ownerOf(event.endpoint);
    if (owner === undefined) return;
    const { call, leg } = owner;
    switch (event.kind) {
      case 'refused':
        return bus.emit({
          type: 'media.refused',
          call: call.id,
          leg,
          reason: event.reason,
          count: event.count,
        });
      case 'key-exhausted':
        return run(() => call.hangUp('media'));
      case 'lost':
        bus.emit({ type: 'media.lost', call: call.id, leg, reason: event.reason });
        if (this.#losing.size === 0) setImmediate(this.#tellLost);
        this.#losing.add(call);
        return;
      case 'digit':
        return run(() => call.pressed(leg, event.digit, event.durationMs));
      case 'one-way':
        if (call.live)
          bus.emit({
            type: 'call.one-way',
            call: call.id,
            leg,
            seconds: Math.round(event.silentMs / 1000),
          });
        return;
      case 'secured':
      case 'unsecured':
      case 'zrtp-passed':
      case 'ice':
        return run(() => call.handshake(leg, event));
    }
  };

  readonly #tellLost = (): void => {
    const lost = [...this.#losing];
    this.#losing.clear();
    this.#parts.lost(lost);
  };
}
