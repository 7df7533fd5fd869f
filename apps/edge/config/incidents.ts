import { type Static, Type } from '@sinclair/typebox';

/** What happens when events gather into an incident. */
export const IncidentSettings = Type.Object(
  {
    automatic: Type.Boolean({
      default: true,
      description:
        'Steps that playbooks call automatic are done at once. false: every step waits for `ringfence incident approve`.',
    }),
    playbooks: Type.String({
      default: '',
      maxLength: 1000,
      description:
        'Folder of playbooks of your own (`*.yaml`), absolute; one with the name of a shipped playbook takes its place. Empty: the shipped ones alone.',
    }),
  },
  { default: {}, description: 'Incidents and their playbooks.' },
);
export type IncidentSettings = Static<typeof IncidentSettings>;
