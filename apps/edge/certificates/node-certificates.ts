import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Configuration } from '../config/schema.ts';
import { provesSipDomain } from '../transport/tls-identity.ts';
import { openAuthority, openServerCertificate, type ServerCertificate } from './authority.ts';
import { CertificateError } from './certificate-error.ts';
import { readIfThere, readKeyIfThere } from './files.ts';
import { localNames } from './local-names.ts';

/** PEM of a domain's own certificate, with its chain. */
export interface DomainCertificate {
  readonly domain: string;
  readonly key: string;
  readonly certificate: string;
}

/** PEM of the node, as read last; `renew` reads and, where due, issues again. */
export interface OpenCertificates {
  key(): string;
  /** The chain, own certificate first. */
  cert(): string;
  /** Authorities that peers are verified against: the local CA and `tls.clientAuthorities`. */
  ca(): readonly string[];
  /** Those of `tls.domains`, without expired ones. */
  domains(): readonly DomainCertificate[];
  /** What has expired, of the node and of domains, in words for the administrator. */
  troubles(): readonly string[];
  /** Reads files again and renews the local certificate where it is due; gives why it was issued, if it was. */
  renew(config: Configuration): string | undefined;
}

/**
 * Makes sure that the node has a certificate: the configured one, or one of the local CA.
 *
 * Throws `CertificateError` where files are missing, exposed or do not belong together. Those that have expired are used
 * on, and told of in `troubles`.
 */
export function ensureCertificates(options: {
  readonly home: string;
  readonly config: Configuration;
  readonly now: () => number;
}): OpenCertificates {
  const { home, now } = options;
  let state = read(home, options.config, now());
  return {
    key: () => state.key,
    cert: () => state.certificate,
    ca: () => state.authorities,
    domains: () => state.domains,
    troubles: () => state.troubles,
    renew(config) {
      state = read(home, config, now());
      return state.issued;
    },
  };
}

function read(home: string, config: Configuration, now: number) {
  const { certificate, key, clientAuthorities } = config.tls;
  const expired: string[] = [];
  const own: ServerCertificate =
    certificate !== undefined && key !== undefined
      ? readOwn({ file: certificate, keyFile: key, setting: 'tls' }, now, expired)
      : openServerCertificate(home, localNames(config), now);
  const others = (clientAuthorities ?? []).map((file) => {
    const text = readIfThere(file);
    if (text === undefined)
      throw new CertificateError(
        'certificate-unreadable',
        `there is no file ${file}; correct tls.clientAuthorities`,
      );
    return text;
  });
  const domains = readDomains(config.tls.domains ?? [], now);
  return {
    ...own,
    domains: domains.domains,
    troubles: [...expired, ...domains.troubles],
    authorities: [openAuthority(home, now).certificate, ...others],
  };
}

/**
 * An edge whose certificate has run out still has calls over UDP and TCP, and phones that look at no date: it goes on
 * with it, and says so.
 */
function readOwn(files: ConfiguredFiles, now: number, expired: string[]): ServerCertificate {
  try {
    return readConfigured(files, now);
  } catch (error) {
    if (!(error instanceof CertificateError) || error.code !== 'certificate-expired') throw error;
    expired.push(error.message);
    return readConfigured(files, Number.NEGATIVE_INFINITY);
  }
}

/** One that has expired must not stop the others: whoever asks for its domain gets the node's certificate. */
function readDomains(
  entries: NonNullable<Configuration['tls']['domains']>,
  now: number,
): { readonly domains: readonly DomainCertificate[]; readonly troubles: readonly string[] } {
  const domains: DomainCertificate[] = [];
  const troubles: string[] = [];
  entries.forEach(({ domain, certificate: file, key: keyFile }, i) => {
    try {
      const { certificate, key } = readConfigured({ file, keyFile, setting: `tls.domains[${i}]` }, now);
      const names = new X509Certificate(certificate).subjectAltName;
      if (!provesSipDomain(domain, names))
        throw new CertificateError(
          'certificate-mismatch',
          `${file} does not name ${domain} (RFC 5922 §7.1) but ${names ?? 'nothing'}; correct tls.domains[${i}]`,
        );
      domains.push({ domain: domain.toLowerCase(), key, certificate });
    } catch (error) {
      if (!(error instanceof CertificateError) || error.code !== 'certificate-expired') throw error;
      troubles.push(error.message);
    }
  });
  return { domains, troubles };
}

interface ConfiguredFiles {
  readonly file: string;
  readonly keyFile: string;
  readonly setting: string;
}

function readConfigured({ file, keyFile, setting }: ConfiguredFiles, now: number): ServerCertificate {
  const certificate = readIfThere(file);
  const key = readKeyIfThere(keyFile);
  if (certificate === undefined || key === undefined) {
    const [missing, place] =
      certificate === undefined ? [file, `${setting}.certificate`] : [keyFile, `${setting}.key`];
    throw new CertificateError('certificate-unreadable', `there is no file ${missing}; correct ${place}`);
  }
  let parsed: X509Certificate;
  let matches: boolean;
  try {
    parsed = new X509Certificate(certificate);
    matches = parsed.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw new CertificateError(
      'certificate-unreadable',
      `${file} and ${keyFile} are not a certificate and an unencrypted key in PEM`,
    );
  }
  if (!matches)
    throw new CertificateError(
      'certificate-mismatch',
      `${keyFile} is not the key of the first certificate in ${file}`,
    );
  if (Date.parse(parsed.validTo) <= now) {
    throw new CertificateError(
      'certificate-expired',
      `${file} expired on ${parsed.validTo}; renew it, then \`kill -HUP\` the edge`,
    );
  }
  return { certificate, key, file, keyFile };
}
