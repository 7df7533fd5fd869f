import type { AccountRow } from '../store/account-rows.ts';

/** What a phone calls itself comes from outside: its words stand in quotes, and cannot look like a link. */
export const phoneText = (phone: string): string => {
  const plain = [...phone].filter((sign) => /[\p{L}\p{N} _-]/u.test(sign)).join('');
  return plain.trim() === '' ? 'a phone that does not say what it is' : `"${plain.slice(0, 40)}"`;
};

/** A mail with a link; `phone`: the one that it would confirm. */
export function mailWithLink(
  link: string,
  phone: Pick<AccountRow, 'device' | 'network' | 'phone' | 'since'> | undefined,
  { user, domain, minutes }: { readonly user: string; readonly domain: string; readonly minutes: number },
): { readonly subject: string; readonly text: string } {
  const account = `${user}@${domain}`;
  const end = `The link works once, for ${minutes} minutes.\n\nThis mail was written by the telephone system; nobody reads answers to it.\n`;
  if (phone === undefined)
    return {
      subject: `${account}: set up confirmation`,
      text: `Somebody has signed in with the telephone password of ${account} and wants to set up how phones are confirmed.\n\nIf that was you, open this link and sign in:\n${link}\n\nIf it was not, do not open it, and tell your administrator: somebody else knows the password.\n\n${end}`,
    };
  const { device, network, since } = phone;
  return {
    subject: `${account}: a phone must be confirmed`,
    text: `A phone has signed in as ${device} (${account}) from a place that is new:\n\n  phone    ${phoneText(phone.phone)}\n  network  ${network}\n  since    ${new Date(since).toISOString().slice(0, 16).replace('T', ' ')} UTC\n\nUntil it is confirmed, it reaches emergency numbers and the help desk alone, and does not ring.\n\nIf it is yours, open this link and press the button there:\n${link}\n\nIf it is not, do not open it, and tell your administrator: somebody else knows the password.\n\n${end}`,
  };
}

const sentences = {
  added: (label: string) => `"${label}" was set up, to confirm phones with.`,
  removed: (label: string) => `"${label}" was removed, and confirms no phones any more.`,
  locked: () =>
    'Somebody who knows the telephone password has tried several wrong codes. No more are taken for a while.',
} as const;

/** Tells the user of what has changed. */
export function mailAboutFactor(
  what: keyof typeof sentences,
  source: string,
  url: string | undefined,
  label = '',
): string {
  const where = source === '' ? 'by an administrator' : `from the address ${source}`;
  const page = url === undefined ? '' : `\nYour account: ${url}\n`;
  return `${sentences[what](label)}\nThis was done ${where}.\n\nIf it was not you, tell your administrator.\n${page}`;
}
