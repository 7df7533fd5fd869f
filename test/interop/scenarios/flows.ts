/**
 * sipp scenarios of call flows, made from steps: each flow is one for the caller and one for the called party.
 *
 * Keys: `dialled`, `mport` (RTP port), as in the scenarios beside this file.
 */

export interface FlowScenarios {
  readonly caller: string;
  readonly called: string;
}

const audio = (version: number, direction = 'sendrecv', address = '[local_ip]'): string =>
  [
    'v=0',
    `o=sipp 6001 ${version} IN IP4 [local_ip]`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    'm=audio [mport] RTP/AVP 0 101',
    'a=rtpmap:0 PCMU/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-15',
    `a=${direction}`,
  ].join('\n');

const image = (version: number): string =>
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

const message = (start: string, lines: readonly string[], body?: string): string => {
  const tail =
    body === undefined
      ? ['Content-Length: 0', '', '']
      : ['Content-Type: application/sdp', 'Content-Length: [len]', '', body];
  return ['<![CDATA[', '', start, ...lines, ...tail, ']]>'].join('\n');
};

const cdata = (text: string, retrans: boolean): string =>
  `<send${retrans ? ' retrans="500"' : ''}>\n${text}\n</send>`;

/** A request of the caller. */
function request(
  method: string,
  cseq: number,
  { headers = [], body }: { headers?: readonly string[]; body?: string } = {},
): string {
  const first = method === 'INVITE' && cseq === 1;
  const uri = first ? 'sip:[dialled]@[remote_ip]:[remote_port]' : '[next_url]';
  const lines = [
    'Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport',
    ...(first ? [] : ['[routes]']),
    'From: <sip:+12025550100@[local_ip]:[local_port]>;tag=a[call_number]p[pid]',
    `To: <sip:[dialled]@[remote_ip]:[remote_port]>${first ? '' : '[peer_tag_param]'}`,
    'Call-ID: [call_id]',
    `CSeq: ${cseq} ${method}`,
    'Contact: <sip:+12025550100@[local_ip]:[local_port]>',
    'Max-Forwards: 70',
    'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK',
    ...headers,
  ];
  return cdata(message(`${method} ${uri} SIP/2.0`, lines, body), method !== 'ACK');
}

/** An answer of the called party to the request that came last. */
function answer(
  status: string,
  {
    headers = [],
    body,
    invite = false,
  }: { headers?: readonly string[]; body?: string; invite?: boolean } = {},
): string {
  const lines = [
    '[last_Via:]',
    '[last_Record-Route:]',
    '[last_From:]',
    `[last_To:]${invite ? ';tag=b[call_number]p[pid]' : ''}`,
    '[last_Call-ID:]',
    '[last_CSeq:]',
    'Contact: <sip:called@[local_ip]:[local_port]>',
    'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK',
    ...headers,
  ];
  return cdata(message(`SIP/2.0 ${status}`, lines, body), invite && status.startsWith('200'));
}

/** Must be in the message, or must not. */
const check = (pattern: string, variable: string, absent = false): string =>
  `<ereg regexp="${pattern}" search_in="msg" check_it${absent ? '_inverse' : ''}="true" assign_to="${variable}"/>`;

const expectRequest = (method: string, checks = ''): string =>
  `<recv request="${method}" rrs="true">${checks === '' ? '' : `<action>${checks}</action>`}</recv>`;
const expectAnswer = (status: number, checks = ''): string =>
  `<recv response="${status}" rrs="true">${checks === '' ? '' : `<action>${checks}</action>`}</recv>`;
const maybe = (...statuses: readonly number[]): string =>
  statuses.map((status) => `<recv response="${status}" optional="true"/>`).join('\n');

const scenario = (name: string, steps: readonly string[]): string => {
  const used = new Set(
    [...steps.join('').matchAll(/assign_to="([\w,]+)"/g)].flatMap((match) => match[1]!.split(',')),
  );
  const reference = used.size === 0 ? '' : `<Reference variables="${[...used].join(',')}"/>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${name}">\n${steps.join('\n')}\n${reference}\n</scenario>\n`;
};

const talk = '<pause/>';
const short = '<pause milliseconds="150"/>';
const bye = (cseq: number): readonly string[] => [request('BYE', cseq), expectAnswer(200)];
const goodbye = [expectRequest('BYE'), answer('200 OK')];

/** RFC 3261 §13.2.1: the offer in the 2xx, the answer in the ACK. */
const delayed: FlowScenarios = {
  caller: scenario('delayed offer, caller', [
    request('INVITE', 1),
    maybe(100, 180, 183),
    expectAnswer(200, check('m=audio', 'offer')),
    request('ACK', 1, { body: audio(1) }),
    talk,
    ...bye(2),
  ]),
  called: scenario('delayed offer, called', [
    expectRequest('INVITE', check('m=audio', 'none', true)),
    answer('180 Ringing', { invite: true }),
    short,
    answer('200 OK', { invite: true, body: audio(1) }),
    expectRequest('ACK', check('m=audio [1-9]', 'answer')),
    ...goodbye,
  ]),
};

