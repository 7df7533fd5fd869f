import type { DisconnectEvent, RTCSessionEvent, UA, UnRegisteredEvent } from 'jssip/lib/UA';
import { keepSha256, teachSha256 } from './digest.ts';
import { noConnection, signInTrouble, warningText } from './words.ts';

/** Whether the phone is signed in: `away` is signed in, but without a connection; it comes back by itself. */
export type LineState = 'out' | 'connecting' | 'in' | 'away';

export interface LineEvents {
  state(state: LineState): void;
  problem(text: string): void;
  session(event: RTCSessionEvent): void;
}

export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

keepSha256(JsSIPMessages.IncomingResponse);
teachSha256(JsSIPDigest, () => crypto.randomUUID());

/** `alice`, `alice@example.com` or `sip:alice@example.com` as typed. */
export function readAccount(typed: string, password: string, domain: string): Account {
  const bare = typed.trim().replace(/^sips?:/i, '');
  const at = bare.lastIndexOf('@');
  return at < 0
    ? { user: bare, domain, password }
    : { user: bare.slice(0, at), domain: bare.slice(at + 1), password };
}

/** One registration at the server that the page has come from (RFC 7118, RFC 5626). */
export class Line {
  readonly #events: LineEvents;
  #agent: UA | undefined;
  #socket: InstanceType<typeof JsSIP.WebSocketInterface> | undefined;
  #wasIn = false;

  constructor(events: LineEvents) {
    this.#events = events;
  }

  signIn({ user, domain, password }: Account): void {
    this.#agent?.stop();
    this.#wasIn = false;
    const { host } = window.location;
    try {
      this.#socket = new JsSIP.WebSocketInterface(`wss://${host}/phone`);
      this.#agent = new JsSIP.UA({
        sockets: [this.#socket],
        uri: new JsSIP.URI('sip', user, domain).toString(),
        authorization_user: user,
        password,
        register_expires: 300,
        user_agent: 'Ringfence phone page',
        connection_recovery_min_interval: 2,
        connection_recovery_max_interval: 30,
      });
    } catch {
      this.#events.problem('This is not a user name. Write a name such as alice, or alice@example.com.');
      return;
    }
    const agent = this.#agent;
    // An agent that was replaced says nothing any more.
    const mine = (then: () => void) => {
      if (this.#agent === agent) then();
    };
    agent.on('registered', () => mine(() => this.#registered()));
    agent.on('unregistered', () => mine(() => this.#events.state(this.#wasIn ? 'away' : 'out')));
    agent.on('registrationFailed', (event: UnRegisteredEvent) => mine(() => this.#refused(event)));
    agent.on('disconnected', (event: DisconnectEvent) => mine(() => this.#disconnected(event)));
    agent.on('newRTCSession', (event: RTCSessionEvent) => mine(() => this.#events.session(event)));
    this.#events.state('connecting');
    agent.start();
  }

  get agent(): UA | undefined {
    return this.#agent;
  }

  signOut(): void {
    const agent = this.#agent;
    this.#agent = undefined;
    agent?.stop();
    this.#events.state('out');
  }

  /** At once, for a page that goes: nothing of it will run to hear an answer. */
  leave(): void {
    this.signOut();
    this.#socket?.disconnect();
  }

  #registered(): void {
    this.#wasIn = true;
    this.#events.state('in');
  }

  #refused({ response }: UnRegisteredEvent): void {
    const status = response?.status_code ?? 0;
    this.#events.problem(signInTrouble(status, warningText(response?.getHeader('Warning'))));
    // What a repetition would not mend is not repeated: each wrong password counts.
    if (status !== 503 && status !== 0) this.signOut();
    else this.#events.state(this.#wasIn ? 'away' : 'connecting');
  }

  #disconnected({ error }: DisconnectEvent): void {
    if (error) this.#events.problem(noConnection);
    this.#events.state(this.#wasIn ? 'away' : 'connecting');
  }
}
