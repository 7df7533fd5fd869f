import type { TrunkTargetObject } from '../objects/trunk-settings.ts';
import type { Trunk } from '../objects/types.ts';

/** The targets of a trunk; one that has a single `target` has a list of one. */
export const targetsOf = (trunk: Pick<Trunk, 'target' | 'targets'>): readonly TrunkTargetObject[] =>
  trunk.targets ?? [{ target: trunk.target, priority: 0, weight: 1 }];

/**
 * The order to try targets in: lower priority first, within a priority drawn by weight.
 *
 * A target of weight 0 comes after all others of its priority.
 *
 * @param random gives numbers from 0 up to, and without, 1.
 */
export function drawOrder(
  targets: readonly TrunkTargetObject[],
  random: () => number,
): readonly TrunkTargetObject[] {
  if (targets.length < 2) return targets;
  const left = [...targets].sort((a, b) => a.priority - b.priority);
  const ordered: TrunkTargetObject[] = [];
  while (left.length > 0) {
    const { priority } = left[0] as TrunkTargetObject;
    const group = left.filter((target) => target.priority === priority);
    const sum = group.reduce((total, { weight }) => total + weight, 0);
    let drawn = random() * sum;
    const chosen = group.find(({ weight }) => {
      drawn -= weight;
      return drawn < 0;
    });
    const next = chosen ?? (group[0] as TrunkTargetObject);
    ordered.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return ordered;
}
