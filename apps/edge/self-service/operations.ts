import { confirmPhone, lookAtLink, mailForEnrolment, mailForPhone, useLink } from './confirm.ts';
import type { Asker, Desk } from './desk.ts';
import { beginTotp, keepTotp, makeRecovery, removeFactor, useCode, useInvite } from './enrol.ts';
import { askForPasskey, beginPasskey, keepPasskey, usePasskey } from './use-passkey.ts';

/** What an operation is told with its fields, which came as JSON from anybody. */
export interface Question {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Of the page, as the browser says. */
  readonly origin: string;
}

/** `body.problem` is a stable word; the page has the sentence. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Operation = (desk: Desk, asker: Asker, question: Question) => Promise<Answer> | Answer;
/** May be asked without being signed in. */
export type OpenOperation = (
  desk: Desk,
  asker: Pick<Asker, 'address' | 'proxied'> & Partial<Asker>,
  question: Question,
) => Promise<Answer> | Answer;

/** Everything that can be asked of the page's server but signing in and out, and how the account stands. */
export const operations: Readonly<Record<string, Operation>> = {
  code: useCode,
  confirm: confirmPhone,
  invite: useInvite,
  'mail-phone': mailForPhone,
  'mail-enrol': mailForEnrolment,
  'totp-begin': beginTotp,
  'totp-keep': keepTotp,
  'passkey-begin': beginPasskey,
  'passkey-keep': keepPasskey,
  'passkey-ask': askForPasskey,
  'passkey-use': usePasskey,
  'recovery-make': makeRecovery,
  remove: removeFactor,
};

export const openOperations: Readonly<Record<string, OpenOperation>> = {
  'link-look': lookAtLink,
  'link-use': useLink,
};
