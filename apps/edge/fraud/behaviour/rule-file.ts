import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import {
  fraudRules,
  type Mode,
  modes,
  type RuleSet,
  shippedRuleSets,
  shippedRules,
} from '@ringfence/fraud/rules.ts';
import { type Static, Type } from '@sinclair/typebox';
import type { ConfigProblem } from '../../config/problem.ts';
import { readYamlFile } from '../../config/read-yaml.ts';
import { Report, validate } from '../../config/validate.ts';

const bits = (description: string) => Type.Optional(Type.Number({ minimum: 1, maximum: 100, description }));
const money = (description: string) =>
  Type.Optional(Type.Number({ minimum: 0, maximum: 100_000, description }));

const Rule = Type.Object(
  {
    mode: Type.Union(
      modes.map((mode) => Type.Literal(mode)),
      {
        default: 'watch',
        description: 'What its evidence may lead to. A rule that is written here begins in `watch`.',
      },
    ),
    weight: Type.Number({
      minimum: 0,
      maximum: 10,
      default: 1,
      description: 'Its bits are multiplied by this.',
    }),
  },
  { additionalProperties: false },
);

/** A set of rules about the behaviour of accounts, as a file has it. */
export const RuleFile = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 40,
      pattern: '^[A-Za-z0-9._~-]+$',
      description: 'Shown with findings.',
    }),
    version: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Written into findings.' }),
    basis: Type.Union([Type.Literal('standard'), Type.Literal('call-centre'), Type.Literal('carrier')], {
      default: 'standard',
      description: 'The shipped set that it changes.',
    }),
    rules: Type.Object(Object.fromEntries(fraudRules.map((rule) => [rule, Type.Optional(Rule)])), {
      additionalProperties: false,
      default: {},
      description: 'Rules that differ from those of the basis.',
    }),
    bits: Type.Object(
      {
        watch: bits('From here on a call is told of.'),
        challenge: bits('From here on its caller has to prove himself, and a call in progress ends.'),
        block: bits('From here on it is refused.'),
      },
      { additionalProperties: false, default: {} },
    ),
    cheap: money('Calls within the country that cost less a minute are never judged.'),
    usual: Type.Object(
      {
        accountSpend: money('What an account spends abroad in an hour before anything is known of it.'),
        destinationSpend: money(
          'What all accounts together spend on one country in an hour before anything is known of it.',
        ),
        callsPerHour: money('Calls abroad of one account.'),
        atOnce: money('Calls abroad of one account at once.'),
      },
      { additionalProperties: false, default: {} },
    ),
  },
  { additionalProperties: false, description: 'Rules about the behaviour of accounts.' },
);

const mostBytes = 64 * 1024;

/** Reads a set of rules; what is wrong is told with line and column. */
export function readRuleFile(file: string): Result<RuleSet, ConfigProblem[]> {
  const yaml = readYamlFile(file, mostBytes);
  if (!yaml.ok) return yaml;
  const report = new Report(file, yaml.value);
  const read = validate(RuleFile, yaml.value.root, '', report) as Static<typeof RuleFile>;
  if (report.problems.length > 0) return err(report.problems);
  const basis = shippedRuleSets.find(({ name }) => name === read.basis) ?? shippedRules;
  const given = defined(read.bits);
  const set: RuleSet = {
    ...basis,
    name: read.name,
    version: read.version,
    rules: {
      ...basis.rules,
      ...defined(read.rules as Readonly<Record<string, { mode: Mode; weight: number } | undefined>>),
    },
    bits: { ...basis.bits, ...given },
    cheap: read.cheap ?? basis.cheap,
    usual: { ...basis.usual, ...defined(read.usual) },
  };
  const { watch, challenge, block } = set.bits;
  if (watch > challenge || challenge > block)
    report.value('bits', 'are not in their order', 'Write watch ≤ challenge ≤ block.');
  return report.problems.length > 0 ? err(report.problems) : ok(set);
}

/** Without what is not there, so that it does not hide what the basis has. */
const defined = <T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
