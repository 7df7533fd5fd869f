import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { serializeMessage } from '@ringfence/sip/message/serialize.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { statelessTag } from '@ringfence/sip/transaction/matching.ts';
import { stampReceived } from '@ringfence/sip/transaction/via.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';

const none = new HeaderList();
/** Of several challenges the one that most phones can answer, where only one fits (RFC 8760 §2.4 wants them all). */
const mostKnown = 'algorithm=SHA-256';

/**
 * Answers to those who have proven nothing: made from the request alone, RFC 3261 §8.2.7, so that they cost no state.
 *
 * Over UDP an answer is sent only if it is no longer than what it answers: nobody can aim a flood through us. What
 * does not fit is shortened before it is given up: compact header names (§7.3.3) and no reason phrase.
 */
export class StatelessAnswers {
  readonly #send: (flow: Flow, bytes: Uint8Array) => void;

  constructor(send: (flow: Flow, bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** `size`: of the request in octets. False where even the shortest answer would be longer. */
  answer(
    flow: Flow,
    request: SipRequest,
    size: number,
    status: number,
    headers = none,
    reason?: string,
  ): boolean {
    // The same request gets the same tag.
    const toTag = request.to.params.has('tag')
      ? {}
      : { toTag: statelessTag(`${request.callId} ${request.via[0]?.branch}`) };
    const response = makeResponse(stampReceived(request, flow), status, reason, { ...toTag, headers });
    let bytes = serializeMessage(response);
    if (flow.transport === 'udp' && bytes.length > size) {
      bytes = compact(serializeMessage({ ...response, reason: '' }));
      if (bytes.length > size) return false;
    }
    this.#send(flow, bytes);
    return true;
  }

  /** 401 with all algorithms; over UDP, where they do not fit, with one; and if that is too long, silence. */
  challenge(flow: Flow, request: SipRequest, size: number, challenges: readonly string[]): void {
    const one = challenges.filter((value) => value.includes(mostKnown)).slice(0, 1);
    for (const list of [challenges, one]) {
      const headers = new HeaderList();
      for (const value of list) headers.add('WWW-Authenticate', value);
      if (this.answer(flow, request, size, 401, headers)) return;
    }
  }
}

const compactNames = [
  ['Via', 'v'],
  ['From', 'f'],
  ['To', 't'],
  ['Call-ID', 'i'],
  ['Content-Length', 'l'],
] as const;

/** The same message in fewer octets. A name in a value cannot be mistaken: values hold no line ends. */
function compact(bytes: Uint8Array): Uint8Array {
  let text = Buffer.from(bytes).toString('utf8');
  for (const [name, short] of compactNames) text = text.replaceAll(`\r\n${name}: `, `\r\n${short}: `);
  return Buffer.from(text, 'utf8');
}
