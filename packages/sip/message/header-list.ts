import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { consistsOf, TOKEN } from './characters.ts';
import { canonicalName, isTyped, knownHeader } from './header-names.ts';
import { splitList } from './quoted.ts';

/** Three entries a field: canonical name, name as written, value. */
const stride = 3;

const checkValue = (name: string, value: string): void => {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 13 || code === 10 || code === 0) {
      throw new MisuseError('header-injection', `value of header ${name} holds CR, LF or NUL`);
    }
  }
};

/**
 * Header fields in the order in which they came or were added.
 *
 * Names are compared in their canonical form (lower case, compact forms expanded). Values are unfolded and
 * trimmed text. `add` and `set` throw `MisuseError` (`header-injection`) on CR, LF or NUL in a name or value,
 * so nothing that builds a message can inject a header; and (`typed-header`) on the names that a message holds
 * in typed fields: Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length.
 */
export class HeaderList {
  readonly #rows: string[];

  constructor(entries?: Iterable<readonly [name: string, value: string]>) {
    this.#rows = [];
    if (entries instanceof HeaderList) this.#rows = entries.#rows.slice();
    else if (entries !== undefined) for (const [name, value] of entries) this.add(name, value);
  }

  /** Value of the first field of that name. */
  get(name: string): string | undefined {
    const rows = this.#rows;
    const key = canonicalName(name);
    for (let i = 0; i < rows.length; i += stride) if (rows[i] === key) return rows[i + 2];
    return undefined;
  }

  /** Values of all fields of that name, as written (comma lists not split). */
  all(name: string): readonly string[] {
    const rows = this.#rows;
    const key = canonicalName(name);
    const found: string[] = [];
    for (let i = 0; i < rows.length; i += stride) if (rows[i] === key) found.push(rows[i + 2]!);
    return found;
  }

  /** Values of all fields of that name with comma lists split outside quotes and angle brackets. */
  values(name: string): readonly string[] {
    const rows = this.#rows;
    const key = canonicalName(name);
    const found: string[] = [];
    for (let i = 0; i < rows.length; i += stride) if (rows[i] === key) splitList(rows[i + 2]!, found);
    return found;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  add(name: string, value: string): this {
    const known = knownHeader(name);
    if (known === undefined) {
      if (!consistsOf(name, TOKEN)) throw new MisuseError('header-injection', 'header name is not a token');
    } else if (isTyped(known)) {
      throw new MisuseError(
        'typed-header',
        `${known.written} is a field of the message, not of its header list`,
      );
    }
    checkValue(name, value);
    this.#rows.push(known?.name ?? name.toLowerCase(), known?.written ?? name, value.trim());
    return this;
  }

  /** Replaces every field of that name by one, at the place of the first. */
  set(name: string, value: string): this {
    const at = this.#indexOf(canonicalName(name));
    if (at < 0) return this.add(name, value);
    checkValue(name, value);
    this.#rows[at + 2] = value.trim();
    this.#removeFrom(at + stride, this.#rows[at]!);
    return this;
  }

  remove(name: string): this {
    this.#removeFrom(0, canonicalName(name));
    return this;
  }

  get size(): number {
    return this.#rows.length / stride;
  }

  /** Canonical name and value of every field in order. */
  *entries(): IterableIterator<readonly [name: string, value: string]> {
    const rows = this.#rows;
    for (let i = 0; i < rows.length; i += stride) yield [rows[i]!, rows[i + 2]!];
  }

  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    return this.entries();
  }

  /** An independent copy. */
  clone(): HeaderList {
    return new HeaderList(this);
  }

  /** The fields as lines that end in CRLF, names in their usual case. */
  toWire(): string {
    const rows = this.#rows;
    let text = '';
    for (let i = 0; i < rows.length; i += stride) text += `${rows[i + 1]}: ${rows[i + 2]}\r\n`;
    return text;
  }

  /** Appends without any check. Only for the parser, which has made them all on the whole header block. */
  dangerousAppendUnchecked(canonical: string, written: string, value: string): void {
    this.#rows.push(canonical, written, value);
  }

  #indexOf(key: string): number {
    const rows = this.#rows;
    for (let i = 0; i < rows.length; i += stride) if (rows[i] === key) return i;
    return -1;
  }

  #removeFrom(start: number, key: string): void {
    const rows = this.#rows;
    let kept = start;
    for (let i = start; i < rows.length; i += stride) {
      if (rows[i] === key) continue;
      rows[kept] = rows[i]!;
      rows[kept + 1] = rows[i + 1]!;
      rows[kept + 2] = rows[i + 2]!;
      kept += stride;
    }
    rows.length = kept;
  }
}
