import type { Severity } from '../../events/types.ts';
import { json } from './json.ts';
import { commonOf, type Teller, type Told } from './told.ts';

const severities: Readonly<Record<Severity, number>> = { error: 8, warning: 6, notice: 4, info: 2, debug: 1 };

/** One line of ArcSight's Common Event Format, version 0. */
export function cef(told: Told, teller: Teller): string {
  const { event, time, severity } = told;
  const common = commonOf(event);
  const extension: [string, string | number | undefined][] = [
    ['rt', time],
    ['dvchost', teller.node],
    ['cat', event.type.split('.', 1)[0]],
    [isIp6(common.source?.ip) ? 'c6a2' : 'src', common.source?.ip],
    ['c6a2Label', isIp6(common.source?.ip) ? 'Source IPv6 Address' : undefined],
    ['spt', common.source?.port],
    ['suser', common.user],
    ['sntdom', common.domain],
    ['externalId', common.call],
    ['outcome', common.refused ? 'failure' : undefined],
    ['cs1', common.rule],
    ['cs1Label', common.rule === undefined ? undefined : 'rule'],
    ['cn1', told.sequence],
    ['cn1Label', 'sequence'],
    ['msg', common.message],
    ['cs2', json(told, teller)],
    ['cs2Label', 'event'],
  ];
  const head = [
    'CEF:0',
    'Ringfence',
    'Ringfence',
    teller.version,
    event.type,
    event.type,
    severities[severity],
  ];
  const fields = extension.filter(([, value]) => value !== undefined);
  return `${head.map((part) => header(String(part))).join('|')}|${fields
    .map(([key, value]) => `${key}=${extended(String(value))}`)
    .join(' ')}`;
}

const isIp6 = (ip: string | undefined): boolean => ip?.includes(':') === true;
const header = (text: string): string => oneLine(text).replaceAll('\\', '\\\\').replaceAll('|', '\\|');
const extended = (text: string): string => oneLine(text).replaceAll('\\', '\\\\').replaceAll('=', '\\=');
const oneLine = (text: string): string => text.replaceAll('\r', ' ').replaceAll('\n', ' ');
