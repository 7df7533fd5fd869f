import type { RTCSessionEvent } from 'jssip/lib/UA';
import { Call } from './call.ts';
import { Line, type LineState, readAccount } from './line.ts';
import { Ringer } from './ringer.ts';
import { View } from './view.ts';

/** Joins what the person does, the line and the call: one line, one call at a time. */
const view = new View();
const ringer = new Ringer();
const domain = document.querySelector<HTMLMetaElement>('meta[name="sip-domain"]')?.content ?? '';
let call: Call | undefined;
let placing = false;

const line = new Line({
  state: (state: LineState) => view.line(state),
  problem: (text) => view.problem(text),
  session: (event) => arrived(event),
});

function arrived({ originator, session, request }: RTCSessionEvent): void {
  if (String(originator) !== 'remote') return;
  // Whoever rings while somebody speaks finds it busy.
  if (call !== undefined || placing) return session.terminate({ status_code: 486 });
  const { display_name: name, uri } = request.from;
  begin(new Call(session, name || uri.user || uri.toString(), events));
  ringer.start();
}

const events = {
  changed: () => show(),
  sound: (stream: MediaStream) => view.sound(stream),
  over: (problem: string) => {
    call = undefined;
    show();
    view.problem(problem);
    view.ended(problem === '');
  },
};

function begin(started: Call): void {
  // It may have ended already.
  if (started.state === 'over') return;
  call = started;
  view.problem('');
  show();
}

function show(): void {
  if (call?.state !== 'ringing') ringer.stop();
  view.call(call);
}

async function place(target: string): Promise<void> {
  const { agent } = line;
  if (agent === undefined || call !== undefined || placing) return;
  placing = true;
  try {
    begin(await Call.place(agent, target, events));
  } catch (error) {
    const badTarget = error instanceof TypeError;
    view.problem(
      badTarget
        ? 'This cannot be called. Write a name, a number or an address such as bob@example.com.'
        : String(error instanceof Error ? error.message : error),
    );
  } finally {
    placing = false;
  }
}

view.on({
  signIn: (user, password) => {
    view.problem('');
    line.signIn(readAccount(user, password, domain));
  },
  signOut: () => {
    call?.hangUp();
    line.signOut();
  },
  dial: (target) => void place(target),
  answer: () => {
    ringer.stop();
    call?.answer().catch((error: Error) => view.problem(error.message));
  },
  hangUp: () => call?.hangUp(),
  mute: (wanted) => call?.mute(wanted),
  hold: (wanted) => {
    if (call?.hold(wanted) === false)
      view.problem('The call is being changed at the moment. Try again in a second.');
  },
  press: (key) => call?.press(key),
  match: () => call?.confirm(),
});

// A page that is closed says so, rather than leave the server to find out.
window.addEventListener('pagehide', () => {
  call?.hangUp();
  line.leave();
});
