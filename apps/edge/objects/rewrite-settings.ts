import { type Static, Type } from '@sinclair/typebox';

/** One rule for a number. */
export const NumberRule = Type.Object(
  {
    match: Type.String({
      default: '*',
      description:
        'Which numbers: `x` one digit, `[1-39]` one of these, `*` at the end any rest, `(…)` for `replace` to name; everything else stands for itself.',
    }),
    replace: Type.Optional(
      Type.String({
        description: 'The whole anew, with what the parentheses hold: `0{1}`; `{0}` is all of it.',
      }),
    ),
    e164: Type.Optional(
      Type.Boolean({
        description: 'Into E.164 by the dialling rules of `numbers.country`, where it is a number.',
      }),
    ),
    strip: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 32, description: 'Takes so many characters off the front.' }),
    ),
    prefix: Type.Optional(
      Type.String({ minLength: 1, maxLength: 32, description: 'Put in front, after all else.' }),
    ),
  },
  { additionalProperties: false },
);

/** One of `add`, `replace` and `remove`; the first two with a value. */
export const HeaderRule = Type.Object(
  {
    add: Type.Optional(Type.String({ description: 'Adds a header field of this name.' })),
    replace: Type.Optional(
      Type.String({ description: 'Writes header fields of this name anew, where there are any.' }),
    ),
    remove: Type.Optional(Type.String({ description: 'Removes all header fields of this name.' })),
    value: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: '`{caller}` and `{called}` stand for the numbers as they go out.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** Numbers and header fields as the other side wants them. */
export const Rewrite = Type.Object(
  {
    caller: Type.Optional(
      Type.Array(NumberRule, { maxItems: 64, description: 'The first that matches is applied.' }),
    ),
    called: Type.Optional(
      Type.Array(NumberRule, {
        maxItems: 64,
        description: 'The first that matches is applied; never to emergency numbers.',
      }),
    ),
    headers: Type.Optional(
      Type.Array(HeaderRule, { maxItems: 32, description: 'Applied to the INVITE, all in their order.' }),
    ),
  },
  { additionalProperties: false },
);

export const TrunkRewrite = Type.Object(
  { outbound: Type.Optional(Rewrite), inbound: Type.Optional(Rewrite) },
  {
    additionalProperties: false,
    description:
      'outbound: calls that go out by the trunk. inbound: calls that come from it, before routing.',
  },
);

export type NumberRule = Static<typeof NumberRule>;
export type HeaderRule = Static<typeof HeaderRule>;
export type Rewrite = Static<typeof Rewrite>;
