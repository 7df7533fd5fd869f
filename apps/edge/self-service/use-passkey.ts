import type { Asker, Desk } from './desk.ts';
import type { Answer, Question } from './operations.ts';
import { passkeysOf, type Site } from './passkeys.ts';
import { done, no, text } from './reply.ts';
import { originOf } from './state.ts';

/** Passkeys belong to the site under the name that users open it by, and to no other. */
function siteOf(desk: Desk, origin: string): Site | undefined {
  const own = originOf(desk.parts.url());
  return own === '' || own !== origin ? undefined : { id: new URL(own).hostname, origin };
}

const newChallenge = (desk: Desk): string => Buffer.from(desk.parts.random(32)).toString('base64url');

/** What the browser needs to make a passkey. */
export async function beginPasskey(desk: Desk, asker: Asker, { origin }: Question): Promise<Answer> {
  const { session } = asker;
  if (desk.leaveOf(asker) === undefined) return no(403, 'unproven');
  const site = siteOf(desk, origin);
  if (site === undefined) return no(409, 'site');
  session.challenge = newChallenge(desk);
  const reply = await desk.parts.passkeys.ask({
    kind: 'create-options',
    site,
    account: `${session.user}@${session.domain}`,
    userId: Buffer.from(`${session.user}@${session.domain}`).subarray(0, 64).toString('base64url'),
    challenge: session.challenge,
    known: passkeysOf(desk.parts.factors.of(session.domain, session.user)),
  });
  return reply.kind === 'options' ? done({ options: reply.options }) : no(503, 'passkey');
}

/** The passkey that the browser has made. */
export async function keepPasskey(desk: Desk, asker: Asker, { fields, origin }: Question): Promise<Answer> {
  const { session } = asker;
  const by = desk.leaveOf(asker);
  if (by === undefined) return no(403, 'unproven');
  const { challenge } = session;
  const site = siteOf(desk, origin);
  if (challenge === undefined || site === undefined) return no(409, 'begin');
  // Good for one answer.
  session.challenge = undefined;
  const { response } = fields;
  const reply = await desk.parts.passkeys.ask({ kind: 'created', site, challenge, response });
  if (reply.kind !== 'created') return no(403, 'passkey');
  const { factors } = desk.parts;
  const label = text(fields, 'label', 40).replaceAll(/[^\p{L}\p{N} ._-]/gu, '') || 'Passkey';
  const data = { kind: 'passkey', ...reply.passkey } as const;
  const kept = await factors.keepPasskey(session.domain, session.user, label, data);
  if (kept === undefined) return no(409, 'too-many');
  session.proof = 'passkey';
  desk.factorChanged(asker, 'added', { kind: 'passkey', label }, by);
  return done();
}

/** What the browser needs to have a passkey sign. */
export async function askForPasskey(desk: Desk, asker: Asker, { origin }: Question): Promise<Answer> {
  const { session } = asker;
  const locked = desk.codesLocked(session);
  if (locked > 0) return no(429, 'locked', { seconds: Math.ceil(locked / 1000) });
  const site = siteOf(desk, origin);
  if (site === undefined) return no(409, 'site');
  const known = passkeysOf(desk.parts.factors.of(session.domain, session.user));
  if (known.length === 0) return no(404, 'passkey');
  session.challenge = newChallenge(desk);
  const reply = await desk.parts.passkeys.ask({
    kind: 'get-options',
    site,
    challenge: session.challenge,
    known,
  });
  return reply.kind === 'options' ? done({ options: reply.options }) : no(503, 'passkey');
}

/** What the passkey has signed: proves who it is for the rest of the session. */
export async function usePasskey(desk: Desk, asker: Asker, { fields, origin }: Question): Promise<Answer> {
  const { session } = asker;
  const locked = desk.codesLocked(session);
  if (locked > 0) return no(429, 'locked', { seconds: Math.ceil(locked / 1000) });
  const { challenge } = session;
  const site = siteOf(desk, origin);
  if (challenge === undefined || site === undefined) return no(409, 'begin');
  session.challenge = undefined;
  const { response } = fields;
  const id = typeof response === 'object' && response !== null && 'id' in response ? response.id : undefined;
  const factor = desk.parts.factors
    .of(session.domain, session.user)
    .find(({ data }) => data.kind === 'passkey' && data.credential === id);
  const [known] = factor === undefined ? [] : passkeysOf([factor]);
  const reply =
    known === undefined
      ? undefined
      : await desk.parts.passkeys.ask({ kind: 'got', site, challenge, response, known });
  if (factor === undefined || reply?.kind !== 'got') {
    desk.codeFailed(asker, 'passkey', 'wrong');
    return no(403, 'passkey');
  }
  await desk.parts.factors.passkeyUsed(factor, reply.counter);
  desk.codePassed(session);
  session.proof = 'passkey';
  return done();
}
