import { cryptoLines, serializeCrypto } from '@ringfence/sdp/crypto.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import { parseMultipart } from '@ringfence/sip/message/multipart.ts';
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import { Phone, type PhoneOptions } from './phone.ts';
import type { PhoneCall } from './phone-call.ts';
import type { World } from './world.ts';

/** What a recording server was asked to record. */
export interface Asked {
  readonly call: PhoneCall;
  readonly sdp: SessionDescription;
  readonly metadata: string;
}

/** A recording server of the tests (RFC 7866): takes what it is offered, both streams. */
export class Recorder {
  readonly phone: Phone;
  readonly asked: Asked[] = [];
  /** Answers a session; default: takes it. */
  onSession: (asked: Asked) => void = (asked) => this.take(asked);

  constructor(world: World, options: Partial<PhoneOptions> & { readonly address: string }) {
    this.phone = new Phone(world, { name: 'srs', transport: 'tls', port: 5061, ...options }).listen();
    this.phone.onInvite = (call) => {
      const asked = read(call);
      if (asked === undefined) return call.reject(400);
      this.asked.push(asked);
      this.onSession(asked);
    };
  }

  /** 200, by default with what it was offered. */
  take({ call, sdp }: Asked, answer = this.answerTo(sdp)): void {
    call.mine = { text: answer, keys: [] };
    call.answer(answer);
  }

  /** `recvonly` for every stream, with keys of our own where it has some. */
  answerTo(offer: SessionDescription, ports = [41_000, 41_002]): string {
    const { random } = this.phone.world;
    const { address } = this.phone.options;
    const lines = ['v=0', `o=srs 1 1 IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0'];
    for (const [i, media] of offer.media.entries()) {
      lines.push(`m=audio ${ports[i]} ${media.protocol} ${media.formats.join(' ')}`);
      const chosen = cryptoLines(media).acceptable[0];
      if (chosen !== undefined) {
        const { masterKeyLength, masterSaltLength } = suiteParameters[chosen.suite];
        const material = random.bytes(masterKeyLength + masterSaltLength);
        lines.push(
          `a=crypto:${serializeCrypto({ tag: chosen.tag, suite: chosen.suite, keys: [{ material }] })}`,
        );
      }
      lines.push('a=recvonly');
    }
    return [...lines, ''].join('\r\n');
  }
}

function read(call: PhoneCall): Asked | undefined {
  const { request } = call;
  if (request === undefined) return undefined;
  const parts = parseMultipart(request.headers.get('Content-Type') ?? '', request.body);
  if (!parts.ok) return undefined;
  const of = (type: string): Uint8Array | undefined =>
    parts.value.find(({ headers }) => headers.get('Content-Type') === type)?.body;
  const [sdp, xml] = [of('application/sdp'), of('application/rs-metadata+xml')];
  const parsed = sdp === undefined ? undefined : parseSession(sdp);
  if (parsed?.ok !== true || xml === undefined) return undefined;
  return { call, sdp: parsed.value, metadata: Buffer.from(xml).toString('utf8') };
}
