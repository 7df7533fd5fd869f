import type { Desk } from './desk.ts';

/**
 * Sends the user of a phone that has to be confirmed a link for it, so that nobody has to know where the page is. Gives a
 * function that ends it.
 */
export function mailPhonesThatWait(desk: Desk): () => void {
  return desk.parts.bus.subscribe((event) => {
    if (event.type !== 'account.quarantined' || event.network === '') return;
    if (!desk.parts.settings().mailAtQuarantine || !desk.canMail(event)) return;
    const { domain, user, device, network, phone } = event;
    const row = desk.parts.accounts
      .pending(domain, user)
      .find((one) => one.device === device && one.network === network && one.phone === phone);
    if (row !== undefined) void desk.sendLink(row, row, false);
  }, 'warning');
}
