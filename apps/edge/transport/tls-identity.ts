/** One subject alternative name, as node prints it: `DNS`, `URI`, `IP Address`, `email`, ... */
export interface AlternativeName {
  readonly type: string;
  readonly value: string;
}

/**
 * Splits node's `subjectaltname` text. Values with commas, quotes or control characters come quoted as JSON
 * (CVE-2021-44532), so a name cannot pretend to be two.
 */
export const alternativeNames = (text: string | undefined): readonly AlternativeName[] => {
  const names: AlternativeName[] = [];
  for (let i = 0; text !== undefined && i < text.length; ) {
    const colon = text.indexOf(':', i);
    if (colon < 0) break;
    const type = text.slice(i, colon);
    let end: number;
    let value: string | undefined;
    if (text[colon + 1] === '"') {
      end = colon + 2;
      while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
      end++;
      value = unquote(text.slice(colon + 1, end));
    } else {
      end = text.indexOf(', ', colon);
      if (end < 0) end = text.length;
      value = text.slice(colon + 1, end);
    }
    if (value !== undefined) names.push({ type, value });
    i = end + 2;
  }
  return names;
};

const unquote = (json: string): string | undefined => {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
};

/** DNS and URI names, what a peer's identity is matched against. */
export const peerNames = (text: string | undefined): readonly string[] =>
  alternativeNames(text)
    .filter((name) => name.type === 'DNS' || name.type === 'URI')
    .map((name) => name.value);

/**
 * True when the certificate proves the SIP domain `host`, RFC 5922 §7.1 and §7.2.
 *
 * `sip:` URI names without user part count; DNS names only where the certificate has no such URI. Names match
 * exactly, ignoring ASCII case: wildcards never match, and the common name is never looked at. A numeric `host` is
 * proven by an IP address name alone.
 */
export const provesSipDomain = (host: string, subjectAltName: string | undefined): boolean =>
  proves(host, alternativeNames(subjectAltName));

const proves = (host: string, names: ReturnType<typeof alternativeNames>): boolean => {
  const wanted = withoutDot(host.toLowerCase());
  if (wanted === '') return false;
  if (isNumeric(wanted)) {
    return names.some((name) => name.type === 'IP Address' && sameAddress(name.value, wanted));
  }
  const domains = names.filter((name) => name.type === 'URI').map((name) => sipDomain(name.value));
  const sip = domains.filter((domain) => domain !== undefined);
  const candidates =
    sip.length > 0 ? sip : names.filter((name) => name.type === 'DNS').map((name) => name.value);
  return candidates.some((name) => withoutDot(name.toLowerCase()) === wanted);
};

/** The same for names as `peerNames` tells them. Never for a numeric host. */
export const namesProve = (host: string, names: readonly string[]): boolean =>
  !isNumeric(host) &&
  proves(
    host,
    names.map((value) => ({ type: value.toLowerCase().startsWith('sip:') ? 'URI' : 'DNS', value })),
  );

const sipDomain = (uri: string): string | undefined => {
  const lower = uri.toLowerCase();
  if (!lower.startsWith('sip:')) return undefined;
  let rest = lower.slice(4);
  // A name with a user part names a person, not a domain (RFC 5922 §7.1).
  if (rest.includes('@')) return undefined;
  for (const mark of [';', '?', ':']) if (rest.includes(mark)) rest = rest.slice(0, rest.indexOf(mark));
  return rest === '' ? undefined : rest;
};

const withoutDot = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name);

const isNumeric = (host: string): boolean => host.includes(':') || /^[\d.]+$/.test(host);

const sameAddress = (a: string, b: string): boolean => canonical(a) === canonical(b);

const canonical = (address: string): string => {
  if (!address.includes(':')) return address;
  const url = URL.parse(`http://[${address}]`);
  return url === null ? address.toLowerCase() : url.hostname;
};
