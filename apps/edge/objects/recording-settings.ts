import { type Static, Type } from '@sinclair/typebox';

const Name = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._+~-]+$' });

/** Whose calls of a tenant are recorded, by whom, and on what ground. */
export const RecordingPolicy = Type.Object(
  {
    recorder: Type.String({
      minLength: 1,
      maxLength: 64,
      description:
        'Trunk of the same domain whose target is the recording server (SIPREC, RFC 7866). Its `encryption` holds for the way there: `required` and `preferred` are SRTP and nothing less.',
    }),
    users: Type.Array(Name, {
      minItems: 1,
      maxItems: 256,
      description: 'Whose calls: names of users, or `*` alone for all calls of the domain.',
    }),
    consent: Type.Union([Type.Literal('notified'), Type.Literal('hook')], {
      default: 'hook',
      description:
        'On what ground. `notified`: you state that all parties are told, and that the law lets you record then. `hook`: a program decides call by call; while there is none, nothing is recorded.',
    }),
    start: Type.Union([Type.Literal('always'), Type.Literal('request')], {
      default: 'request',
      description: '`always`: when the call is answered. `request`: when one of the users asks with `keys`.',
    }),
    keys: Type.Optional(
      Type.String({
        pattern: '^[0-9*#A-D]{2,8}$',
        description:
          'Keys by which one of the users begins and ends a recording within a call, e.g. `*9`. The other side hears them too.',
      }),
    ),
    whenDown: Type.Union([Type.Literal('go-on'), Type.Literal('end')], {
      default: 'go-on',
      description:
        'What becomes of a call with `start: always` that cannot be recorded: it goes on without, or it is ended. Emergency calls are never recorded and never ended.',
    }),
  },
  { additionalProperties: false },
);
export type RecordingPolicy = Static<typeof RecordingPolicy>;
