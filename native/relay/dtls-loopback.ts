/** For tests: a phone whose keys come by DTLS, and a leg of the relay that faces it. */
import assert from 'node:assert/strict';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import type { EndpointConfig, EndpointOpened, RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { NativeAssociation, NativeCertificate } from './dtls.ts';
import { type DtlsConfig, type DtlsSuite, dtlsSuites, type Fingerprint } from './handshake.ts';
import { openAll, Phone } from './loopback.ts';

export const isDtls = (packet: Uint8Array): boolean => (packet[0] ?? 0) >= 20 && (packet[0] ?? 0) <= 63;

/** A leg that does DTLS, linked with one of plain RTP whose phone is `far`. */
export interface DtlsCall {
  readonly phone: Phone;
  readonly far: Phone;
  readonly near: EndpointOpened;
  readonly out: EndpointOpened;
  configure(change: Partial<DtlsConfig> & Pick<DtlsConfig, 'role' | 'fingerprints'>, at?: Phone): void;
  close(): Promise<void>;
}

export const mux = { local: '127.0.0.1', ports: 'mux', dscp: 46, suites: [] } as const;

export async function dtlsCall(relay: RunningRelay): Promise<DtlsCall> {
  const phone = await Phone.open('127.0.0.1', true);
  const far = await Phone.open('127.0.0.1', true);
  const [near, out] = await openAll(relay, [
    { ...mux, dtls: true },
    { ...mux, config: { media: 'rtp', remote: far.remote } },
  ]);
  assert.ok(near?.dtls && out);
  relay.link(near.id, out.id);
  return {
    phone,
    far,
    near,
    out,
    configure: (change, at = phone) => {
      const config: EndpointConfig = {
        media: 'srtp',
        remote: at.remote,
        dtls: { suites: dtlsSuites, ...change },
      };
      relay.configure(near.id, config);
    },
    close: async () => {
      phone.close();
      far.close();
      await relay.close([near.id, out.id]);
    },
  };
}

/** The phone's end of the handshake, over its socket. */
export class DtlsPeer {
  static readonly #open = new Set<DtlsPeer>();
  readonly certificate: NativeCertificate;
  readonly association: NativeAssociation;
  readonly #phone: Phone;
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;

  constructor(
    { phone, near }: Pick<DtlsCall, 'phone' | 'near'>,
    role: 'client' | 'server',
    {
      certificate = new NativeCertificate(),
      suites = dtlsSuites,
      expects = near.dtls,
    }: {
      certificate?: NativeCertificate;
      suites?: readonly DtlsSuite[];
      expects?: Fingerprint | undefined;
    } = {},
  ) {
    this.certificate = certificate;
    this.#phone = phone;
    this.#port = near.rtpPort;
    assert.ok(expects);
    this.association = new NativeAssociation({
      certificate,
      role,
      fingerprints: [expects],
      suites,
      retransmitMs: 50,
    });
    phone.rtp.on('message', this.#receive);
    DtlsPeer.#open.add(this);
    this.#timer = setInterval(() => this.send(this.association.passTime()), 10);
  }

  readonly #receive = (datagram: Uint8Array): void => {
    if (isDtls(datagram)) this.send(this.association.receive(datagram));
  };

  start(): void {
    this.send(this.association.start());
  }

  send(datagrams: readonly Uint8Array[]): void {
    for (const datagram of datagrams) this.#phone.rtp.send(datagram, this.#port, '127.0.0.1');
  }

  /** Contexts of this end, once secured. */
  contexts(): { readonly sends: SrtpContext; readonly receives: SrtpContext; readonly suite: Suite } {
    const { suite, sendKey, receiveKey, detail } = this.association.look();
    assert.ok(suite && sendKey.length > 0, `no keys: ${detail}`);
    return {
      suite,
      sends: new SrtpContext({ suite, material: sendKey }),
      receives: new SrtpContext({ suite, material: receiveKey }),
    };
  }

  /** What a failed test has left. */
  static stopAll(): void {
    for (const peer of DtlsPeer.#open) peer.stop();
  }

  stop(): void {
    DtlsPeer.#open.delete(this);
    clearInterval(this.#timer);
    this.#phone.rtp.off('message', this.#receive);
  }
}

/** What was told of an endpoint, of one kind. */
export function told<Kind extends RelayEvent['kind']>(
  events: readonly RelayEvent[],
  kind: Kind,
  id: number,
): Extract<RelayEvent, { readonly kind: Kind }>[] {
  return events.filter(
    (event): event is Extract<RelayEvent, { readonly kind: Kind }> =>
      event.kind === kind && 'endpoint' in event && event.endpoint === id,
  );
}
