import type { Decision } from './types.ts';

/** A request whose method is on no list of its sender; `list`: whose list that is. */
export const decideMethod = (method: string, list: string, allow: string): Decision => ({
  verdict: 'refuse',
  cause: 'policy',
  status: 405,
  reason: 'Method Not Allowed',
  allow,
  reasons: [
    {
      rule: 'method.not-allowed',
      text: `${method} is not among the methods that are taken from there.`,
      evidence: { method, list },
      threshold: allow,
    },
  ],
});
