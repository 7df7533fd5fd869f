import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { defaultMaxBreadth, shareBreadth } from '@ringfence/sip/transaction/loop.ts';
import type { Decision } from '../policy/types.ts';

/** How many may be rung at one time on behalf of a request, RFC 5393 §5.3.3: its Max-Breadth, 60 at most. */
export function breadthOf(headers: HeaderList): number {
  const text = headers.get('Max-Breadth')?.trim() ?? '';
  const told = /^\d{1,6}$/.test(text) ? Number(text) : defaultMaxBreadth;
  return Math.min(told, defaultMaxBreadth);
}

/** Tells each of the branches its share; nothing where nobody has asked for it and there is but one. */
export function addBreadth(headers: HeaderList, breadth: number, branches: number, asked: boolean): void {
  if (branches < 2 && !asked) return;
  const shared = shareBreadth(breadth, Math.max(1, branches));
  if (shared.ok) headers.add('Max-Breadth', String(shared.shares.at(-1) ?? 1));
}

/** Nobody may be rung on behalf of this request any more: it has been forked as often as it may be. */
export const breadthExceeded: Decision = {
  verdict: 'refuse',
  cause: 'no-route',
  status: 440,
  reason: 'Max-Breadth Exceeded',
  reasons: [
    {
      rule: 'route.breadth',
      text: 'The request has been forked as often as it may be.',
      evidence: { 'Max-Breadth': 0 },
    },
  ],
};
