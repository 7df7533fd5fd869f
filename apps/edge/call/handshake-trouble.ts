import type { HandshakeEvent, Unsecured } from '@ringfence/relay/handshake.ts';

const reasons: Readonly<Record<Unsecured['reason'], string>> = {
  fingerprint: 'The certificate of the DTLS handshake is not the one that SDP named',
  'hello-hash': 'The ZRTP Hello is not the one that SDP named',
  'no-common-suite': 'DTLS found no SRTP suite in common',
  timeout: 'The DTLS handshake was not answered',
  alert: 'The peer has broken off the DTLS handshake',
  protocol: 'The DTLS handshake broke the protocol',
  authentication: 'The DTLS handshake could not be authenticated',
};

/** Nothing has come of the peer: it may not have begun. */
export const isSilence = (event: HandshakeEvent): boolean =>
  (event.kind === 'ice' && event.state === 'failed') ||
  (event.kind === 'unsecured' && event.by === 'dtls' && event.reason === 'timeout');

/** Why a call cannot go on after that, for Reason and Warning; undefined where it can. */
export function handshakeTrouble(event: HandshakeEvent): string | undefined {
  // Whether media without keys by ZRTP may pass is for the ZRTP policy of its leg to say.
  if (event.kind === 'unsecured') return event.by === 'dtls' ? reasons[event.reason] : undefined;
  return event.kind === 'ice' && event.state === 'failed'
    ? 'ICE found no way for the media between the two addresses'
    : undefined;
}
