import { parseMoney, unit } from './money.ts';
import type { Rate } from './rate.ts';

/** What is wrong with a rate sheet, and where; rows and columns count from 1, the heading is row 1. */
export interface SheetProblem {
  readonly row: number;
  /** Heading of the column; empty: the row as a whole. */
  readonly column: string;
  readonly text: string;
}

export interface SheetOptions {
  /** What prices are in: a column of currencies has to agree. */
  readonly currency: string;
  /** Seconds where the sheet has no columns of them. Default 60 and 1. */
  readonly initial?: number;
  readonly next?: number;
}

/** Characters of one row, and seconds of one step, at most. */
const mostCharacters = 65_536;
const mostStep = 3_600;
/** Nobody asks more for a minute, or for beginning a call. */
const mostPrice = 100 * unit;
/** Problems that are told one by one. */
const mostProblems = 20;

const columns = {
  prefix: [
    'prefix',
    'code',
    'dial code',
    'dialcode',
    'dial prefix',
    'full prefix',
    'destination code',
    'vorwahl',
  ],
  perMinute: [
    'rate',
    'price',
    'per minute',
    'perminute',
    'rate per minute',
    'price per minute',
    'price/min',
    'rate/min',
    'preis',
  ],
  connection: ['connection', 'connection fee', 'connect fee', 'connection charge', 'setup', 'setup fee'],
  initial: ['initial', 'initial increment', 'minimum', 'first', 'min seconds', '1st increment'],
  next: ['next', 'increment', 'regular increment', 'next increment', 'subsequent', '2nd increment'],
  currency: ['currency', 'waehrung', 'währung'],
} as const;
type Column = keyof typeof columns;

/**
 * Reads a rate sheet as CSV, a piece of text at a time: comma, semicolon or tab, quotes as in RFC 4180, columns by their
 * headings in any order, columns that are none of these left out.
 *
 * Holds one row and twenty problems, however long the sheet is. Rows are given in the order of the sheet, checked each;
 * whether a prefix comes twice the caller has to see.
 */
export class RateSheetReader {
  readonly problems: SheetProblem[] = [];
  /** All there were. */
  problemCount = 0;
  /** Rows with rates, right or wrong. */
  rows = 0;
  readonly #options: SheetOptions;
  readonly #take: (rate: Rate, row: number) => void;
  #row = 1;
  #delimiter = '';
  #places: { readonly [C in Column]?: number } | undefined = undefined;
  #headings: readonly string[] = [];
  #fields: string[] = [];
  #field = '';
  #quoted = false;
  #characters = 0;
  /** A quote came within quotes: it ends them, or stands for itself. */
  #pending = false;
  #return = false;

  constructor(options: SheetOptions, take: (rate: Rate, row: number) => void) {
    this.#options = options;
    this.#take = take;
  }

