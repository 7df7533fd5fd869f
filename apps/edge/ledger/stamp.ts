import { createHash, verify, X509Certificate } from 'node:crypto';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { contentOf, type Element, elementsOf, readElement, wholeOf } from './der.ts';

/** What a time stamp says, once its signature is found to be good. */
export interface Stamp {
  /** Unix milliseconds. */
  readonly time: number;
  /** Subject of the authority's certificate, in one line. */
  readonly authority: string;
  /** SHA-256 of that certificate. */
  readonly fingerprint: string;
  /** One of the certificates that one trusts stands behind it; false also where none was given. */
  readonly trusted: boolean;
}

const oid = {
  signedData: '06092a864886f70d010702',
  timeStampInfo: '060b2a864886f70d0109100104',
  contentType: '06092a864886f70d010903',
  messageDigest: '06092a864886f70d010904',
  signingCertificate: '060b2a864886f70d010910020c',
  signingCertificateV2: '060b2a864886f70d010910022f',
} as const;
/** SHA-1 is not taken: whoever can make two texts of one hash can stamp a history that he writes later. */
const digests: Readonly<Record<string, string>> = {
  '0609608648016503040201': 'sha256',
  '0609608648016503040202': 'sha384',
  '0609608648016503040203': 'sha512',
};
const timeStamping = '1.3.6.1.5.5.7.3.8';
const mostCertificates = 16;

class Unfit extends Error {}
const need = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Unfit(what);
  return value;
};

/**
 * Verifies a token of RFC 3161: that it is over this hash, and signed by the certificate that it names, which is for
 * time stamps and was good at that time. `trusted`: certificates, one of which has to stand behind it.
 */
export function checkStamp(
  token: Uint8Array,
  imprint: Uint8Array,
  trusted: readonly X509Certificate[] = [],
): Result<Stamp> {
  try {
    return ok(stampOf(Buffer.from(token), imprint, trusted));
  } catch (error) {
    // what is no certificate, and keys of kinds that nobody knows, throw as well
    return err(error instanceof Unfit ? error.message : 'it cannot be read');
  }
}

