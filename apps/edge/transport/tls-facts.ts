import type { TLSSocket } from 'node:tls';
import type { TlsFacts } from '@ringfence/sip/transport/flow.ts';
import { negotiatedGroup } from './tls-group.ts';
import { peerNames } from './tls-identity.ts';
import { issuersOf } from './tls-issuers.ts';

/** What a finished handshake negotiated. Names are told only when the peer's certificate was verified. */
export const readTlsFacts = (socket: TLSSocket): TlsFacts => {
  const group = negotiatedGroup(socket);
  const peer = socket.getPeerCertificate(true);
  // Node gives an empty object when the peer sent none.
  const fingerprint: string | undefined = peer?.fingerprint256;
  return {
    version: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    ...(group === undefined ? {} : { group }),
    ...(fingerprint === undefined || !socket.authorized ? {} : { peerNames: peerNames(peer.subjectaltname) }),
    ...(fingerprint === undefined ? {} : { peerFingerprint: fingerprint }),
    ...(fingerprint === undefined || !socket.authorized ? {} : { peerIssuers: issuersOf(peer) }),
  };
};
