import { MisuseError } from '@ringfence/bytes/misuse.ts';

export type LedgerErrorCode =
  | 'ledger-damaged'
  | 'ledger-foreign'
  | 'ledger-key'
  | 'ledger-missing'
  | 'ledger-unwritable'
  | 'ledger-busy'
  | 'ledger-unreachable'
  | 'ledger-overloaded'
  | 'ledger-held'
  | 'ledger-unknown'
  | 'ledger-closed';

/** Thrown where the ledger or its keys cannot be used; the message says what to do about it. */
export class LedgerError extends MisuseError {
  declare readonly code: LedgerErrorCode;

  constructor(code: LedgerErrorCode, message: string) {
    super(code, message);
    this.name = 'LedgerError';
  }
}

/** Waiting may help: a full disk, a lock, a database server that is away. */
export const isPassing = (error: unknown): boolean =>
  error instanceof LedgerError &&
  (error.code === 'ledger-unwritable' || error.code === 'ledger-busy' || error.code === 'ledger-unreachable');

/** Waiting, or an administrator's hand, may help, and going on meanwhile spoils nothing: no key is wrong. */
export const mayPass = (error: unknown): boolean =>
  isPassing(error) || (error instanceof LedgerError && error.code === 'ledger-damaged');
