/**
 * Character classes of the SIP grammar (RFC 3261 §25.1) as bit flags, one table look-up per character.
 *
 * Look-ups beyond ASCII give `undefined`, which no mask matches.
 */
export const TOKEN = 1;
/** SP and HTAB: what is left of LWS after unfolding. */
export const SPACE = 2;
/** Host names and IPv4 addresses; the underscore is not in the grammar but in many names. */
export const HOST = 4;
/** userinfo without `@`: unreserved, user-unreserved, `%`, `:`; and `#`, which phones send unescaped. */
export const USER = 8;
/** paramchar of URI parameters, and `%`. */
export const URI_PARAM = 16;
/** hnv-unreserved, unreserved and `%` of URI headers. */
export const URI_HEADER = 32;
export const UPPER = 64;
export const DIGIT = 128;
/** gen-value without quotes: token, host, IPv6 reference. */
export const VALUE = 256;
/** word of Call-ID, and `@`. */
export const WORD = 512;
/** What a URI of a foreign scheme may hold: everything visible but the delimiters of name-addr. */
export const URI = 1024;
/** Every control character, DEL included. */
export const CONTROL = 2048;
/** Written unescaped in the user part of a URI. */
export const USER_PLAIN = 4096;
/** Written unescaped in URI parameters. */
export const URI_PARAM_PLAIN = 8192;
/** Written unescaped in URI headers. */
export const URI_HEADER_PLAIN = 16384;

const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const digits = '0123456789';
const alphanumeric = `${upper}${upper.toLowerCase()}${digits}`;
const unreserved = `${alphanumeric}-_.!~*'()`;

const build = (): Uint16Array => {
  const table = new Uint16Array(128);
  const mark = (characters: string, flag: number): void => {
    for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)]! |= flag;
  };
  const token = `${alphanumeric}-.!%*_+\`'~`;
  mark(token, TOKEN | VALUE | WORD);
  mark(' \t', SPACE);
  mark(`${alphanumeric}-._`, HOST);
  mark('[]:', VALUE);
  mark('()<>:\\"/[]?{}@', WORD);
  mark(`${unreserved}&=+$,;?/`, USER | USER_PLAIN);
  mark('%:#', USER);
  mark(`${unreserved}[]/:&+$`, URI_PARAM | URI_PARAM_PLAIN);
  mark('%', URI_PARAM | URI_HEADER);
  mark(`${unreserved}[]/?:+$`, URI_HEADER | URI_HEADER_PLAIN);
  mark(upper, UPPER);
  mark(digits, DIGIT);
  for (let c = 0; c < 0x20; c++) table[c]! |= CONTROL;
  table[0x7f]! |= CONTROL;
  for (let c = 0x21; c < 0x7f; c++) if (!'<>"'.includes(String.fromCharCode(c))) table[c]! |= URI;
  return table;
};

/** Flags of the ASCII characters. */
export const classes: Uint16Array = build();

/** First index in `[from, end)` whose character lacks the flag, or `end`. */
export const skipClass = (text: string, from: number, end: number, flag: number): number => {
  let i = from;
  while (i < end && (classes[text.charCodeAt(i)]! & flag) !== 0) i++;
  return i;
};

/** True if the text is not empty and every character has the flag. */
export const consistsOf = (text: string, flag: number): boolean =>
  text.length > 0 && skipClass(text, 0, text.length, flag) === text.length;

/** Lower case of `[from, end)`, without the work where there is no capital. */
export const lowerSlice = (text: string, from: number, end: number): string => {
  for (let i = from; i < end; i++) {
    if ((classes[text.charCodeAt(i)]! & UPPER) !== 0) return text.slice(from, end).toLowerCase();
  }
  return text.slice(from, end);
};
