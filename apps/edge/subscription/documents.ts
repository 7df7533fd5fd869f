import { parseUri, serializeUri, sipUri } from '@ringfence/sip/message/uri.ts';
import type { XmlElement } from './xml.ts';

/** What passes of a kind of document; all else is left out. Names without their prefix. */
interface DocumentRule {
  readonly root: string;
  readonly elements: ReadonlySet<string>;
  readonly attributes: ReadonlySet<string>;
  /** Elements whose text is a URI, and attributes that are one. */
  readonly uriElements: ReadonlySet<string>;
  readonly uriAttributes: ReadonlySet<string>;
  /** Names of dialogs. */
  readonly hidden: ReadonlySet<string>;
}

const set = (text: string): ReadonlySet<string> => new Set(text.split(' '));

/** Dialog state, RFC 4235 §4: without session descriptions and route sets. */
export const dialogInfo: DocumentRule = {
  root: 'dialog-info',
  elements: set('dialog-info dialog state duration local remote identity target param replaces'),
  attributes: set('version state entity direction event code display pname pval'),
  uriElements: set('identity'),
  uriAttributes: set('entity uri'),
  hidden: set('id call-id local-tag remote-tag'),
};

/** Presence, RFC 3863, with what RFC 4480 says a person does. */
export const presence: DocumentRule = {
  root: 'presence',
  elements: set(
    'presence tuple status basic contact note timestamp person activities away busy on-the-phone meeting vacation unknown dnd other',
  ),
  attributes: set('entity priority lang'),
  uriElements: set('contact'),
  uriAttributes: set('entity'),
  hidden: set('id'),
};

/** Registration state, RFC 3680 §5. */
export const registrationInfo: DocumentRule = {
  root: 'reginfo',
  elements: set('reginfo registration contact uri display-name'),
  attributes: set('version state event duration-registered expires retry-after q'),
  uriElements: set('uri'),
  uriAttributes: set('aor'),
  hidden: set('id'),
};

/** URNs of namespaces that say nothing of whoever wrote them. */
const commonNamespace = /^urn:ietf:params:xml:ns:[a-z0-9:.-]{1,80}$/;
const longestText = 256;
const isWord = /^[A-Za-z]{1,16}$/;

/** The same person or number in the domain, whatever host it was named with. */
export function uriIn(domain: string, text: string): string | undefined {
  const trimmed = text.trim();
  const scheme = /^(?:pres|im):/i.exec(trimmed)?.[0];
  const parsed = parseUri(scheme === undefined ? trimmed : `sip:${trimmed.slice(scheme.length)}`);
  if (!parsed.ok) return undefined;
  const uri = parsed.value;
  if (uri.scheme === 'other') return undefined;
  const user = uri.scheme === 'tel' ? uri.number : uri.user;
  const plain = serializeUri(sipUri({ host: domain, ...(user === undefined ? {} : { user }) }));
  return scheme === undefined ? plain : `${scheme.toLowerCase()}${plain.slice('sip:'.length)}`;
}

/** The document written anew: what is on the rule's list, with its URIs in the domain and its dialogs under other names. */
export function rewriteDocument(
  root: XmlElement,
  rule: DocumentRule,
  domain: string,
  hide: (name: string) => string,
): XmlElement | undefined {
  if (localName(root.name) !== rule.root) return undefined;
  const prefixes = new Set<string>(['']);
  const rewrite = (element: XmlElement): XmlElement | undefined => {
    const name = localName(element.name);
    const attributes: [string, string][] = [];
    for (const [key, value] of element.attributes) {
      if (key === 'xmlns' || key.startsWith('xmlns:')) {
        if (!commonNamespace.test(value)) continue;
        prefixes.add(key.slice('xmlns:'.length));
        attributes.push([key, value]);
        continue;
      }
      const plain = localName(key);
      // A prefix of XML itself, as in xml:lang, is always declared.
      if (!prefixes.has(prefixOf(key)) && prefixOf(key) !== 'xml') continue;
      if (rule.hidden.has(plain)) attributes.push([key, hide(value)]);
      else if (rule.uriAttributes.has(plain)) {
        const uri = uriIn(domain, value);
        if (uri !== undefined) attributes.push([key, uri]);
      } else if (rule.attributes.has(plain) && value.length <= longestText) {
        // RFC 4235 §4.1.6.2 knows words; anything could stand here.
        if (plain !== 'pval' || isWord.test(value)) attributes.push([key, value]);
      }
    }
    if (!rule.elements.has(name) || !prefixes.has(prefixOf(element.name))) return undefined;
    const children: (XmlElement | string)[] = [];
    for (const child of element.children) {
      if (typeof child !== 'string') {
        const kept = rewrite(child);
        if (kept !== undefined) children.push(kept);
      } else if (child.trim() !== '') {
        const text = rule.uriElements.has(name) ? uriIn(domain, child) : child.trim().slice(0, longestText);
        if (text !== undefined) children.push(text);
      }
    }
    return { name: element.name, attributes, children };
  };
  return rewrite(root);
}

const localName = (name: string): string => name.slice(name.indexOf(':') + 1);
const prefixOf = (name: string): string => (name.includes(':') ? name.slice(0, name.indexOf(':')) : '');
