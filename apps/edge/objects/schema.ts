import { type Static, Type } from '@sinclair/typebox';
import { DestinationPolicy, SpendCaps } from '../config/fraud.ts';
import { HeaderFields, Methods } from '../config/hygiene.ts';
import { Encryption } from '../config/schema.ts';
import { deviceSettings } from './device-settings.ts';
import { CallLimits, DomainObject } from './limit-settings.ts';
import { Rewrite } from './rewrite-settings.ts';
import { Screening } from './screening-settings.ts';
import { ProductText, TrunkSettings } from './trunk-settings.ts';

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
    ...deviceSettings,
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
    email: Type.Optional(
      Type.String({
        maxLength: 254,
        pattern: '^[^@\\s<>,;]{1,64}@[^@\\s<>,;]{1,189}$',
        description:
          'Mailbox of the user: what the edge tells of the account, and links that confirm a phone.',
      }),
    ),
    limits: Type.Optional(CallLimits),
    spend: Type.Optional(SpendCaps),
    destinations: Type.Optional(DestinationPolicy),
    screening: Type.Optional(Screening),
    devices: Type.Array(DeviceObject, { maxItems: 16 }),
  },
  { additionalProperties: false },
);

export const TrunkObject = Type.Object(
  {
    name: Name,
    domain: DomainName,
    target: Type.Optional(
      Type.String({
        description: 'Where calls are sent: SIP URI, e.g. `sip:pbx.example.com;transport=tls`.',
      }),
    ),
    ...TrunkSettings.properties,
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
    rewrite: Type.Optional(Rewrite),
    to: Type.Union([
      Type.Object({ trunk: Type.String() }, { additionalProperties: false }),
      Type.Object(
        {
          trunks: Type.Array(Type.String(), {
            maxItems: 8,
            description: 'Tried in this order: the next where one fails or is full.',
          }),
        },
        { additionalProperties: false },
      ),
      Type.Object({ user: Type.String() }, { additionalProperties: false }),
      Type.Object(
        { block: Type.String({ description: 'Reason, kept in the record.' }) },
        { additionalProperties: false },
      ),
    ]),
  },
  { additionalProperties: false },
);

export const PbxNodeObject = Type.Object(
  {
    name: Name,
    target: Type.String({
      description: 'Where the node listens: SIP URI, e.g. `sip:10.0.0.5:5060;transport=udp`.',
    }),
    priority: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65535, default: 10, description: 'Lower goes first.' }),
    ),
    weight: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 65535,
        default: 10,
        description: 'Share of new registrations among nodes of one priority (RFC 2782).',
      }),
    ),
    addresses: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 16,
        description:
          "Addresses or CIDR ranges whose requests are this node's, beside the target where that is an address.",
      }),
    ),
    certificateNames: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 16,
        description: "Names of a verified TLS client certificate that make a request this node's.",
      }),
    ),
  },
  { additionalProperties: false },
);

/** The PBX that registers and serves the phones of a domain, in place of users at the edge; `methods` and `headers` are its phones'. */
export const PbxObject = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._+~-]+$' })),
    domain: DomainName,
    nodes: Type.Array(PbxNodeObject, { minItems: 1, maxItems: 16 }),
    encryption: Type.Optional(Encryption),
    phones: Type.Optional(Encryption),
    expires: Type.Optional(
      Type.Integer({
        minimum: 60,
        maximum: 86400,
        default: 3600,
        description: 'Seconds of registration that the PBX is asked for.',
      }),
    ),
    phoneExpires: Type.Optional(
      Type.Integer({
        minimum: 20,
        maximum: 3600,
        default: 60,
        description: 'Seconds after which a phone must be heard again; answered by the edge in between.',
      }),
    ),
    strangersPerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10000,
        default: 50,
        description: 'Requests per second of those who have not registered that the PBX is shown at most.',
      }),
    ),
    product: Type.Optional(ProductText),
    allowedHeaders: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 32,
        description:
          'Header fields of the PBX that its phones are shown, beside those of `calls.allowedHeaders`. Default: Alert-Info.',
      }),
    ),
    methods: Type.Optional(Methods),
    headers: Type.Optional(HeaderFields),
    dangerousPlaintext: Type.Optional(
      Type.Boolean({ description: 'Allows `encryption: none` or `preferred` towards a public address.' }),
    ),
  },
  { additionalProperties: false },
);

/** What `ringfence apply -f` reads and `ringfence export` writes. */
export const ObjectsFile = Type.Object(
  {
    domains: Type.Optional(Type.Array(DomainObject)),
    users: Type.Optional(Type.Array(UserObject)),
    trunks: Type.Optional(Type.Array(TrunkObject)),
    routes: Type.Optional(Type.Array(RouteObject)),
    pbx: Type.Optional(Type.Array(PbxObject)),
  },
  { additionalProperties: false },
);

export type DeviceObject = Static<typeof DeviceObject>;
export type UserObject = Static<typeof UserObject>;
export type TrunkObject = Static<typeof TrunkObject>;
export type RouteObject = Static<typeof RouteObject>;
export type PbxObject = Static<typeof PbxObject>;
export type ObjectsFile = Static<typeof ObjectsFile>;
