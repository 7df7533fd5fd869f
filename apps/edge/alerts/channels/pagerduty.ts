import type { Severity } from '../../events/types.ts';
import type { Post } from '../post.ts';
import { line } from '../words.ts';
import type { Channel } from './channel.ts';

const severities: Readonly<Record<Severity, string>> = {
  error: 'critical',
  warning: 'warning',
  notice: 'info',
  info: 'info',
  debug: 'info',
};

/** Events API v2: one request for each alert; `dedup_key` makes one incident of one alert, whatever comes twice. */
export function pagerduty(
  { url, key, inside }: { readonly url: string; readonly key: string; readonly inside: boolean },
  post: (request: Post) => Promise<void>,
): Channel {
  return async (deliveries, { node }) => {
    for (const delivery of deliveries) {
      const { alert, kind } = delivery;
      const trigger = {
        payload: {
          summary: line(delivery).slice(0, 1024),
          source: node,
          severity: severities[alert.severity],
          timestamp: new Date(alert.lastAt).toISOString(),
          component: 'ringfence',
          group: alert.domain ?? node,
          class: alert.rule,
          custom_details: { ...alert.event, count: alert.count, alert: alert.id },
        },
      };
      await post({
        url,
        inside,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          routing_key: key,
          event_action: kind === 'over' ? 'resolve' : 'trigger',
          dedup_key: `ringfence-${alert.id}`,
          ...(kind === 'over' ? {} : trigger),
        }),
      });
    }
  };
}