  push(text: string): void {
    for (let i = 0; i < text.length; i += 1) {
      const c = text[i] as string;
      if (this.#pending) {
        this.#pending = false;
        if (c === '"') {
          this.#field += c;
          continue;
        }
        this.#quoted = false;
      }
      if (this.#quoted) {
        if (c === '"') this.#pending = true;
        else this.#grow(c);
        continue;
      }
      const after = this.#return;
      this.#return = c === '\r';
      if (c === '\n' && after) continue;
      if (c === '\n' || c === '\r') this.#endRow();
      else if (c === '"' && this.#field === '') this.#quoted = true;
      else if (this.#delimiter === '' ? false : c === this.#delimiter) this.#endField();
      else this.#grow(c);
    }
  }

  /** The sheet is over. True: nothing was wrong, and there was something. */
  end(): boolean {
    if (this.#quoted && !this.#pending) this.problem('', 'a quote is opened and never closed');
    this.#quoted = false;
    this.#pending = false;
    if (this.#field !== '' || this.#fields.length > 0) this.#endRow();
    if (this.#places === undefined && this.problemCount === 0) this.problem('', 'the file is empty');
    else if (this.rows === 0 && this.problemCount === 0)
      this.problem('', 'there is no rate under the heading');
    return this.problemCount === 0;
  }

  problem(column: string, text: string, row = this.#row): void {
    this.problemCount += 1;
    if (this.problems.length < mostProblems) this.problems.push({ row, column, text });
  }

  #grow(c: string): void {
    this.#characters += 1;
    if (this.#characters <= mostCharacters) this.#field += c;
  }

  #endField(): void {
    this.#fields.push(this.#field.trim());
    this.#field = '';
  }

  #endRow(): void {
    if (this.#delimiter === '') this.#split();
    else this.#endField();
    const fields = this.#fields;
    this.#fields = [];
    const tooLong = this.#characters > mostCharacters;
    this.#characters = 0;
    if (tooLong) this.problem('', `has more than ${mostCharacters} characters: a quote may be missing`);
    else if (fields.every((field) => field === '')) {
      // Empty lines are nothing.
    } else if (this.#places === undefined) this.#heading(fields);
    else this.#rate(fields, this.#places);
    this.#row += 1;
  }

  /** The heading says what separates columns. */
  #split(): void {
    const line = this.#field.replace(/^\ufeff/, '');
    this.#field = '';
    const counts = [',', ';', '\t'].map((mark) => [mark, line.split(mark).length] as const);
    const [mark] = counts.sort((a, b) => b[1] - a[1])[0] as readonly [string, number];
    if (line.trim() === '') return;
    this.#delimiter = mark;
    this.#fields = line.split(mark).map((field) => field.trim());
  }

  #heading(fields: readonly string[]): void {
    this.#headings = fields;
    const places: { [C in Column]?: number } = {};
    fields.forEach((heading, at) => {
      const name = heading.toLowerCase().replaceAll('_', ' ').replaceAll("'", '').trim();
      for (const [column, names] of Object.entries(columns) as [Column, readonly string[]][]) {
        if (!names.includes(name)) continue;
        if (places[column] === undefined) places[column] = at;
        else this.problem(heading, `there are two columns for the ${column}`);
      }
    });
    for (const column of ['prefix', 'perMinute'] as const)
      if (places[column] === undefined)
        this.problem('', `no column is headed ${columns[column].slice(0, 4).join(', ')} or alike`);
    this.#places = places;
  }

  #rate(fields: readonly string[], places: { readonly [C in Column]?: number }): void {
    this.rows += 1;
    const before = this.problemCount;
    if (places.prefix === undefined || places.perMinute === undefined) return;
    if (fields.length !== this.#headings.length)
      return this.problem('', `has ${fields.length} columns, and the heading has ${this.#headings.length}`);
    const of = (column: Column): string | undefined =>
      places[column] === undefined ? undefined : fields[places[column]];
    const heading = (column: Column): string => this.#headings[places[column] ?? 0] ?? column;
    const prefix = (of('prefix') ?? '').replace(/^\+|^00/, '').replaceAll(' ', '');
    if (!/^[1-9][0-9]{0,14}$/.test(prefix))
      this.problem(
        heading('prefix'),
        `${quoted(of('prefix'))} is no prefix: digits that begin with a country code`,
      );
    const price = (column: Column): number => {
      const text = of(column);
      if (text === undefined || (column === 'connection' && text === '')) return 0;
      const value = parseMoney(text);
      if (value === undefined)
        this.problem(
          heading(column),
          text.startsWith('-')
            ? `${quoted(text)} is negative`
            : `${quoted(text)} is no price: write a decimal of at most six places`,
        );
      else if (value > mostPrice)
        this.problem(heading(column), `${quoted(text)} is absurd: more than 100 a minute`);
      return value ?? 0;
    };
    const seconds = (column: 'initial' | 'next', usual: number): number => {
      const text = of(column);
      if (text === undefined || text === '') return usual;
      const value = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
      if (value < 1 || value > mostStep)
        this.problem(heading(column), `${quoted(text)} is no number of seconds from 1 to ${mostStep}`);
      return value;
    };
    const currency = of('currency');
    if (currency !== undefined && currency.replaceAll("'", '').toUpperCase() !== this.#options.currency)
      this.problem(
        heading('currency'),
        `${quoted(currency)} is not ${this.#options.currency}: one sheet has one currency`,
      );
    const rate: Rate = {
      prefix,
      perMinute: price('perMinute'),
      connection: price('connection'),
      initial: seconds('initial', this.#options.initial ?? 60),
      next: seconds('next', this.#options.next ?? 1),
    };
    if (this.problemCount === before) this.#take(rate, this.#row);
  }
}

const quoted = (text = ''): string => `\`${text.slice(0, 40)}\``;
