/** Something that a command has done beside changing domain objects, for the ledger. */
export interface Act {
  /** Facts that name nobody: files, fingerprints, counts. */
  readonly what: Readonly<Record<string, string | number | boolean>>;
  /** Whose data it concerns; `data` is sealed under that person's key. */
  readonly person?: {
    readonly domain: string;
    readonly name: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

let done: Act[] = [];

/** It is recorded once the command has ended, as class `administration` with who gave it. */
export function noteAct(act: Act): void {
  done.push(act);
}

/** Gives them away. */
export function takeActs(): readonly Act[] {
  const acts = done;
  done = [];
  return acts;
}
