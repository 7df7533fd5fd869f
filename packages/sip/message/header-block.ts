import { CONTROL, classes, DIGIT, SPACE, skipClass, TOKEN, WORD } from './characters.ts';
import { HeaderList } from './header-list.ts';
import { type KnownHeader, knownHeaderAt, TypedHeader } from './header-names.ts';
import type { MessageLimits } from './limits.ts';
import { readNameAddr, salvageNameAddr } from './name-addr.ts';
import { nextComma } from './quoted.ts';
import type { CSeq, NameAddr, Via } from './types.ts';
import { magicCookie, readVia } from './via.ts';

/** Largest CSeq number (RFC 3261 §8.1.1.5) and largest Content-Length taken. */
const maxNumber = 0x7fffffff;

/** The first thing found wrong with a message. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  /** Status of the refusal; 0 where there must be none. */
  readonly status: number;
}

/** Non-negative decimal number that fills the range, saturating at 2^53; -1 if there is anything but digits. */
const readNumber = (text: string, from: number, end: number): number => {
  if (from >= end) return -1;
  let value = 0;
  for (let i = from; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = Math.min(value * 10 + digit, Number.MAX_SAFE_INTEGER);
  }
  return value;
};

/** True if every control character of the value is escaped by a backslash, and none is NUL, CR or LF. */
const controlsEscaped = (text: string, from: number, end: number): boolean => {
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i);
    if ((classes[code]! & CONTROL) === 0 || code === 9) continue;
    if (code === 0 || code === 10 || code === 13 || i === from || text.charCodeAt(i - 1) !== 0x5c)
      return false;
  }
  return true;
};

/** Index of the CRLF that ends the line, or `end`. Searching one character, where no LF stands alone, is the fast way. */
const lineEndAt = (text: string, from: number, end: number): number => {
  const lineFeed = text.indexOf('\n', from);
  return lineFeed < 0 ? end : lineFeed - 1;
};

/**
 * The header fields of one message while they are read.
 *
 * Reading goes on behind a problem, because the refusal of a request needs its Via, From, To, Call-ID and CSeq.
 */
export class HeaderBlock {
  readonly via: Via[] = [];
  readonly headers: HeaderList = new HeaderList();
  from: NameAddr | undefined = undefined;
  to: NameAddr | undefined = undefined;
  callId = '';
  cseq: CSeq | undefined = undefined;
  maxForwards: number | undefined = undefined;
  /** -1 where the header is missing. */
  contentLength = -1;
  problem: Problem | undefined = undefined;
  readonly #limits: MessageLimits;
  /** Bit for each single-valued header that was there, by its `singleIndex`. */
  #seen = 0;
  #seenMore = 0;
  /** A comma at or behind the last place asked for, so that the search for commas goes over the text once. */
  #comma = -1;
  #text = '';

  constructor(limits: MessageLimits) {
    this.#limits = limits;
  }

  fail(code: string, detail: string, status = 400): void {
    this.problem ??= { code, detail, status };
  }

  /**
   * Reads the fields in `text[from, end)`, whose lines all end in CRLF or at `end`.
   *
   * `controls` says whether the text holds any control character besides CR, LF and HTAB.
   */
  read(text: string, from: number, end: number, controls: boolean): void {
    this.#text = text;
    let line = from;
    let count = 0;
    while (line < end) {
      if (++count > this.#limits.headerCount) {
        this.fail('too-many-headers', 'too many header fields', 0);
        return;
      }
      let lineEnd = lineEndAt(text, line, end);

      // HCOLON = *( SP / HTAB ) ":" SWS: the space before the colon does not belong to the name.
      const nameEnd = skipClass(text, line, lineEnd, TOKEN);
      const colon = skipClass(text, nameEnd, lineEnd, SPACE);
      const named = nameEnd > line && colon < lineEnd && text.charCodeAt(colon) === 0x3a;
      let value = named ? skipClass(text, colon + 1, lineEnd, SPACE) : lineEnd;
      let valueEnd = lineEnd;
      while (valueEnd > value && (classes[text.charCodeAt(valueEnd - 1)]! & SPACE) !== 0) valueEnd--;

      let source = text;
      let next = lineEnd + 2;
      if (next < end && (classes[text.charCodeAt(next)]! & SPACE) !== 0) {
        // §7.3.1: a folded line counts as one space.
        source = text.slice(value, valueEnd);
        while (next < end && (classes[text.charCodeAt(next)]! & SPACE) !== 0) {
          lineEnd = lineEndAt(text, next, end);
          const start = skipClass(text, next, lineEnd, SPACE);
          let stop = lineEnd;
          while (stop > start && (classes[text.charCodeAt(stop - 1)]! & SPACE) !== 0) stop--;
          if (stop > start) source += source === '' ? text.slice(start, stop) : ` ${text.slice(start, stop)}`;
          next = lineEnd + 2;
        }
        value = 0;
        valueEnd = source.length;
      }
      if (lineEnd - line > this.#limits.lineLength) {
        this.fail('line-too-long', 'header field too long', 0);
        return;
      }
      if (!named) this.fail('bad-header', 'header line without a name that is a token, and a colon');
      else this.#field(text, line, nameEnd, source, value, valueEnd, controls);
      line = next;
    }
  }

