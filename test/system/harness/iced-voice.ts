/** The media of a phone that does ICE: an agent of our own between its session descriptions and its socket. */
import { randomBytes } from 'node:crypto';
import { IceAgent, type IceMode, type IcePacket } from '@ringfence/ice/agent.ts';
import { hostCandidates, type IceCredentials } from '@ringfence/ice/candidate.ts';
import { type IceAttributes, iceAttributes, serializeCandidate } from '@ringfence/sdp/ice.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import type { DescribeOptions, Voice } from './voice.ts';

export class IcedVoice {
  readonly voice: Voice;
  readonly mode: IceMode;
  readonly credentials: IceCredentials = {
    ufrag: randomBytes(6).toString('hex'),
    password: randomBytes(16).toString('hex'),
  };
  /** What the other side has said of ICE. */
  theirs: IceAttributes | undefined;
  /** All that the agent has sent. */
  readonly checks: IcePacket[] = [];
  readonly agent: IceAgent;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(voice: Voice, mode: IceMode) {
    this.voice = voice;
    this.mode = mode;
    this.agent = new IceAgent({
      mode,
      local: this.credentials,
      components: [{ component: 1, ...voice.local }],
      random: randomBytes,
    });
    this.agent.onSend = (packet) => {
      this.checks.push(packet);
      voice.send(packet.bytes, packet);
    };
    this.agent.onSelected = (_, remote) => {
      voice.remote = remote;
    };
    voice.aside = (bytes, { address, port }) => {
      if (bytes.length < 20 || bytes[0]! > 3) return false;
      this.agent.receive(bytes, { address, port }, 1, performance.now());
      this.#wait();
      return true;
    };
  }

  describe(options: DescribeOptions = {}): string {
    const { ufrag, password } = this.credentials;
    return this.voice.describe({
      ...options,
      sessionLines: this.mode === 'lite' ? ['a=ice-lite'] : [],
      mediaLines: [
        'a=rtcp-mux',
        `a=ice-ufrag:${ufrag}`,
        `a=ice-pwd:${password}`,
        ...hostCandidates([{ component: 1, ...this.voice.local }]).map(
          (candidate) => `a=candidate:${serializeCandidate(candidate)}`,
        ),
        'a=end-of-candidates',
      ],
    });
  }

  /** Takes the other side's description; tells why not. Media has no way before ICE has found one. */
  take(sdp: string, controlling: boolean): string | undefined {
    const wrong = this.voice.take(sdp);
    this.voice.remote = undefined;
    const session = parseSession(Buffer.from(sdp));
    const media = session.ok ? session.value.media[0] : undefined;
    if (wrong !== undefined || !session.ok || media === undefined) return wrong ?? 'no media';
    this.theirs = iceAttributes(session.value, media);
    if (this.theirs === undefined) return 'no ICE';
    this.agent.setRemote({ ...this.theirs, trickle: false, controlling }, performance.now());
    this.#wait();
    return undefined;
  }

  get connected(): boolean {
    return this.agent.state === 'connected';
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const pause = this.agent.nextAt - performance.now();
    if (this.#closed || pause > 60_000) return;
    this.#timer = setTimeout(
      () => {
        this.agent.tick(performance.now());
        this.#wait();
      },
      Math.max(1, pause),
    );
  }
}
