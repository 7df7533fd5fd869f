import { isAbsolute } from 'node:path';
import { shippedRuleSets } from '@ringfence/fraud/rules.ts';
import { type Static, Type } from '@sinclair/typebox';
import { readRuleFile } from '../fraud/behaviour/rule-file.ts';
import { formatProblem } from './problem.ts';
import type { Report } from './validate.ts';

const set = (description: string) =>
  Type.String({ default: 'standard', minLength: 1, maxLength: 1024, description });

/** What accounts usually do, and what is done about what is unlike it. */
export const BehaviourSettings = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Learns what accounts usually call, and judges calls by trunks that are unlike it.',
    }),
    rules: set(
      '`standard`, `call-centre`, `carrier`, or the whole path of a file of rules ([fraud-detection.md](fraud-detection.md)).',
    ),
    tenants: Type.Array(
      Type.Object(
        {
          domain: Type.String({ minLength: 1, maxLength: 253, description: 'Tenant.' }),
          rules: set('Its rules.'),
        },
        { additionalProperties: false },
      ),
      { default: [], maxItems: 1_000, description: 'Tenants with rules of their own.' },
    ),
    mostTouched: Type.Integer({
      minimum: 0,
      maximum: 10_000,
      default: 30,
      description:
        "A rule that would have stopped more of a tenant's calls of yesterday, in hundredths of a percent, is not let from `watch` to a mode that stops calls without `--force`.",
    }),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'Judges calls by trunks by what their accounts usually do.',
  },
);
export type BehaviourSettings = Static<typeof BehaviourSettings>;

export function checkBehaviour({ rules, tenants }: BehaviourSettings, key: string, report: Report): void {
  checkRules(rules, `${key}.rules`, report);
  const seen = new Set<string>();
  for (const [i, { domain }] of tenants.entries()) {
    const name = domain.toLowerCase();
    if (seen.has(name))
      report.value(`${key}.tenants[${i}].domain`, `\`${domain}\` stands here twice`, 'Keep one of the two.');
    seen.add(name);
  }
  for (const [i, tenant] of tenants.entries()) checkRules(tenant.rules, `${key}.tenants[${i}].rules`, report);
}

function checkRules(name: string, key: string, report: Report): void {
  if (shippedRuleSets.some((one) => one.name === name)) return;
  const names = shippedRuleSets.map((one) => one.name).join(', ');
  if (!isAbsolute(name)) {
    report.value(
      key,
      `\`${name}\` is no set of rules`,
      `Write one of ${names}, or the whole path of a file.`,
    );
    return;
  }
  const read = readRuleFile(name);
  if (!read.ok)
    report.value(
      key,
      `the rules cannot be used: ${read.error.map(formatProblem).join('; ')}`,
      'Mend the file.',
    );
}
