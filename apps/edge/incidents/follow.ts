import type { Case } from './case.ts';
import type { Measures, Outcome } from './measures.ts';
import { type PlannedStep, type Playbook, plan } from './playbook.ts';
import type { Action, Done, StepState } from './types.ts';

/** Of each step: more targets than these wait or are done at no time. */
const mostTargets = 400;

export type Word = 'approve' | 'reject' | 'undo';

export interface FollowParts {
  readonly measures: Measures;
  now(): number;
  /** Something was done, undone, or waits for an administrator. */
  told(incident: Case, step: StepState, text: string, waits: boolean): void;
  changed(incident: Case): void;
}

/** Follows playbooks: does what is automatic to whatever joins an incident, keeps the rest until somebody says so. */
export class Follower {
  readonly #parts: FollowParts;
  /** Mails that are on their way. */
  readonly #telling = new Set<string>();

  constructor(parts: FollowParts) {
    this.#parts = parts;
  }

  /** The incident follows that playbook from now on; what another one has done stays and runs out by itself. */
  begin(incident: Case, playbook: Playbook): void {
    incident.playbook = `${playbook.name} ${playbook.version}`;
    const before = incident.steps.filter(({ done }) => done.length > 0);
    incident.steps = [...before, ...plan(playbook).map((step) => fresh(step))];
    incident.steps.forEach((step, index) => {
      if (before.includes(step)) return;
      this.#reach(incident, index, targetsOf(step.action, incident, this.#parts.measures));
    });
    this.#parts.changed(incident);
  }

  /**
   * Somebody has joined the incident: the steps reach him, too. What has run out is done again to those alone who have
   * given new cause (`again`), not to whoever lives on with his name in it.
   */
  joined(incident: Case, again: ReadonlySet<string>): void {
    incident.steps.forEach((step, index) => {
      if (step.action === 'preserve' || step.action === 'notify' || step.action === 'task') return;
      this.#reach(incident, index, targetsOf(step.action, incident, this.#parts.measures), again);
    });
  }

