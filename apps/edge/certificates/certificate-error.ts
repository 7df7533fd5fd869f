import { MisuseError } from '@ringfence/bytes/misuse.ts';

export type CertificateErrorCode =
  | 'certificate-unreadable'
  | 'certificate-key-exposed'
  | 'certificate-mismatch'
  | 'certificate-expired'
  | 'authority-incomplete'
  | 'authority-expired';

/** Thrown where certificates cannot be used as they are; the message says what to do. */
export class CertificateError extends MisuseError {
  declare readonly code: CertificateErrorCode;

  constructor(code: CertificateErrorCode, message: string) {
    super(code, message);
    this.name = 'CertificateError';
  }
}
