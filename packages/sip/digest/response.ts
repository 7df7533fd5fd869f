import { type DigestAlgorithm, digestHex } from './algorithm.ts';

export interface ResponseFields {
  readonly algorithm: DigestAlgorithm;
  /** Raw digest, as `ha1` returns it. */
  readonly ha1: Uint8Array;
  readonly nonce: string;
  readonly method: string;
  /** The `uri` parameter as written. */
  readonly uri: string;
  /** Absent for the form of RFC 2069 that has no nonce count. */
  readonly qop?: {
    readonly name: 'auth' | 'auth-int';
    /** The `nc` parameter as written, 8 hexadecimal digits. */
    readonly nc: string;
    readonly cnonce: string;
    readonly body: Uint8Array;
  };
}

/** The `response` parameter in lower-case hexadecimal, RFC 7616 §3.4.1 to §3.4.3. */
export function digestResponse(fields: ResponseFields): string {
  const { algorithm, qop, nonce } = fields;
  const secret = Buffer.from(fields.ha1.buffer, fields.ha1.byteOffset, fields.ha1.byteLength).toString('hex');
  let a2 = `${fields.method}:${fields.uri}`;
  if (qop?.name === 'auth-int') a2 += `:${digestHex(algorithm, qop.body)}`;
  const ha2 = digestHex(algorithm, a2);
  if (qop === undefined) return digestHex(algorithm, `${secret}:${nonce}:${ha2}`);
  return digestHex(algorithm, `${secret}:${nonce}:${qop.nc}:${qop.cnonce}:${qop.name}:${ha2}`);
}
