import type { HeaderFields } from '../config/hygiene.ts';
import type { Configuration } from '../config/schema.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';

/** Names of the header fields of a call from there that the other side is shown. */
export function headersFrom(
  config: Configuration,
  listener: string,
  principal: Principal,
  domain: DomainDirectory,
): readonly string[] {
  const { allowedHeaders } = config.calls;
  const door = config.listeners.find(({ name }) => name === listener)?.headers;
  const peer = headersOf(principal, domain);
  return door === undefined && peer === undefined
    ? allowedHeaders
    : joined(joined(allowedHeaders, door), peer);
}

function headersOf(principal: Principal, domain: DomainDirectory): HeaderFields | undefined {
  if (principal.kind === 'trunk') return domain.trunks.get(principal.trunk)?.headers;
  if (principal.kind !== 'device') return undefined;
  return domain.pbx === undefined ? domain.devices.get(principal.device)?.device.headers : domain.pbx.headers;
}

/** Each name once: a field that is on two lists is not to be sent twice. */
function joined(names: readonly string[], more: HeaderFields | undefined): readonly string[] {
  if (more === undefined) return names;
  if (more.replace) return more.allow;
  const known = new Set(names.map((name) => name.toLowerCase()));
  return [...names, ...more.allow.filter((name) => !known.has(name.toLowerCase()))];
}
