import { makeRequest, withTag } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { party, product, userUri } from '../call/messages.ts';
import type { ClientOwner } from '../call/services.ts';
import { flowOf, type TargetSources } from '../call/targets.ts';
import { identify, present } from '../headers/identity.ts';
import { type Content, messageBody } from '../message/body.ts';
import type { Pbx } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { LiveBinding } from '../registrar/registrar.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { DialogNames } from '../subscription/dialog-names.ts';
import { bodyFor, eventOf } from '../subscription/packages.ts';
import { readSeconds, readState, writeState } from '../subscription/state.ts';
import { minimumOf, statusOfRefusal } from '../subscription/subscription.ts';
import { challengesOf, credentialsOf } from './credentials.ts';
import { type ForwardParts, forward } from './forward.ts';
import { partyIn, passedRequest, passedUri } from './passed.ts';
import type { Respond } from './respond.ts';

export interface RelayParts extends ForwardParts {
  readonly sources: TargetSources;
  readonly names: DialogNames;
}

/** RFC 3428 §8: longer ones belong into sessions. */
const longestMessage = 1_300;
const longestPublication = 3_600;

/** MESSAGE and PUBLISH of a registered phone, for its PBX. */
export function relayToPbx(
  parts: RelayParts,
  request: SipRequest,
  principal: Principal,
  { name: domain }: DomainDirectory,
  pbx: Pbx,
  respond: Respond,
): void {
  const { services, sources, names } = parts;
  const content =
    request.method === 'MESSAGE'
      ? messageBody(request, longestMessage)
      : publicationOf(request, domain, names);
  if ('status' in content) return respond(content.status, content.headers);
  const user = principal.kind === 'device' ? principal.user : '';
  const node = sources.registrar.lookup(domain, user, services.now())[0]?.upstream?.node;
  const callId = services.token(24);
  let cseq = 0;
  const make = (_: unknown, flow: Flow): SipRequest => {
    cseq += 1;
    const headers = content.headers.clone().add('User-Agent', product);
    for (const [name, value] of credentialsOf(request)) headers.add(name, value);
    return passedRequest(request, {
      uri: passedUri(request.uri, domain, flow),
      from: partyIn(domain, request.from),
      to: partyIn(domain, request.to),
      tag: services.token(16),
      callId,
      cseq,
      headers,
      body: content.body,
    });
  };
  forward(parts, pbx, sources.nodes.order(pbx, node), make, (outcome) => {
    if (outcome.kind === 'unreachable') return respond(503, new HeaderList().add('Retry-After', '10'));
    const { response } = outcome;
    const { status } = response;
    if (status < 300)
      return respond(status, request.method === 'PUBLISH' ? publishedOf(response) : undefined);
    if (status === 401 || status === 407) return respond(status, challengesOf(response));
    respond(statusOfRefusal(status), minimumOf(response));
  });
}

/** MESSAGE and unsolicited NOTIFY of a PBX, for the phone whose token it has called. */
export function relayToPhone(
  parts: RelayParts,
  request: SipRequest,
  principal: Principal,
  directory: DomainDirectory,
  binding: LiveBinding,
  respond: Respond,
): void {
  const { services, sources, names } = parts;
  const content =
    request.method === 'MESSAGE'
      ? messageBody(request, longestMessage)
      : noticeOf(request, directory.name, names);
  if ('status' in content) return respond(content.status, content.headers);
  const flow: Flow | undefined = flowOf(sources.transports, binding);
  const uri = parseUri(binding.contact);
  if (flow === undefined || !uri.ok) return respond(480);
  const owner: ClientOwner = {
    response: ({ status }: SipResponse) => {
      if (status >= 200)
        respond(status < 300 ? 200 : status === 401 || status === 407 ? 502 : statusOfRefusal(status));
    },
    failed: () => respond(408),
  };
  const headers = content.headers.clone().add('User-Agent', product);
  for (const hop of binding.path ?? []) headers.add('Route', hop);
  const passed = makeRequest({
    method: request.method,
    uri: uri.value,
    from: withTag(
      present(identify(directory, principal, request, false), 'phone', false).from,
      services.token(16),
    ),
    to: party(userUri(binding.user, directory.name), undefined),
    callId: services.token(24),
    cseq: 1,
    maxForwards: Math.min(request.maxForwards ?? 70, 70) - 1,
    headers,
    body: content.body,
  });
  services.layer.request(passed, flow, services.now()).context = owner;
}

/** RFC 3903 §4. */
function publicationOf(request: SipRequest, domain: string, names: DialogNames): Content {
  const event = eventOf(request);
  if (event?.package === undefined || (event.name !== 'presence' && event.name !== 'dialog'))
    return { status: 489 };
  const body = bodyFor(event.package, request, { domain, names });
  if (body === undefined) return { status: 415, headers: new HeaderList().add('Accept', event.package.type) };
  const headers = new HeaderList().add('Event', event.name);
  const expires = readSeconds(request.headers.get('Expires'));
  if (expires !== undefined) headers.add('Expires', String(Math.min(expires, longestPublication)));
  const tag = request.headers.get('SIP-If-Match');
  if (tag !== undefined) {
    if (!isEntityTag(tag)) return { status: 400 };
    headers.add('SIP-If-Match', tag);
  }
  if (body === null) return { headers, body: new Uint8Array(0) };
  return { headers: headers.add('Content-Type', event.package.type), body: Buffer.from(body, 'utf8') };
}

function publishedOf(response: SipResponse): HeaderList {
  const headers = new HeaderList();
  const tag = response.headers.get('SIP-ETag');
  if (tag !== undefined && isEntityTag(tag)) headers.add('SIP-ETag', tag);
  const expires = readSeconds(response.headers.get('Expires'));
  return expires === undefined ? headers : headers.add('Expires', String(expires));
}

const isEntityTag = (text: string): boolean => text.length <= 128 && /^[A-Za-z0-9.!%*_+`'~-]+$/.test(text);

/** What waits (RFC 3842), told without a subscription, and the wish that a phone reads its settings anew. */
function noticeOf(request: SipRequest, domain: string, names: DialogNames): Content {
  const event = eventOf(request);
  if (event?.name === 'check-sync')
    return {
      headers: new HeaderList().add('Event', 'check-sync').add('Subscription-State', 'terminated'),
      body: new Uint8Array(0),
    };
  if (event?.package === undefined || event.name !== 'message-summary') return { status: 489 };
  const body = bodyFor(event.package, request, { domain, names });
  if (body === undefined || body === null)
    return { status: 415, headers: new HeaderList().add('Accept', event.package.type) };
  const state = readState(request);
  const headers = new HeaderList()
    .add('Event', event.name)
    .add('Subscription-State', state === undefined ? 'terminated' : writeState(state))
    .add('Content-Type', event.package.type);
  return { headers, body: Buffer.from(body, 'utf8') };
}
