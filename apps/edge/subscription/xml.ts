/** An element of a document; text stands among the children, decoded. */
export interface XmlElement {
  /** As written, with its prefix. */
  readonly name: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
  readonly children: readonly (XmlElement | string)[];
}

/** Bounds of a document; its octets are bounded by the message. */
const deepest = 16;
const mostElements = 1_000;
const mostAttributes = 32;

const isSpace = (c: number): boolean => c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0d;
const isNameCharacter = (c: number): boolean =>
  (c >= 0x61 && c <= 0x7a) ||
  (c >= 0x41 && c <= 0x5a) ||
  (c >= 0x30 && c <= 0x39) ||
  c === 0x5f ||
  c === 0x2d ||
  c === 0x2e ||
  c === 0x3a;
const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** Thrown and caught within this file: the reader is recursive. */
class Malformed extends Error {}

/**
 * Reads a document of the small XML that event packages use: elements, attributes, text, comments.
 *
 * No document types, no entities but the five of XML and characters by number, no CDATA: nothing that makes a reader
 * fetch or multiply. Undefined: anything else, or beyond the bounds.
 */
export function parseXml(text: string): XmlElement | undefined {
  try {
    return new Reader(text).document();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;
  #elements = 0;

  constructor(text: string) {
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  document(): XmlElement {
    this.#space();
    if (this.#text.startsWith('<?xml', this.#at)) this.#at = this.#behind('?>');
    this.#misc();
    const root = this.#element(0);
    this.#misc();
    if (this.#at !== this.#text.length) throw new Malformed();
    return root;
  }

  /** White space and comments. */
  #misc(): void {
    for (;;) {
      this.#space();
      if (!this.#text.startsWith('<!--', this.#at)) return;
      this.#at = this.#behind('-->');
    }
  }

  #element(depth: number): XmlElement {
    this.#elements += 1;
    if (depth > deepest || this.#elements > mostElements) throw new Malformed();
    this.#expect('<');
    const name = this.#name();
    const attributes: [string, string][] = [];
    for (;;) {
      const spaced = this.#space();
      if (this.#take('/>')) return { name, attributes, children: [] };
      if (this.#take('>')) break;
      if (!spaced || attributes.length >= mostAttributes) throw new Malformed();
      attributes.push(this.#attribute());
    }
    const children: (XmlElement | string)[] = [];
    for (;;) {
      const next = this.#text.indexOf('<', this.#at);
      if (next < 0) throw new Malformed();
      if (next > this.#at) children.push(decode(this.#text.slice(this.#at, next)));
      this.#at = next;
      if (this.#text.startsWith('<!--', next)) this.#at = this.#behind('-->');
      else if (this.#take('</')) {
        if (this.#name() !== name) throw new Malformed();
        this.#space();
        this.#expect('>');
        return { name, attributes, children };
      } else children.push(this.#element(depth + 1));
    }
  }

  #attribute(): [string, string] {
    const name = this.#name();
    this.#space();
    this.#expect('=');
    this.#space();
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") throw new Malformed();
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) throw new Malformed();
    const value = this.#text.slice(this.#at + 1, end);
    if (value.includes('<')) throw new Malformed();
    this.#at = end + 1;
    return [name, decode(value)];
  }

  #name(): string {
    const from = this.#at;
    while (this.#at < this.#text.length && isNameCharacter(this.#text.charCodeAt(this.#at))) this.#at += 1;
    if (this.#at === from) throw new Malformed();
    return this.#text.slice(from, this.#at);
  }

  #space(): boolean {
    const from = this.#at;
    while (this.#at < this.#text.length && isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
    return this.#at > from;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new Malformed();
  }

  #behind(mark: string): number {
    const found = this.#text.indexOf(mark, this.#at);
    if (found < 0) throw new Malformed();
    return found + mark.length;
  }
}

function decode(text: string): string {
  let plain = '';
  let from = 0;
  for (;;) {
    const at = text.indexOf('&', from);
    if (at < 0) return plain + text.slice(from);
    const end = text.indexOf(';', at);
    if (end < 0 || end - at > 10) throw new Malformed();
    plain += text.slice(from, at) + entity(text.slice(at + 1, end));
    from = end + 1;
  }
}

function entity(name: string): string {
  const known = named[name];
  if (known !== undefined) return known;
  const hexadecimal = name.startsWith('#x');
  const code = name.startsWith('#')
    ? Number.parseInt(name.slice(hexadecimal ? 2 : 1), hexadecimal ? 16 : 10)
    : Number.NaN;
  // Characters of XML 1.0 §2.2.
  const allowed =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff);
  if (!allowed) throw new Malformed();
  return String.fromCodePoint(code);
}

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The document as text, with its declaration. */
export const writeXml = (root: XmlElement): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\r\n${write(root)}\r\n`;

function write({ name, attributes, children }: XmlElement): string {
  let text = `<${name}`;
  for (const [key, value] of attributes) text += ` ${key}="${escapeText(value).replaceAll('"', '&quot;')}"`;
  if (children.length === 0) return `${text}/>`;
  text += '>';
  for (const child of children) text += typeof child === 'string' ? escapeText(child) : write(child);
  return `${text}</${name}>`;
}
