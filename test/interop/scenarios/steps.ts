/**
 * Steps of sipp scenarios: requests, answers, and what a message must and must not hold.
 *
 * Keys: `dialled`, `mport` (RTP port), `domain`; as in the scenarios beside this file.
 */

/** Session descriptions are told apart by their origin, as those of real phones are. */
export type AudioWish = {
  readonly direction?: string;
  readonly address?: string;
  readonly port?: string;
  readonly codecs?: readonly string[];
  /** RFC 4733. Default: offered. */
  readonly events?: boolean;
};

const codecs: Readonly<Record<string, string>> = {
  PCMU: '0 PCMU/8000',
  PCMA: '8 PCMA/8000',
  G722: '9 G722/8000',
  G729: '18 G729/8000',
};

export function describe(
  version: number,
  {
    direction = 'sendrecv',
    address = '[local_ip]',
    port = '[mport]',
    codecs: names = ['PCMU'],
    events = true,
  }: AudioWish = {},
): string {
  const maps = [...names.map((name) => codecs[name]!), ...(events ? ['101 telephone-event/8000'] : [])];
  return [
    'v=0',
    `o=sipp 6001 ${version} IN IP4 [local_ip]`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP ${maps.map((map) => map.split(' ')[0]).join(' ')}`,
    ...maps.map((map) => `a=rtpmap:${map}`),
    ...(events ? ['a=fmtp:101 0-15'] : []),
    `a=${direction}`,
  ].join('\n');
}

export const audio = (version: number, direction = 'sendrecv', address = '[local_ip]'): string =>
  describe(version, { direction, address });

export const image = (version: number): string =>
  [
    'v=0',
    `o=sipp 6001 ${version} IN IP4 [local_ip]`,
    's=-',
    'c=IN IP4 [local_ip]',
    't=0 0',
    'm=image [mport] udptl t38',
    'a=T38FaxVersion:0',
    'a=T38FaxUdpEC:t38UDPRedundancy',
  ].join('\n');

const message = (
  start: string,
  lines: readonly string[],
  body?: string,
  type = 'application/sdp',
): string => {
  const tail =
    body === undefined
      ? ['Content-Length: 0', '', '']
      : [`Content-Type: ${type}`, 'Content-Length: [len]', '', body];
  return ['<![CDATA[', '', start, ...lines, ...tail, ']]>'].join('\n');
};

const cdata = (text: string, retrans: boolean): string =>
  `<send${retrans ? ' retrans="500"' : ''}>\n${text}\n</send>`;

const allow =
  'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY, MESSAGE, SUBSCRIBE';

export type RequestParts = {
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly type?: string;
  /** Default: the dialled number for a first INVITE, else where the dialog goes. */
  readonly uri?: string;
  readonly from?: string;
  readonly to?: string;
  /** No dialog yet, whatever the CSeq. Default: an INVITE with CSeq 1. */
  readonly first?: boolean;
  /** Steps back to the request whose branch it has, for CANCEL and for ACK of a refusal. */
  readonly back?: number;
  readonly contact?: string;
};

const dialled = 'sip:[dialled]@[remote_ip]:[remote_port]';

/** A request of the caller. */
export function request(method: string, cseq: number, parts: RequestParts = {}): string {
  const { headers = [], body, type, first = method === 'INVITE' && cseq === 1, back } = parts;
  const uri = parts.uri ?? (first || back !== undefined ? dialled : '[next_url]');
  const outside = first || method === 'CANCEL';
  const lines = [
    `Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch${back === undefined ? '' : `-${back}`}];rport`,
    ...(first || back !== undefined ? [] : ['[routes]']),
    `From: ${parts.from ?? '<sip:+12025550100@[local_ip]:[local_port]>'};tag=a[call_number]p[pid]`,
    `To: ${parts.to ?? `<${dialled}>`}${outside ? '' : '[peer_tag_param]'}`,
    'Call-ID: [call_id]',
    `CSeq: ${cseq} ${method}`,
    `Contact: ${parts.contact ?? '<sip:+12025550100@[local_ip]:[local_port]>'}`,
    'Max-Forwards: 70',
    allow,
    ...headers,
  ];
  return cdata(message(`${method} ${uri} SIP/2.0`, lines, body, type), method !== 'ACK');
}

/** A request of the called party within the dialog; `expectInvite` has kept whose it is. */
export function asked(method: string, cseq: number, parts: RequestParts = {}): string {
  const { headers = [], body, type, back } = parts;
  const lines = [
    `Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch${back === undefined ? '' : `-${back}`}];rport`,
    '[routes]',
    'From: <sip:called@[local_ip]:[local_port]>;tag=b[call_number]p[pid]',
    'To:[$from]',
    'Call-ID: [call_id]',
    `CSeq: ${cseq} ${method}`,
    'Contact: <sip:called@[local_ip]:[local_port]>',
    'Max-Forwards: 70',
    allow,
    ...headers,
  ];
  return cdata(
    message(`${method} ${parts.uri ?? '[next_url]'} SIP/2.0`, lines, body, type),
    method !== 'ACK',
  );
}

export type AnswerParts = {
  readonly headers?: readonly string[];
  readonly body?: string;
  /** To the first INVITE of a call: the tag is ours to add. */
  readonly invite?: boolean;
  readonly tag?: string;
  /** To another first request: the tag is ours to add, and nobody sends an ACK. */
  readonly tagged?: boolean;
  /** To the INVITE that `expectInvite` kept, which is not the last that came. */
  readonly kept?: boolean;
};

/** An answer of the called party to the request that came last. */
export function answer(status: string, parts: AnswerParts = {}): string {
  const { headers = [], body, invite = false, tagged = invite, tag = 'b', kept = false } = parts;
  const lines = [
    kept ? 'Via:[$via]' : '[last_Via:]',
    '[last_Record-Route:]',
    kept ? 'From:[$from]' : '[last_From:]',
    kept
      ? `To:[$to]${tag === '' ? '' : `;tag=${tag}[call_number]p[pid]`}`
      : `[last_To:]${tagged ? `;tag=${tag}[call_number]p[pid]` : ''}`,
    '[last_Call-ID:]',
    kept ? 'CSeq:[$cseq]' : '[last_CSeq:]',
    'Contact: <sip:called@[local_ip]:[local_port]>',
    allow,
    ...headers,
  ];
  return cdata(message(`SIP/2.0 ${status}`, lines, body), invite && /^[2-6]/.test(status));
}

/** Must be in the message, or must not. POSIX extended, and case counts. */
export const check = (pattern: string, variable: string, absent = false): string =>
  `<ereg regexp="${pattern.replaceAll('<', '&lt;').replaceAll('"', '&quot;')}" search_in="msg" check_it${absent ? '_inverse' : ''}="true" assign_to="${variable}"/>`;

