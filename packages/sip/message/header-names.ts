/** A header field that this package knows by name. */
export interface KnownHeader {
  /** Canonical: lower case, never the compact form. */
  readonly name: string;
  /** As written on the wire. */
  readonly written: string;
  /** Position in the table; the typed fields come first, see `TypedHeader`. */
  readonly id: number;
  /** May appear once only, and takes no comma list. */
  readonly single: boolean;
  /** For single-valued ones: which of them this is, from 0 to below 64; -1 for others. */
  readonly singleIndex: number;
}

/** Ids of the header fields that live in typed fields of a message and not in its header list. */
export const TypedHeader = {
  via: 0,
  from: 1,
  to: 2,
  callId: 3,
  cseq: 4,
  maxForwards: 5,
  contentLength: 6,
} as const;

const typedCount = 7;

// RFC 3261 §20 and the registered extensions that an edge meets. `!` marks single-valued ones; the compact form
// (RFC 3261 §7.3.3 and the IANA registry) stands after a slash.
const source = `Via/v !From/f !To/t !Call-ID/i !CSeq !Max-Forwards !Content-Length/l
Accept Accept-Contact/a Accept-Encoding Accept-Language Alert-Info Allow Allow-Events/u Authentication-Info
Authorization Call-Info Contact/m !Content-Disposition Content-Encoding/e Content-Language
!Content-Transfer-Encoding !Content-Type/c !Date Diversion Error-Info !Event/o !Expires Feature-Caps Flow-Timer
Geolocation Geolocation-Error Geolocation-Routing Hide History-Info Identity/y !Identity-Info/n In-Reply-To Join
Max-Breadth !MIME-Version !Min-Expires !Min-SE !Organization P-Access-Network-Info P-Asserted-Identity
P-Associated-URI P-Called-Party-ID P-Charging-Function-Addresses P-Charging-Vector P-Early-Media
P-Preferred-Identity P-Visited-Network-ID Path Permission-Missing Policy-Contact Policy-ID !Priority Privacy
Proxy-Authenticate Proxy-Authentication-Info Proxy-Authorization Proxy-Require !RAck Reason Reason-Phrase
Record-Route Recv-Info !Refer-Sub !Refer-To/r !Referred-By/b Reject-Contact/j !Replaces !Reply-To Request-Disposition/d
Remote-Party-ID Require Resource-Priority Response-Key !Retry-After Route !RSeq Security-Client Security-Server
Security-Verify !Server Service-Route !Session-Expires/x Session-ID SIP-ETag SIP-If-Match !Subject/s
!Subscription-State Supported/k Suppress-If-Match Target-Dialog !Timestamp Unsupported !User-Agent User-to-User
Warning WWW-Authenticate`;

const slotCount = 1024;
const slots: ({ readonly key: string; readonly header: KnownHeader } | undefined)[] = new Array(slotCount);
const byName = new Map<string, KnownHeader>();

/** Slot of a name by its length and three of its characters, in any case: enough to tell the known ones apart. */
const slotOf = (text: string, from: number, end: number): number => {
  const length = end - from;
  const first = text.charCodeAt(from) | 0x20;
  const middle = text.charCodeAt(from + (length >> 1)) | 0x20;
  const last = text.charCodeAt(end - 1) | 0x20;
  return (
    (Math.imul(first, 67) + Math.imul(middle, 5) + Math.imul(last, 17) + Math.imul(length, 131)) &
    (slotCount - 1)
  );
};

const register = (key: string, header: KnownHeader): void => {
  let slot = slotOf(key, 0, key.length);
  while (slots[slot] !== undefined) slot = (slot + 1) & (slotCount - 1);
  slots[slot] = { key, header };
  byName.set(key, header);
  byName.set(key.toUpperCase(), header);
};

let singles = 0;
source.split(/\s+/).forEach((item, id) => {
  const single = item.startsWith('!');
  const [written = '', compact] = item.slice(single ? 1 : 0).split('/');
  const header: KnownHeader = {
    name: written.toLowerCase(),
    written,
    id,
    single,
    singleIndex: single ? singles++ : -1,
  };
  register(header.name, header);
  byName.set(written, header);
  if (compact !== undefined) register(compact, header);
});

/** True for names whose values live in typed fields of a message. */
export const isTyped = (header: KnownHeader): boolean => header.id < typedCount;

/**
 * The known header whose name, long or compact and in any case, is `text[from, end)`; `undefined` for others.
 *
 * The range holds token characters only, so setting bit 0x20 folds case and nothing else.
 */
export const knownHeaderAt = (text: string, from: number, end: number): KnownHeader | undefined => {
  let slot = slotOf(text, from, end);
  for (;;) {
    const entry = slots[slot];
    if (entry === undefined) return undefined;
    const key = entry.key;
    if (key.length === end - from) {
      let i = 0;
      while (i < key.length && (text.charCodeAt(from + i) | 0x20) === key.charCodeAt(i)) i++;
      if (i === key.length) return entry.header;
    }
    slot = (slot + 1) & (slotCount - 1);
  }
};

/** The known header of that name in any case, long or compact. */
export const knownHeader = (name: string): KnownHeader | undefined =>
  byName.get(name) ?? byName.get(name.toLowerCase());

/** Canonical form of a header name: lower case, compact forms expanded. */
export const canonicalName = (name: string): string => knownHeader(name)?.name ?? name.toLowerCase();
