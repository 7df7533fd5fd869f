import { isIPv6 } from 'node:net';

/** `host:port` as Via writes it (RFC 3261 §20.42): IPv6 in brackets, without its zone. */
export const sentBy = (host: string, port: number): string => {
  const zone = host.indexOf('%');
  const bare = zone < 0 ? host : host.slice(0, zone);
  return isIPv6(bare) ? `[${bare}]:${port}` : `${bare}:${port}`;
};

export const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::';
