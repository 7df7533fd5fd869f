import { err, ok } from '@ringfence/bytes/result.ts';
import { parseReplaces } from '@ringfence/sip/headers/replaces.ts';
import { CallMedia } from '../media/call-media.ts';
import { decidePickup } from '../policy/transfer.ts';
import { type Decision, describePrincipal } from '../policy/types.ts';
import type { Arrival, Doorway } from './accept.ts';
import type { Call } from './call.ts';
import { namedBy, ownerOf } from './named-leg.ts';
import { continued } from './open-joining.ts';
import type { AcceptedCall } from './setup.ts';
import { mediaOptions } from './setup.ts';
import { type Place, Transfer } from './transfer.ts';
import { Rejoined } from './transfer-sides.ts';

/** What an INVITE with Replaces asks for, and whether it may. */
export interface Pickup {
  readonly decision: Decision;
  readonly place: Place | undefined;
}

/** RFC 3891 §3: the dialog is looked up among ours, in the sender's tenant alone. */
export function judgePickup(door: Doorway, { request, principal, directory }: Arrival): Pickup {
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
  const decision = decidePickup({
    mode: door.services.config().calls.pickup,
    party: place?.leg.party,
    own: place !== undefined && (ownerOf(place.leg) === sender || place.leg.grantedTo === sender),
    earlyOnly: parsed.value.earlyOnly,
    answered: place?.call.live === true,
    busy: place?.call.transferable !== true,
  });
  return { place, decision };
}

/** The other party of the call is asked to talk to the sender; the replaced one is hung up once it does. */
export function startPickup(door: Doorway, { call, leg }: Place, made: Call, accepted: AcceptedCall): void {
  const { services } = door;
  const partner = call.other(leg);
  const transfer = new Transfer(services, {
    referrers: [{ call, leg }],
    silent: true,
    id: undefined,
    expires: 0,
    cause: 'replaced',
  });
  transfer.begin(made);
  transfer.joining = true;
  made.start(accepted, open());

  async function open(): ReturnType<typeof import('./setup.ts').openMedia> {
    const relay = services.relay();
    const fail = (warning: string) => {
      transfer.failed(503);
      return err({ status: 503, cause: 'media', warning });
    };
    if (relay === undefined || partner === undefined) return fail('The media process is not running');
    const opened = await CallMedia.open(relay, mediaOptions(services), accepted.offer, accepted.side, [
      continued(services, partner),
    ]);
    if (!opened.ok) return fail(`No media ports: ${opened.error}`);
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
