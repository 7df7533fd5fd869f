/** A command cannot be done as it was asked for; whoever asked gets code and message. */
export class CommandRefused extends Error {
  /** Stable: `no-such-call`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'CommandRefused';
    this.code = code;
  }
}
