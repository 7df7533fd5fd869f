import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { eventJson } from '../events/envelope.ts';
import type { EdgeEvent, Severity } from '../events/types.ts';

const file = new URL('../../../docs/events.schema.json', import.meta.url);
const validators = new Map<string, ValidateFunction>();
const violations = new Set<string>();
let definitions: Readonly<Record<string, object>> | undefined;

function validatorOf(type: string): ValidateFunction | undefined {
  definitions ??= (JSON.parse(readFileSync(file, 'utf8')) as { $defs: Record<string, object> }).$defs;
  const known = validators.get(type);
  const schema = definitions[type];
  if (known !== undefined || schema === undefined) return known;
  const made = new Ajv2020({ allErrors: true }).compile(schema);
  validators.set(type, made);
  return made;
}

/** What is wrong with an event as it would be exported; empty where nothing is. */
export function violationsOf(event: EdgeEvent, time: number, severity: Severity): string[] {
  const json: unknown = JSON.parse(eventJson(event, time, severity));
  const validate = validatorOf(event.type);
  if (validate === undefined)
    return [`${event.type} is not in docs/events.schema.json: run \`node tools/docs.ts\``];
  const found = validate(json)
    ? []
    : (validate.errors ?? []).map(
        ({ instancePath, message, params }) =>
          `${event.type}${instancePath}: ${message} ${JSON.stringify(params)}`,
      );
  if ('decision' in event) found.push(...unexplained(event.type, event.decision));
  return found;
}

/** Nothing is refused without a rule and what was seen. */
function unexplained(
  type: string,
  decision: Extract<EdgeEvent, { decision: unknown }>['decision'],
): string[] {
  if (decision.verdict !== 'refuse') return [];
  if (decision.reasons.length === 0) return [`${type}: refused without a reason`];
  return decision.reasons
    .filter(({ rule, text, evidence }) => rule === '' || text === '' || Object.keys(evidence).length === 0)
    .map(({ rule }) => `${type}: the refusal by ${rule} has no rule, no words or no evidence`);
}

/** Remembers what is wrong; the test file fails at its end. */
export const checkEvent = (event: EdgeEvent, time: number, severity: Severity): void => {
  for (const violation of violationsOf(event, time, severity)) violations.add(violation);
};

after(() => {
  if (violations.size > 0)
    throw new Error(`events that docs/events.schema.json does not allow:\n${[...violations].join('\n')}`);
});
