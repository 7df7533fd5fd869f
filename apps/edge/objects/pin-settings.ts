import { Type } from '@sinclair/typebox';

const Fingerprint = Type.String({ pattern: '^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$' });

/** The only certificates that a device or trunk may show. */
export const Pinned = Type.Object(
  {
    tls: Type.Optional(
      Type.Array(Fingerprint, {
        minItems: 1,
        maxItems: 8,
        description:
          'SHA-256 fingerprints of the certificates in the TLS of its signalling. For a trunk of several machines: all of them.',
      }),
    ),
    tlsIssuers: Type.Optional(
      Type.Array(Fingerprint, {
        minItems: 1,
        maxItems: 8,
        description:
          'SHA-256 fingerprints of authorities: one of them, root or intermediate, has issued the certificate in the TLS of its signalling, which has to verify (`tls.clientAuthorities`, the local CA, or the system).',
      }),
    ),
    dtls: Type.Optional(
      Type.Array(Fingerprint, {
        minItems: 1,
        maxItems: 8,
        description: 'The same for the DTLS of its media, whose keys come no other way then.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Certificates that are taken of it, and no others: its calls are refused or ended where it shows another one or none. Emergency calls pass.',
  },
);
