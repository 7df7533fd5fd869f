/**
 * Thrown when our own code or an administrator's configuration is wrong, never because of a peer.
 *
 * `code` is stable and may be matched; the message may change.
 */
export class MisuseError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'MisuseError';
    this.code = code;
  }
}
