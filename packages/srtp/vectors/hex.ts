/** Bytes of hexadecimal text as RFCs print it, with blanks and line breaks anywhere. */
export const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
