import type { TSchema } from '@sinclair/typebox';
import { nearest } from './nearest.ts';
import type { ConfigProblem } from './problem.ts';
import { join, Plain, type Value, type YamlFile } from './read-yaml.ts';

/** The part of JSON Schema that our schemas use. */
interface Shape {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

const maximumProblems = 50;

/** A typo in a security setting must be seen first, so all problems of a file are gathered, up to 50. */
export class Report {
  readonly problems: ConfigProblem[] = [];
  readonly #source: YamlFile | undefined;
  readonly #file: string;

  constructor(file: string, source?: YamlFile) {
    this.#file = file;
    this.#source = source;
  }

  /** About the value at `key`. */
  value(key: string, problem: string, instead: string): void {
    const at = this.#source?.valuePlace(key) ?? { line: 0, column: 0 };
    this.#add(key, problem, instead, at.line, at.column);
  }

  /** About the key itself. */
  key(key: string, problem: string, instead: string): void {
    const at = this.#source?.keyPlace(key) ?? { line: 0, column: 0 };
    this.#add(key, problem, instead, at.line, at.column);
  }

  #add(key: string, problem: string, instead: string, line: number, column: number): void {
    if (this.problems.length >= maximumProblems) return;
    this.problems.push({ file: this.#file, line, column, key, problem, instead });
  }
}

/**
 * Checks a value read from YAML against a schema and fills in defaults at every depth.
 *
 * What comes back is only valid where the report has no problems.
 */
export function validate(schema: TSchema, value: Value, path: string, report: Report): unknown {
  return check(schema as Shape, value, path, report);
}

/** The schema's own defaults, nested ones included; for a node without a configuration file. */
export function defaultsOf(schema: TSchema, report: Report): unknown {
  return check(schema as Shape, null, '', report);
}

function check(shape: Shape, value: Value, path: string, report: Report): unknown {
  if (shape.anyOf !== undefined) return checkChoice(shape, shape.anyOf, value, path, report);
  switch (shape.type) {
    case 'object':
      return checkObject(shape, value, path, report);
    case 'array':
      return checkArray(shape, value, path, report);
    case 'string':
      return checkString(shape, value, path, report);
    case 'integer':
    case 'number':
      return checkNumber(shape, value, path, report);
    case 'boolean':
      if (value instanceof Plain && typeof value.value === 'boolean') return value.value;
      report.value(path, `is ${describe(value)}, not true or false`, 'Write `true` or `false`.');
      return false;
    default:
      throw new TypeError(`schema of ${path} has the unsupported type ${shape.type}`);
  }
}

function checkObject(shape: Shape, value: Value, path: string, report: Report): unknown {
  const properties = shape.properties ?? {};
  if (value !== null && !(value instanceof Map)) {
    const some = Object.keys(properties).slice(0, 3).join(', ');
    report.value(path, `is ${describe(value)}, not a group of keys`, `Write keys below it, such as ${some}.`);
    return {};
  }
  const given: ReadonlyMap<string, Value> = value ?? new Map<string, Value>();
  for (const key of given.keys()) {
    if (!Object.hasOwn(properties, key)) reportUnknown(key, join(path, key), Object.keys(properties), report);
  }
  const out: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(properties)) {
    const item = given.get(key);
    const below = join(path, key);
    if (item !== undefined && (item !== null || property.type === 'object')) {
      out[key] = check(property, item, below, report);
    } else if (property.default !== undefined) {
      out[key] = check(property, fromPlain(property.default), below, report);
    } else if (shape.required?.includes(key) === true) {
      if (item === null) report.key(below, 'has no value', `Write ${expectation(property)} after it.`);
      else report.value(path, `\`${key}\` is missing`, `Add \`${key}:\` with ${expectation(property)}.`);
    }
  }
  return out;
}

function reportUnknown(key: string, path: string, known: readonly string[], report: Report): void {
  const near = nearest(key, known);
  report.key(
    path,
    'the key is unknown',
    near !== undefined ? `Did you mean \`${near}\`?` : `Known here: ${known.join(', ')}.`,
  );
}

function checkArray(shape: Shape, value: Value, path: string, report: Report): unknown {
  if (!Array.isArray(value)) {
    report.value(path, `is ${describe(value)}, not a list`, 'Write one `- item` per line, or `[a, b]`.');
    return [];
  }
  if (shape.maxItems !== undefined && value.length > shape.maxItems) {
    report.value(path, `has ${value.length} items`, `At most ${shape.maxItems} are allowed.`);
    return [];
  }
  if (value.length < (shape.minItems ?? 0)) {
    report.value(path, 'is an empty list', `Write at least ${shape.minItems}, or remove the key.`);
    return [];
  }
  return value.map((item, i) => check(shape.items!, item, join(path, i), report));
}

function checkString(shape: Shape, value: Value, path: string, report: Report): unknown {
  // Digits are text where text is asked for: `number: +4930123` keeps its plus and its leading zeros.
  const text =
    typeof value === 'string'
      ? value
      : value instanceof Plain && typeof value.value === 'number'
        ? value.source
        : undefined;
  if (text === undefined) {
    report.value(path, `is ${describe(value)}, not text`, 'Write text; put it in quotes.');
    return '';
  }
  if (hasControls(text)) {
    report.value(path, 'contains control characters', 'Write it on one line, without tabs.');
  } else if (text.length < (shape.minLength ?? 0)) {
    report.value(
      path,
      text === '' ? 'is empty' : `has only ${text.length} characters`,
      `Write at least ${shape.minLength}.`,
    );
  } else if (text.length > (shape.maxLength ?? 4096)) {
    report.value(path, `has ${text.length} characters`, `Write at most ${shape.maxLength ?? 4096}.`);
  } else if (shape.pattern !== undefined && !new RegExp(shape.pattern, 'u').test(text)) {
    report.value(
      path,
      `\`${shorten(text)}\` has characters that are not allowed`,
      patternHelp(shape.pattern),
    );
  }
  return text;
}

function checkNumber(shape: Shape, value: Value, path: string, report: Report): unknown {
  const number = value instanceof Plain ? value.value : undefined;
  const low = shape.minimum ?? 0;
  const high = shape.maximum ?? 2 ** 31 - 1;
  const whole = shape.type === 'integer';
  if (typeof number !== 'number' || !(whole ? Number.isInteger(number) : Number.isFinite(number))) {
    report.value(
      path,
      `is ${describe(value)}, not a ${whole ? 'whole ' : ''}number`,
      `Write a number from ${low} to ${high}.`,
    );
    return low;
  }
  if (number < low || number > high) {
    report.value(path, `is ${number}, out of range`, `Write a number from ${low} to ${high}.`);
    return low;
  }
  return number;
}

function checkChoice(
  shape: Shape,
  options: readonly Shape[],
  value: Value,
  path: string,
  report: Report,
): unknown {
  const words = options.filter((o) => o.const !== undefined).map((o) => String(o.const));
  if (words.length === options.length) {
    const text = typeof value === 'string' ? value : value instanceof Plain ? value.source : undefined;
    // A number stays one.
    const chosen = options.find((o) => String(o.const) === text);
    if (chosen !== undefined) return chosen.const;
    const near = text === undefined ? undefined : nearest(text, words);
    report.value(
      path,
      `is ${describe(value)}`,
      near === undefined
        ? `Write one of: ${words.join(', ')}.`
        : `Did you mean \`${near}\`? Known: ${words.join(', ')}.`,
    );
    return shape.default ?? words[0];
  }
  // Alternatives are objects told apart by the one key that each has.
  const keys = options.map((o) => Object.keys(o.properties ?? {})[0]!);
  if (value instanceof Map && value.size === 1) {
    const key = [...value.keys()][0]!;
    const index = keys.indexOf(key);
    if (index >= 0) return check(options[index]!, value, path, report);
    reportUnknown(key, join(path, key), keys, report);
    return {};
  }
  report.value(
    path,
    `is ${describe(value)}`,
    `Write one of: ${keys.map((k) => `\`${k}: ...\``).join(', ')}.`,
  );
  return {};
}

function expectation(shape: Shape): string {
  if (shape.anyOf !== undefined) {
    const words = shape.anyOf.map((o) =>
      o.const !== undefined ? String(o.const) : Object.keys(o.properties ?? {})[0],
    );
    return `one of ${words.join(', ')}`;
  }
  switch (shape.type) {
    case 'array':
      return 'a list';
    case 'object':
      return 'keys below it';
    case 'integer':
    case 'number':
      return `a number from ${shape.minimum ?? 0} to ${shape.maximum ?? 2 ** 31 - 1}`;
    case 'boolean':
      return 'true or false';
    default:
      return 'text';
  }
}

function describe(value: Value): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Map) return value.size === 0 ? 'an empty group' : 'a group of keys';
  return `\`${shorten(value instanceof Plain ? value.source : (value as string))}\``;
}

/** Quotes what was read without letting it run on or break the line. */
function shorten(text: string): string {
  let out = '';
  for (const c of text) {
    if (out.length >= 40) return `${out}…`;
    out += c.charCodeAt(0) < 0x20 || c === '\u007f' ? '?' : c;
  }
  return out;
}

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c === 0x2028 || c === 0x2029) return true;
  }
  return false;
}

function patternHelp(pattern: string): string {
  switch (pattern) {
    case '^[A-Za-z0-9._+~-]+$':
      return 'Use letters, digits and . _ + ~ - only.';
    case '^\\+?[0-9]{1,15}$':
      return 'Write 1 to 15 digits, with + in front of an international number.';
    case '^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$':
      return 'Write a SHA-256 fingerprint, 32 pairs of hexadecimal digits with colons, as `openssl x509 -noout -fingerprint -sha256` prints it.';
    default:
      return `It must match ${pattern}.`;
  }
}

function fromPlain(value: unknown): Value {
  if (typeof value === 'number' || typeof value === 'boolean') return new Plain(value, String(value));
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value === 'object' && value !== null) {
    return new Map(Object.entries(value).map(([k, v]) => [k, fromPlain(v)]));
  }
  return null;
}
