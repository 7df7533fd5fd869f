import type { TLSSocket } from 'node:tls';

/** Names of the IANA "TLS Supported Groups" registry. */
const names: ReadonlyMap<number, string> = new Map([
  [0x0017, 'P-256'],
  [0x0018, 'P-384'],
  [0x0019, 'P-521'],
  [0x001d, 'X25519'],
  [0x001e, 'X448'],
  [0x0100, 'ffdhe2048'],
  [0x0101, 'ffdhe3072'],
  [0x0102, 'ffdhe4096'],
  [0x0200, 'MLKEM512'],
  [0x0201, 'MLKEM768'],
  [0x0202, 'MLKEM1024'],
  [0x11eb, 'SecP256r1MLKEM768'],
  [0x11ec, 'X25519MLKEM768'],
  [0x11ed, 'SecP384r1MLKEM1024'],
]);

/** The registry's names and OpenSSL's, where they differ, in lower case. */
const openSslNames: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp256r1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
  ['x25519', 'X25519'],
  ['x448', 'X448'],
]);

/** Which key exchange group a finished handshake used; undefined where it cannot be learned. */
export const negotiatedGroup = (socket: TLSSocket): string | undefined => {
  // Null tells that this is a server's socket; an empty object that there was no key exchange.
  const info = socket.getEphemeralKeyInfo();
  if (info !== null) {
    if (!('name' in info) || typeof info.name !== 'string') return undefined;
    return openSslNames.get(info.name.toLowerCase()) ?? info.name;
  }
  const session = socket.getSession();
  if (session === undefined) return undefined;
  const group = groupOfSession(session);
  session.fill(0);
  return group;
};

/** Context tag of `kex_group` in OpenSSL's SSL_SESSION_ASN1 (ssl/ssl_asn1.c, since 3.2). */
const groupTag = 0xa0 | 19;

/**
 * The group, read from the serialised session of a server's connection (DER of OpenSSL's SSL_SESSION).
 *
 * Node tells a client's group (`getEphemeralKeyInfo`) but not a server's, while OpenSSL records the group of the
 * latest key exchange in the session on both sides, also when TLS 1.3 resumes with another group. The session holds
 * the master secret: the caller overwrites it after this.
 */
export const groupOfSession = (session: Uint8Array): string | undefined => {
  const outer = element(session, 0);
  if (outer === undefined || outer.tag !== 0x30 || outer.end !== session.length) return undefined;
  for (let at = outer.start; at < outer.end; ) {
    const field = element(session, at);
    if (field === undefined || field.end > outer.end) return undefined;
    if (field.tag === groupTag) return groupName(session, field.start, field.end);
    at = field.end;
  }
  return undefined;
};

const groupName = (bytes: Uint8Array, from: number, to: number): string | undefined => {
  const integer = element(bytes, from);
  if (integer === undefined || integer.tag !== 2 || integer.end !== to || to - integer.start > 5)
    return undefined;
  let id = 0;
  for (let i = integer.start; i < integer.end; i++) id = id * 256 + bytes[i]!;
  return id === 0 ? undefined : (names.get(id) ?? `0x${id.toString(16).padStart(4, '0')}`);
};

/** One DER element with a tag of one byte. */
const element = (bytes: Uint8Array, at: number): { tag: number; start: number; end: number } | undefined => {
  const tag = bytes[at];
  let length = bytes[at + 1];
  if (tag === undefined || length === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 3) return undefined;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[start++] ?? 0);
  }
  const end = start + length;
  return end > bytes.length ? undefined : { tag, start, end };
};
