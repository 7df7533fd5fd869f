import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { Meter, SourceMeter } from '../admission/meter.ts';
import { SourceKey } from '../admission/source.ts';
import type { Pbx } from '../objects/types.ts';

/** Requests per second that one source may have passed on, whoever it is: a storm of phones behind one NAT. */
const perSource = 20;
/** Refusals by the PBX within the window after which a source, or a name that it tries, is not passed on. */
const failuresOfSource = 30;
const failuresOfName = 10;
const windowMs = 300_000;
/** Sources and names remembered; each takes about 150 octets. */
const capacity = 20_000;

interface Failures {
  count: number;
  until: number;
}

export type StrangerVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly rule: string; readonly threshold: number };

const pass: StrangerVerdict = { ok: true };

/**
 * What those who have not registered may cost a PBX: so many requests a second in all, so many of one source, and
 * nothing more of a source whose credentials it keeps refusing. Phones that are registered only count by their source.
 */
export class Strangers {
  readonly #sources: SourceMeter;
  readonly #domains = new Map<string, { readonly perSecond: number; readonly meter: Meter }>();
  readonly #failures = new BoundedMap<string, Failures>({ capacity });
  readonly #key = new SourceKey();

  constructor(seed: number) {
    this.#sources = new SourceMeter(perSource, seed, 4096);
  }

  admit(pbx: Pbx, source: string, name: string, registered: boolean, now: number): StrangerVerdict {
    if (!registered) {
      if (this.#failing(source, failuresOfSource, now)) return over('pbx.failures', failuresOfSource);
      if (this.#failing(`${source} ${name}`, failuresOfName, now))
        return over('pbx.failures', failuresOfName);
    }
    if (!this.#sources.take(this.#key.read(source), now)) return over('pbx.source-rate', perSource);
    if (!registered && !this.#meterOf(pbx).take(now)) return over('pbx.rate', pbx.strangersPerSecond);
    return pass;
  }

  /** The PBX has refused credentials. */
  failed(source: string, name: string, now: number): void {
    for (const key of [source, `${source} ${name}`]) {
      const known = this.#failures.get(key);
      if (known === undefined || known.until <= now)
        this.#failures.set(key, { count: 1, until: now + windowMs });
      else known.count += 1;
    }
  }

  #failing(key: string, most: number, now: number): boolean {
    const known = this.#failures.get(key);
    return known !== undefined && known.until > now && known.count >= most;
  }

  #meterOf({ domain, strangersPerSecond }: Pbx): Meter {
    const known = this.#domains.get(domain);
    if (known?.perSecond === strangersPerSecond) return known.meter;
    const meter = new Meter(strangersPerSecond);
    this.#domains.set(domain, { perSecond: strangersPerSecond, meter });
    return meter;
  }
}

const over = (rule: string, threshold: number): StrangerVerdict => ({ ok: false, rule, threshold });
