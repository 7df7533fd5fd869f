import { type Static, Type } from '@sinclair/typebox';

/** What is kept so that an incident can be shown to others. */
export const EvidenceSettings = Type.Object(
  {
    messages: Type.Integer({
      minimum: 0,
      maximum: 2_000_000,
      default: 20_000,
      description:
        'The latest SIP messages kept in memory, some 26 for a plain call; an incident takes its own from there. 0 keeps none.',
    }),
    megabytes: Type.Integer({
      minimum: 1,
      maximum: 4_000,
      default: 16,
      description: 'Memory for them in MiB; what is older goes first.',
    }),
    folderMegabytes: Type.Integer({
      minimum: 1,
      maximum: 10_000_000,
      default: 1_024,
      description:
        'Size of the folder `evidence` in MiB from which on playbooks write no more bundles into it. Nothing is ever deleted there by the edge.',
    }),
  },
  {
    default: {},
    description: 'Evidence bundles of incidents: `ringfence evidence`, and the step `preserve` of playbooks.',
  },
);
export type EvidenceSettings = Static<typeof EvidenceSettings>;