  /** What an administrator says of a step. Undefined: done; else why not. */
  say(incident: Case, index: number, word: Word, by: string): string | undefined {
    const step = incident.steps[index];
    if (step === undefined) return `the incident has ${incident.steps.length} steps, counted from 1`;
    const at = this.#parts.now();
    if (word === 'undo') return this.#undoAll(incident, index, by);
    if (step.word !== undefined && step.word.approved === (word === 'approve'))
      return `${step.word.by} has said so already`;
    const waiting = step.action === 'task' ? [] : step.waiting;
    incident.steps[index] = {
      ...step,
      word: { by, at, approved: word === 'approve' },
      waiting: [],
      ...(word === 'approve' && step.action === 'task'
        ? { done: [{ target: 'task', at, by, outcome: 'done', detail: '' }] }
        : {}),
    };
    this.#parts.told(
      incident,
      step,
      `${by} ${word === 'approve' ? 'approved' : 'rejected'}: ${step.text}`,
      false,
    );
    if (word === 'approve') for (const target of waiting) this.#act(incident, index, target, by);
    this.#parts.changed(incident);
    return undefined;
  }

  /** Ends what has run out. */
  sweep(incident: Case): void {
    const now = this.#parts.now();
    incident.steps.forEach((step, index) => {
      for (const done of step.done)
        if (done.outcome === 'done' && done.until !== undefined && done.until <= now)
          this.#undo(incident, index, done, 'expired', '');
    });
  }

  /** What was done is in force again after a restart; what others keep by themselves is left to them. */
  resume(incident: Case): void {
    const { measures } = this.#parts;
    for (const step of incident.steps)
      for (const { target, until, outcome, mark } of step.done) {
        if (outcome !== 'done' || until === undefined || until <= this.#parts.now()) continue;
        if (step.action === 'closeRoute') measures.closeRoute(target, until, incident.title);
        if (step.action === 'revokeSecret') measures.revokeSecret(target, until, mark);
      }
  }

  #reach(
    incident: Case,
    index: number,
    targets: readonly string[],
    again: ReadonlySet<string> = new Set(targets),
  ): void {
    for (const target of targets) {
      const step = incident.steps[index]!;
      if (isDone(incident, step.action, target, again)) continue;
      if (step.action === 'tellUser' && this.#telling.has(`${incident.id} ${target}`)) continue;
      if (step.waiting.includes(target) || step.done.length + step.waiting.length >= mostTargets) continue;
      if (step.word?.approved === false) continue;
      if (step.mode === 'automatic' || step.word?.approved === true)
        this.#act(incident, index, target, 'playbook');
      else {
        incident.steps[index] = { ...step, waiting: [...step.waiting, target] };
        this.#parts.told(incident, step, `${step.text} ${asks(step.action, target)}`, true);
      }
    }
  }

  #act(incident: Case, index: number, target: string, by: string): void {
    const step = incident.steps[index]!;
    const at = this.#parts.now();
    const minutes = lasting.has(step.action) ? step.minutes : undefined;
    const until = minutes === undefined ? undefined : at + minutes * 60_000;
    const write = ({ done, detail, mark }: Outcome): void => {
      // What took its time may find that another playbook has come since.
      const found = incident.steps.findIndex(
        ({ action, text }) => action === step.action && text === step.text,
      );
      const current = incident.steps[found] ?? step;
      const entry: Done = {
        target,
        at,
        by,
        outcome: done ? 'done' : 'failed',
        detail,
        ...(done && until !== undefined ? { until } : {}),
        ...(mark === undefined ? {} : { mark }),
      };
      const written = { ...current, done: [...current.done.filter((d) => d.target !== target), entry] };
      // A step that was on its way when another playbook came stays in the incident, as those do that were done.
      if (found >= 0) incident.steps[found] = written;
      else incident.steps.push({ ...written, waiting: [] });
      this.#parts.told(
        incident,
        current,
        `${names[step.action]} ${target}${done ? '' : ' failed'}${detail === '' ? '' : `: ${detail}`}`,
        false,
      );
      this.#parts.changed(incident);
    };
    if (step.action === 'notify') return write({ done: true, detail: step.text });
    const failed = (error: unknown): void =>
      write({ done: false, detail: error instanceof Error ? error.message : String(error) });
    if (step.action === 'preserve') {
      void this.#parts.measures.preserve(incident.record).then(write, failed);
      return;
    }
    if (step.action === 'tellUser') {
      this.#telling.add(`${incident.id} ${target}`);
      void this.#parts.measures
        .tellUser(target, step.text, incident.id)
        .then(write, failed)
        .finally(() => this.#telling.delete(`${incident.id} ${target}`));
      return;
    }
    write(this.#do(step.action, target, until ?? at, (minutes ?? 0) * 60, incident));
  }

  #do(action: Action, target: string, until: number, seconds: number, incident: Case): Outcome {
    const { measures } = this.#parts;
    const why = `${incident.id}: ${incident.title}`;
    switch (action) {
      case 'ban':
        return measures.ban(target, seconds, why);
      case 'quarantine':
        return measures.quarantine(target, until, why);
      case 'closeRoute':
        return measures.closeRoute(target, until, why);
      case 'revokeSecret':
        return measures.revokeSecret(target, until);
      case 'deregister':
        return measures.deregister(target);
      case 'endCalls':
        return measures.endCall(target);
      default:
        return { done: true, detail: '' };
    }
  }

  #undoAll(incident: Case, index: number, by: string): string | undefined {
    const open = incident.steps[index]!.done.filter(
      ({ outcome, until }) => outcome === 'done' && until !== undefined,
    );
    if (open.length === 0) return 'nothing of it is in force';
    for (const done of open) this.#undo(incident, index, done, 'undone', by);
    // Whoever takes it back does not want it done to the next one.
    const step = incident.steps[index]!;
    incident.steps[index] = { ...step, word: { by, at: this.#parts.now(), approved: false }, waiting: [] };
    this.#parts.changed(incident);
    return undefined;
  }

  #undo(incident: Case, index: number, done: Done, outcome: 'undone' | 'expired', by: string): void {
    const step = incident.steps[index]!;
    // Bans and quarantines run out by themselves.
    const needed = outcome === 'undone' || step.action === 'closeRoute' || step.action === 'revokeSecret';
    const { done: well, detail } = needed
      ? this.#undoes(step.action, done.target)
      : { done: true, detail: '' };
    const entry: Done = { ...done, outcome: well ? outcome : 'failed', detail, by: by === '' ? done.by : by };
    incident.steps[index] = { ...step, done: step.done.map((one) => (one === done ? entry : one)) };
    if (outcome === 'undone')
      this.#parts.told(
        incident,
        step,
        `${by} took back: ${names[step.action]} ${done.target}${well ? '' : `, which failed: ${detail}`}`,
        false,
      );
    this.#parts.changed(incident);
  }

  #undoes(action: StepState['action'], target: string): Outcome {
    const { measures } = this.#parts;
    switch (action) {
      case 'ban':
        return measures.unban(target);
      case 'quarantine':
        return measures.release(target);
      case 'closeRoute':
        return measures.openRoute(target);
      case 'revokeSecret':
        return measures.reinstateSecret(target);
      default:
        return { done: false, detail: 'it cannot be taken back' };
    }
  }
}

/** By this or by another playbook: what was taken back or has failed is not tried again by itself. */
const isDone = (incident: Case, action: Action, target: string, again: ReadonlySet<string>): boolean =>
  incident.steps.some(
    (step) =>
      step.action === action &&
      action !== 'task' &&
      step.done.some((done) => done.target === target && (done.outcome !== 'expired' || !again.has(target))),
  );

const lasting: ReadonlySet<Action> = new Set(['ban', 'quarantine', 'closeRoute', 'revokeSecret']);

const names: Readonly<Record<Action, string>> = {
  ban: 'ban of',
  quarantine: 'quarantine of',
  closeRoute: 'closing of route',
  revokeSecret: 'revocation of the password of',
  deregister: 'new registration demanded of',
  endCalls: 'end of call',
  preserve: 'evidence of',
  notify: 'notice to',
  tellUser: 'mail to the user of',
  task: 'task',
};

const asks = (action: Action, target: string): string => `Waits for approval: ${names[action]} ${target}.`;

const fresh = ({ action, mode, text, minutes }: PlannedStep): StepState => ({
  action,
  mode,
  text,
  ...(minutes === undefined ? {} : { minutes }),
  waiting: [],
  done: [],
});

function targetsOf(action: Action, incident: Case, measures: Measures): readonly string[] {
  switch (action) {
    case 'ban':
      return [...incident.sources];
    case 'quarantine':
    case 'revokeSecret':
    case 'deregister':
    case 'tellUser':
      return [...incident.accounts];
    case 'endCalls':
      return [...incident.calls];
    case 'closeRoute':
      return [...new Set([...incident.calls].flatMap((call) => measures.routeOf(call) ?? []))];
    case 'preserve':
      return [incident.id];
    case 'notify':
      return ['administrators'];
    case 'task':
      return ['task'];
  }
}
