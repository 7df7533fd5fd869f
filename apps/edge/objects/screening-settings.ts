import { type Static, Type } from '@sinclair/typebox';

const caller = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^(\\+[0-9]*[xX]*\\*?|[A-Za-z0-9._~-][A-Za-z0-9._+~-]*)$',
});

/** Whose calls a user does not want (RFC 5359 §2.13). */
export const Screening = Type.Object(
  {
    block: Type.Optional(
      Type.Array(caller, {
        maxItems: 1000,
        description:
          'Callers that do not get through: numbers as `+…`, where `x` is one digit and `*` at the end any rest, or names of users of the domain.',
      }),
    ),
    allow: Type.Optional(
      Type.Array(caller, {
        maxItems: 1000,
        description: 'With it, nobody else gets through. Written as `block`, which goes first.',
      }),
    ),
    anonymous: Type.Optional(
      Type.Union([Type.Literal('pass'), Type.Literal('block')], {
        default: 'pass',
        description: 'Callers who hide who they are. block: they hear 433 (RFC 5079).',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      "Calls for this user that are refused before a phone rings. Emergency calls and calls between the user's own phones pass.",
  },
);
export type Screening = Static<typeof Screening>;
