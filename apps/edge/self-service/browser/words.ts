/** What the page says for each problem that its server names. */
const problems: Readonly<Record<string, string>> = {
  'sign-in': 'User name or password is wrong.',
  later: 'Too many attempts. Wait some minutes, and try again.',
  session: 'You have been signed out, since some time has passed. Sign in again.',
  unproven: 'Show first that it is you.',
  gone: 'That phone waits no more. It may have been confirmed already.',
  code: 'That code is wrong. Is the clock of your device right?',
  replayed: 'That code was used already. Wait for the next one.',
  locked: 'Too many wrong codes. No more are looked at for a while; your administrator can help.',
  link: 'That link has been used, or its time is over. Ask for a new one.',
  'sign-in-first': 'Sign in below; then use the link again.',
  'mail-none': 'No mailbox is known for your account. Ask your administrator.',
  'mail-later': 'Several mails are on their way already. Look into your mailbox, or wait an hour.',
  'mail-failed': 'The mail could not be sent. Ask your administrator.',
  passkey: 'The passkey was not accepted.',
  site: 'Passkeys work only at the address that your administrator has given this page.',
  begin: 'Begin again: that took too long.',
  'too-many': 'There are as many passkeys as can be. Remove one first.',
  refused: 'The server has refused that. Load the page again.',
  edge: 'The server cannot do that just now. Try again in a moment.',
  network: 'The server cannot be reached.',
};

export const problemText = (problem: string): string => problems[problem] ?? 'That did not work.';

/** How somebody who put an account aside is named. */
export function whyText(state: string, why: string, by: string): string {
  if (state === 'known') return `Confirmed (${byText(by)}).`;
  if (state === 'pending')
    return 'Waits to be confirmed: it is in a network, or of a kind, that is new to your account. Until then it reaches emergency numbers and the help desk alone, and does not ring.';
  return `Put aside (${byText(by)}): ${why}. Your administrator releases it.`;
}

const ways: Readonly<Record<string, string>> = {
  code: 'by a code',
  passkey: 'by a passkey',
  recovery: 'by a recovery code',
  mail: 'by a link in a mail',
  'first use': 'as its first place',
  policy: 'by rule',
};

export const byText = (by: string): string => ways[by] ?? `by ${by}`;

const kinds: Readonly<Record<string, string>> = {
  totp: 'Authenticator app',
  passkey: 'Passkey',
  recovery: 'Recovery codes',
};

export const kindText = (kind: string): string => kinds[kind] ?? kind;

export const phoneName = (phone: string): string =>
  phone === '' ? 'A phone that does not say what it is' : phone;
