/**
 * What goes over the control socket: one JSON value a line, UTF-8. A request has an answer with its `id`; answers come in
 * the order in which they are ready.
 */
export interface ControlRequest {
  readonly id: number;
  readonly command: string;
  readonly args: unknown;
  /** Login name of whoever asks, as the asking program says; for the record. */
  readonly by: string;
}

export type ControlAnswer =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: ControlProblem };

export interface ControlProblem {
  /** Stable: `no-such-call`, `bad-arguments`. */
  readonly code: string;
  /** For the administrator. */
  readonly text: string;
}

/** Octets of a request, and of an answer. */
export const mostRequestOctets = 65_536;
export const mostAnswerOctets = 64 * 1024 * 1024;

/** Who asks and for what; undefined: this is no request. */
export function readRequest(line: string): ControlRequest | undefined {
  const value = parse(line);
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, command, args, by } = value as Partial<Record<keyof ControlRequest, unknown>>;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || typeof command !== 'string') return undefined;
  return { id, command, args: args ?? {}, by: typeof by === 'string' ? nameOf(by) : '' };
}

export function readAnswer(line: string): ControlAnswer | undefined {
  const value = parse(line) as ControlAnswer | null | undefined;
  return typeof value === 'object' && value !== null && typeof value.id === 'number' ? value : undefined;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** Login names have few characters; what else stands there is left out. */
const nameOf = (text: string): string => text.replace(/[^A-Za-z0-9._@\\-]/g, '').slice(0, 64);

/** Cuts what arrives into lines; a line longer than `most` octets ends the connection. */
export class Lines {
  readonly #most: number;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whole lines in `chunk` and what came before it; undefined: one is too long. */
  feed(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.#take(chunk.subarray(from, at));
      if (this.#length > this.#most) return undefined;
      lines.push(Buffer.concat(this.#pieces, this.#length).toString('utf8'));
      this.#pieces = [];
      this.#length = 0;
      from = at + 1;
    }
    if (from < chunk.length) this.#take(Buffer.from(chunk.subarray(from)));
    return this.#length > this.#most ? undefined : lines;
  }

  #take(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }
}
