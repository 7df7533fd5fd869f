import type { Bencoded } from './bencode.ts';
import { asDictionary, asList, asNumber, asText, type NgReply } from './exchange.ts';

/** One socket of one party, as `query` and `delete` tell of it. */
export interface NgStream {
  readonly localAddress: string;
  readonly localPort: number;
  /** Where packets go: what was signalled, or what was learned since. Empty where nothing is known. */
  readonly address: string;
  readonly port: number;
  /** Packets and octets that came in here, and those that could not be dealt with. */
  readonly packets: number;
  readonly octets: number;
  readonly errors: number;
  /** What came in last; 0 before the first packet. */
  readonly ssrc: number;
  /** SDES suite in use; empty for plain RTP. */
  readonly suite: string;
}

/** What RTCP reports that went through have said of one source. Averages over the reports. */
export interface NgSource {
  readonly cumulativeLoss: number;
  /** In ms. */
  readonly jitterMs: number;
  readonly reports: number;
}

export interface NgStatistics {
  /** By tag, the streams of its first medium: RTP, then RTCP. */
  readonly parties: ReadonlyMap<string, readonly NgStream[]>;
  readonly sources: ReadonlyMap<number, NgSource>;
}

/** Parties, streams and sources that are read of one reply; further ones are left out. */
const most = { parties: 8, streams: 8, sources: 64 } as const;

/** Reads what rtpengine 10.5 says in reply to `query` and `delete`; what is missing reads as 0 or empty. */
export function readStatistics(reply: NgReply): NgStatistics {
  const parties = new Map<string, readonly NgStream[]>();
  for (const [tag, party] of [...(asDictionary(reply.get('tags')) ?? [])].slice(0, most.parties)) {
    const medium = asDictionary(asList(asDictionary(party)?.get('medias'))[0]);
    parties.set(tag, asList(medium?.get('streams')).slice(0, most.streams).map(readStream));
  }
  const sources = new Map<number, NgSource>();
  for (const [ssrc, source] of [...(asDictionary(reply.get('SSRC')) ?? [])].slice(0, most.sources)) {
    const values = asDictionary(source);
    const average = asDictionary(values?.get('average MOS'));
    sources.set(Number(ssrc), {
      cumulativeLoss: asNumber(values?.get('cumulative loss')),
      jitterMs: asNumber(average?.get('jitter')),
      reports: asNumber(average?.get('samples')),
    });
  }
  return { parties, sources };
}

function readStream(value: Bencoded): NgStream {
  const stream = asDictionary(value);
  const endpoint = asDictionary(stream?.get('endpoint'));
  const stats = asDictionary(stream?.get('stats'));
  return {
    localAddress: asText(stream?.get('local address')),
    localPort: asNumber(stream?.get('local port')),
    address: asText(endpoint?.get('address')),
    port: asNumber(endpoint?.get('port')),
    packets: asNumber(stats?.get('packets')),
    octets: asNumber(stats?.get('bytes')),
    errors: asNumber(stats?.get('errors')),
    ssrc: asNumber(stream?.get('SSRC')),
    suite: asText(stream?.get('crypto suite')),
  };
}
