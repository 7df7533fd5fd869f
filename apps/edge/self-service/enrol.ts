import { Secret } from '@ringfence/bytes/secret.ts';
import { encode } from 'uqr';
import type { Asker, Desk } from './desk.ts';
import { readCode } from './one-time-codes.ts';
import type { Answer, Question } from './operations.ts';
import { done, no, text } from './reply.ts';
import { totpKeyOctets, totpShown, totpStep } from './totp.ts';

/** A code of the authenticator, or a recovery code: proves who it is for the rest of the session. */
export async function useCode(desk: Desk, asker: Asker, { fields }: Question): Promise<Answer> {
  const { session } = asker;
  const locked = desk.codesLocked(session);
  if (locked > 0) return no(429, 'locked', { seconds: Math.ceil(locked / 1000) });
  const code = readCode(text(fields, 'code', 32));
  if (code === '') return no(400, 'code');
  const found = await desk.parts.factors.checkCode(session.domain, session.user, code);
  if (found === 'wrong' || found === 'replayed') {
    desk.codeFailed(asker, 'code', found);
    return no(403, found === 'replayed' ? 'replayed' : 'code');
  }
  desk.codePassed(session);
  session.proof = found;
  if (found === 'recovery')
    desk.factorChanged(asker, 'removed', { kind: 'recovery', label: 'One recovery code' }, found);
  return done();
}

/** A code of the administrator: lets a factor be set up, once. */
export async function useInvite(desk: Desk, asker: Asker, { fields }: Question): Promise<Answer> {
  const { session } = asker;
  const locked = desk.codesLocked(session);
  if (locked > 0) return no(429, 'locked', { seconds: Math.ceil(locked / 1000) });
  const code = text(fields, 'code', 32);
  if (!(await desk.parts.factors.useInvite(session.domain, session.user, code))) {
    desk.codeFailed(asker, 'invite', 'wrong');
    return no(403, 'code');
  }
  session.leave = 'invite';
  return done();
}

/** A new key for an authenticator app. It counts once a code of it has come. */
export function beginTotp(desk: Desk, asker: Asker): Answer {
  if (desk.leaveOf(asker) === undefined) return no(403, 'unproven');
  const { session } = asker;
  session.totp?.wipe();
  session.totp = new Secret(Uint8Array.from(desk.parts.random(totpKeyOctets)));
  const shown = totpShown(session.totp, `${session.user}@${session.domain}`);
  return done({ key: shown.text, uri: shown.uri, picture: pictureOf(shown.uri) });
}

/** The first code of the app that was shown the key. */
export async function keepTotp(desk: Desk, asker: Asker, { fields }: Question): Promise<Answer> {
  const { session } = asker;
  const by = desk.leaveOf(asker);
  if (by === undefined) return no(403, 'unproven');
  const key = session.totp;
  if (key === undefined) return no(409, 'begin');
  const step = totpStep(key, 0, readCode(text(fields, 'code', 32)), desk.parts.now());
  if (typeof step !== 'number') return no(403, 'code');
  session.totp = undefined;
  const { label } = await desk.parts.factors.keepTotp(session.domain, session.user, key, step);
  session.proof = 'code';
  desk.factorChanged(asker, 'added', { kind: 'totp', label }, by);
  return done();
}

/** Ten codes for the day when the app is lost. */
export async function makeRecovery(desk: Desk, asker: Asker): Promise<Answer> {
  const { session } = asker;
  const by = desk.leaveOf(asker);
  // Codes on paper come beside something, not in its place.
  if (by === undefined || session.proof === undefined) return no(403, 'unproven');
  const codes = await desk.parts.factors.makeRecovery(session.domain, session.user);
  desk.factorChanged(asker, 'added', { kind: 'recovery', label: 'Recovery codes' }, by);
  return done({ codes });
}

export async function removeFactor(desk: Desk, asker: Asker, { fields }: Question): Promise<Answer> {
  const { session } = asker;
  if (session.proof === undefined) return no(403, 'unproven');
  const id = text(fields, 'id', 64);
  const factor = desk.parts.factors.of(session.domain, session.user).find((one) => one.id === id);
  if (factor === undefined || factor.data.kind === 'invite') return no(404, 'gone');
  await desk.parts.factors.remove(factor);
  const { kind } = factor.data;
  desk.factorChanged(asker, 'removed', { kind, label: factor.label }, session.proof);
  return done();
}

/** A QR code as the path of an SVG, one square a module: the page draws it, and no text becomes markup. */
function pictureOf(uri: string): { readonly size: number; readonly path: string } {
  const { data, size } = encode(uri, { ecc: 'M', border: 4 });
  const path = data
    .flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])))
    .join('');
  return { size, path };
}
