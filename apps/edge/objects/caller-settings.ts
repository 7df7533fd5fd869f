import { type Static, Type } from '@sinclair/typebox';

const action = (rest: { default: 'pass' | 'label' | 'block'; description: string }) =>
  Type.Union([Type.Literal('pass'), Type.Literal('label'), Type.Literal('block')], rest);

const pattern = Type.String({ minLength: 2, maxLength: 32, pattern: '^\\+[0-9]*[xX]*\\*?$' });

/** What becomes of calls from a trunk that show a number which does not fit. */
export const CallerPolicy = Type.Object(
  {
    numbers: Type.Optional(
      Type.Array(pattern, {
        maxItems: 1000,
        description:
          'Numbers that belong to whoever is behind this trunk, as `+…`; `x` is one digit, `*` at the end any rest. With it, calls of the trunk that show another number are judged by `foreign`. For branches and PBXs; a carrier has no such list.',
      }),
    ),
    own: Type.Optional(
      action({
        default: 'label',
        description:
          'Calls from outside that show a number of a user of the domain, or one of its `numbers`: a forger, or a call that was forwarded back. Not for trunks whose `numbers` have it.',
      }),
    ),
    foreign: Type.Optional(
      action({
        default: 'block',
        description: 'A number that is not among the `numbers` of the trunk, if it has any.',
      }),
    ),
    impossible: Type.Optional(
      action({
        default: 'label',
        description: 'Numbers that no country has given out, and digits that are no number at all.',
      }),
    ),
    doNotOriginate: Type.Optional(
      action({
        default: 'block',
        description: 'Numbers of `callers.doNotOriginate` of the domain or the node.',
      }),
    ),
    neighbour: Type.Optional(
      action({
        default: 'pass',
        description:
          'A number that differs from the called one in its last four digits alone, and belongs to nobody here: a trick that makes people answer.',
      }),
    ),
    mismatch: Type.Optional(
      action({
        default: 'pass',
        description: 'From, P-Asserted-Identity and Remote-Party-ID that show different numbers.',
      }),
    ),
    verstat: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'Labelled calls carry `verstat=No-TN-Validation` behind the number (3GPP TS 24.229 §7.2A.20), for phones that show a sign of their own; others may show it as part of the number.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'What becomes of calls that show a number which does not fit. pass: it is noted in the record. label: the name shown begins with `callers.label` of the domain. block: 403. Emergency calls always pass.',
  },
);
export type CallerPolicy = Static<typeof CallerPolicy>;

/** Of a domain. */
export const DomainCallers = Type.Object(
  {
    numbers: Type.Optional(
      Type.Array(pattern, {
        maxItems: 1000,
        description: 'Numbers of the domain beside those of its users, as `+…` with `x` and `*`.',
      }),
    ),
    doNotOriginate: Type.Optional(
      Type.Array(pattern, {
        maxItems: 10_000,
        description: 'Numbers that never call anybody, such as hotlines that only answer.',
      }),
    ),
    label: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 24,
        default: 'Unverified',
        description: 'Stands before the name of callers that are labelled.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Numbers that callers may not show, and how they are labelled.',
  },
);
export type DomainCallers = Static<typeof DomainCallers>;
