import { type Static, Type } from '@sinclair/typebox';

const closed = { additionalProperties: false } as const;
const texts = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 16 });
const bound = Type.Integer({ minimum: 0, maximum: 2_147_483_647 });
const yes = Type.Literal(true);

/**
 * One thing to look for in a request. All of a patch's conditions have to hold; of several `contains` one is enough.
 * Nothing here repeats or backtracks: each is one pass over what it looks at.
 */
export const Condition = Type.Object(
  {
    header: Type.Optional(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 64 }),
          absent: Type.Optional(yes),
          moreThan: Type.Optional(bound),
          longerThan: Type.Optional(bound),
          contains: Type.Optional(texts),
        },
        { ...closed, description: 'A header field by its name, in whatever case or compact form it came.' },
      ),
    ),
    anyHeader: Type.Optional(
      Type.Object({ contains: texts }, { ...closed, description: 'Some header field, From and To too.' }),
    ),
    line: Type.Optional(
      Type.Object(
        {
          name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          nameEndsIn: Type.Optional(Type.Union([Type.Literal('space'), Type.Literal('control')])),
          moreThan: Type.Optional(bound),
          longerThan: Type.Optional(bound),
          numberAbove: Type.Optional(bound),
        },
        { ...closed, description: 'A header line as the octets came, of the first 8192.' },
      ),
    ),
    fromTag: Type.Optional(Type.Object({ longerThan: bound }, closed)),
    branch: Type.Optional(
      Type.Object({ absent: Type.Optional(yes), longerThan: Type.Optional(bound) }, closed),
    ),
    uri: Type.Optional(
      Type.Object({ longerThan: Type.Optional(bound), contains: Type.Optional(texts) }, closed),
    ),
    credentials: Type.Optional(
      Type.Union([Type.Literal('absent'), Type.Literal('unreadable'), Type.Literal('not-of-from')], {
        description:
          'Authorization or Proxy-Authorization: none; one that is no list of parameters; or of another user than From names.',
      }),
    ),
    body: Type.Optional(
      Type.Object(
        {
          type: Type.Optional(texts),
          contains: Type.Optional(texts),
          longerThan: Type.Optional(bound),
        },
        closed,
      ),
    ),
    sdp: Type.Optional(
      Type.Object(
        {
          line: Type.String({ minLength: 2, maxLength: 64, description: 'What the line begins with.' }),
          contains: Type.Optional(texts),
          lacks: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          longerThan: Type.Optional(bound),
          numberAbove: Type.Optional(bound),
          moreThan: Type.Optional(bound),
        },
        { ...closed, description: 'A line of an SDP body.' },
      ),
    ),
  },
  { ...closed, minProperties: 1 },
);

/** A system with the hole. */
const Affected = Type.Object(
  {
    product: Type.String({ pattern: '^[a-z][a-z0-9-]*$', maxLength: 32 }),
    fixedIn: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9]+([.][0-9]+)*$', maxLength: 32 }), {
        minItems: 1,
        maxItems: 16,
        description: 'The first version of each branch without the hole. Absent: every version has it.',
      }),
    ),
  },
  closed,
);

export const Patch = Type.Object(
  {
    id: Type.String({ pattern: '^RF-[0-9]{4}-[0-9]{2}$' }),
    version: Type.Integer({ minimum: 1, maximum: 9999 }),
    title: Type.String({ minLength: 8, maxLength: 120 }),
    cve: Type.Array(Type.String({ minLength: 6, maxLength: 40 }), { minItems: 1, maxItems: 8 }),
    link: Type.String({ pattern: '^https://', maxLength: 200 }),
    affected: Type.Array(Affected, { minItems: 1, maxItems: 8 }),
    harmless: Type.Boolean({
      description:
        'No phone or provider sends such a request in earnest: on also where the product is not known.',
    }),
    methods: Type.Array(Type.String({ pattern: '^([A-Z]+|[*])$', maxLength: 16 }), {
      minItems: 1,
      maxItems: 16,
      description: '`*`: all.',
    }),
    when: Type.Array(Condition, { minItems: 1, maxItems: 8 }),
    example: Type.String({ minLength: 20, maxLength: 4096, description: 'A request that is blocked.' }),
    counterExample: Type.String({
      minLength: 20,
      maxLength: 4096,
      description: 'A request like it that passes.',
    }),
  },
  closed,
);

export const PatchSet = Type.Object(
  {
    serial: Type.Integer({
      minimum: 1,
      maximum: 2_147_483_647,
      description: 'Grows with every set that is signed; an older one is not taken in place of a newer one.',
    }),
    patches: Type.Array(Patch, { minItems: 1, maxItems: 500 }),
  },
  closed,
);

export type Condition = Static<typeof Condition>;
export type Patch = Static<typeof Patch>;
export type PatchSet = Static<typeof PatchSet>;
