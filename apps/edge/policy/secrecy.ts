import { nameOf } from './leg-level.ts';
import type { LegProtection } from './protection.ts';

export type Answer = 'yes' | 'no' | 'unknown';

/** What becomes of one leg's voice, recorded encrypted today, once keys or computers are better than they are now. */
export interface Secrecy {
  readonly leg: number;
  /** `SDES over TLS X25519MLKEM768`, `DTLS X25519`, `ZRTP DH3k`; `none`. */
  readonly keyExchange: string;
  /** Whoever gets the long-lived keys later cannot read what was recorded before. */
  readonly forward: Answer;
  /** Nor can a quantum computer. */
  readonly postQuantum: Answer;
}

/** Hybrids of the IANA "TLS Supported Groups" registry; ML-KEM by itself is as safe from quantum computers. */
const isPostQuantum = (group: string): boolean => group.toUpperCase().includes('MLKEM');

/** SDES keys are as safe as the TLS that carried them (RFC 4568 §7), those of DTLS and ZRTP as their own key exchange. */
export function secrecyOf({ leg, signalling, media }: LegProtection): Secrecy {
  const none: Secrecy = { leg, keyExchange: 'none', forward: 'no', postQuantum: 'no' };
  if (media.protocol !== 'srtp' || media.keysExposed === true) return none;
  switch (media.keyExchange) {
    case 'sdes': {
      const { version, cipher = '', group } = signalling;
      if (version === undefined) return none;
      const ephemeral =
        version === 'TLSv1.3' || group !== undefined || /^(?:TLS_)?(?:EC)?DHE[-_]/.test(cipher);
      return {
        leg,
        keyExchange: `SDES over ${ephemeral ? `TLS ${group ?? 'of unknown group'}` : `${version} without forward secrecy`}`,
        forward: ephemeral ? 'yes' : 'no',
        postQuantum: group === undefined ? (ephemeral ? 'unknown' : 'no') : answer(isPostQuantum(group)),
      };
    }
    case 'dtls': {
      const group = media.dtls?.group ?? '';
      return {
        leg,
        keyExchange: `DTLS ${group || 'of unknown group'}`,
        // RFC 8827 §6.5 and our own list: no cipher suite without ephemeral keys is ever offered.
        forward: 'yes',
        postQuantum: group === '' ? 'unknown' : answer(isPostQuantum(group)),
      };
    }
    case 'zrtp': {
      const group = media.zrtp?.group ?? '';
      return {
        leg,
        keyExchange: `ZRTP ${group || 'of unknown key agreement'}`,
        // RFC 6189 §4.4.2: Preshared mode has none; what passed us unseen may be it.
        forward: group === '' ? 'unknown' : answer(!group.startsWith('Prsh')),
        postQuantum: 'no',
      };
    }
    default:
      return none;
  }
}

/** In one sentence; empty where there is nothing to tell. */
export function secrecyText(legs: readonly LegProtection[]): string {
  const clauses: string[] = [];
  for (const leg of legs) {
    const { keyExchange, forward, postQuantum } = secrecyOf(leg);
    if (keyExchange === 'none') continue;
    const where = `the side of ${nameOf(leg.party)} (${keyExchange})`;
    if (forward === 'no') clauses.push(`${where} can be read by whoever gets the long-lived key later`);
    else if (postQuantum === 'no') clauses.push(`${where} can be read with a quantum computer of tomorrow`);
    else if (postQuantum === 'unknown' || forward === 'unknown')
      clauses.push(`of ${where} it is not known how long a recording stays secret`);
    else clauses.push(`${where} stays secret from a quantum computer too`);
  }
  return clauses.length === 0 ? '' : `Recorded today, ${clauses.join('; ')}.`;
}

const answer = (yes: boolean): Answer => (yes ? 'yes' : 'no');
