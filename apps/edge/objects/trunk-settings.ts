import { type Static, Type } from '@sinclair/typebox';
import { DestinationPolicy, SpendCaps } from '../config/fraud.ts';
import { HeaderFields, Methods } from '../config/hygiene.ts';
import { IceUse, Keying } from '../config/schema.ts';
import { ZrtpPolicy } from '../config/zrtp.ts';
import { CallerPolicy } from './caller-settings.ts';
import { Codecs } from './codec-settings.ts';
import { TrunkLimits } from './limit-settings.ts';
import { Pinned } from './pin-settings.ts';
import { TrunkRewrite } from './rewrite-settings.ts';

/** What stands behind a PBX or a trunk, for virtual patches. */
export const ProductText = Type.String({
  minLength: 1,
  maxLength: 64,
  description:
    'Product and version, such as `asterisk 18.9.0`, by which virtual patches are chosen (docs/patches.md). Default: what its Server or User-Agent says in answers to OPTIONS.',
});

/** One of several targets of a trunk. */
export const TrunkTargetObject = Type.Object(
  {
    target: Type.String({ description: 'SIP URI, as `target` of the trunk.' }),
    priority: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 0,
      description: 'Lower goes first; higher ones are tried when all lower ones have failed.',
    }),
    weight: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 1,
      description: 'Share of the calls among targets of the same priority, as in RFC 2782.',
    }),
  },
  { additionalProperties: false },
);

/** How a target is found to be dead, and alive again. */
export const Health = Type.Object(
  {
    options: Type.Boolean({
      default: true,
      description:
        'Asks every address of every target with OPTIONS. False: only calls tell whether a target lives.',
    }),
    intervalSeconds: Type.Integer({
      minimum: 2,
      maximum: 3600,
      default: 30,
      description: 'Between two OPTIONS; without OPTIONS, how long a quarantine lasts.',
    }),
    failures: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 3,
      description:
        'So many failures in a row (OPTIONS or calls: no answer, no connection, a status of `statuses`) put an address into quarantine.',
    }),
    recoveries: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 2,
      description: 'So many answered OPTIONS in a row take it out again.',
    }),
    statuses: Type.Array(Type.Integer({ minimum: 400, maximum: 699 }), {
      default: [408, 503, 504],
      maxItems: 32,
      description: 'Answers that count as a failure. Every other answer shows that the target lives.',
    }),
  },
  {
    additionalProperties: false,
    description:
      'Watches the targets; those in quarantine get no calls but emergency calls. On with its defaults for a trunk that has several targets.',
  },
);

/** When the next address, target or trunk is tried. */
export const Failover = Type.Object(
  {
    statuses: Type.Array(Type.Integer({ minimum: 400, maximum: 699 }), {
      default: [408, 500, 502, 503, 504],
      maxItems: 32,
      description:
        'Answers after which the next one is tried. No answer and no connection always lead to the next; every other status goes to the caller.',
    }),
    silenceSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 60,
        description:
          'Gives up a target that does not ring within this time (any answer but 100). Default: 32 s over UDP (timer B of RFC 3261), the ring time elsewhere.',
      }),
    ),
    noMediaSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10,
        description:
          'Hangs a target up that answers and then sends no media for so long, and tries the next; the caller hears of the answer with the first packet. For trunks that send as soon as they have answered.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** The edge registers at the provider, and is called by the contact that it has registered. */
export const Registration = Type.Object(
  {
    registrar: Type.Optional(
      Type.String({ description: 'SIP URI of the registrar. Default: the first target.' }),
    ),
    user: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        pattern: '^[A-Za-z0-9._+~-]+$',
        description: 'User part of the address of record. Default: `outboundAuthentication.username`.',
      }),
    ),
    domain: Type.Optional(
      Type.String({ description: 'Host of the address of record. Default: the host of the registrar.' }),
    ),
    expiresSeconds: Type.Integer({
      minimum: 60,
      maximum: 86400,
      default: 3600,
      description: 'What the registrar is asked for; it may grant less.',
    }),
  },
  { additionalProperties: false },
);

/** Keys of a trunk that are stored together as one document. */
const settings = {
  targets: Type.Optional(
    Type.Array(TrunkTargetObject, {
      maxItems: 16,
      description:
        'Several targets in place of `target`. Names are looked up as RFC 3263 says, SRV included.',
    }),
  ),
  health: Type.Optional(Health),
  failover: Type.Optional(Failover),
  limits: Type.Optional(TrunkLimits),
  spend: Type.Optional(SpendCaps),
  destinations: Type.Optional(DestinationPolicy),
  free: Type.Optional(
    Type.Boolean({
      description:
        'Calls that leave by it cost nothing, as to a PBX of your own: they have no price and no cap.',
    }),
  ),
  codecs: Type.Optional(Codecs),
  keying: Type.Optional(Keying),
  ice: Type.Optional(IceUse),
  zrtp: Type.Optional(ZrtpPolicy),
  pinned: Type.Optional(Pinned),
  forwardings: Type.Optional(
    Type.Union(
      [Type.Literal('diversion'), Type.Literal('history-info'), Type.Literal('both'), Type.Literal('none')],
      {
        default: 'diversion',
        description:
          'How a trusted trunk is told of forwardings: Diversion (RFC 5806) or History-Info (RFC 7044); what came in the other header is converted.',
      },
    ),
  ),
  messages: Type.Optional(
    Type.Boolean({ description: 'MESSAGE (RFC 3428) may come from this trunk and go to it.' }),
  ),
  trusted: Type.Optional(
    Type.Boolean({
      description:
        'The trunk belongs to the same trust domain (RFC 3325): its P-Asserted-Identity is believed, it is told who calls even if the caller wants to be anonymous to others, and what is listed in `calls.trustedHeaders` passes.',
    }),
  ),
  product: Type.Optional(ProductText),
  realm: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description:
        'The only realm whose challenges are answered with `outboundAuthentication`. Default: any; within a call only those that the trunk has asked for outside of calls.',
    }),
  ),
  overloadControl: Type.Optional(
    Type.Union([Type.Literal('loss'), Type.Literal('rate'), Type.Literal('off')], {
      default: 'loss',
      description:
        'Overload control that calls to this trunk offer (RFC 7339): `loss`, or also `rate` (RFC 7415) where the trunk is known to read a list there; off: none.',
    }),
  ),
  callers: Type.Optional(CallerPolicy),
  transfer: Type.Optional(
    Type.Union([Type.Literal('edge'), Type.Literal('pass'), Type.Literal('refuse')], {
      description: 'What a REFER of this trunk does, in place of `calls.transfer`.',
    }),
  ),
  registration: Type.Optional(Registration),
  rewrite: Type.Optional(TrunkRewrite),
  methods: Type.Optional(Methods),
  headers: Type.Optional(HeaderFields),
};

export const TrunkSettings = Type.Object(settings, { additionalProperties: false });
export type TrunkSettings = Static<typeof TrunkSettings>;
export type TrunkTargetObject = Static<typeof TrunkTargetObject>;
export type Failover = Static<typeof Failover>;
export type Health = Static<typeof Health>;

const keys = Object.keys(settings) as (keyof TrunkSettings)[];

/** The settings alone, of whatever has them; absent ones stay absent. */
export const settingsOf = (from: TrunkSettings): TrunkSettings =>
  Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])));

/** The first target, which is what a trunk with one target has. */
export const firstTarget = (trunk: { target?: string; targets?: readonly TrunkTargetObject[] }): string =>
  trunk.target ?? trunk.targets?.[0]?.target ?? '';
