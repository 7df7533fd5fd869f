import { type Static, Type } from '@sinclair/typebox';

/** What becomes of ZRTP on a side. */
export const ZrtpPolicy = Type.Union(
  [Type.Literal('off'), Type.Literal('pass'), Type.Literal('end'), Type.Literal('demand')],
  {
    description:
      'ZRTP (RFC 6189) on this side. off: none; its packets are dropped. pass: it goes from end to end, and the edge has no keys. end: passes where both ends show it, else it ends here, and the other side has what it can. demand: as end, and nothing is heard without it; a call that has no keys by ZRTP in time is ended. Default: that of `media.zrtp`.',
  },
);
export type ZrtpPolicy = Static<typeof ZrtpPolicy>;

/** Of devices alone: behind a trunk there are many. */
export const ZrtpEnrol = Type.Boolean({
  description:
    'Where its ZRTP ends here, this phone is offered to enrol with the edge as its trusted PBX (RFC 6189 §7.3). Once its user has taken that, it shows the short authentication string of the other side in place of its own. Default false; taken away, the edge forgets the enrolment at the next call.',
});

/** `media.zrtp`. */
export const ZrtpSettings = Type.Object(
  {
    policy: Type.Union(
      [Type.Literal('off'), Type.Literal('pass'), Type.Literal('end'), Type.Literal('demand')],
      {
        default: 'pass',
        description: 'For devices and trunks that do not say otherwise. See docs/zrtp.md.',
      },
    ),
    demandSeconds: Type.Integer({
      minimum: 2,
      maximum: 60,
      default: 8,
      description: 'After the answer: how long a call waits for ZRTP that is demanded.',
    }),
    tampering: Type.Union([Type.Literal('tell'), Type.Literal('end')], {
      default: 'tell',
      description:
        'A Hello that is not the one that signalling named, another ZID of a known phone, or a secret that is not what it was: tell (an event) or end the call, too. Where ZRTP is demanded the call always ends.',
    }),
    sasCode: Type.String({
      default: '*727#',
      pattern: '^[0-9A-D*#]{2,12}$',
      description:
        'Keys by which a phone whose ZRTP ends here says that its user has compared the short authentication string.',
    }),
  },
  { additionalProperties: false, default: {} },
);