const keep = (header: string, variable: string): string =>
  `<ereg regexp=".*" search_in="hdr" header="${header}:" assign_to="${variable}"/>`;

const actions = (checks: string): string => (checks === '' ? '' : `<action>${checks}</action>`);
export const expectRequest = (method: string, checks = ''): string =>
  `<recv request="${method}" rrs="true">${actions(checks)}</recv>`;
const keepTransaction = keep('Via', 'via') + keep('To', 'to') + keep('CSeq', 'cseq');
/** A later INVITE, which is answered after something else has come (`kept`, with an empty tag). */
export const expectReinvite = (checks = ''): string => expectRequest('INVITE', keepTransaction + checks);
/** A first request other than INVITE, where the called party asks something in turn. */
export const expectFirst = (method: string, checks = ''): string =>
  expectRequest(method, keep('From', 'from') + checks);
/** The first INVITE, whose headers answers and requests of the called party need later. */
export const expectInvite = (checks = ''): string =>
  expectRequest('INVITE', keep('From', 'from') + keepTransaction + checks);
export const expectAnswer = (status: number, checks = ''): string =>
  `<recv response="${status}" rrs="true">${actions(checks)}</recv>`;
export const maybe = (...statuses: readonly number[]): string =>
  statuses.map((status) => `<recv response="${status}" optional="true"/>`).join('\n');

/** The INVITE is refused, and the refusal acknowledged (RFC 3261 §17.1.1.3). */
export const refusedWith = (
  status: number,
  cseq: number,
  checks = '',
  parts: RequestParts = {},
): string[] => [
  maybe(100, 180, 183),
  expectAnswer(status, checks),
  request('ACK', cseq, { back: 5, ...parts }),
];

/** A request that is challenged, and comes again with a digest. */
export function withDigest(
  method: string,
  parts: RequestParts & { readonly user: string; readonly password: string },
): string[] {
  const { headers = [] } = parts;
  const invite = method === 'INVITE';
  return [
    request(method, 1, { ...parts, first: true }),
    ...(invite ? [maybe(100)] : []),
    '<recv response="401" auth="true"/>',
    ...(invite ? [request('ACK', 1, { back: 3, uri: parts.uri!, to: parts.to!, from: parts.from! })] : []),
    request(method, 2, {
      ...parts,
      first: true,
      headers: [...headers, `[authentication username=${parts.user} password=${parts.password}]`],
    }),
  ];
}

export const scenario = (name: string, steps: readonly string[]): string => {
  const used = new Set(
    [...steps.join('').matchAll(/assign_to="([\w,]+)"/g)].flatMap((match) => match[1]!.split(',')),
  );
  const reference = used.size === 0 ? '' : `<Reference variables="${[...used].join(',')}"/>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${name}">\n${steps.join('\n')}\n${reference}\n</scenario>\n`;
};

/** Tells the harness that this point is reached, in the party's log. */
export const say = (what: string): string => `<nop><action><log message="${what}"/></action></nop>`;
export const talk = `${say('talk')}\n<pause/>`;
export const pauseOf = (ms: number): string => `<pause milliseconds="${ms}"/>`;
export const short = pauseOf(150);
export const bye = (cseq: number): readonly string[] => [request('BYE', cseq), expectAnswer(200)];
export const goodbye = [expectRequest('BYE'), answer('200 OK')];

export const reinvited = (
  cseq: number,
  body: string,
  pattern: string,
  variable: string,
): readonly string[] => [
  request('INVITE', cseq, { body }),
  maybe(100),
  expectAnswer(200, check(pattern, variable)),
  request('ACK', cseq),
];
export const reanswered = (pattern: string, variable: string, body: string): readonly string[] => [
  expectRequest('INVITE', check(pattern, variable)),
  answer('200 OK', { body }),
  expectRequest('ACK'),
];
