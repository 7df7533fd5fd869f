import { MisuseError } from '@ringfence/bytes/misuse.ts';

export type StoreErrorCode =
  | 'store-newer'
  | 'store-foreign'
  | 'store-damaged'
  | 'store-busy'
  | 'store-unwritable'
  | 'store-key-missing'
  | 'store-key-exposed'
  | 'store-key-wrong'
  | 'store-overloaded'
  | 'store-down'
  | 'store-closed'
  | 'store-write-failed';

/** Thrown where the database or its key cannot be used; the message says what to do about it. */
export class StoreError extends MisuseError {
  declare readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string) {
    super(code, message);
    this.name = 'StoreError';
  }
}

/** What SQLite and the file system report, in words that an administrator can act on. */
export function asStoreError(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error;
  const { errcode, code, message } = error as { errcode?: number; code?: string; message?: string };
  switch ((errcode ?? 0) & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return new StoreError(
        'store-busy',
        `${file} is locked by another program for more than 5 seconds; stop that program and try again`,
      );
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return damaged(file, message ?? 'unreadable');
    case 8: // SQLITE_READONLY
    case 10: // SQLITE_IOERR
    case 13: // SQLITE_FULL
    case 14: // SQLITE_CANTOPEN
      return new StoreError(
        'store-unwritable',
        `${file} cannot be opened for writing (${message}); check the folder's owner and mode, and the free space`,
      );
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'ENOSPC' || code === 'ENOTDIR' || code === 'EPERM') {
    return new StoreError(
      'store-unwritable',
      `${file} cannot be written (${code}); check the folder's owner and mode, and the free space`,
    );
  }
  return new StoreError('store-write-failed', `${file}: ${message ?? String(error)}`);
}

export const damaged = (file: string, detail: string): StoreError =>
  new StoreError(
    'store-damaged',
    `${file} is damaged (${detail.slice(0, 200)}). Nothing was changed. Restore it from a backup, or, to start empty, move ${file}, ${file}-wal and ${file}-shm away`,
  );

/** The disk is full, or another program holds the database: what could not be written now may be written later. */
export const isPassing = (error: unknown): boolean =>
  error instanceof StoreError && (error.code === 'store-unwritable' || error.code === 'store-busy');
