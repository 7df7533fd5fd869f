/**
 * Header fields in the order in which they came or were added.
 *
 * Names are compared in their canonical form (lower case, compact forms expanded). Values are unfolded and
 * trimmed text. `add` and `set` throw `MisuseError` (`header-injection`) on CR, LF or NUL in a name or value,
 * so nothing that builds a message can inject a header.
 */
export interface HeaderListContract {
  /** Value of the first field of that name. */
  get(name: string): string | undefined;
  /** Values of all fields of that name, as written (comma lists not split). */
  all(name: string): readonly string[];
  /** Values of all fields of that name with comma lists split outside quotes and angle brackets. */
  values(name: string): readonly string[];
  has(name: string): boolean;
  add(name: string, value: string): this;
  /** Replaces every field of that name by one. */
  set(name: string, value: string): this;
  remove(name: string): this;
  readonly size: number;
  entries(): IterableIterator<readonly [name: string, value: string]>;
}
