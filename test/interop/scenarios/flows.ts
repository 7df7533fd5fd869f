/** sipp scenarios of call flows between two trunks, made from steps: one for the caller, one for the called party. */
import {
  answer,
  audio,
  bye,
  check,
  expectAnswer,
  expectRequest,
  goodbye,
  image,
  maybe,
  reanswered,
  reinvited,
  request,
  short,
  talk,
} from './steps.ts';

export interface FlowScenarios {
  readonly caller: readonly string[];
  readonly called: readonly string[];
}

/** RFC 3261 §13.2.1: the offer in the 2xx, the answer in the ACK. */
const delayed: FlowScenarios = {
  caller: [
    request('INVITE', 1),
    maybe(100, 180, 183),
    expectAnswer(200, check('m=audio', 'offer')),
    request('ACK', 1, { body: audio(1) }),
    talk,
    ...bye(2),
  ],
  called: [
    expectRequest('INVITE', check('m=audio', 'none', true)),
    answer('180 Ringing', { invite: true }),
    short,
    answer('200 OK', { invite: true, body: audio(1) }),
    expectRequest('ACK', check('m=audio [1-9]', 'answer')),
    ...goodbye,
  ],
};

const rseq = '<ereg regexp="RSeq: *([0-9]+)" search_in="msg" check_it="true" assign_to="whole,rseq"/>';

/** RFC 3262: a reliable 183 with the answer, PRACK on both sides, a 200 without SDP. */
const prack: FlowScenarios = {
  caller: [
    request('INVITE', 1, { headers: ['Supported: 100rel'], body: audio(1) }),
    maybe(100),
    expectAnswer(183, `${rseq}${check('Require: *100rel', 'required')}${check('m=audio', 'early')}`),
    request('PRACK', 2, { headers: ['RAck: [$rseq] 1 INVITE'] }),
    expectAnswer(200),
    expectAnswer(200, check('m=audio', 'none', true)),
    request('ACK', 1),
    talk,
    ...bye(3),
  ],
  called: [
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
  ],
};

/** RFC 4028 and RFC 3311: the caller refreshes, holds and resumes by UPDATE. */
const update: FlowScenarios = {
  caller: [
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
  ],
  called: [
    expectRequest('INVITE', check('Session-Expires: *1800', 'timer')),
    answer('200 OK', { invite: true, body: audio(1) }),
    expectRequest('ACK'),
    expectRequest('UPDATE', check('a=sendonly', 'held')),
    answer('200 OK', { body: audio(2, 'recvonly') }),
    expectRequest('UPDATE', check('a=sendrecv', 'resumed')),
    answer('200 OK', { body: audio(3) }),
    ...goodbye,
  ],
};

/** RFC 3264 §8.4 in both ways, and T.38 and back. */
const change: FlowScenarios = {
  caller: [
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
  ],
  called: [
    expectRequest('INVITE'),
    answer('200 OK', { invite: true, body: audio(1) }),
    expectRequest('ACK'),
    ...reanswered('a=sendonly', 'held', audio(2, 'recvonly')),
    ...reanswered('a=inactive', 'dead', audio(3, 'inactive')),
    ...reanswered('m=image', 'fax', image(4)),
    ...reanswered('m=audio', 'voice', audio(5)),
    ...goodbye,
  ],
};

export const flows: Readonly<Record<string, FlowScenarios>> = { delayed, prack, update, change };
