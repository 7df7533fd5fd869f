/** For tests: a phone on loopback that speaks ZRTP by itself, and SRTP once it has keys. */
import { randomBytes } from 'node:crypto';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import type { SrtpKeys, ZrtpOptions, ZrtpOutput, ZrtpSecuredOutput } from '@ringfence/zrtp/options.ts';
import { isZrtp } from '@ringfence/zrtp/packet.ts';
import type { RetainedSecrets } from '@ringfence/zrtp/retained-secret.ts';
import { ZrtpSession } from '@ringfence/zrtp/session.ts';
import { Phone, protect } from './loopback.ts';

export class ZrtpPhone {
  readonly phone: Phone;
  readonly session: ZrtpSession;
  readonly told: ZrtpOutput[] = [];
  /** What has come that is not ZRTP, as it came. */
  readonly media: Buffer[] = [];
  /** Sees the keys before they are taken for SRTP. */
  onKeys: (keys: SrtpKeys) => void = () => {};
  #port = 0;
  #send: SrtpContext | undefined;
  #receive: SrtpContext | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(phone: Phone, options: Partial<ZrtpOptions>) {
    this.phone = phone;
    this.session = new ZrtpSession({
      zid: randomBytes(12),
      ssrc: randomBytes(4).readUInt32BE(0),
      random: randomBytes,
      retained: () => undefined,
      ...options,
    });
    phone.rtp.on('message', (datagram) => this.#onDatagram(datagram));
  }

  static async open(options: Partial<ZrtpOptions> = {}): Promise<ZrtpPhone> {
    return new ZrtpPhone(await Phone.open(), options);
  }

  get secured(): ZrtpSecuredOutput | undefined {
    return this.told.findLast((output) => output.kind === 'secured');
  }

  /** The string that its user sees: that of its PBX where it trusts one, else its own. */
  get shown(): string | undefined {
    const relayed = this.told.findLast((output) => output.kind === 'sas-relayed' && output.sas !== undefined);
    return relayed?.kind === 'sas-relayed' ? relayed.sas : this.secured?.sas;
  }

  /** What is to be kept of the other end as of now. */
  get retained(): RetainedSecrets | undefined {
    const last = this.told.findLast((output) => output.kind === 'retain' || output.kind === 'secured');
    return last?.kind === 'retain' || last?.kind === 'secured' ? last.retained : undefined;
  }

  /** Its user trusts the PBX that has offered it. */
  enroll(): void {
    this.session.enroll();
    this.#settle();
  }

  /** Begins with Hellos to that port. */
  start(port: number): void {
    this.#port = port;
    this.session.start(performance.now());
    this.#settle();
  }

  /** Sends a packet of RTP as SRTP, or plain as long as there are no keys. */
  say(packet: Uint8Array): void {
    this.phone.rtp.send(protect(this.#send, packet), this.#port, '127.0.0.1');
  }

  /** The payloads that have come, decrypted; what does not open is left out. */
  heard(): readonly Uint8Array[] {
    return this.media.splice(0).flatMap((packet) => {
      const opened = this.#receive?.unprotectRtp(packet);
      return opened?.ok ? [opened.value] : [];
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.session.close();
    this.phone.close();
  }

  #onDatagram(datagram: Buffer): void {
    if (!isZrtp(datagram)) {
      this.media.push(datagram);
      return;
    }
    this.session.receive(datagram, performance.now());
    this.#settle();
  }

  #settle(): void {
    for (const output of this.session.take()) {
      if (output.kind === 'send') this.phone.rtp.send(output.bytes, this.#port, '127.0.0.1');
      else this.told.push(output);
      if (output.kind !== 'receivable' && output.kind !== 'secured') continue;
      const { suite, send, receive } = output.keys;
      this.onKeys(output.keys);
      this.#receive ??= new SrtpContext({ suite, material: receive });
      if (output.kind === 'secured') this.#send = new SrtpContext({ suite, material: send });
    }
    clearTimeout(this.#timer);
    const wait = this.session.nextAt - performance.now();
    if (wait === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.session.tick(performance.now());
        this.#settle();
      },
      Math.max(1, wait),
    );
  }
}
