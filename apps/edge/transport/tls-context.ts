import { constants } from 'node:crypto';
import {
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { Configuration } from '../config/schema.ts';

type Pem = string | Promise<string>;

export interface DomainPem {
  readonly domain: string;
  readonly key: string;
  /** The chain, own certificate first. */
  readonly certificate: string;
}

/** What handshakes need: of the node, and by the names that peers ask for. */
export interface TlsOptions extends SecureContextOptions {
  readonly domains: ReadonlyMap<string, SecureContext>;
}

/** Getters, so that a reload reads files anew. */
export interface TlsMaterial {
  readonly key: () => Pem;
  /** The chain, own certificate first. */
  readonly cert: () => Pem;
  /** Local CA and configured ones, that peers' certificates are verified against, each PEM. */
  readonly ca: () => readonly string[] | Promise<readonly string[]>;
  /** Certificates of domains, shown to those who ask for them by name. */
  readonly domains?: () => readonly DomainPem[] | Promise<readonly DomainPem[]>;
  readonly settings: Readonly<
    Pick<Configuration['tls'], 'trustSystemAuthorities' | 'minimumVersion' | 'groups'>
  >;
}

/** AEAD with ephemeral keys only. The first three are TLS 1.3's, the others TLS 1.2's (RFC 9325 §4.2). */
const ciphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

/**
 * The groups as OpenSSL 3.5 wants them, so that a hybrid one is used wherever both sides have it.
 *
 * Within a list divided by `:` OpenSSL's server takes whichever group the client sent a share for. A `/` after the
 * hybrid groups makes it ask for one of them instead (HelloRetryRequest). As client, `*` sends shares of the first
 * hybrid and the first plain group, so that peers without the hybrid cost no round trip more. A list that uses this
 * syntax already is left alone.
 */
export const groupList = (groups: string): string => {
  if (/[/*?]/.test(groups)) return groups;
  const names = groups.split(':').filter((name) => name !== '');
  const hybrid = names.filter((name) => name.includes('MLKEM'));
  const plain = names.filter((name) => !name.includes('MLKEM'));
  if (hybrid.length === 0 || plain.length === 0 || names[0] !== hybrid[0]) return names.join(':');
  return `*${hybrid.join(':')}/*${plain.join(':')}`;
};

/** Reads the material and proves that it can be used: throws `MisuseError` with code `tls-material` if not. */
export const readTlsOptions = async (material: TlsMaterial): Promise<TlsOptions> => {
  const { settings } = material;
  try {
    const [key, cert, ca, domains] = await Promise.all([
      material.key(),
      material.cert(),
      material.ca(),
      material.domains?.() ?? [],
    ]);
    const options: SecureContextOptions = {
      key,
      cert,
      ca: [...ca],
      ciphers,
      honorCipherOrder: true,
      minVersion: settings.minimumVersion,
      maxVersion: 'TLSv1.3',
      ecdhCurve: groupList(settings.groups),
      // Renegotiation lets a peer make us work (CVE-2011-1473) and nobody needs it.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    };
    createSecureContext(options);
    const contexts = new Map(
      domains.map(({ domain, key, certificate }) => [
        domain.toLowerCase(),
        createSecureContext({ ...options, key, cert: certificate }),
      ]),
    );
    return { ...options, domains: contexts };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MisuseError('tls-material', `TLS key and certificate cannot be used: ${why}`);
  }
};

/** For outbound connections: our certificate is shown, theirs may also be signed by well-known CAs. */
export const clientContext = (
  options: SecureContextOptions,
  trustSystemAuthorities: boolean,
): SecureContext =>
  createSecureContext(
    trustSystemAuthorities
      ? { ...options, ca: [...(options.ca as readonly string[]), ...getCACertificates('default')] }
      : options,
  );
