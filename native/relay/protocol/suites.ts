import { type Suite, suiteParameters, suites } from '@ringfence/srtp/suite.ts';

/** Suites by their number on the control socket. */
export const suiteOfId: readonly (Suite | undefined)[] = suites.reduce<(Suite | undefined)[]>(
  (byId, suite) => {
    byId[suiteParameters[suite].id] = suite;
    return byId;
  },
  [],
);
