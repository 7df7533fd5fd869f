import { Secret } from '@ringfence/bytes/secret.ts';
import { Secret as OtpSecret, TOTP } from 'otpauth';

/** What every authenticator app knows, RFC 6238 §5.2 with the defaults of the key URI: SHA-1, six digits, 30 s. */
const period = 30;
const settings = { algorithm: 'SHA1', digits: 6, period } as const;
/** Steps before and after the present one that are taken, for clocks that are wrong (RFC 6238 §5.2). */
export const driftSteps = 1;
/** RFC 4226 §4, R6 wants 160 bits. */
export const totpKeyOctets = 20;

const otpSecret = (key: Secret): OtpSecret =>
  new OtpSecret({ buffer: Uint8Array.from(key.reveal()).buffer as ArrayBuffer });

/**
 * The step that the code is of, where it is newer than `last`: a code is taken once, and none before it after it
 * (RFC 6238 §5.2).
 */
export function totpStep(
  key: Secret,
  last: number,
  code: string,
  now: number,
): number | 'wrong' | 'replayed' {
  // The library compares octets, and throws where these are more than digits.
  if (!/^[0-9]{6}$/.test(code)) return 'wrong';
  const delta = TOTP.validate({
    ...settings,
    secret: otpSecret(key),
    token: code,
    timestamp: now,
    window: driftSteps,
  });
  if (delta === null) return 'wrong';
  const step = Math.floor(now / 1000 / period) + delta;
  return step > last ? step : 'replayed';
}

/** The code of that time, as the app of the user shows it. */
export const totpCode = (key: Secret, now: number): string =>
  TOTP.generate({ ...settings, secret: otpSecret(key), timestamp: now });

/** For people to type, and as the URI that apps read from a picture. */
export function totpShown(key: Secret, account: string): { readonly text: string; readonly uri: string } {
  const totp = new TOTP({ ...settings, issuer: 'Ringfence', label: account, secret: otpSecret(key) });
  return { text: totp.secret.base32, uri: totp.toString() };
}

export const totpKeyOf = (text: string): Secret => new Secret(Buffer.from(text, 'base64url'));
