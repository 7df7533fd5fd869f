import { parseUri } from '@ringfence/sip/message/uri.ts';
import { defaultsOf, Report } from '../config/validate.ts';
import { Health } from '../objects/trunk-settings.ts';
import type { Trunk } from '../objects/types.ts';
import type { Directory } from '../routing/directory.ts';
import type { Watched } from './health/monitor.ts';
import { targetsOf } from './order.ts';
import { ownerOf } from './owner.ts';

const usual = defaultsOf(Health, new Report('')) as Health;

/** How a trunk is watched: as it says, by the defaults where it has several targets, else not at all. */
export const healthOf = (trunk: Trunk): Health | undefined =>
  trunk.health ?? (targetsOf(trunk).length > 1 ? usual : undefined);

/** The trunks of all tenants whose targets are watched. */
export function watchedTrunks(directory: Directory): Watched[] {
  const watched: Watched[] = [];
  for (const { trunks } of directory.domains())
    for (const trunk of trunks.values()) {
      const health = healthOf(trunk);
      if (health === undefined) continue;
      const targets = targetsOf(trunk).flatMap(({ target }) => {
        const parsed = parseUri(target);
        return parsed.ok && (parsed.value.scheme === 'sip' || parsed.value.scheme === 'sips')
          ? [parsed.value]
          : [];
      });
      watched.push({
        owner: ownerOf(trunk),
        domain: trunk.domain,
        targets,
        health,
        tlsOnly: trunk.encryption === 'required',
      });
    }
  return watched;
}
