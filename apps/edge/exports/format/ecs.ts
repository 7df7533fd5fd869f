import { severityRank } from '../../events/bus.ts';
import { commonOf, type Teller, type Told } from './told.ts';

const version = '8.11.0';

/** `event.category` and `event.type` of the Elastic Common Schema, by the first word of ours. */
const categories: Readonly<Record<string, readonly [category: string, type: string]>> = {
  authentication: ['authentication', 'start'],
  registration: ['session', 'info'],
  account: ['iam', 'change'],
  flow: ['network', 'connection'],
  call: ['network', 'protocol'],
  admission: ['network', 'denied'],
  request: ['network', 'protocol'],
  message: ['network', 'error'],
  ban: ['intrusion_detection', 'denied'],
  threat: ['intrusion_detection', 'indicator'],
  config: ['configuration', 'change'],
};

/** One object of the Elastic Common Schema; our own event stands whole under `ringfence`. */
export function ecs({ event, time, severity, sequence }: Told, { node, version: ours, pid }: Teller): string {
  const common = commonOf(event);
  const { type, ...fields } = event;
  const [category, kind] = categories[type.split('.', 1)[0] ?? ''] ?? ['host', 'info'];
  const isAlert = severityRank[severity] <= severityRank.warning && category === 'intrusion_detection';
  return JSON.stringify({
    '@timestamp': new Date(time).toISOString(),
    ecs: { version },
    message: common.message,
    log: { level: severity },
    event: {
      kind: isAlert ? 'alert' : 'event',
      category: [category],
      type: [kind],
      action: type,
      outcome: common.refused ? 'failure' : 'success',
      severity: 4 - severityRank[severity],
      sequence,
      module: 'ringfence',
      dataset: `ringfence.${type.split('.', 1)[0]}`,
    },
    observer: { name: node, vendor: 'Ringfence', product: 'Ringfence', type: 'firewall', version: ours },
    process: { pid },
    ...(category === 'network' ? { network: { application: 'sip' } } : {}),
    ...(common.source === undefined ? {} : { source: common.source }),
    ...(common.user === undefined && common.domain === undefined
      ? {}
      : { user: { name: common.user, domain: common.domain } }),
    ...(common.rule === undefined ? {} : { rule: { name: common.rule } }),
    ringfence: { [type.replaceAll('.', '_').replaceAll('-', '_')]: fields },
  });
}
