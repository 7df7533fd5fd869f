import type { DestinationPolicy, SpendCaps } from '../config/fraud.ts';
import type { CallLimits } from './limit-settings.ts';
import type { Screening } from './screening-settings.ts';

/** What is set of a user beside names and numbers; kept together in the store. */
export interface UserSettings {
  readonly email?: string;
  readonly limits?: CallLimits;
  readonly spend?: SpendCaps;
  readonly destinations?: DestinationPolicy;
  readonly screening?: Screening;
}

/** The settings alone, of whatever has them; absent ones stay absent. */
export const userSettingsOf = ({
  email,
  limits,
  spend,
  destinations,
  screening,
}: UserSettings): UserSettings => ({
  ...(email === undefined ? {} : { email }),
  ...(limits === undefined ? {} : { limits }),
  ...(spend === undefined ? {} : { spend }),
  ...(destinations === undefined ? {} : { destinations }),
  ...(screening === undefined ? {} : { screening }),
});
