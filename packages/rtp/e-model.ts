/**
 * What loss does to a codec: equipment impairment factor and packet-loss robustness factor, ITU-T G.107 §7.5.
 */
export interface CodecImpairment {
  /** Ie, 0 to 95. */
  readonly ie: number;
  /** Bpl, for random loss. */
  readonly bpl: number;
  readonly source: 'G.113 appendix I' | 'assumed';
  /** Of the scale of G.107.1, which goes to 129. Absent: that of G.107. */
  readonly wideband?: true;
}

/**
 * Planning values of ITU-T G.113 appendix I, tables I.1, I.3 and I.4, by encoding name.
 *
 * G.711 without concealment has Bpl 4.3, with concealment of G.711 appendix I 25.1; phones conceal, so that is the
 * default. What appendix I does not list is marked `assumed`: G.726 and G.728 have an Ie there but no Bpl, and get
 * one of codecs alike. AMR is taken at 12.2 kbit/s, where it is GSM-EFR.
 *
 * Wideband codecs stand on the scale of G.107.1. Their values are assumed until they have been held against G.113
 * appendix IV; ITU-T gives none for Opus. Bpl is that of a codec without redundancy for G.722 and
 * AMR-WB, of one whose in-band correction makes up for single losses (RFC 6716 §2.1.7) for Opus.
 */
export const codecs = {
  G711: { ie: 0, bpl: 25.1, source: 'G.113 appendix I' },
  'G711-without-concealment': { ie: 0, bpl: 4.3, source: 'G.113 appendix I' },
  /** 8 kbit/s, G.729A with voice activity detection. */
  G729: { ie: 11, bpl: 19, source: 'G.113 appendix I' },
  /** 6.3 kbit/s, G.723.1 with voice activity detection. */
  G723: { ie: 15, bpl: 16.1, source: 'G.113 appendix I' },
  'GSM-EFR': { ie: 5, bpl: 10, source: 'G.113 appendix I' },
  /** Ie of appendix I, Bpl assumed as for GSM-EFR. */
  GSM: { ie: 20, bpl: 10, source: 'assumed' },
  /** 32 kbit/s; Ie of appendix I, Bpl assumed as for G.729. */
  G726: { ie: 7, bpl: 19, source: 'assumed' },
  /** 16 kbit/s; Ie of appendix I, Bpl assumed as for G.729. */
  G728: { ie: 7, bpl: 19, source: 'assumed' },
  /** 64 kbit/s. */
  G722: { ie: 13, bpl: 5, source: 'assumed', wideband: true },
  /** 12.65 kbit/s, what mobile networks use. */
  'AMR-WB': { ie: 13, bpl: 5, source: 'assumed', wideband: true },
  OPUS: { ie: 0, bpl: 15, source: 'assumed', wideband: true },
} as const satisfies Record<string, CodecImpairment>;

const byEncoding: ReadonlyMap<string, CodecImpairment> = new Map<string, CodecImpairment>([
  ['pcmu', codecs.G711],
  ['pcma', codecs.G711],
  ['g722', codecs.G722],
  ['g723', codecs.G723],
  ['g726-32', codecs.G726],
  ['g728', codecs.G728],
  ['g729', codecs.G729],
  ['gsm', codecs.GSM],
  ['gsm-efr', codecs['GSM-EFR']],
  ['amr', codecs['GSM-EFR']],
  ['amr-wb', codecs['AMR-WB']],
  ['opus', codecs.OPUS],
]);

/** The values of an RTP encoding name (RFC 3551 §6); `undefined` for one that we do not know. */
export const codecImpairment = (encoding: string): CodecImpairment | undefined =>
  byEncoding.get(encoding.toLowerCase());

export interface Transmission {
  /** Network, mouth to ear without jitter buffer and codec, one way, milliseconds. */
  readonly delayMs: number;
  /** Interarrival jitter of RFC 3550, milliseconds. */
  readonly jitterMs: number;
  /** Packets lost, 0 to 100. */
  readonly lossPercent: number;
  /** Mean length of a burst of losses, by what random loss would give; 1 is random, the default. G.107 §7.5. */
  readonly burstRatio?: number;
  readonly codec: CodecImpairment;
}

/** Ro - Is with all parameters of G.107 table 3 at their defaults, echo of a perfect canceller included. */
export const defaultRating = 93.2;

/** The same on the wideband scale, where nothing impairs by default: G.107.1 §7.1. */
export const defaultWidebandRating = 129;

/** Packetization and look-ahead of a phone that sends 20 ms packets, milliseconds. */
const codecDelayMs = 25;

/**
 * The rating R of ITU-T G.107 (06/2015) with default values for all that the network cannot tell.
 *
 * Assumptions: a jitter buffer that holds twice the jitter and loses nothing more; 25 ms of coding; no echo; no
 * advantage factor. From 0 to 100; to 129 for a wideband codec, by G.107.1 with its own default.
 */
export function rating(transmission: Transmission): number {
  const { codec } = transmission;
  const absoluteDelay = transmission.delayMs + 2 * transmission.jitterMs + codecDelayMs;
  const loss = Math.min(100, Math.max(0, transmission.lossPercent));
  const best = codec.wideband === true ? defaultWidebandRating : defaultRating;
  const r =
    best -
    delayImpairment(absoluteDelay) -
    effectiveEquipmentImpairment(codec, loss, transmission.burstRatio ?? 1);
  return Math.min(codec.wideband === true ? best : 100, Math.max(0, r));
}

/** Idd, G.107 §7.4 equations 7-27 and 7-28, with sT = 1 and mT = 100 ms. */
export function delayImpairment(absoluteDelayMs: number): number {
  if (!(absoluteDelayMs > 100)) return 0;
  const x = Math.log2(absoluteDelayMs / 100);
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}

/** Ie,eff, G.107 §7.5 equation 7-29. */
export function effectiveEquipmentImpairment(
  codec: CodecImpairment,
  lossPercent: number,
  burstRatio: number,
): number {
  if (lossPercent === 0) return codec.ie;
  return codec.ie + (95 - codec.ie) * (lossPercent / (lossPercent / burstRatio + codec.bpl));
}

/** Mean opinion score of a rating, G.107 annex B: 1 to 4.5. */
export function meanOpinionScore(r: number): number {
  if (!(r > 0)) return 1;
  if (r >= 100) return 4.5;
  // The polynomial dips below 1 for very small R.
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

/**
 * The estimated listening and conversation quality of one direction, 1 to 4.5. What a wideband call and a narrowband
 * one score is each on its own scale: 4.4 of the one does not sound as 4.4 of the other.
 */
export function mos(transmission: Transmission): number {
  const r = rating(transmission);
  // G.107.1 annex A: a wideband rating is brought to 100 first.
  return meanOpinionScore(transmission.codec.wideband === true ? r / 1.29 : r);
}
