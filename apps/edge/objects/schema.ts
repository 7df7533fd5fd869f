import { type Static, Type } from '@sinclair/typebox';
import { Encryption } from '../config/schema.ts';

const Name = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._+~-]+$' });
const DomainName = Type.Optional(
  Type.String({ description: 'Tenant; default: `domain` of ringfence.yaml.' }),
);

/** A phone or softphone of a user: what authenticates. `password` is taken in and never given out. */
export const DeviceObject = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 64,
      pattern: '^[A-Za-z0-9._+~-]+$',
      description: 'Digest user name.',
    }),
    password: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Kept only as HA1 per algorithm, encrypted. Left out in an update: stays as it is.',
      }),
    ),
    encryption: Type.Optional(Encryption),
    allowMd5: Type.Optional(
      Type.Boolean({
        description:
          'Also offers MD5 digest (RFC 8760 §2.4) to this device, for phones that know nothing better.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const UserObject = Type.Object(
  {
    name: Name,
    domain: DomainName,
    displayName: Type.Optional(Type.String({ maxLength: 128 })),
    number: Type.Optional(
      Type.String({
        pattern: '^\\+?[0-9]{1,15}$',
        description: 'Number that reaches this user from trunks, and is shown as the caller towards them.',
      }),
    ),
    devices: Type.Array(DeviceObject, { maxItems: 16 }),
  },
  { additionalProperties: false },
);

export const TrunkObject = Type.Object(
  {
    name: Name,
    domain: DomainName,
    target: Type.String({
      description: 'Where calls are sent: SIP URI, e.g. `sip:pbx.example.com;transport=tls`.',
    }),
    addresses: Type.Optional(
      Type.Array(Type.String(), { description: "Addresses or CIDR ranges whose requests are this trunk's." }),
    ),
    certificateNames: Type.Optional(
      Type.Array(Type.String(), {
        description: "Names of a verified TLS client certificate that make a request this trunk's.",
      }),
    ),
    inboundAuthentication: Type.Optional(
      Type.Object(
        {
          username: Type.String(),
          password: Type.Optional(Type.String()),
          allowMd5: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false, description: 'The trunk authenticates to us by digest.' },
      ),
    ),
    outboundAuthentication: Type.Optional(
      Type.Object(
        {
          username: Type.String(),
          password: Type.Optional(Type.String()),
          allowMd5: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false, description: "We answer the trunk's digest challenges with these." },
      ),
    ),
    encryption: Type.Optional(Encryption),
    dangerousPlaintext: Type.Optional(
      Type.Boolean({ description: 'Allows `encryption: none` or `preferred` towards a public address.' }),
    ),
  },
  { additionalProperties: false },
);

export const RouteObject = Type.Object(
  {
    name: Type.Optional(Name),
    domain: DomainName,
    priority: Type.Optional(
      Type.Integer({ default: 100, description: 'Lower goes first; then the longer pattern.' }),
    ),
    match: Type.String({
      minLength: 1,
      maxLength: 64,
      description:
        'Dialled user part: digits, `*` at the end for any rest, `x` for one digit; numbers are compared in E.164 form (`+49*`). `default` matches whatever nothing else did.',
    }),
    from: Type.Optional(
      Type.Union([Type.Literal('users'), Type.Literal('trunks'), Type.Literal('any')], {
        default: 'users',
        description: 'Whose calls the route serves.',
      }),
    ),
    to: Type.Union([
      Type.Object({ trunk: Type.String() }, { additionalProperties: false }),
      Type.Object({ user: Type.String() }, { additionalProperties: false }),
      Type.Object(
        { block: Type.String({ description: 'Reason, kept in the record.' }) },
        { additionalProperties: false },
      ),
    ]),
  },
  { additionalProperties: false },
);

/** What `ringfence apply -f` reads and `ringfence export` writes. */
export const ObjectsFile = Type.Object(
  {
    users: Type.Optional(Type.Array(UserObject)),
    trunks: Type.Optional(Type.Array(TrunkObject)),
    routes: Type.Optional(Type.Array(RouteObject)),
  },
  { additionalProperties: false },
);

export type DeviceObject = Static<typeof DeviceObject>;
export type UserObject = Static<typeof UserObject>;
export type TrunkObject = Static<typeof TrunkObject>;
export type RouteObject = Static<typeof RouteObject>;
export type ObjectsFile = Static<typeof ObjectsFile>;
