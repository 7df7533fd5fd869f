import { parseMediaType } from '@ringfence/sip/message/media-type.ts';
import type { SipMessage } from '@ringfence/sip/message/types.ts';
import type { DialogNames } from './dialog-names.ts';
import { dialogInfo, presence, registrationInfo, rewriteDocument, uriIn } from './documents.ts';
import { parseXml, writeXml } from './xml.ts';

/** Whose body it is. */
export interface BodyContext {
  readonly domain: string;
  readonly names: DialogNames;
}

/** An event package that is passed between a PBX and its phones. */
export interface EventPackage {
  readonly name: string;
  /** The only type that its bodies have here. */
  readonly type: string;
  /** The body written anew; undefined: it is none of that type. */
  rewrite(body: string, context: BodyContext): string | undefined;
}

type Rule = Parameters<typeof rewriteDocument>[1];

const document =
  (rule: Rule) =>
  (body: string, { domain, names }: BodyContext): string | undefined => {
    const root = parseXml(body);
    const written =
      root === undefined
        ? undefined
        : rewriteDocument(root, rule, domain, (name) => names.hide(domain, name));
    return written === undefined ? undefined : writeXml(written);
  };

/** RFC 3842 §5.2: what waits, whose it is, and how much; the headers of single messages are left out. */
function messageSummary(body: string, { domain }: BodyContext): string | undefined {
  const lines: string[] = [];
  for (const line of body.split('\n', 32)) {
    const text = line.trim();
    if (text === '') break;
    const colon = text.indexOf(':');
    if (colon < 1) return undefined;
    const name = text.slice(0, colon).trim().toLowerCase();
    const value = text.slice(colon + 1).trim();
    if (name === 'messages-waiting')
      lines.push(`Messages-Waiting: ${value.toLowerCase() === 'yes' ? 'yes' : 'no'}`);
    else if (name === 'message-account') {
      const account = uriIn(domain, value);
      if (account !== undefined) lines.push(`Message-Account: ${account}`);
    } else if (isCounted(name) && isCount(value)) lines.push(`${text.slice(0, colon).trim()}: ${value}`);
  }
  return lines.length === 0 ? undefined : `${lines.join('\r\n')}\r\n`;
}

const contexts = new Set('voice fax pager multimedia text none'.split(' '));
const isCounted = (name: string): boolean =>
  name.endsWith('-message') && contexts.has(name.slice(0, -'-message'.length));

/** `2/8 (0/2)`: digits, slashes, brackets. */
function isCount(value: string): boolean {
  if (value.length > 40) return false;
  for (const c of value) if (!'0123456789/() '.includes(c)) return false;
  return value !== '';
}

const list: readonly EventPackage[] = [
  { name: 'message-summary', type: 'application/simple-message-summary', rewrite: messageSummary },
  { name: 'dialog', type: 'application/dialog-info+xml', rewrite: document(dialogInfo) },
  { name: 'presence', type: 'application/pidf+xml', rewrite: document(presence) },
  { name: 'reg', type: 'application/reginfo+xml', rewrite: document(registrationInfo) },
];

const byName = new Map(list.map((one) => [one.name, one]));

/** Value of Allow-Events. */
export const allowedEvents: string = list.map(({ name }) => name).join(', ');

export interface EventHeader {
  readonly name: string;
  readonly package: EventPackage | undefined;
  /** RFC 6665 §8.2.1: tells subscriptions of one dialog apart. */
  readonly id: string | undefined;
}

/** Reads Event; undefined where there is none, or more than one. */
export function eventOf(message: SipMessage): EventHeader | undefined {
  const values = message.headers.all('Event');
  const [value] = values;
  if (value === undefined || values.length > 1) return undefined;
  const [head = '', ...params] = value.split(';', 16);
  const name = head.trim().toLowerCase();
  let id: string | undefined;
  for (const param of params) {
    const [key = '', text = ''] = param.split('=', 2);
    if (key.trim().toLowerCase() === 'id') id = text.trim();
  }
  if (id !== undefined && !isToken(id)) return undefined;
  return { name, package: byName.get(name), id };
}

const isToken = (text: string): boolean =>
  text.length > 0 && text.length <= 64 && /^[A-Za-z0-9.!%*_+`'~-]+$/.test(text);

/** The body of a message of that package, written anew; `null` where it has none, undefined where it is not passed on. */
export function bodyFor(
  pack: EventPackage,
  message: SipMessage,
  context: BodyContext,
): string | null | undefined {
  if (message.body.length === 0) return null;
  const type = parseMediaType(message.headers.get('Content-Type') ?? '');
  if (!type.ok || type.value.type !== pack.type || message.headers.has('Content-Encoding')) return undefined;
  return pack.rewrite(Buffer.from(message.body).toString('utf8'), context);
}