const rseq = '<ereg regexp="RSeq: *([0-9]+)" search_in="msg" check_it="true" assign_to="whole,rseq"/>';

/** RFC 3262: a reliable 183 with the answer, PRACK on both sides, a 200 without SDP. */
const prack: FlowScenarios = {
  caller: scenario('reliable provisional response, caller', [
    request('INVITE', 1, { headers: ['Supported: 100rel'], body: audio(1) }),
    maybe(100),
    expectAnswer(183, `${rseq}${check('Require: *100rel', 'required')}${check('m=audio', 'early')}`),
    request('PRACK', 2, { headers: ['RAck: [$rseq] 1 INVITE'] }),
    expectAnswer(200),
    expectAnswer(200, check('m=audio', 'none', true)),
    request('ACK', 1),
    talk,
    ...bye(3),
  ]),
  called: scenario('reliable provisional response, called', [
    expectRequest(
      'INVITE',
      `${check('100rel', 'supported')}<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>`,
    ),
    answer('183 Session Progress', {
      invite: true,
      headers: ['Require: 100rel', 'RSeq: 7'],
      body: audio(1),
    }),
    expectRequest('PRACK', check('RAck: 7 1 INVITE', 'rack')),
    answer('200 OK'),
    short,
    // The INVITE again, which is no longer the last that came.
    answer('200 OK', { invite: true })
      .replace('[last_Via:]', 'Via:[$via]')
      .replace('[last_To:];tag=b[call_number]p[pid]', '[last_To:]')
      .replace('[last_CSeq:]', 'CSeq: 1 INVITE'),
    expectRequest('ACK'),
    ...goodbye,
  ]),
};

/** RFC 4028 and RFC 3311: the caller refreshes, holds and resumes by UPDATE. */
const update: FlowScenarios = {
  caller: scenario('session timer and UPDATE, caller', [
    request('INVITE', 1, {
      headers: ['Supported: timer', 'Session-Expires: 120;refresher=uac'],
      body: audio(1),
    }),
    maybe(100, 180, 183),
    expectAnswer(200, check('Session-Expires: *120;refresher=uac', 'timer')),
    request('ACK', 1),
    short,
    request('UPDATE', 2, { headers: ['Supported: timer', 'Session-Expires: 120;refresher=uac'] }),
    expectAnswer(200, check('Session-Expires: *120', 'again')),
    request('UPDATE', 3, { body: audio(2, 'sendonly') }),
    expectAnswer(200, check('a=recvonly', 'held')),
    request('UPDATE', 4, { body: audio(3) }),
    expectAnswer(200, check('a=sendrecv', 'resumed')),
    talk,
    ...bye(5),
  ]),
  called: scenario('session timer and UPDATE, called', [
    expectRequest('INVITE', check('Session-Expires: *1800', 'timer')),
    answer('200 OK', { invite: true, body: audio(1) }),
    expectRequest('ACK'),
    expectRequest('UPDATE', check('a=sendonly', 'held')),
    answer('200 OK', { body: audio(2, 'recvonly') }),
    expectRequest('UPDATE', check('a=sendrecv', 'resumed')),
    answer('200 OK', { body: audio(3) }),
    ...goodbye,
  ]),
};

const reinvited = (cseq: number, body: string, pattern: string, variable: string): readonly string[] => [
  request('INVITE', cseq, { body }),
  maybe(100),
  expectAnswer(200, check(pattern, variable)),
  request('ACK', cseq),
];
const reanswered = (pattern: string, variable: string, body: string): readonly string[] => [
  expectRequest('INVITE', check(pattern, variable)),
  answer('200 OK', { body }),
  expectRequest('ACK'),
];

/** RFC 3264 §8.4 in both ways, and T.38 and back. */
const change: FlowScenarios = {
  caller: scenario('hold and fax by re-INVITE, caller', [
    request('INVITE', 1, { body: audio(1) }),
    maybe(100, 180, 183),
    expectAnswer(200),
    request('ACK', 1),
    ...reinvited(2, audio(2, 'sendonly'), 'a=recvonly', 'held'),
    ...reinvited(3, audio(3, 'inactive', '0.0.0.0'), 'a=inactive', 'dead'),
    ...reinvited(4, image(4), 'm=image', 'fax'),
    ...reinvited(5, audio(5), 'm=audio', 'voice'),
    talk,
    ...bye(6),
  ]),
  called: scenario('hold and fax by re-INVITE, called', [
    expectRequest('INVITE'),
    answer('200 OK', { invite: true, body: audio(1) }),
    expectRequest('ACK'),
    ...reanswered('a=sendonly', 'held', audio(2, 'recvonly')),
    ...reanswered('a=inactive', 'dead', audio(3, 'inactive')),
    ...reanswered('m=image', 'fax', image(4)),
    ...reanswered('m=audio', 'voice', audio(5)),
    ...goodbye,
  ]),
};

export const flows: Readonly<Record<string, FlowScenarios>> = { delayed, prack, update, change };
