import { err, ok } from '@ringfence/bytes/result.ts';
import { parseReplaces } from '@ringfence/sip/headers/replaces.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import { CallMedia } from '../media/call-media.ts';
import { decidePickup, decidePickupCode } from '../policy/transfer.ts';
import { type Decision, describePrincipal } from '../policy/types.ts';
import { type Dialled, localUser, readDialled } from '../routing/find-route.ts';
import type { Arrival, Doorway } from './accept.ts';
import type { Call } from './call.ts';
import { namedBy, ownerOf } from './named-leg.ts';
import { continued } from './open-joining.ts';
import type { AcceptedCall } from './setup.ts';
import { mediaOptions } from './setup.ts';
import { type Place, Transfer } from './transfer.ts';
import { Rejoined } from './transfer-sides.ts';

/** What an INVITE that wants somebody's place in a call asks for, and whether it may. */
export interface Pickup {
  readonly decision: Decision;
  readonly place: Place | undefined;
}

/** The call that the INVITE wants to take over, by Replaces or by the number for it; undefined: it wants none. */
export function judgePickup(door: Doorway, arrival: Arrival, dialled: Dialled): Pickup | undefined {
  if (dialled.emergency) return undefined;
  return arrival.request.headers.has('Replaces')
    ? judgeReplaces(door, arrival)
    : judgeCode(door, arrival, dialled);
}

/** RFC 3891 §3: the dialog is looked up among ours, in the sender's tenant alone. */
function judgeReplaces(door: Doorway, { request, principal, directory, flow }: Arrival): Pickup {
  const parsed = parseReplaces(request.headers.get('Replaces') ?? '');
  if (!parsed.ok)
    return {
      place: undefined,
      decision: {
        verdict: 'refuse',
        cause: 'malformed',
        status: 400,
        reason: 'Bad Replaces',
        reasons: [
          {
            rule: 'pickup.malformed',
            text: 'The Replaces header cannot be read.',
            evidence: { detail: parsed.error },
          },
        ],
      },
    };
  const found = namedBy(door, parsed.value);
  const place = found?.call.domain === directory.name ? found : undefined;
  const sender = ownerOf({ party: describePrincipal(principal) });
  const rung = place?.call.rung.includes(place.leg) === true;
  const decision = decidePickup({
    mode: door.services.config().calls.pickup,
    party: place?.leg.party,
    own: place !== undefined && (ownerOf(place.leg) === sender || place.leg.grantedTo === sender),
    earlyOnly: parsed.value.earlyOnly,
    answered: place?.call.live === true,
    rung,
    busy: !rung && place?.call.transferable !== true,
    insecure: isInsecure(place, flow),
  });
  return { place, decision };
}

/** RFC 5359 §2.16 for phones that know nothing of dialogs: the number alone, or with whom the call rings for. */
function judgeCode(
  door: Doorway,
  { principal, directory, foreign, flow }: Arrival,
  dialled: Dialled,
): Pickup | undefined {
  const { pickup: mode, pickupCode: code } = door.services.config().calls;
  if (code === '' || !dialled.text.startsWith(code)) return undefined;
  if (principal.kind !== 'device' || foreign || directory.pbx !== undefined) return undefined;
  const rest = dialled.text.slice(code.length);
  const wanted =
    rest === ''
      ? undefined
      : localUser(directory, readDialled(sipUri({ user: rest, host: directory.name }), door.numbers()));
  // A number that only begins like it.
  if (rest !== '' && wanted === undefined) return undefined;
  const sender = ownerOf({ party: describePrincipal(principal) });
  const mine = wanted === undefined || wanted.name === principal.user;
  const only =
    wanted === undefined
      ? mode === 'own'
        ? sender
        : undefined
      : ownerOf({ party: `device:${wanted.name}@${directory.name}` });
  const place = mode === 'own' && !mine ? undefined : rungFor(door, directory.name, only, sender);
  const decision = decidePickupCode({
    mode,
    dialled: dialled.text,
    user: wanted?.name,
    own: mine,
    found: place?.leg.party,
    insecure: isInsecure(place, flow),
  });
  return { place, decision };
}

/** RFC 5630 §3.1.3: who was called by sips talks to nobody whose signalling can be read. */
const isInsecure = (place: Place | undefined, { transport }: Flow): boolean =>
  place?.call.other(place.leg)?.constants.secure === true && !isEncrypted(transport);

/** The call that has rung longest at a phone of that user, or of anybody; never one that the sender makes itself. */
function rungFor(
  door: Doorway,
  domain: string,
  owner: string | undefined,
  sender: string,
): Place | undefined {
  for (const call of door.calls.values()) {
    if (call.domain !== domain) continue;
    for (const leg of call.rung) {
      if (!leg.party.startsWith('device:') || (owner !== undefined && ownerOf(leg) !== owner)) continue;
      const caller = call.other(leg);
      if (caller !== undefined && ownerOf(caller) !== sender) return { call, leg };
    }
  }
  return undefined;
}

/** The other party of the call is asked to talk to the sender; the replaced one is hung up once it does. */
export function startPickup(door: Doorway, { call, leg }: Place, made: Call, accepted: AcceptedCall): void {
  const { services } = door;
  const partner = call.other(leg);
  const rings = call.rung.includes(leg);
  const transfer = new Transfer(services, {
    referrers: [{ call, leg }],
    silent: true,
    id: undefined,
    cseq: 0,
    expires: 0,
    cause: 'replaced',
  });
  transfer.begin(made);
  transfer.joining = true;
  made.start(accepted, rings ? takeRinging() : open());

  type Opened = ReturnType<typeof import('./setup.ts').openMedia>;

  function fail(status: number, warning: string): Awaited<Opened> {
    transfer.failed(status);
    return err({ status, cause: 'media', warning });
  }

  /** A caller who waits for an answer has made an offer of its own: it gets its answer first, and then a new offer. */
  function takeRinging(): Opened {
    return new Promise((done) => {
      const taken = call.pickedUp(() => done(open()));
      // Nobody is left whom it could go back to.
      if (taken) transfer.leaves(leg);
      else done(fail(488, 'The caller has offered nothing that can be answered now'));
    });
  }

  async function open(): Opened {
    const relay = services.relay();
    if (relay === undefined || partner === undefined) return fail(503, 'The media process is not running');
    const opened = await CallMedia.open(relay, mediaOptions(services), accepted.offer, accepted.side, [
      continued(services, partner),
    ]);
    if (!opened.ok) return fail(503, `No media ports: ${opened.error}`);
    return ok({
      media: opened.value,
      search: (events, invite) =>
        new Rejoined(services, partner, events, invite, {
          answered: () => transfer.succeeded(),
          failed: (status) => transfer.failed(status),
          lost: () => transfer.lost(),
        }),
    });
  }
}
