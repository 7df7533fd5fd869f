import { type Static, Type } from '@sinclair/typebox';
import { readRange } from '../objects/address-range.ts';
import type { Report } from './validate.ts';

const deed = (act: 'act' | 'watch', description: string) =>
  Type.Union([Type.Literal('act'), Type.Literal('watch'), Type.Literal('off')], {
    default: act,
    description,
  });

/** There is nobody to act against. */
const told = (description: string) =>
  Type.Union([Type.Literal('watch'), Type.Literal('off')], { default: 'watch', description });

/** Names or numbers that nobody has: whoever uses them has told us. */
export const Honeypots = Type.Array(
  Type.String({ minLength: 2, maxLength: 64, pattern: '^\\+?[A-Za-z0-9._~-]+$' }),
  {
    maxItems: 256,
    description:
      'Extensions, user names and numbers that nobody has, such as `8999`, `admin` or `+882999123456`: whoever registers as them or calls them has told us what he is. The answer is that for anybody unknown. Never emergency numbers, and never the names of users: where there is such a user, it is one.',
  },
);

/** How attacks are recognised, and what is done about them. */
export const DetectionSettings = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Looks for scanners, guessed passwords, floods and accounts that are taken over.',
    }),
    sensitivity: Type.Union([Type.Literal('lenient'), Type.Literal('standard'), Type.Literal('strict')], {
      default: 'standard',
      description:
        'How much evidence makes an attack: one false alarm in a million (19.9 bits), in 10,000 (13.3 bits) or in 1,000 (10 bits) decisions about somebody harmless.',
    }),
    sources: Type.Integer({
      minimum: 1_000,
      maximum: 5_000_000,
      default: 100_000,
      description:
        'Addresses (IPv6: /64) remembered at a time; 170 octets of memory each, at most. Where more send, those go first of whom nothing bad is known. Takes effect at the next start.',
    }),
    rules: Type.Object(
      {
        scanner: deed('act', 'Tools that look for phone systems and extensions.'),
        enumeration: deed('act', 'Many names that do not exist, asked for from one address.'),
        'brute-force': deed('act', 'One wrong password after the other, from one address.'),
        'credential-stuffing': deed('act', 'Wrong passwords for many accounts, from one address.'),
        'password-spraying': told('Wrong passwords for many accounts of a domain, from many addresses.'),
        'account-attacked': told('Wrong passwords for one account, from many addresses.'),
        'registration-hijack': deed(
          'act',
          'The right password after many wrong ones from elsewhere, or several things new at once while the old phone goes on. `act` puts the device into quarantine.',
        ),
        'impossible-travel': deed(
          'watch',
          'Registrations of one device from places (`places`) too far apart for the time between. `act` puts the device into quarantine.',
        ),
        flood: deed('act', 'More requests without proof from one address than phones send.'),
        surge: told('All traffic together changes suddenly.'),
        honeypot: deed(
          'act',
          'Somebody calls or registers as one of `honeypots`. `act` bans strangers, and puts the device into quarantine that has proven itself.',
        ),
      },
      {
        additionalProperties: false,
        default: {},
        description:
          'What each rule does. `act`: bans the source or puts the account into quarantine, and tells. `watch`: tells only. `off`: nothing. Where there is nobody to act against there is no `act`. Trunks, PBXs and emergency calls are never touched.',
      },
    ),
    honeypots: { ...Honeypots, default: [] },
    places: Type.Array(
      Type.Object(
        {
          networks: Type.Array(Type.String(), {
            minItems: 1,
            maxItems: 64,
            description: 'Addresses and CIDR blocks.',
          }),
          name: Type.String({ minLength: 1, maxLength: 64, description: 'e.g. `Berlin office`.' }),
          country: Type.Optional(
            Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166, two letters.' }),
          ),
          latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90, description: 'Degrees.' })),
          longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180, description: 'Degrees.' })),
        },
        { additionalProperties: false },
      ),
      {
        default: [],
        maxItems: 64,
        description:
          'Where your networks are, for `impossible-travel` and the country in `registration-hijack`. Addresses elsewhere are nowhere: no database of the world comes with the edge.',
      },
    ),
  },
  { additionalProperties: false, default: {} },
);
export type DetectionSettings = Static<typeof DetectionSettings>;

export function checkDetection(
  detection: DetectionSettings,
  emergency: readonly string[],
  report: Report,
): void {
  detection.honeypots.forEach((name, i) => {
    if (emergency.includes(name) || name.toLowerCase() === 'sos')
      report.value(
        `detection.honeypots[${i}]`,
        `\`${name}\` is an emergency number (numbers.emergency)`,
        'Remove it from the list: whoever calls for help is no attacker.',
      );
  });
  detection.places.forEach(({ networks }, i) => {
    networks.forEach((range, n) => {
      if (readRange(range) === undefined)
        report.value(
          `detection.places[${i}].networks[${n}]`,
          `\`${range}\` is neither an IP address nor a block`,
          'Write an address, or a block whose host bits are zero such as `192.0.2.0/24`.',
        );
    });
  });
}
