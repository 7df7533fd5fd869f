import type { EndEvent, RTCSession } from 'jssip/lib/RTCSession';
import type { UA } from 'jssip/lib/UA';
import { confirmation, type Protection, protectionPackage, readProtection } from './protection.ts';
import { callTrouble, microphoneTrouble, noMediaHere, warningText } from './words.ts';

export type CallState = 'ringing' | 'calling' | 'up' | 'over';

export interface CallEvents {
  /** Called after each change of what the call's getters say. */
  changed(): void;
  /** For people; empty where the call ended as somebody wished. */
  over(problem: string): void;
  sound(stream: MediaStream): void;
}

/** We understand its package; phones of others say nothing of it, and are told nothing (RFC 6086 §5.2.1). */
const headers = [`Recv-Info: ${protectionPackage}`];
/** Statuses with which the caller or we ourselves end a call that does not ring any more. */
const ownEndings = new Set(['Canceled', 'Terminated', 'Rejected']);

/** One call, from ringing to its end, and the microphone that it has. */
export class Call {
  state: CallState;
  readonly peer: string;
  readonly incoming: boolean;
  readonly #session: RTCSession;
  readonly #events: CallEvents;
  readonly #microphone: MediaStream | undefined;
  #opened: MediaStream | undefined;
  #protection: Protection | undefined;
  #answeredAt = 0;
  #remoteHold = false;

  /** A call of ours: `call.state` is `calling` once the INVITE is on its way. */
  static async place(agent: UA, target: string, events: CallEvents): Promise<Call> {
    const microphone = await openMicrophone();
    let call: Call | undefined;
    try {
      const session = agent.call(target, {
        mediaStream: microphone,
        mediaConstraints: { audio: true, video: false },
        pcConfig,
        extraHeaders: headers,
      }) as unknown as RTCSession;
      call = new Call(session, target, events, microphone);
      return call;
    } finally {
      if (call === undefined) close(microphone);
    }
  }

  constructor(session: RTCSession, peer: string, events: CallEvents, microphone?: MediaStream) {
    this.#session = session;
    this.#events = events;
    this.#microphone = microphone;
    this.peer = peer;
    this.incoming = microphone === undefined;
    this.state = this.incoming ? 'ringing' : 'calling';
    const hear = (connection: RTCPeerConnection): void =>
      connection.addEventListener('track', ({ streams: [stream] }) => {
        if (stream !== undefined) events.sound(stream);
      });
    // JsSIP has it before it tells of it where the call is ours.
    if (session.connection) hear(session.connection);
    else session.on('peerconnection', ({ peerconnection }) => hear(peerconnection));
    session.on('progress', () => events.changed());
    session.on('confirmed', () => this.#up());
    session.on('accepted', () => this.#up());
    session.on('hold', ({ originator }) => this.#held(String(originator) === 'remote', true));
    session.on('unhold', ({ originator }) => this.#held(String(originator) === 'remote', false));
    session.on('muted', () => events.changed());
    session.on('unmuted', () => events.changed());
    session.on('newInfo', ({ originator, info, request }: InfoEvent) => {
      if (originator !== 'remote' || request.getHeader('Info-Package') !== protectionPackage) return;
      const told = readProtection(info.body);
      if (told === undefined) return;
      this.#protection = told;
      events.changed();
    });
    session.on('failed', (event) => this.#over(troubleOf(event)));
    session.on('ended', () => this.#over(''));
  }

  get protection(): Protection | undefined {
    return this.#protection;
  }

  get muted(): boolean {
    return this.#session.isMuted().audio === true;
  }

  get onHold(): boolean {
    return this.#session.isOnHold().local;
  }

  get heldByPeer(): boolean {
    return this.#remoteHold;
  }

  /** Whole seconds since it was answered. */
  get seconds(): number {
    return this.#answeredAt === 0 ? 0 : Math.floor((performance.now() - this.#answeredAt) / 1000);
  }

  async answer(): Promise<void> {
    this.#opened = await openMicrophone();
    if (this.state !== 'ringing') return close(this.#opened);
    this.#session.answer({
      mediaStream: this.#opened,
      mediaConstraints: { audio: true, video: false },
      pcConfig,
      extraHeaders: headers,
    });
  }

  hangUp(): void {
    if (this.state === 'over') return;
    if (this.state === 'ringing') this.#session.terminate({ status_code: 603 });
    else this.#session.terminate();
  }

  mute(wanted: boolean): void {
    if (wanted) this.#session.mute({ audio: true });
    else this.#session.unmute({ audio: true });
  }

  /** False where another change is under way. */
  hold(wanted: boolean): boolean {
    return wanted ? this.#session.hold() : this.#session.unhold();
  }

  /** As an event in the stream of sound (RFC 4733) where that was agreed, else as INFO. */
  press(key: string): void {
    const sender = this.#session.connection.getSenders().find(({ dtmf }) => dtmf !== null);
    if (sender?.dtmf?.canInsertDTMF === true) sender.dtmf.insertDTMF(sender.dtmf.toneBuffer + key, 160, 70);
    else this.#session.sendDTMF(key, { duration: 160 });
  }

  /** The string that is shown was compared, and is the same. */
  confirm(): void {
    const sas = this.#protection?.sas;
    if (sas === undefined) return;
    this.#session.sendInfo('application/json', confirmation(sas), {
      extraHeaders: [`Info-Package: ${protectionPackage}`],
    });
  }

  #up(): void {
    if (this.state === 'over') return;
    if (this.#answeredAt === 0) this.#answeredAt = performance.now();
    this.state = 'up';
    this.#events.changed();
  }

  #held(remote: boolean, held: boolean): void {
    if (remote) this.#remoteHold = held;
    this.#events.changed();
  }

  #over(problem: string): void {
    this.state = 'over';
    close(this.#microphone);
    close(this.#opened);
    this.#events.over(problem);
  }
}

interface InfoEvent {
  readonly originator: string;
  readonly info: { readonly body: string };
  readonly request: { getHeader(name: string): string | undefined };
}

/** No servers of others are asked for addresses: the edge is reached as the page was. */
const pcConfig: RTCConfiguration = { iceServers: [], bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' };

const close = (stream: MediaStream | undefined): void => {
  for (const track of stream?.getTracks() ?? []) track.stop();
};

/** Rejects with a text for people. */
async function openMicrophone(): Promise<MediaStream> {
  // Absent where the page was not loaded by a trusted HTTPS.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) throw new Error(noMediaHere);
  try {
    return await devices.getUserMedia({ audio: true, video: false });
  } catch (error) {
    throw new Error(microphoneTrouble(error instanceof DOMException ? error.name : ''));
  }
}

function troubleOf({ originator, message, cause }: EndEvent): string {
  if (ownEndings.has(cause) && (String(originator) === 'local' || cause === 'Canceled')) return '';
  if (cause === 'WebRTC Error' || cause === 'Bad Media Description')
    return 'The browser could not agree on sound and encryption with the server.';
  if (cause === 'Connection Error') return 'The connection to the server was lost.';
  const response = message as unknown as
    | { readonly status_code?: number; getHeader(name: string): string | undefined }
    | undefined;
  return callTrouble(response?.status_code ?? 0, warningText(response?.getHeader('Warning')));
}