function stampOf(bytes: Buffer, imprint: Uint8Array, trusted: readonly X509Certificate[]): Stamp {
  const inside = (element: Element | undefined): Element[] =>
    need(element === undefined ? undefined : elementsOf(bytes, element), 'it is cut off');
  const hex = (element: Element | undefined): string =>
    element === undefined ? '' : wholeOf(bytes, element).toString('hex');
  const digestOf = (algorithm: Element | undefined): string =>
    need(digests[hex(inside(algorithm)[0])], 'its hash is none that is trusted (SHA-256, 384 or 512)');

  // ContentInfo and SignedData, RFC 5652 §3 and §5.1
  const [type, wrapped] = inside(readElement(bytes, 0));
  if (hex(type) !== oid.signedData) throw new Unfit('it is no signed data');
  const signedData = inside(inside(wrapped)[0]);
  const [infoType, infoWrapped] = inside(signedData[2]);
  if (hex(infoType) !== oid.timeStampInfo) throw new Unfit('it is no time stamp');
  const info = need(inside(infoWrapped)[0], 'it is empty');
  const certificates = signedData
    .filter(({ tag }) => tag === 0xa0)
    .flatMap(inside)
    .slice(0, mostCertificates)
    .map((element) => new X509Certificate(wholeOf(bytes, element)));

  // TSTInfo, RFC 3161 §2.4.2
  const [, , messageImprint, , genTime] = inside(readElement(bytes, info.begin, info.end));
  const [imprintAlgorithm, stamped] = inside(messageImprint);
  if (digestOf(imprintAlgorithm) !== 'sha256' || stamped === undefined)
    throw new Unfit('it is over another kind of hash');
  if (Buffer.compare(contentOf(bytes, stamped), imprint) !== 0) throw new Unfit('it is over something else');
  const time = timeOf(contentOf(bytes, need(genTime, 'it has no time')).toString('latin1'));

  // SignerInfo, RFC 5652 §5.3 and §5.4
  const signer = inside(inside(signedData.at(-1))[0]);
  const digest = digestOf(signer[2]);
  const attributes = need(
    signer.find(({ tag }) => tag === 0xa0),
    'it has no signed attributes',
  );
  const attribute = (...names: readonly string[]): Element | undefined => {
    const found = inside(attributes).filter((one) => names.includes(hex(inside(one)[0])));
    return found.length === 1 ? inside(inside(found[0])[1])[0] : undefined;
  };
  if (hex(attribute(oid.contentType)) !== oid.timeStampInfo) throw new Unfit('it signs something else');
  const content = createHash(digest).update(contentOf(bytes, info)).digest();
  const signedDigest = need(attribute(oid.messageDigest), 'it signs nothing');
  if (!content.equals(contentOf(bytes, signedDigest))) throw new Unfit('its content was changed');
  const signature = contentOf(
    bytes,
    need(
      signer.findLast(({ tag }) => tag === 0x04),
      'it has no signature',
    ),
  );
  // the attributes are signed as a SET, and stand there as [0]
  const signedText = Buffer.from(wholeOf(bytes, attributes));
  signedText[0] = 0x31;
  const named = need(
    attribute(oid.signingCertificateV2) ?? attribute(oid.signingCertificate),
    'it names no certificate (RFC 3161 §2.4.2)',
  );
  const certificate = need(
    certificates.find((one) => names(bytes, inside(inside(named)[0])[0], one)),
    'the certificate that it names is not with it',
  );
  const key = certificate.publicKey;
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : digest;
  if (!verify(algorithm, signedText, key, signature)) throw new Unfit('its signature is false');
  if (certificate.keyUsage?.includes(timeStamping) !== true)
    throw new Unfit('its certificate is not one for time stamps');
  if (!within(certificate, time)) throw new Unfit('its certificate was not valid at that time');
  return {
    time,
    authority: certificate.subject.replaceAll('\n', ', '),
    fingerprint: certificate.fingerprint256,
    trusted: leads(certificate, certificates, trusted, time),
  };
}

/** Whether an ESSCertID or ESSCertIDv2 (RFC 5816 §2) has the hash of this certificate. */
function names(bytes: Buffer, id: Element | undefined, certificate: X509Certificate): boolean {
  const parts = (id === undefined ? undefined : elementsOf(bytes, id)) ?? [];
  const [first, second] = parts;
  if (first === undefined) return false;
  const explicit = first.tag === 0x30 ? elementsOf(bytes, first)?.[0] : undefined;
  const value = contentOf(bytes, first.tag === 0x30 ? (second ?? first) : first);
  const name =
    explicit === undefined
      ? value.length === 20
        ? 'sha1'
        : 'sha256'
      : digests[wholeOf(bytes, explicit).toString('hex')];
  return name !== undefined && createHash(name).update(certificate.raw).digest().equals(value);
}

const within = ({ validFrom, validTo }: X509Certificate, time: number): boolean =>
  time >= Date.parse(validFrom) && time <= Date.parse(validTo);

/** Whether a chain of certificates that were valid at that time leads to one that is trusted. */
function leads(
  leaf: X509Certificate,
  between: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  time: number,
): boolean {
  const seen = new Set([leaf]);
  for (const one of seen) {
    const issued = (by: X509Certificate): boolean =>
      by.ca && within(by, time) && one.checkIssued(by) && one.verify(by.publicKey);
    if (trusted.some((by) => by.fingerprint256 === one.fingerprint256 || issued(by))) return true;
    for (const by of between) if (!seen.has(by) && issued(by)) seen.add(by);
  }
  return false;
}

/** GeneralizedTime as RFC 3161 §2.4.2 has it: `20260501120000.5Z`. */
function timeOf(text: string): number {
  const [, year, month, day, hour, minute, second, fraction = ''] =
    /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\.\d{1,9})?Z$/.exec(text) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${fraction.slice(0, 4)}Z`);
  if (Number.isNaN(time)) throw new Unfit('its time is none');
  return time;
}
