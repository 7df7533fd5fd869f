import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { FraudRule, Mode, RuleSet } from '@ringfence/fraud/rules.ts';
import type { FraudSettings } from '../../config/fraud.ts';
import { withModes } from '../behaviour/keep.ts';
import { RuleSets } from '../behaviour/rule-sets.ts';
import { siteHours } from '../behaviour/site-hours.ts';

/** Rules that are to be tried in place of those of the configuration. */
export interface Tried {
  /** For all tenants that are not named. */
  readonly usual: string | undefined;
  readonly tenants: readonly { readonly domain: string; readonly rules: string }[];
}

/** `carrier`, `my-rules.yaml`, `a.test=my-rules.yaml,b.test=carrier`, or one for all others among those. */
export function readTried(text: string): Tried {
  let usual: string | undefined;
  const tenants: { domain: string; rules: string }[] = [];
  for (const part of text.split(',')) {
    const [, domain, rules] = /^([A-Za-z0-9.-]+)=(.+)$/.exec(part) ?? [];
    if (domain !== undefined && rules !== undefined) tenants.push({ domain: domain.toLowerCase(), rules });
    else if (part !== '') usual = part;
  }
  return { usual, tenants };
}

const mostTenants = 500;

/**
 * Rules of each tenant as the edge would have them now: of the configuration, with the site's hours of work and the
 * modes that commands have set, or those that are tried, as they are written.
 *
 * @param modes of `modesIn`; they change the rules of the configuration alone.
 */
export function tenantRules(
  settings: FraudSettings,
  now: number,
  tried: Tried = { usual: undefined, tenants: [] },
  modes: ReadonlyMap<string, ReadonlyMap<FraudRule, Mode>> = new Map(),
): (domain: string) => RuleSet {
  const { behaviour } = settings;
  const named = new Set(tried.tenants.map(({ domain }) => domain));
  const sets = new RuleSets();
  sets.configure(
    {
      ...behaviour,
      rules: tried.usual ?? behaviour.rules,
      tenants: [
        ...(tried.usual === undefined ? behaviour.tenants : []).filter(
          ({ domain }) => !named.has(domain.toLowerCase()),
        ),
        ...tried.tenants,
      ],
    },
    siteHours(settings, now),
  );
  const known = new BoundedMap<string, RuleSet>({ capacity: mostTenants });
  return (domain) => {
    let set = known.get(domain);
    if (set === undefined) {
      const changed =
        tried.usual !== undefined || named.has(domain)
          ? []
          : [...(modes.get('')?.entries() ?? []), ...(modes.get(domain)?.entries() ?? [])];
      set = withModes(sets.of(domain), changed);
      known.set(domain, set);
    }
    return set;
  };
}
