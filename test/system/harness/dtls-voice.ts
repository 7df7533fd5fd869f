/** The media of a phone whose keys come by DTLS without ICE: it offers, and begins each association itself. */
import { NativeAssociation, NativeCertificate } from '@ringfence/relay/dtls.ts';
import { dtlsSuites } from '@ringfence/relay/handshake.ts';
import { dtlsAttributes, serializeFingerprint } from '@ringfence/sdp/dtls.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import { connectionOf } from '@ringfence/sdp/session.ts';
import type { Voice } from './voice.ts';

const lookMs = 20;

export class DtlsVoice {
  readonly voice: Voice;
  /** Associations that came to keys. */
  secured = 0;
  readonly #certificate = new NativeCertificate();
  readonly #timer: NodeJS.Timeout;
  #association: NativeAssociation | undefined;
  #done = false;

  /** Of a voice that has no keys of its own. */
  constructor(voice: Voice) {
    this.voice = voice;
    voice.aside = (bytes) => {
      const first = bytes[0] ?? 0;
      if (first < 20 || first > 63) return false;
      this.#step((association) => association.receive(bytes));
      return true;
    };
    this.#timer = setInterval(() => this.#step((association) => association.passTime()), lookMs);
    this.#timer.unref();
  }

  /** An offer, or the answer to one that `take` has taken. */
  describe(setup: 'actpass' | 'active'): string {
    return this.voice
      .describe({
        mediaLines: [
          'a=rtcp-mux',
          `a=fingerprint:${serializeFingerprint(this.#certificate.fingerprint)}`,
          `a=setup:${setup}`,
        ],
      })
      .replace(' RTP/AVP ', ' UDP/TLS/RTP/SAVP ');
  }

  /** Takes what the other side has said, and begins an association with it where that is another one. */
  take(sdp: string): void {
    const session = parseSession(Buffer.from(sdp));
    const media = session.ok ? session.value.media[0] : undefined;
    if (!session.ok || media === undefined) throw new Error(`no description: ${sdp}`);
    const dtls = dtlsAttributes(session.value, media);
    const connection = connectionOf(session.value, media);
    if (dtls === undefined || connection === undefined) throw new Error(`no DTLS in ${sdp}`);
    const { remote } = this.voice;
    if (remote?.port === media.port) return;
    this.voice.remote = { address: connection.address, port: media.port };
    this.#done = false;
    this.#association = new NativeAssociation({
      certificate: this.#certificate,
      role: 'client',
      fingerprints: dtls.fingerprints,
      suites: dtlsSuites,
    });
    this.#step((association) => association.start());
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #step(what: (association: NativeAssociation) => readonly Uint8Array[]): void {
    const association = this.#association;
    if (association === undefined) return;
    for (const datagram of what(association)) this.voice.send(datagram);
    const { state, suite, sendKey, receiveKey } = association.look();
    if (this.#done || state !== 'secured' || suite === undefined) return;
    this.#done = true;
    this.secured += 1;
    this.voice.keyed(suite, sendKey, receiveKey);
  }
}
