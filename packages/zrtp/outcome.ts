import { groupOf } from './algorithm.ts';
import type { Exchange } from './exchange.ts';
import type { ConfirmContent } from './message/confirm.ts';
import { clientName } from './message/hello.ts';
import type { SrtpKeys, ZrtpSecuredOutput } from './options.ts';
import type { Peer } from './peer.ts';
import type { RetainedSecrets } from './retained-secret.ts';
import { renderSas } from './sas.ts';
import { zrtpVersion } from './zrtp-hash.ts';

/** Whether the secret of earlier calls is still what it was, RFC 6189 §4.3.2. */
export function continuityOf(exchange: Exchange): 'new' | 'continued' | 'mismatch' {
  if (exchange.choice.keyAgreement === 'Prsh' || exchange.shared.s1 !== undefined) return 'continued';
  const { held } = exchange;
  return held?.rs1 === undefined || held.expired === true ? 'new' : 'mismatch';
}

/** The V flag that we send: only of a secret that both ends still hold, RFC 6189 §7.1. */
export const wasVerified = (exchange: Exchange): boolean =>
  exchange.held?.verified === true && continuityOf(exchange) === 'continued';

/** What is kept after this exchange, RFC 6189 §4.6.1: DH moves rs1 to rs2, Preshared replaces rs1 alone. */
export function nextRetained(
  exchange: Exchange,
  verified: boolean,
  pbx: Uint8Array | undefined,
): RetainedSecrets | undefined {
  if (exchange.rs1 === undefined) return undefined;
  const { held } = exchange;
  const rs2 = exchange.choice.keyAgreement === 'Prsh' ? held?.rs2 : held?.rs1;
  return {
    rs1: exchange.rs1.slice(),
    ...(rs2 && { rs2: rs2.slice() }),
    ...(pbx && { pbx }),
    ...(held?.aux && { aux: held.aux }),
    verified,
  };
}

/** Copies for whoever speaks SRTP. */
export const srtpKeys = (exchange: Exchange): SrtpKeys => ({
  suite: exchange.keys!.suite,
  send: exchange.own.srtp.slice(),
  receive: exchange.theirs.srtp.slice(),
});

/** Everything that is told once both ends have confirmed. */
export function securedOutput(
  exchange: Exchange,
  peer: Peer,
  confirm: ConfirmContent,
  ownCacheSeconds: number,
  pbx: Uint8Array | undefined,
): ZrtpSecuredOutput {
  const { choice, role, sasHash, held } = exchange;
  const continuity = exchange.rs1 === undefined ? 'continued' : continuityOf(exchange);
  const verified = wasVerified(exchange) && confirm.verified;
  const cacheSeconds = Math.min(ownCacheSeconds, confirm.cacheSeconds);
  // §4.6.1.1: after a mismatch nothing is kept before people have compared the SAS.
  const keep = cacheSeconds > 0 && continuity !== 'mismatch';
  const retained = keep ? nextRetained(exchange, wasVerified(exchange), pbx) : undefined;
  return {
    kind: 'secured',
    role,
    version: zrtpVersion,
    choice,
    group: groupOf[choice.keyAgreement],
    keys: srtpKeys(exchange),
    peerZid: peer.zid,
    peerClientId: clientName(peer.hello),
    ...(sasHash && { sasHash, sas: renderSas(sasHash, choice.sas)! }),
    continuity,
    verified,
    auxMatched: held?.aux === undefined ? undefined : exchange.shared.s2 !== undefined,
    enrolled: exchange.shared.s3 !== undefined,
    peer: {
      verified: confirm.verified,
      allowClear: confirm.allowClear,
      disclosure: confirm.disclosure,
      enrollment: confirm.enrollment,
    },
    ...(retained && { retained }),
    cacheSeconds,
  };
}
