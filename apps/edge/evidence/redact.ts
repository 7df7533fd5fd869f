/**
 * A configuration as it may be handed to others: passwords, tokens and secrets that stand in it are left out, and of
 * addresses everything but scheme and host, since the rest of one may be a key to it. Files are named, not opened.
 */
export function withoutSecrets(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return withoutSecret(value, name);
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutSecrets(one, key)]));
}

const redacted = '[redacted]';

function withoutSecret(value: string, name: string): string {
  if (/file$/i.test(name)) return value;
  if (/password|passphrase|secret|token|apikey|credential/i.test(name)) return redacted;
  if (!value.includes('://') || !URL.canParse(value)) return value;
  const { protocol, host, username, password, pathname, search, hash } = new URL(value);
  const isBare = username === '' && password === '' && search === '' && hash === '' && pathname.length < 2;
  return isBare ? value : `${protocol}//${host}/${redacted}`;
}
