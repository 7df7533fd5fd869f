import { createHash } from 'node:crypto';
import type { Device } from '../objects/types.ts';
import type { Restraints } from '../routing/directory.ts';

const keyOf = (domain: string, name: string): string => `${domain.toLowerCase()}/${name}`;

/** Tells one password from another without keeping anything that it could be tried against in short time: 64 bits of a hash of HA1. */
export function markOf(device: Device): string {
  const [[, ha1] = []] = [...device.ha1].sort(([a], [b]) => (a < b ? -1 : 1));
  if (ha1 === undefined) return '';
  return createHash('sha256').update('ringfence revoked\0').update(ha1.reveal()).digest('hex').slice(0, 16);
}

/** What is closed or revoked while an incident is being dealt with; ends by itself. */
export class IncidentRestraints implements Restraints {
  readonly #now: () => number;
  readonly #closed = new Map<string, { readonly until: number; readonly why: string }>();
  readonly #revoked = new Map<string, { readonly until: number; readonly mark: string }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  closed(domain: string, trunk: string): string | undefined {
    if (this.#closed.size === 0) return undefined;
    const found = this.#closed.get(keyOf(domain, trunk));
    return found === undefined || found.until <= this.#now() ? undefined : found.why;
  }

  revoked(domain: string, device: Device): boolean {
    if (this.#revoked.size === 0) return false;
    const found = this.#revoked.get(keyOf(domain, device.name));
    return found !== undefined && found.until > this.#now() && found.mark === markOf(device);
  }

  close(domain: string, trunk: string, until: number, why: string): void {
    this.#closed.set(keyOf(domain, trunk), { until, why });
  }

  /** False: it was not closed. */
  open(domain: string, trunk: string): boolean {
    return this.#closed.delete(keyOf(domain, trunk));
  }

  revoke(domain: string, device: string, mark: string, until: number): void {
    this.#revoked.set(keyOf(domain, device), { until, mark });
  }

  reinstate(domain: string, device: string): boolean {
    return this.#revoked.delete(keyOf(domain, device));
  }
}
