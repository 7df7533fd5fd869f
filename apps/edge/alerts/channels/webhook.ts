import { createHmac } from 'node:crypto';
import type { Post } from '../post.ts';
import { line } from '../words.ts';
import type { Channel } from './channel.ts';

/** Version of the body. */
export const webhookVersion = 1;

/**
 * JSON, signed: `Ringfence-Signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA-256 with the secret over the seconds, a
 * full stop and the body. A receiver compares it, and refuses what is older than five minutes.
 */
export function webhook(
  { url, secret, inside }: { readonly url: string; readonly secret: string; readonly inside: boolean },
  post: (request: Post) => Promise<void>,
): Channel {
  return async (deliveries, { node, now }) => {
    const body = JSON.stringify({
      version: webhookVersion,
      node,
      alerts: deliveries.map((delivery) => {
        const { key: _, told: __, steps: ___, stepAt: ____, ...alert } = delivery.alert;
        return {
          delivery: delivery.notice,
          kind: delivery.kind,
          text: line(delivery),
          ...alert,
          firstAt: new Date(alert.firstAt).toISOString(),
          lastAt: new Date(alert.lastAt).toISOString(),
          toldAt: new Date(alert.toldAt).toISOString(),
        };
      }),
    });
    const seconds = Math.floor(now / 1000);
    const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
    await post({
      url,
      inside,
      body,
      headers: {
        'content-type': 'application/json',
        'ringfence-signature': `t=${seconds},v1=${signature}`,
        'ringfence-delivery': deliveries[0]?.notice ?? '',
      },
    });
  };
}
