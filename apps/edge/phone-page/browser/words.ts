/** Texts for people: what has happened, and what they can do about it. */

/** Why there is no microphone, by the name of the browser's error (Media Capture and Streams §10.2). */
export function microphoneTrouble(name: string): string {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'The browser was not allowed to use the microphone. Allow it for this site in the address bar, then try again.';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'No microphone was found. Connect one, then try again.';
    case 'NotReadableError':
    case 'AbortError':
      return 'The microphone is in use by another program, or does not answer. Close the other program, then try again.';
    default:
      return 'The microphone could not be opened. Check the browser’s settings for this site.';
  }
}

export const noMediaHere =
  'This browser gives no microphone to this page. Open it by https:// with a certificate that the browser trusts.';

/** Why the connection failed; browsers tell a page nothing more than that it did. */
export const noConnection =
  'No secure connection to the server. Check the network. If the browser has warned of the certificate, its authority has to be installed on this device; passing over the warning is not enough for calls.';

/** Why signing in failed. */
export function signInTrouble(status: number, warning: string): string {
  if (status === 401 || status === 407)
    return 'User name or password is wrong. Check both and sign in again.';
  if (status === 403) return with_('This phone may not sign in here. Ask whoever runs the server.', warning);
  if (status === 404)
    return 'The server does not know this user. Check the part behind the @, if you gave one.';
  if (status === 503)
    return 'The server is busy or not ready. It will be tried again by itself; you need do nothing.';
  if (status === 0) return 'The server did not answer. Check the network and sign in again.';
  return with_(`The server refused to sign this phone in (${status}).`, warning);
}

/** Why a call did not come about, or has ended with an error. */
export function callTrouble(status: number, warning: string): string {
  switch (status) {
    case 401:
    case 407:
      return 'The server did not accept the password for this call. Sign out and sign in again.';
    case 403:
      return with_('You may not call there.', warning);
    case 404:
    case 484:
    case 604:
      return 'There is no way to that name or number. Check it and call again.';
    case 408:
    case 480:
      return 'Nobody answers there now: the phone is off, not signed in, or was not picked up.';
    case 486:
    case 600:
      return 'Busy. Call again later.';
    case 488:
    case 606:
      return with_(
        'The call was refused because of its encryption or sound format: the two sides have none in common that is allowed.',
        warning,
      );
    case 603:
      return 'The call was declined.';
    case 500:
    case 502:
    case 503:
    case 504:
      return with_('The server or the line behind it cannot take calls now. Try again in a minute.', warning);
    default:
      return with_(`The call did not come about${status === 0 ? '' : ` (${status})`}.`, warning);
  }
}

/** Text of a Warning header field (RFC 3261 §20.43): what the server adds in its own words. */
export function warningText(field: string | undefined): string {
  const open = field?.indexOf('"') ?? -1;
  const close = field?.lastIndexOf('"') ?? -1;
  return field !== undefined && open >= 0 && close > open ? field.slice(open + 1, close).slice(0, 300) : '';
}

const with_ = (text: string, warning: string): string =>
  warning === '' ? text : `${text} The server says: ${warning}`;

/** 3:07, 1:02:09. */
export function duration(seconds: number): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