  #field(
    text: string,
    name: number,
    nameEnd: number,
    source: string,
    value: number,
    valueEnd: number,
    controls: boolean,
  ): void {
    const known = knownHeaderAt(text, name, nameEnd);
    if (known !== undefined && known.id <= TypedHeader.contentLength) {
      this.#typed(known, source, value, valueEnd);
      return;
    }
    if (controls && !controlsEscaped(source, value, valueEnd)) {
      this.fail('bad-header', 'control character in a header value');
      return;
    }
    const content = source.slice(value, valueEnd);
    if (known === undefined) {
      const written = text.slice(name, nameEnd);
      this.headers.dangerousAppendUnchecked(written.toLowerCase(), written, content);
      return;
    }
    if (known.single) {
      const bit = 1 << (known.singleIndex & 31);
      const seen = known.singleIndex < 32 ? this.#seen : this.#seenMore;
      if ((seen & bit) !== 0) {
        if (this.headers.get(known.name) !== content) {
          this.fail('duplicate-header', `more than one ${known.written}`);
        }
        return;
      }
      if (known.singleIndex < 32) this.#seen |= bit;
      else this.#seenMore |= bit;
    }
    this.headers.dangerousAppendUnchecked(known.name, known.written, content);
  }

  #typed(known: KnownHeader, text: string, from: number, end: number): void {
    if (known.id === TypedHeader.via) {
      this.#via(text, from, end);
      return;
    }
    // All typed headers are among the first 32 single-valued ones.
    const bit = 1 << known.singleIndex;
    if ((this.#seen & bit) !== 0) {
      this.fail('duplicate-header', `more than one ${known.written}`);
      return;
    }
    this.#seen |= bit;
    switch (known.id) {
      case TypedHeader.from:
        this.from = this.#nameAddr(known, text, from, end);
        return;
      case TypedHeader.to:
        this.to = this.#nameAddr(known, text, from, end);
        return;
      case TypedHeader.callId:
        if (from === end || skipClass(text, from, end, WORD) !== end) {
          this.fail('bad-call-id', 'Call-ID is not word or word@word');
          return;
        }
        this.callId = text.slice(from, end);
        return;
      case TypedHeader.cseq:
        this.#cseq(text, from, end);
        return;
      case TypedHeader.maxForwards: {
        const hops = readNumber(text, from, end);
        if (hops < 0 || hops > 255) {
          this.fail('bad-max-forwards', 'Max-Forwards is not 0 to 255');
          return;
        }
        this.maxForwards = hops;
        return;
      }
      default: {
        const length = readNumber(text, from, end);
        if (length < 0 || length > maxNumber) {
          this.fail('bad-content-length', 'Content-Length is not a number from 0 to 2^31-1');
          return;
        }
        this.contentLength = length;
      }
    }
  }

  #mayHoldComma(text: string, from: number, end: number): boolean {
    if (text !== this.#text) return true;
    if (this.#comma < from) {
      const comma = text.indexOf(',', from);
      this.#comma = comma < 0 ? text.length : comma;
    }
    return this.#comma < end;
  }

  #via(text: string, from: number, end: number): void {
    let start = from;
    for (;;) {
      const comma = this.#mayHoldComma(text, start, end) ? nextComma(text, start, end) : end;
      if (this.via.length >= this.#limits.viaCount) {
        this.fail('too-many-vias', 'too many Via values', 0);
        return;
      }
      const via = readVia(text, start, comma, this.#limits.paramCount);
      if (typeof via !== 'string') {
        this.via.push(via);
      } else {
        this.fail('bad-via', via);
        const rest = readVia(text, start, comma, this.#limits.paramCount, true);
        if (typeof rest !== 'string') this.via.push(rest);
        return;
      }
      if (comma >= end) return;
      start = comma + 1;
    }
  }

  #nameAddr(known: KnownHeader, text: string, from: number, end: number): NameAddr | undefined {
    const value = readNameAddr(text, from, end, this.#limits.paramCount);
    if (typeof value !== 'string') {
      const tag = value.params.get('tag');
      if (
        tag === undefined ||
        (typeof tag === 'string' && skipClass(tag, 0, tag.length, TOKEN) === tag.length)
      ) {
        return value;
      }
      this.fail('bad-tag', `tag of ${known.written} is not a token`);
      return undefined;
    }
    this.fail('bad-name-addr', `${known.written}: ${value}`);
    return salvageNameAddr(text.slice(from, end));
  }

  #cseq(text: string, from: number, end: number): void {
    const digitsEnd = skipClass(text, from, end, DIGIT);
    const method = skipClass(text, digitsEnd, end, SPACE);
    const number = readNumber(text, from, digitsEnd);
    if (number < 0 || method === digitsEnd || method >= end || skipClass(text, method, end, TOKEN) !== end) {
      this.fail('bad-cseq', 'CSeq is not a number and a method');
      return;
    }
    if (number <= maxNumber) {
      this.cseq = { number, method: text.slice(method, end) };
      return;
    }
    this.fail('bad-cseq', 'CSeq number above 2^31-1');
    this.cseq = {
      number: maxNumber,
      outOfRange: text.slice(from, digitsEnd),
      method: text.slice(method, end),
    };
  }

  /** RFC 4475 §3.2.1: a branch that is the magic cookie alone would make transactions collide. */
  checkBranch(): void {
    const branch = this.via[0]?.branch;
    if (branch !== undefined && branch.length <= magicCookie.length) {
      if (branch.toLowerCase() === magicCookie.toLowerCase())
        this.fail('bad-branch', 'branch is the magic cookie alone');
    }
  }
}
