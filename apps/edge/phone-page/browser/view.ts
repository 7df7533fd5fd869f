import type { Call } from './call.ts';
import type { LineState } from './line.ts';
import { duration } from './words.ts';

export interface Wishes {
  signIn(user: string, password: string): void;
  signOut(): void;
  dial(target: string): void;
  answer(): void;
  hangUp(): void;
  mute(wanted: boolean): void;
  hold(wanted: boolean): void;
  press(key: string): void;
  /** The short authentication strings are the same. */
  match(): void;
}

const lines: Readonly<Record<LineState, string>> = {
  out: 'Not signed in',
  connecting: 'Connecting …',
  in: 'Ready',
  away: 'No connection, trying again …',
};

const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

/** Writes only what has changed, so that screen readers do not say things twice. */
const write = (element: HTMLElement, text: string): void => {
  if (element.textContent !== text) element.textContent = text;
};

/** What the page shows. All text goes in as text: nothing of what others send is ever read as markup. */
export class View {
  readonly #problem = find('problem');
  readonly #dial = find<HTMLFormElement>('dial');
  readonly #signIn = find<HTMLFormElement>('sign-in');
  readonly #call = find('call');
  readonly #ringing = find('ringing');
  readonly #pressed = find('pressed');
  readonly #audio = document.body.appendChild(document.createElement('audio'));
  #line: LineState = 'out';
  #shown: Call | undefined;
  #clock: number | undefined;

  on(wishes: Wishes): void {
    this.#signIn.addEventListener('submit', (event) => {
      event.preventDefault();
      wishes.signIn(find<HTMLInputElement>('user').value, find<HTMLInputElement>('password').value);
    });
    this.#dial.addEventListener('submit', (event) => {
      event.preventDefault();
      const target = find<HTMLInputElement>('number').value.trim();
      if (target !== '') wishes.dial(target);
    });
    const click = (id: string, then: (button: HTMLElement) => void): void => {
      const button = find(id);
      button.addEventListener('click', () => then(button));
    };
    const pressedNow = (button: HTMLElement): boolean => button.getAttribute('aria-pressed') === 'true';
    click('sign-out', () => wishes.signOut());
    click('answer', () => wishes.answer());
    click('decline', () => wishes.hangUp());
    click('hang-up', () => wishes.hangUp());
    click('differ', () => wishes.hangUp());
    click('match', () => wishes.match());
    click('mute', (button) => wishes.mute(!pressedNow(button)));
    click('hold', (button) => wishes.hold(!pressedNow(button)));
    click('keys', (button) => {
      const pad = find('keypad');
      pad.hidden = !pad.hidden;
      button.setAttribute('aria-expanded', String(!pad.hidden));
    });
    const press = (key: string): void => {
      write(this.#pressed, `${this.#pressed.textContent ?? ''}${key}`.slice(-32));
      wishes.press(key);
    };
    for (const key of find('keypad').querySelectorAll('button'))
      key.addEventListener('click', () => press(key.textContent ?? ''));
    // Keys of the keyboard are keys of the phone while its keypad is open.
    document.addEventListener('keydown', ({ key, ctrlKey, metaKey, altKey }) => {
      if (ctrlKey || metaKey || altKey || this.#call.hidden || find('keypad').hidden) return;
      if (/^[0-9*#]$/.test(key)) press(key);
    });
  }

  line(state: LineState): void {
    const before = this.#line;
    this.#line = state;
    document.body.dataset.line = state;
    write(find('line'), lines[state]);
    if (state === 'in') {
      find<HTMLInputElement>('password').value = '';
      this.problem('');
    }
    this.#arrange();
    if (state === before) return;
    if (state === 'in' && !this.#dial.hidden) find('number').focus();
    if (state === 'out') find('user').focus();
  }

  /** An empty text takes the last one away. */
  problem(text: string): void {
    write(this.#problem, text);
    this.#problem.hidden = text === '';
  }

  call(call: Call | undefined): void {
    const isNew = call !== this.#shown;
    const before = document.body.dataset.call;
    this.#shown = call;
    const state = call?.state ?? 'none';
    document.body.dataset.call = state;
    this.#arrange();
    if (isNew) {
      write(this.#pressed, '');
      find('keypad').hidden = true;
      find('keys').setAttribute('aria-expanded', 'false');
    }
    if (call === undefined) return this.#stopClock();
    write(find('ringing-title'), state === 'ringing' ? `${call.peer} is calling` : 'Incoming call');
    write(find('peer'), call.peer);
    write(find('progress'), progressOf(call));
    this.#protection(call);
    for (const [id, on, possible] of [
      ['mute', call.muted, state === 'up'],
      ['hold', call.onHold, state === 'up'],
      ['keys', undefined, state === 'up'],
    ] as const) {
      const button = find<HTMLButtonElement>(id);
      button.disabled = !possible;
      if (on !== undefined) button.setAttribute('aria-pressed', String(on));
    }
    if (state === 'up' && this.#clock === undefined) {
      this.#tick(call);
      this.#clock = window.setInterval(() => this.#tick(call), 1000);
    }
    if (before === state) return;
    if (state === 'ringing') find('answer').focus();
    else if (state === 'calling' || (state === 'up' && before === 'ringing')) find('hang-up').focus();
  }

  sound(stream: MediaStream): void {
    this.#audio.srcObject = stream;
    // Refused where nobody has touched the page yet; whoever calls or answers has.
    this.#audio.play().catch(() => undefined);
  }

  /** The call is over: back to where the next one begins. */
  ended(well: boolean): void {
    this.#audio.srcObject = null;
    if (well) write(find('line'), `Call ended. ${lines[this.#line]}`);
    if (!this.#dial.hidden) find('number').focus();
  }

  #arrange(): void {
    const state = this.#shown?.state ?? 'none';
    const signedIn = this.#line === 'in' || this.#line === 'away';
    this.#signIn.hidden = signedIn;
    find<HTMLButtonElement>('sign-out').hidden = !signedIn;
    this.#dial.hidden = this.#line !== 'in' || state !== 'none';
    this.#ringing.hidden = state !== 'ringing';
    this.#call.hidden = state !== 'calling' && state !== 'up';
    this.#signIn.querySelector('button')!.disabled = this.#line === 'connecting';
  }

  #protection(call: Call): void {
    const { protection } = call;
    find('protection').dataset.grade = protection?.grade ?? 'unknown';
    write(
      find('sentence'),
      protection?.sentence ??
        (call.state === 'up'
          ? 'The server has not said what protects this call.'
          : 'What protects this call is known once it is answered.'),
    );
    const { sas, confirmed } = protection ?? {};
    find('comparing').hidden = sas === undefined;
    write(find('sas'), sas ?? '');
    write(
      find('sas-label'),
      confirmed === true
        ? 'You or the other person have found these to be the same:'
        : 'Read these to each other. Both must see the same:',
    );
    find('match').parentElement!.hidden = confirmed === true;
  }

  #tick(call: Call): void {
    write(find('clock'), duration(call.seconds));
  }

  #stopClock(): void {
    window.clearInterval(this.#clock);
    this.#clock = undefined;
    write(find('clock'), '');
  }
}

function progressOf(call: Call): string {
  if (call.state === 'calling') return 'Calling …';
  if (call.onHold) return 'On hold';
  return call.heldByPeer ? 'Put on hold by the other side' : 'In a call';
}
