import type { EndpointStats } from '@ringfence/relay/contract.ts';
import { type MediaLeg, type StreamState, wipe } from './leg.ts';
import type { OpenedPlace } from './places.ts';

type Streams = readonly (StreamState | undefined)[];

/** Of a call whose endpoints are replaced while it lives: what is proposed, and what remains of those that are gone. */
export class Renewal {
  readonly #proposed = new Map<MediaLeg, Streams>();
  readonly #past = new Map<MediaLeg, EndpointStats[]>();

  /** The leg's streams as they will be, where new ones are proposed to its peer. */
  streamsOf(leg: MediaLeg): Streams | undefined {
    return this.#proposed.get(leg);
  }

  propose(leg: MediaLeg, opened: readonly OpenedPlace[]): void {
    const streams = [...leg.streams];
    for (const { index, state } of opened) streams[index] = state;
    this.#proposed.set(leg, streams);
  }

  /** The peer has agreed; gives the endpoints whose place was taken. */
  adopt(leg: MediaLeg): number[] {
    const replaced: number[] = [];
    for (const [index, state] of (this.#proposed.get(leg) ?? []).entries()) {
      const old = leg.streams[index];
      if (old === undefined || old === state) continue;
      replaced.push(old.endpoint.id);
      wipe(old);
      leg.streams[index] = state;
    }
    this.#proposed.delete(leg);
    return replaced;
  }

  /** The peer has not agreed; gives the endpoints that were opened in vain. */
  drop(leg: MediaLeg): number[] {
    const opened: number[] = [];
    for (const [index, state] of (this.#proposed.get(leg) ?? []).entries()) {
      if (state === undefined || state === leg.streams[index]) continue;
      opened.push(state.endpoint.id);
      wipe(state);
    }
    this.#proposed.delete(leg);
    return opened;
  }

  forget(): void {
    this.#proposed.clear();
  }

  /** Last counters of an endpoint that is closed. */
  readonly keep = (leg: MediaLeg | undefined, row: EndpointStats): void => {
    if (leg === undefined) return;
    const rows = this.#past.get(leg);
    if (rows === undefined) this.#past.set(leg, [row]);
    else rows.push(row);
  };

  past(leg: MediaLeg): EndpointStats[] {
    return this.#past.get(leg) ?? [];
  }
}
