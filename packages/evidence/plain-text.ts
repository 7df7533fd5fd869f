/**
 * Text of a stranger made harmless to look at: control characters, line ends, marks that turn the direction of writing,
 * invisible ones and halves of pairs become `?`, and what is longer than `most` characters ends with an ellipsis.
 */
export function plainText(text: string, most: number): string {
  let out = '';
  let count = 0;
  for (const character of text) {
    if (count >= most) return `${out}…`;
    out += isHarmless(character.codePointAt(0)!) ? character : '?';
    count += 1;
  }
  return out;
}

function isHarmless(code: number): boolean {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  if (code === 0xad || code === 0x61c || code === 0x180e || code === 0xfeff) return false;
  if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e)) return false;
  if (code >= 0x2060 && code <= 0x206f) return false;
  if (code >= 0xd800 && code <= 0xdfff) return false;
  if (code >= 0xfdd0 && code <= 0xfdef) return false;
  // tags and variation selectors of plane 14
  if (code >= 0xe0000 && code <= 0xe0fff) return false;
  if (code >= 0xfff9 && code <= 0xfffb) return false;
  return (code & 0xfffe) !== 0xfffe;
}

/** For text and attributes of XML 1.0, after `plainText`. */
export const escapeXml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
