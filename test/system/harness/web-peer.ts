/** A peer with ICE and DTLS-SRTP as browsers have them: werift, with session descriptions and packets in the test's hands. */
import { randomBytes } from 'node:crypto';
import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpHeader, RtpPacket } from 'werift';
import { pause, until } from './waiting.ts';

const loopback = '127.0.0.1';

export class WebPeer {
  /** Payloads that came through DTLS-SRTP, in the order of their arrival. */
  readonly heard: Uint8Array[] = [];
  readonly said: Uint8Array[] = [];
  readonly connection: RTCPeerConnection;
  readonly #track: MediaStreamTrack;
  readonly #listened = new Set<object>();
  #sequence = 1000;

  constructor() {
    this.connection = new RTCPeerConnection({
      codecs: {
        audio: [
          new RTCRtpCodecParameters({ mimeType: 'audio/PCMU', clockRate: 8000, channels: 1, payloadType: 0 }),
        ],
      },
      iceServers: [],
      iceUseIpv6: false,
      iceUseTcp: false,
      iceInterfaceAddresses: { udp4: loopback },
      iceAdditionalHostAddresses: [loopback],
    });
    this.#track = new MediaStreamTrack({ kind: 'audio' });
    this.connection.addTransceiver(this.#track, { direction: 'sendrecv' });
  }

  get secured(): boolean {
    return this.connection.connectionState === 'connected';
  }

  get state(): string {
    return this.connection.connectionState;
  }

  async offer(): Promise<string> {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    return this.#described();
  }

  async answer(offer: string): Promise<string> {
    await this.connection.setRemoteDescription({ type: 'offer', sdp: offer });
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    return this.#described();
  }

  async take(answer: string): Promise<void> {
    await this.connection.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  /** Sends so many packets of random sound, 4 ms apart. */
  async say(packets: number): Promise<void> {
    for (let i = 0; i < packets; i += 1) {
      const payload = randomBytes(160);
      this.said.push(new Uint8Array(payload));
      this.#sequence += 1;
      const header = new RtpHeader({
        version: 2,
        payloadType: 0,
        sequenceNumber: this.#sequence,
        timestamp: 160 * this.#sequence,
      });
      this.#track.writeRtp(new RtpPacket(header, payload));
      await pause(4);
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** Once all candidates are there, those of loopback alone. */
  async #described(): Promise<string> {
    // Packets are taken where they are decrypted: SSRCs are not in the edge's descriptions, and werift asks for them.
    for (const transport of this.connection.dtlsTransports) {
      if (this.#listened.has(transport)) continue;
      this.#listened.add(transport);
      transport.onRtp.subscribe((packet) => this.heard.push(new Uint8Array(packet.payload)));
    }
    await until('the candidates of the peer', () => this.connection.iceGatheringState === 'complete');
    const sdp = this.connection.localDescription?.sdp ?? '';
    return sdp
      .split('\r\n')
      .filter((line) => !line.startsWith('a=candidate:') || line.includes(` ${loopback} `))
      .join('\r\n');
  }
}
