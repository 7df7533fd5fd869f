import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Configuration, Encryption, Listener } from '../config/schema.ts';

export interface PhoneSettings {
  readonly domain: string;
  readonly server: string;
  readonly port: number;
  readonly transport: Listener['transport'];
  readonly username: string;
  readonly authenticationName: string;
  readonly mediaEncryption: 'SRTP (SDES), mandatory' | 'SRTP (SDES), optional';
  /** To be trusted by the phone; absent with a certificate of a public CA. */
  readonly authorityFile?: string;
}

/** What to enter into a phone so that it can register; undefined where no listener would take it. */
export function phoneSettings(
  config: Configuration,
  home: string,
  who: {
    readonly domain: string;
    readonly user: string;
    readonly device: string;
    readonly encryption: Encryption;
  },
): PhoneSettings | undefined {
  const listener =
    config.listeners.find((l) => l.transport === 'tls' && l.clientCertificate !== 'required') ??
    (who.encryption === 'required' ? undefined : config.listeners[0]);
  if (listener === undefined) return undefined;
  return {
    domain: who.domain,
    server: reachableAddress(listener),
    port: listener.port,
    transport: listener.transport,
    username: who.user,
    authenticationName: who.device,
    mediaEncryption: who.encryption === 'required' ? 'SRTP (SDES), mandatory' : 'SRTP (SDES), optional',
    ...(listener.transport === 'tls' && config.tls.certificate === undefined
      ? { authorityFile: join(home, 'tls', 'ca.crt') }
      : {}),
  };
}

/** The public name, the address bound, or, of a listener on all, the first address of this machine. */
function reachableAddress(listener: Listener): string {
  if (listener.publicAddress !== undefined) return listener.publicAddress;
  if (listener.address !== '0.0.0.0' && listener.address !== '::') return listener.address;
  const family = listener.address === '::' ? 'IPv6' : 'IPv4';
  const found = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find((a) => a.family === family && !a.internal && !/^(fe[89ab]|169\.254\.)/i.test(a.address));
  return found?.address ?? (family === 'IPv6' ? '::1' : '127.0.0.1');
}

export function describeSettings(s: PhoneSettings, password: string | undefined): string {
  const server = s.server.includes(':') ? `[${s.server}]` : s.server;
  const rows: (readonly [string, string])[] = [
    ['SIP address', `sip:${s.username}@${s.domain}`],
    ['Domain', s.domain],
    ['Server (proxy)', `${server}:${s.port}, transport ${s.transport.toUpperCase()}`],
    ['As one URI', `sip:${server}:${s.port};transport=${s.transport}`],
    ['User name', s.username],
    ...(s.authenticationName === s.username ? [] : [['Login (auth) name', s.authenticationName] as const]),
    ...(password === undefined ? [] : [['Password', password] as const]),
    ['Media encryption', s.mediaEncryption],
    ...(s.authorityFile === undefined ? [] : [['Trust this CA', s.authorityFile] as const]),
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(18)} ${value}`).join('\n');
}
