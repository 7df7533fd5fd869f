import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import {
  bitString,
  boolean,
  type Der,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

const oid = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

export interface Issuer {
  readonly commonName: string;
  readonly key: KeyObject;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** DNS names, IP addresses and URIs for subjectAltName; what they are is seen from their form. */
  readonly names: readonly string[];
  readonly use: 'authority' | 'server' | 'client';
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface IssuedCertificate {
  readonly certificate: string;
  readonly key: string;
}

/**
 * Makes an ECDSA P-256 key and an X.509 v3 certificate for it (RFC 5280), signed with SHA-256 by `issuer`, or by
 * itself where there is none.
 */
export function issueCertificate(request: CertificateRequest, issuer?: Issuer): IssuedCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = issuer ?? { commonName: request.commonName, key: privateKey };
  const algorithm = sequence(objectIdentifier(oid.ecdsaWithSha256));
  // RFC 5280 §4.1.2.2: positive, at most 20 bytes; 127 random bits
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const content = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(serial),
    algorithm,
    name(signer.commonName),
    sequence(time(request.notBefore), time(request.notAfter)),
    name(request.commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions(request, publicKey, createPublicKey(signer.key)))),
  );
  const certificate = sequence(content, algorithm, bitString(sign('sha256', content, signer.key)));
  return {
    certificate: pem('CERTIFICATE', certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

function extensions(request: CertificateRequest, subject: KeyObject, authority: KeyObject): Der[] {
  const isAuthority = request.use === 'authority';
  const extension = (id: string, critical: boolean, value: Der) =>
    sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value));
  const uses =
    request.use === 'client'
      ? [oid.clientAuth]
      : // the edge is also a client: towards trunks
        [oid.serverAuth, oid.clientAuth];
  return [
    extension(
      oid.basicConstraints,
      true,
      isAuthority ? sequence(boolean(true), integer(Uint8Array.of(0))) : sequence(),
    ),
    // keyCertSign and cRLSign (bits 5, 6), or digitalSignature (bit 0)
    extension(
      oid.keyUsage,
      true,
      isAuthority ? bitString(Uint8Array.of(0x06), 1) : bitString(Uint8Array.of(0x80), 7),
    ),
    extension(oid.extendedKeyUsage, false, sequence(...uses.map(objectIdentifier))),
    extension(oid.subjectKeyIdentifier, false, octetString(keyIdentifier(subject))),
    extension(oid.authorityKeyIdentifier, false, sequence(implicit(0, keyIdentifier(authority)))),
    ...(request.names.length === 0
      ? []
      : [extension(oid.subjectAltName, false, sequence(...request.names.map(generalName)))]),
  ];
}

const name = (commonName: string): Der =>
  sequence(
    set(sequence(objectIdentifier(oid.organization), utf8String('Ringfence'))),
    set(sequence(objectIdentifier(oid.commonName), utf8String(commonName))),
  );

/** RFC 5280 §4.2.1.2 method 1 asks for SHA-1 of the key's bits; RFC 7093 §2 allows SHA-256 cut to 160 bits. */
const keyIdentifier = (key: KeyObject): Uint8Array =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);

/** RFC 5280 §4.2.1.6: dNSName 2, uniformResourceIdentifier 6, iPAddress 7. */
function generalName(text: string): Der {
  if (isIP(text) !== 0) return implicit(7, addressBytes(text));
  return implicit(/^sips?:/.test(text) ? 6 : 2, Buffer.from(text, 'latin1'));
}

function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.').map(Number));
  const tail = address.lastIndexOf(':') + 1;
  const four = address.includes('.') ? address.slice(tail).split('.').map(Number) : undefined;
  const plain =
    four === undefined
      ? address
      : `${address.slice(0, tail)}${((four[0]! << 8) | four[1]!).toString(16)}:${((four[2]! << 8) | four[3]!).toString(16)}`;
  const [head = '', rest] = plain.split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = rest === undefined ? [] : groups(rest);
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
