/** The command line was not understood; the message says what to type instead. */
export class UsageError extends Error {
  /** The command whose help is worth reading. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(message);
    this.name = 'UsageError';
    this.command = command;
  }
}
