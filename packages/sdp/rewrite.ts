import type { Direction } from './attribute.ts';
import type { CryptoAttribute } from './crypto.ts';
import type { MediaDescription } from './session.ts';

/** What our own end says of one stream; nothing here comes from the other side. */
export interface MediaAnchor {
  /** Our IPv4 or IPv6 literal. */
  readonly address: string;
  /** 0 refuses the stream; then nothing but its `m=` line is written. */
  readonly port: number;
  /** `RTP/AVP`, `RTP/SAVP`, ..., `udptl`. Default: the other side's. */
  readonly protocol?: string;
  /** Written as `a=rtcp` where it is not `port + 1` (RFC 3605). */
  readonly rtcpPort?: number;
  /** Writes `a=rtcp-mux` (RFC 5761). Default false. */
  readonly rtcpMux?: boolean;
  readonly crypto?: readonly CryptoAttribute[];
  /** Default: the other side's. */
  readonly direction?: Direction;
  /** Which formats to keep. Default all. */
  readonly keepFormat?: (format: string) => boolean;
}

/** Who we are in the new description. */
export interface Rebuild {
  readonly origin: {
    readonly username: string;
    readonly sessionId: string | number;
    readonly version: string | number;
    readonly address: string;
  };
  /** Default `-`, RFC 8866 §5.3. */
  readonly sessionName?: string;
  readonly media: (index: number, media: MediaDescription) => MediaAnchor;
}
