import type { AccountRow } from '../store/account-rows.ts';
import type { Asker, Desk } from './desk.ts';
import { phoneText } from './mails.ts';
import type { Answer, Question } from './operations.ts';
import { done, no, text } from './reply.ts';
import type { Session } from './sessions.ts';
import { idOf } from './state.ts';

/** The phone waits, and is one of the account. */
const waiting = (desk: Desk, { domain, user }: Session, id: string): AccountRow | undefined =>
  desk.parts.accounts.pending(domain, user).find((row) => idOf(row) === id);

/** Confirms a phone that waits: by a code or a passkey that this session has shown. */
export function confirmPhone(desk: Desk, { session }: Asker, { fields }: Question): Answer {
  if (session.proof === undefined) return no(403, 'unproven');
  const row = waiting(desk, session, text(fields, 'id', 64));
  if (row === undefined) return no(404, 'gone');
  desk.parts.accounts.confirm(row, session.proof);
  return done();
}

/** Sends a link for a phone that waits. */
export async function mailForPhone(desk: Desk, { session }: Asker, { fields }: Question): Promise<Answer> {
  const row = waiting(desk, session, text(fields, 'id', 64));
  if (row === undefined) return no(404, 'gone');
  return sentAnswer(await desk.sendLink(session, row, true));
}

/** Sends a link that lets a factor be set up. */
export async function mailForEnrolment(desk: Desk, { session }: Asker): Promise<Answer> {
  return sentAnswer(await desk.sendLink(session, undefined, true));
}

const sentAnswer = (sent: Awaited<ReturnType<Desk['sendLink']>>): Answer =>
  sent === 'sent' ? done() : no(sent === 'later' ? 429 : 409, `mail-${sent}`);

/** What a link would do, for the button. Uses nothing up: whoever scans mails may look. */
export function lookAtLink(desk: Desk, _asker: unknown, { fields }: Question): Answer {
  const link = desk.links.look(text(fields, 'token', 64), desk.parts.now());
  if (link === undefined) return no(404, 'link');
  const account = `${link.user}@${link.domain}`;
  if (link.purpose === 'enrol') return done({ purpose: link.purpose, account });
  const { device, network, phone, since } = link.phone;
  return done({ purpose: link.purpose, account, device, network, phone: phoneText(phone), since });
}

/**
 * The button behind a link. It confirms the one phone that it was sent for; or, for who is signed in to that account, it
 * lets a factor be set up.
 */
export function useLink(desk: Desk, asker: Partial<Asker>, { fields }: Question): Answer {
  const token = text(fields, 'token', 64);
  const link = desk.links.look(token, desk.parts.now());
  if (link === undefined) return no(404, 'link');
  const { domain, user } = link;
  if (link.purpose === 'enrol') {
    const { session } = asker;
    if (session === undefined || session.domain !== domain || session.user !== user)
      return no(401, 'sign-in-first');
    desk.links.use(token);
    session.leave = 'mail';
    return done({ purpose: link.purpose });
  }
  desk.links.use(token);
  // The phone that came at that time and no other: one that was put aside and came anew needs a new link.
  const confirmed = desk.parts.accounts.confirm({ ...link.phone, domain, user }, 'mail');
  return confirmed.length === 0 ? no(404, 'gone') : done({ purpose: link.purpose });
}
