import { type Static, Type } from '@sinclair/typebox';

/** What a domain demands of the accounts of its phones. */
export const AccountPolicy = Type.Object(
  {
    passwordStrength: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 4,
        default: 3,
        description:
          'Least strength of new passwords, as zxcvbn counts: 3 takes more than 10^8 guesses, 4 more than 10^10. 0: only the worst are refused.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type AccountPolicy = Static<typeof AccountPolicy>;

/** Strength demanded where a domain says nothing. */
export const usualStrength = 3;
