import type { Severity } from '../../events/types.ts';
import { commonOf, type Teller, type Told } from './told.ts';

const schemaVersion = '1.3.0';
const severities: Readonly<Record<Severity, readonly [id: number, name: string]>> = {
  error: [4, 'High'],
  warning: [3, 'Medium'],
  notice: [2, 'Low'],
  info: [1, 'Informational'],
  debug: [1, 'Informational'],
};

interface Class {
  readonly uid: number;
  readonly category: number;
  readonly activity: number;
}

const baseEvent: Class = { uid: 0, category: 0, activity: 99 };
const findings: ReadonlySet<string> = new Set([
  'admission.refused',
  'call.tampering',
  'call.downgraded',
  'zrtp.tampering',
]);

/** OCSF has no class for telephony: what is neither finding, login nor network is a base event. */
function classOf(type: string): Class {
  const family = type.split('.', 1)[0];
  if (findings.has(type) || family === 'threat' || family === 'ban')
    return { uid: 2004, category: 2, activity: 1 };
  if (family === 'authentication') return { uid: 3002, category: 3, activity: 1 };
  if (type === 'flow.opened') return { uid: 4001, category: 4, activity: 1 };
  if (type === 'flow.closed') return { uid: 4001, category: 4, activity: 2 };
  if (family === 'request' || family === 'message') return { uid: 4001, category: 4, activity: 6 };
  return baseEvent;
}

/** One object of the Open Cybersecurity Schema Framework; our own event stands whole under `unmapped`. */
export function ocsf({ event, time, severity, sequence }: Told, { node, version }: Teller): string {
  const common = commonOf(event);
  const { type, ...fields } = event;
  const { uid, category, activity } = classOf(type);
  const [severityId, severityName] = severities[severity];
  return JSON.stringify({
    class_uid: uid,
    category_uid: category,
    activity_id: activity,
    type_uid: uid * 100 + activity,
    time,
    severity_id: severityId,
    severity: severityName,
    message: common.message,
    status_id: common.refused ? 2 : 1,
    metadata: {
      version: schemaVersion,
      product: { name: 'Ringfence', vendor_name: 'Ringfence', version },
      event_code: type,
      sequence,
    },
    ...(common.source === undefined ? {} : { src_endpoint: common.source }),
    ...(uid === 2004 ? { finding_info: { title: type, uid: `${node}-${time}-${sequence}` } } : {}),
    ...(uid === 3002 ? { user: { name: common.user ?? '', domain: common.domain ?? '' } } : {}),
    ...(uid === 4001 ? { dst_endpoint: { hostname: node } } : {}),
    device: { hostname: node, type_id: 9 },
    unmapped: { event: type, ...fields },
  });
}
