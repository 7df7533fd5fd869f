import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { serializeMessage } from '@ringfence/sip/message/serialize.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { statelessTag } from '@ringfence/sip/transaction/matching.ts';
import { stampReceived } from '@ringfence/sip/transaction/via.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';

const none = new HeaderList();

/**
 * Answers to those who have proven nothing: made from the request alone, RFC 3261 §8.2.7, so that they cost no state.
 *
 * Over UDP an answer is sent only if it is no longer than what it answers: nobody can aim a flood through us.
 */
export class StatelessAnswers {
  readonly #send: (flow: Flow, bytes: Uint8Array) => void;

  constructor(send: (flow: Flow, bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** `size`: of the request in octets. False where the answer would be longer. */
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
    const bytes = serializeMessage(response);
    if (flow.transport === 'udp' && bytes.length > size) return false;
    this.#send(flow, bytes);
    return true;
  }

  /** 401: over UDP a long list of algorithms may not fit; then the first alone, and if that is too long, silence. */
  challenge(flow: Flow, request: SipRequest, size: number, challenges: readonly string[]): void {
    const lists =
      flow.transport === 'udp' && challenges.length > 1 ? [challenges, challenges.slice(0, 1)] : [challenges];
    for (const list of lists) {
      const headers = new HeaderList();
      for (const value of list) headers.add('WWW-Authenticate', value);
      if (this.answer(flow, request, size, 401, headers)) return;
    }
  }

  /** 481, in few words where the usual ones do not fit. */
  noDialog(flow: Flow, request: SipRequest, size: number): void {
    if (!this.answer(flow, request, size, 481)) this.answer(flow, request, size, 481, none, 'Gone');
  }
}
