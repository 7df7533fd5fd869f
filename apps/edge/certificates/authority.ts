import { createPrivateKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { CertificateError } from './certificate-error.ts';
import { readIfThere, readKeyIfThere, writeWhole } from './files.ts';
import { issueCertificate } from './issue.ts';

const day = 86_400_000;
const authorityDays = 3650;
/** What browsers and phones accept at most. */
const serverDays = 397;
const clientDays = 397;
/** Phones' clocks run behind. */
const backdatedDays = 1;
const renewBeforeDays = 30;

/** The local CA, made at first start. It signs end certificates only (path length 0). */
export interface Authority {
  readonly certificate: string;
  readonly file: string;
  readonly key: KeyObject;
  readonly commonName: string;
}

export const tlsFolder = (home: string): string => join(home, 'tls');

/** Reads the local CA, or makes it where there is neither certificate nor key. Never replaces one: phones trust it. */
export function openAuthority(home: string, now: number): Authority {
  const file = join(tlsFolder(home), 'ca.crt');
  const keyFile = join(tlsFolder(home), 'ca.key');
  let certificate = readIfThere(file);
  let key = readKeyIfThere(keyFile);
  if (certificate === undefined && key === undefined) {
    const made = issueCertificate({
      commonName: `Ringfence local CA ${randomBytes(4).toString('hex')}`,
      names: [],
      use: 'authority',
      notBefore: now - backdatedDays * day,
      notAfter: now + authorityDays * day,
    });
    writeWhole(keyFile, made.key, 0o600);
    writeWhole(file, made.certificate, 0o644);
    certificate = made.certificate;
    key = made.key;
  }
  if (certificate === undefined || key === undefined) {
    const [there, missing] = certificate === undefined ? [keyFile, file] : [file, keyFile];
    throw new CertificateError(
      'authority-incomplete',
      `${missing} is missing; restore it from a backup, or remove ${there} to make a new CA, which every phone must then be given`,
    );
  }
  const parsed = new X509Certificate(certificate);
  const privateKey = createPrivateKey(key);
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new CertificateError(
      'certificate-mismatch',
      `${keyFile} is not the key of ${file}; restore the two from one backup`,
    );
  }
  if (Date.parse(parsed.validTo) <= now) {
    throw new CertificateError(
      'authority-expired',
      `the local CA expired on ${parsed.validTo}; remove ${file} and ${keyFile} to make a new one, and give it to every phone`,
    );
  }
  const commonName = /^CN=(.*)$/m.exec(parsed.subject)?.[1] ?? '';
  return { certificate, file, key: privateKey, commonName };
}

export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly file: string;
  readonly keyFile: string;
  /** Why it was issued just now; absent where the one on disk still serves. */
  readonly issued?: string;
}

/**
 * The certificate that listeners show, for every name and address in `names`.
 *
 * Issued anew, with a new key, where there is none, where it ends within 30 days, is another CA's, or lacks one of
 * the names; or where `force` is set.
 */
export function openServerCertificate(
  home: string,
  names: readonly string[],
  now: number,
  force = false,
): ServerCertificate {
  const authority = openAuthority(home, now);
  const file = join(tlsFolder(home), 'server.crt');
  const keyFile = join(tlsFolder(home), 'server.key');
  const certificate = readIfThere(file);
  const key = readKeyIfThere(keyFile);
  const reason = force ? 'asked for' : whyRenew(certificate, key, authority, names, now);
  if (reason === undefined) return { certificate: certificate!, key: key!, file, keyFile };
  const authorityEnds = Date.parse(new X509Certificate(authority.certificate).validTo);
  const made = issueCertificate(
    {
      commonName: names[0]!.slice(0, 64),
      names,
      use: 'server',
      notBefore: now - backdatedDays * day,
      notAfter: Math.min(now + (serverDays - backdatedDays) * day, authorityEnds),
    },
    authority,
  );
  writeWhole(keyFile, made.key, 0o600);
  writeWhole(file, made.certificate, 0o644);
  return { ...made, file, keyFile, issued: reason };
}

function whyRenew(
  certificate: string | undefined,
  key: string | undefined,
  authority: Authority,
  names: readonly string[],
  now: number,
): string | undefined {
  if (certificate === undefined || key === undefined) return 'there was none';
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
    // a crash between the two writes leaves a key that is not the certificate's
    if (!parsed.checkPrivateKey(createPrivateKey(key))) return 'its key did not match';
  } catch {
    return 'it could not be read';
  }
  if (!parsed.verify(new X509Certificate(authority.certificate).publicKey)) return "it was another CA's";
  if (Date.parse(parsed.validTo) - now < renewBeforeDays * day) return `it ended on ${parsed.validTo}`;
  const missing = names.find((name) => !covers(parsed, name));
  return missing === undefined ? undefined : `it lacked ${missing}`;
}

function covers(certificate: X509Certificate, name: string): boolean {
  if (/^sips?:/.test(name)) return (certificate.subjectAltName ?? '').split(', ').includes(`URI:${name}`);
  const found =
    isIP(name) === 0 ? certificate.checkHost(name, { subject: 'never' }) : certificate.checkIP(name);
  return found !== undefined;
}

/** A certificate that a trunk or PBX proves itself with; its name goes into `certificateNames`. The key is not kept. */
export function issueClientCertificate(
  home: string,
  name: string,
  now: number,
): { certificate: string; key: string } {
  return issueCertificate(
    {
      commonName: name.slice(0, 64),
      names: [name],
      use: 'client',
      notBefore: now - backdatedDays * day,
      notAfter: now + (clientDays - backdatedDays) * day,
    },
    openAuthority(home, now),
  );
}
