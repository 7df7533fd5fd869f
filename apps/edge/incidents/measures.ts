import type { Incident } from './types.ts';

/** What came of a measure; `detail` is for the administrator. */
export interface Outcome {
  readonly done: boolean;
  readonly detail: string;
  /** To be handed in again when the measure is taken up by the process after. */
  readonly mark?: string;
}

/**
 * What a playbook can have the edge do. Each refuses what must not be done (trunks, emergency, whoever is protected)
 * and says so; none throws. Sources, accounts, calls and routes are named as incidents name them.
 */
export interface Measures {
  ban(source: string, seconds: number, why: string): Outcome;
  unban(source: string): Outcome;
  quarantine(account: string, until: number, why: string): Outcome;
  release(account: string): Outcome;
  /** Nobody is put through over the trunk until it is opened; emergency calls are. `example.test/carrier`. */
  closeRoute(route: string, until: number, why: string): Outcome;
  openRoute(route: string): Outcome;
  /** The passwords that the account has now are taken no more; new ones are. */
  revokeSecret(account: string, until: number, mark?: string): Outcome;
  reinstateSecret(account: string): Outcome;
  deregister(account: string): Outcome;
  /** Emergency calls go on. */
  endCall(call: string): Outcome;
  /** Mail to the user of the account, of what the step says; nothing of the incident but that. */
  tellUser(account: string, text: string, incident: string): Promise<Outcome>;
  preserve(incident: Incident): Promise<Outcome>;
  /** The trunk that the call goes out over, as `closeRoute` names it. */
  routeOf(call: string): string | undefined;
}
