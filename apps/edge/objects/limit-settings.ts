import { type Static, Type } from '@sinclair/typebox';
import { Honeypots } from '../config/detection.ts';
import { DestinationPolicy, SpendCaps } from '../config/fraud.ts';
import { AccountPolicy } from './account-settings.ts';
import { DomainCallers } from './caller-settings.ts';
import { RecordingPolicy } from './recording-settings.ts';

const bounds = {
  calls: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Calls at the same time.' }),
  ),
  callsPerSecond: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 100_000,
      description: 'New calls; a second of them may come at once.',
    }),
  ),
};

/** How many calls somebody may have, and how quickly they may come. */
export const CallLimits = Type.Object(bounds, { additionalProperties: false });

export const TrunkLimits = Type.Object(
  {
    ...bounds,
    queue: Type.Integer({
      minimum: 0,
      maximum: 1000,
      default: 0,
      description: 'Calls that may wait for a place where no other trunk of the route has one.',
    }),
    queueSeconds: Type.Integer({
      minimum: 1,
      maximum: 30,
      default: 5,
      description: 'How long they wait.',
    }),
    status: Type.Union([Type.Literal(503), Type.Literal(480), Type.Literal(486)], {
      default: 503,
      description: 'What the caller hears then.',
    }),
    retryAfterSeconds: Type.Integer({
      minimum: 1,
      maximum: 3600,
      default: 10,
      description: 'Retry-After of that answer.',
    }),
  },
  {
    additionalProperties: false,
    description: 'Calls in both directions together. Emergency calls count, but are never refused.',
  },
);

export const DomainObject = Type.Object(
  {
    name: Type.String({ description: 'SIP domain of a tenant.' }),
    limits: Type.Optional(CallLimits),
    userLimits: Type.Optional(CallLimits),
    spend: Type.Optional(SpendCaps),
    destinations: Type.Optional(DestinationPolicy),
    recording: Type.Optional(RecordingPolicy),
    accounts: Type.Optional(AccountPolicy),
    callers: Type.Optional(DomainCallers),
    honeypots: Type.Optional(Honeypots),
  },
  { additionalProperties: false },
);

export type CallLimits = Static<typeof CallLimits>;
export type TrunkLimits = Static<typeof TrunkLimits>;
export type DomainObject = Static<typeof DomainObject>;
