import { initialMaxForwards, makeRequest, withTag } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { Arrival, Doorway } from '../call/accept.ts';
import type { BranchTarget } from '../call/branch.ts';
import { isChallenge } from '../call/credentials.ts';
import { better, statusForCaller } from '../call/hunt.ts';
import { product, warning } from '../call/messages.ts';
import { routeFacts } from '../call/route-facts.ts';
import { type ClientOwner, socketText } from '../call/services.ts';
import { userTargets } from '../call/targets.ts';
import { identify, present } from '../headers/identity.ts';
import { decideMessage } from '../policy/message.ts';
import { reasonOfRefusal } from '../policy/reject-reasons.ts';
import { isHelpDesk } from '../policy/standing.ts';
import { describePrincipal } from '../policy/types.ts';
import { findRoute, readDialled } from '../routing/find-route.ts';
import { trunkAttempt } from '../trunks/rewrite/outgoing.ts';
import { TrunkSearch } from '../trunks/search.ts';
import { messageBody } from './body.ts';

type Answer = (status: number, headers?: HeaderList, reason?: string) => void;

/**
 * A MESSAGE out of dialogs (RFC 3428): to every phone of a user, or to a trunk that carries messages. Nothing is kept:
 * whoever has no phone registered is not there (480).
 *
 * The sender is who it has proven to be; the body is text or a status of it, within `messages.bytes`.
 */
export function acceptMessage(door: Doorway, arrival: Arrival, answer: Answer): void {
  const { services, sources } = door;
  const { request, flow, principal, directory } = arrival;
  const config = services.config();
  const now = services.now();
  const called = sources.registrar.behind(request.uri, directory.name, now);
  const dialled = readDialled(called, door.numbers());
  const destination = arrival.foreign
    ? ({ kind: 'none' } as const)
    : findRoute(directory, principal, dialled, config.numbers.emergencyTrunk);
  const identity = identify(directory, principal, request, dialled.emergency);
  const from = present(identity, 'phone', false).from;
  const { maximumForks } = config.calls;
  const targets =
    destination.kind === 'user'
      ? userTargets(sources, directory, destination.user, from, now, maximumForks, dialled.instance)
      : [];
  const trunks = destination.kind === 'trunk' ? destination.trunks : [];
  const origin = principal.kind === 'trunk' ? directory.trunks.get(principal.trunk) : undefined;
  const closed = [...(origin === undefined ? [] : [origin]), ...trunks].find(
    ({ messages }) => messages !== true,
  );
  const standing = dialled.emergency ? undefined : sources.accounts.standing(principal, flow);
  const decision = decideMessage(principal, {
    enabled: config.messages.enabled,
    dialled: dialled.text,
    withinRate: services.messages.take(describePrincipal(principal), config.messages.perMinute, now),
    perMinute: config.messages.perMinute,
    route: routeFacts(destination, targets),
    ...(closed === undefined ? {} : { closedTrunk: closed.name }),
    ...(standing === undefined || isHelpDesk(standing, dialled) ? {} : { standing }),
  });
  if (decision.verdict !== 'accept') {
    if (decision.verdict !== 'refuse') return answer(403);
    services.bus.emit({
      type: 'request.refused',
      source: socketText(flow.remote),
      method: 'MESSAGE',
      caller: describePrincipal(principal),
      target: dialled.text,
      decision,
    });
    const headers = new HeaderList().add('Reason', reasonOfRefusal(decision.cause));
    if (decision.warning !== undefined) headers.add('Warning', warning(decision.warning));
    if (decision.retryAfter !== undefined) headers.add('Retry-After', String(decision.retryAfter));
    return answer(decision.status, headers, decision.reason);
  }
  const content = messageBody(request, config.messages.bytes);
  if ('status' in content) return answer(content.status, content.headers);
  const maxForwards = Math.min(request.maxForwards ?? initialMaxForwards, initialMaxForwards) - 1;
  const parts = { door, maxForwards, ...content };
  if (destination.kind !== 'trunk') return toAll(parts, targets, answer);
  const id = services.token(20);
  const out = { number: destination.number, identity, emergency: false };
  const attempts = trunks.map((trunk) => trunkAttempt(trunk, destination.rewrite, out, door.numbers()));
  const search = new TrunkSearch(sources.search, attempts, { id, emergency: false, wanted: () => true });
  const done: Answer = (status, headers) => {
    door.limits.release(id);
    answer(status, headers);
  };
  void Promise.resolve(search.next()).then((target) =>
    services.run(() => (target === undefined ? done(480) : toAll(parts, [target], done))),
  );
}

interface Delivery {
  readonly door: Doorway;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  readonly maxForwards: number;
}

/** The first that takes it speaks for all; else the best of their refusals. */
function toAll(delivery: Delivery, targets: readonly BranchTarget[], answer: Answer): void {
  let left = targets.length;
  let best = 0;
  let told = false;
  for (const target of targets)
    deliver(delivery, target, (status) => {
      left -= 1;
      if (status >= 300) best = better(best, status);
      if (told || (status >= 300 && left > 0)) return;
      told = true;
      answer(status < 300 ? 200 : statusForCaller(best));
    });
}

function deliver(
  { door, headers, body, maxForwards }: Delivery,
  target: BranchTarget,
  done: (status: number) => void,
): void {
  const { services } = door;
  const callId = services.token(24);
  const tag = services.token(16);
  let cseq = 0;
  let authenticated = false;
  const send = (credentials?: readonly [name: string, value: string]): void => {
    cseq += 1;
    const fields = headers.clone().add('User-Agent', product);
    for (const value of target.route ?? []) fields.add('Route', value);
    if (target.headers !== undefined) for (const [name, value] of target.headers) fields.add(name, value);
    if (credentials !== undefined) fields.add(...credentials);
    const request: SipRequest = makeRequest({
      method: 'MESSAGE',
      uri: target.uri,
      from: withTag(target.from, tag),
      to: target.to,
      callId,
      cseq,
      maxForwards,
      headers: fields,
      body,
    });
    const owner: ClientOwner = {
      response: heard,
      failed: (reason) => done(reason === 'timeout' ? 408 : 503),
    };
    services.layer.request(request, target.flow, services.now()).context = owner;
  };
  const heard = (response: SipResponse): void => {
    const { status } = response;
    if (status < 200) return;
    if (isChallenge(status) && !authenticated) {
      authenticated = true;
      const given = services.realms.answer(target.trunk, {
        response,
        method: 'MESSAGE',
        uri: target.uri,
        cnonce: services.token(16),
      });
      if (given !== undefined) return send([given.name, given.value]);
    }
    done(status);
  };
  send();
}
