import { reasonPhrase } from '../message/status.ts';

/** Content-Type of what follows, RFC 3420 §3 and RFC 3515 §2.4.5. */
export const sipfragType = 'message/sipfrag;version=2.0';

/** A status line as body of a NOTIFY, RFC 3515 §2.4.5: nothing but our own words about how far a call is. */
export const sipfragOf = (status: number): Uint8Array =>
  new TextEncoder().encode(`SIP/2.0 ${status} ${reasonPhrase(status)}\r\n`);

/** The status of a sipfrag's first line, 100 to 699; undefined where it does not begin with a status line. */
export const sipfragStatus = (body: Uint8Array): number | undefined => {
  const text = new TextDecoder().decode(body.subarray(0, 11));
  if (!text.startsWith('SIP/2.0 ')) return undefined;
  const status = Number(text.slice(8, 11));
  return Number.isInteger(status) && status >= 100 && status <= 699 ? status : undefined;
};
