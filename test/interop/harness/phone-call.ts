/** A call between two phones that play tones: what each must have heard of the other. */
import { expect } from './case.ts';
import { sleep } from './process.ts';
import { type Recording, secondsOfTone } from './tone.ts';

export type Phone = {
  /** What others dial to reach it. */
  readonly uri: string;
  /** Hertz that it plays. */
  readonly tone: number;
  dial(uri: string): void;
  established(): Promise<void>;
  hangUp(): void;
  ended(): Promise<void>;
  /** What it received; complete once the call has ended. */
  heard(): Recording;
  /** `a=crypto` keys that it sent or received. */
  keys(): string[];
  stop(): Promise<void>;
};

const TALK_MS = 3_500;
const CLEAR_SECONDS = 2;

/** Places the call, lets both play for some seconds, hangs up, and checks what each has recorded. */
export async function talk(caller: Phone, called: Phone, dialled: string): Promise<string> {
  caller.dial(dialled);
  await Promise.all([caller.established(), called.established()]);
  await sleep(TALK_MS);
  caller.hangUp();
  await Promise.all([caller.ended(), called.ended()]);
  const stopped = Promise.all([caller.stop(), called.stop()]);
  await stopped;
  const heardBy = (listener: Phone, speaker: Phone, who: string): string => {
    const recording = listener.heard();
    const seconds = secondsOfTone(recording, speaker.tone);
    const own = secondsOfTone(recording, listener.tone);
    expect(
      seconds >= CLEAR_SECONDS,
      `${who} heard ${speaker.tone} Hz for ${seconds.toFixed(1)} s of ${(recording.samples.length / recording.rate).toFixed(1)} s`,
    );
    expect(own === 0, `${who} heard itself for ${own.toFixed(1)} s`);
    return `${who} heard ${speaker.tone} Hz for ${seconds.toFixed(1)} s`;
  };
  return `${heardBy(called, caller, 'called')}, ${heardBy(caller, called, 'caller')}`;
}

/** SDES keys are one leg's own: no key that one phone saw may have been seen by the other (RFC 4568 §7). */
export function expectOwnKeys(one: Phone, other: Phone): string {
  const mine = new Set(one.keys());
  const theirs = new Set(other.keys());
  expect(
    mine.size >= 2 && theirs.size >= 2,
    `keys seen: ${mine.size} on one leg, ${theirs.size} on the other`,
  );
  for (const key of mine) expect(!theirs.has(key), 'an SRTP key of one leg shows on the other');
  return 'each leg has keys of its own';
}

/** Keys in SDP as it stands in a log. */
export function keysIn(text: string): string[] {
  return [...text.matchAll(/^a=crypto:\d+ \S+ inline:([A-Za-z0-9+/=]+)/gm)].map((match) => match[1]!);
}
