import type { Transport } from '@ringfence/sip/transport/flow.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import type { Encryption } from '../config/schema.ts';

/** What protected one leg of one call. Sealed into the CDR when the call ends; the padlock's only source. */
export interface LegProtection {
  readonly leg: number;
  readonly party: string;
  readonly demanded: Encryption;
  readonly signalling: {
    readonly transport: Transport;
    readonly version?: string;
    readonly cipher?: string;
    readonly group?: string;
    readonly peerNames?: readonly string[];
    readonly peerFingerprint?: string;
  };
  readonly media: {
    readonly protocol: 'srtp' | 'rtp' | 'none';
    readonly suite?: Suite;
    readonly keyExchange?: 'sdes';
    /** True where SRTP keys crossed signalling, or the way to a media engine, unencrypted: then SRTP protects nothing. */
    readonly keysExposed?: boolean;
    /** The media engine that holds the keys and sees the voice, where it is not our own media process. */
    readonly keysAt?: string;
  };
}
