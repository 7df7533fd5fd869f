import { type Static, Type } from '@sinclair/typebox';

/** What becomes of a phone that is somewhere new. */
export const Remote = Type.Union(
  [Type.Literal('allow'), Type.Literal('quarantine'), Type.Literal('refuse')],
  {
    // No default here: filled in for a device, it would go before what the domain says.
    description:
      'A phone from a network, or of a kind, that its account has not been confirmed for. Default: of a device what its domain says, of a domain allow. allow: as any other. quarantine: it registers, but reaches only emergency numbers and `helpDesk`, and is not rung, until its user confirms it. refuse: it does not register. Emergency calls always go.',
  },
);
export type Remote = Static<typeof Remote>;

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
    remote: Type.Optional(Remote),
    inside: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 64,
        description:
          'Addresses and CIDR ranges where phones need no confirmation. Default: loopback, private and link-local addresses; a list takes their place.',
      }),
    ),
    firstUse: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'The first network from which a device registers is taken as known; later ones are not. For phones that are put up by their users.',
      }),
    ),
    helpDesk: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 32 }), {
        maxItems: 8,
        description: 'Numbers or names, as dialled or as `+…`, that a phone in quarantine may call.',
      }),
    ),
    ipv4Prefix: Type.Optional(
      Type.Integer({
        minimum: 8,
        maximum: 32,
        default: 24,
        description:
          'How much of an IPv4 address makes a network; 16 for users whose provider gives new addresses often.',
      }),
    ),
    ipv6Prefix: Type.Optional(
      Type.Integer({ minimum: 16, maximum: 64, default: 48, description: 'The same for IPv6.' }),
    ),
  },
  { additionalProperties: false },
);

export type AccountPolicy = Static<typeof AccountPolicy>;

/** Strength demanded where a domain says nothing. */
export const usualStrength = 3;
