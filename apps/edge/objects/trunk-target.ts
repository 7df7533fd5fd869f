import { isIP } from 'node:net';

export interface TrunkTarget {
  readonly scheme: 'sip' | 'sips';
  readonly host: string;
  readonly port: number | undefined;
  readonly transport: string | undefined;
}

const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*\.?$/;

/** Reads what an administrator writes as a trunk's target: scheme, host, port, `transport`, `lr`; undefined where it is anything else. */
export function readTrunkTarget(text: string): TrunkTarget | undefined {
  const [location = '', ...params] = text.split(';');
  const match = /^(sips?):(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/.exec(location);
  if (match === null) return undefined;
  const host = match[2]!.startsWith('[') ? match[2]!.slice(1, -1) : match[2]!;
  if (isIP(host) === 0 && !hostName.test(host)) return undefined;
  if (match[2]!.startsWith('[') && isIP(host) !== 6) return undefined;
  const port = match[3] === undefined ? undefined : Number(match[3]);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  let transport: string | undefined;
  for (const param of params) {
    const [name, value] = param.split('=', 2);
    if (
      name === 'transport' &&
      transport === undefined &&
      (value === 'udp' || value === 'tcp' || value === 'tls')
    )
      transport = value;
    else if (param !== 'lr') return undefined;
  }
  const scheme = match[1] as 'sip' | 'sips';
  if (scheme === 'sips' && transport === 'udp') return undefined;
  return { scheme, host, port, transport };
}
