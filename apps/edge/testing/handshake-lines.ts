import { dtlsAttributes, serializeFingerprint } from '@ringfence/sdp/dtls.ts';
import { iceAttributes } from '@ringfence/sdp/ice.ts';
import type { MediaDescription, SessionDescription } from '@ringfence/sdp/session.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';

/** What a phone of the tests has for DTLS and ICE; changed by tests that begin anew. */
export interface PhoneHandshakes {
  /** Another number, another certificate. */
  certificate: number;
  tlsId: string | undefined;
  ufrag: string;
  /** Its part where the edge leaves it the choice. */
  setup: 'active' | 'passive';
  /** ICE is lite. */
  lite: boolean;
  mid: string;
}

export const newHandshakes = (certificate: number): PhoneHandshakes => ({
  certificate,
  tlsId: `association-of-phone-${certificate}`,
  ufrag: `peer${certificate}`,
  setup: 'active',
  lite: false,
  mid: 'voice',
});

export const certificateOf = ({ certificate }: PhoneHandshakes): Uint8Array =>
  new SeededRandom(certificate).bytes(32);

/** Lines of a stream that is offered; with ICE as browsers write them. */
export function offeredLines(own: PhoneHandshakes, ice: boolean): { session: string[]; stream: string[] } {
  return linesOf(own, 'actpass', ice, true, true);
}

/** Lines of the answer to such an offer. */
export function answeredLines(
  own: PhoneHandshakes,
  session: SessionDescription,
  media: MediaDescription,
): { session: string[]; stream: string[] } {
  const dtls = dtlsAttributes(session, media);
  const ice = iceAttributes(session, media);
  const setup = dtls?.setup === 'actpass' ? own.setup : dtls?.setup === 'active' ? 'passive' : 'active';
  return linesOf(own, dtls === undefined ? undefined : setup, ice !== undefined, ice !== undefined, false);
}

function linesOf(
  own: PhoneHandshakes,
  setup: string | undefined,
  ice: boolean,
  bundle: boolean,
  offer: boolean,
): { session: string[]; stream: string[] } {
  const session: string[] = [];
  const stream: string[] = ['a=rtcp-mux'];
  if (ice) {
    if (own.lite) session.push('a=ice-lite');
    if (bundle) session.push(`a=group:BUNDLE ${offer ? own.mid : '0'}`);
    stream.push(
      `a=mid:${offer ? own.mid : '0'}`,
      `a=ice-ufrag:${own.ufrag}`,
      'a=ice-pwd:asd88fgpdd777uzjYhagZg',
      'a=ice-options:trickle',
      'a=candidate:1 1 udp 2130706431 10.9.8.7 40000 typ host',
    );
  }
  if (setup !== undefined) {
    stream.push(
      `a=fingerprint:${serializeFingerprint({ hash: 'sha-256', value: certificateOf(own) })}`,
      `a=setup:${setup}`,
    );
    if (own.tlsId !== undefined) stream.push(`a=tls-id:${own.tlsId}`);
  }
  return { session, stream };
}
