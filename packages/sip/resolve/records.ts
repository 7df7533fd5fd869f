/** SRV record, RFC 2782. */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** Name without trailing dot; empty for `.`, the service that is decidedly not there. */
  readonly target: string;
}

/** NAPTR record, RFC 3403 §4.1; for SIP the regular expression is empty (RFC 3263 §4.1). */
export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly regexp: string;
  /** Name without trailing dot. */
  readonly replacement: string;
}

export type DnsQuery =
  | { readonly kind: 'query'; readonly type: 'NAPTR'; readonly name: string }
  | { readonly kind: 'query'; readonly type: 'SRV'; readonly name: string }
  | { readonly kind: 'query'; readonly type: 'A' | 'AAAA'; readonly name: string };

export type DnsType = DnsQuery['type'];

export type DnsAnswer =
  | { readonly type: 'NAPTR'; readonly name: string; readonly records: readonly NaptrRecord[] }
  | { readonly type: 'SRV'; readonly name: string; readonly records: readonly SrvRecord[] }
  /** Addresses in text form. */
  | { readonly type: 'A' | 'AAAA'; readonly name: string; readonly records: readonly string[] };

/** A number in [0, 1), from whoever owns randomness. */
export type Random = () => number;

/**
 * SRV records in the order in which to try them, RFC 2782: by priority, within one at random by weight.
 *
 * Records of weight 0 come first into the draw, so that they have a small chance of their own.
 */
export function orderSrv(records: readonly SrvRecord[], random: Random): SrvRecord[] {
  const sorted = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: SrvRecord[] = [];
  for (let start = 0; start < sorted.length; ) {
    const priority = sorted[start]?.priority;
    let end = start;
    while (end < sorted.length && sorted[end]?.priority === priority) end++;
    const group = sorted.slice(start, end);
    let sum = group.reduce((total, record) => total + record.weight, 0);
    while (group.length > 0) {
      const drawn = Math.floor(random() * (sum + 1));
      let running = 0;
      const index = group.findIndex((record) => {
        running += record.weight;
        return running >= drawn;
      });
      const [chosen] = group.splice(index, 1);
      if (chosen === undefined) break;
      sum -= chosen.weight;
      ordered.push(chosen);
    }
    start = end;
  }
  return ordered;
}

/** NAPTR records by order and preference, RFC 3403 §4.1. */
export function orderNaptr(records: readonly NaptrRecord[]): NaptrRecord[] {
  return [...records].sort((a, b) => a.order - b.order || a.preference - b.preference);
}
