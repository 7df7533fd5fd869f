import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { noParams } from '@ringfence/sip/message/params.ts';
import type { NameAddr, SipRequest, Uri } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { openBody } from './parts.ts';

export const allowedMethods = 'INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, REGISTER, MESSAGE';
/** Within a dialog. */
export const dialogMethods =
  'INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, UPDATE, PRACK, INFO, MESSAGE, SUBSCRIBE';
/** Option tags that we know, within a dialog and for making one (RFC 3262, 3891, 4028, 4488). */
export const supportedTags: ReadonlySet<string> = new Set(['100rel', 'norefersub', 'replaces', 'timer']);
export const supported = [...supportedTags].join(', ');
export const product = 'Ringfence';

/** Value of our Contact on a leg: our own token and address, nothing of the other side. */
export function contactOf(flow: Flow, tag: string, secure: boolean): string {
  // RFC 7118 §5.1: the parameter is `ws` with and without TLS.
  const name = flow.transport === 'wss' ? 'ws' : flow.transport;
  const transport = name === 'udp' ? '' : `;transport=${name}`;
  return `<${secure ? 'sips' : 'sip'}:${tag}@${flow.sentBy}${transport}>`;
}

export const party = (uri: Uri, display: string | undefined, tag?: string): NameAddr => ({
  ...(display === undefined || display === '' ? {} : { display }),
  uri,
  params: tag === undefined ? noParams : new Map([['tag', tag]]),
});

/** Body and the headers that go with it. */
export function withSdp(headers: HeaderList, sdp: string): Uint8Array {
  headers.add('Content-Type', 'application/sdp');
  return Buffer.from(sdp, 'utf8');
}

/** SDP in a body: its own type, or one part of several (RFC 5621). RFC 3261 §20.15: no type, no meaning. */
export function sdpOf(message: {
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}): Uint8Array | undefined {
  if (message.body.length === 0) return undefined;
  const type = message.headers.get('Content-Type');
  if (type === undefined) return undefined;
  if (type === 'application/sdp') return message.body;
  const semicolon = type.indexOf(';');
  const bare = (semicolon === -1 ? type : type.slice(0, semicolon)).trim().toLowerCase();
  if (bare === 'application/sdp') return message.body;
  return bare.startsWith('multipart/') ? openBody(type, message.body)?.sdp : undefined;
}

/** Copies what is on the list, value by value; the serializer writes every one of them anew. */
export function copyAllowed(from: SipRequest, allowed: readonly string[], into: HeaderList): void {
  if (from.headers.size === 0) return;
  for (const name of allowed) for (const value of from.headers.all(name)) into.add(name, value);
}

/** Warning of RFC 3261 §20.43; 399 is miscellaneous, and our name is no host name of the inside. */
export const warning = (text: string, code = 399): string =>
  `${code} ringfence "${text.replaceAll('\\', '').replaceAll('"', "'")}"`;

/** Reason of RFC 3326: a SIP status and what it means here. */
export const reasonOf = (status: number, text: string): string =>
  `SIP;cause=${status};text="${text.replaceAll('\\', '').replaceAll('"', "'")}"`;

export const userUri = (user: string, host: string): Uri => sipUri({ user, host });

/** Option tags of a Require that we do not know, for the Unsupported of a 420 (RFC 3261 §8.2.2.3). */
export function unsupportedIn({ headers }: { readonly headers: HeaderList }): string | undefined {
  if (!headers.has('Require')) return undefined;
  const unknown = headers.values('Require').filter((tag) => !supportedTags.has(tag.toLowerCase()));
  return unknown.length === 0 ? undefined : unknown.join(', ');
}

/** `user@host` of a caller, for records. */
export const callerText = ({ uri }: NameAddr): string =>
  uri.scheme === 'sip' || uri.scheme === 'sips' ? `${uri.user ?? ''}@${uri.host}` : '';
