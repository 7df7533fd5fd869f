import { makeRequest } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse, SipUri } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { contactOf, party, product } from '../../call/messages.ts';

/** What a probe is sent with. */
export interface ProbeServices {
  readonly layer: TransactionLayer;
  now(): number;
  token(length: number): string;
  run(step: () => void): void;
  /** A flow to the address; undefined where none can be opened. */
  connect(candidate: Candidate): Promise<Flow | undefined>;
}

/** What came of a probe or a call: the status of its answer, why there was none, or that no media followed. */
export type ProbeResult = number | 'timeout' | 'transport' | 'no-media';

/** Asks one address with OPTIONS (RFC 3261 §11.1): any answer shows that somebody is there. */
export async function probe(
  services: ProbeServices,
  uri: SipUri,
  domain: string,
  candidate: Candidate,
  heard: (result: ProbeResult) => void,
  /** It has said what it is. */
  named: (product: string) => void = () => undefined,
): Promise<void> {
  const flow = await services.connect(candidate);
  services.run(() => {
    if (flow === undefined) return heard('transport');
    const target = sipUri({
      scheme: uri.scheme,
      host: uri.host,
      ...(uri.port === undefined ? {} : { port: uri.port }),
      params: uri.params,
    });
    const headers = new HeaderList();
    headers.add('Contact', contactOf(flow, services.token(8), uri.scheme === 'sips'));
    headers.add('Accept', 'application/sdp');
    headers.add('User-Agent', product);
    const request = makeRequest({
      method: 'OPTIONS',
      uri: target,
      from: party(sipUri({ host: domain }), undefined, services.token(16)),
      to: party(target, undefined),
      callId: services.token(24),
      cseq: { number: 1, method: 'OPTIONS' },
      headers,
    });
    services.layer.request(request, flow, services.now()).context = {
      response: ({ status, headers: own }: SipResponse): void => {
        if (status < 200) return;
        const product = own.get('Server') ?? own.get('User-Agent');
        if (product !== undefined) named(product);
        heard(status);
      },
      failed: (reason: string): void => heard(reason === 'timeout' ? 'timeout' : 'transport'),
    };
  });
}
