import { join } from 'node:path';
import { API, type Checker, type Project, SymbolFlags, type Type, TypeFlags } from 'typescript/unstable/sync';
import { severities } from '../apps/edge/events/bus.ts';
import { schemaVersion } from '../apps/edge/events/envelope.ts';
import { repositoryRoot } from './imports.ts';

/** The part of JSON Schema (2020-12) that the types of events need. */
interface Schema {
  description?: string;
  type?: string;
  const?: string | number | boolean;
  enum?: (string | number | boolean)[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
}

const source = join(repositoryRoot, 'apps/edge/events/types.ts');

/** What stands before the fields of each event, wherever it is exported. */
const envelope: Readonly<Record<string, Schema>> = {
  schema: {
    const: schemaVersion,
    description: 'Version of this description; a new one is told of in the changelog.',
  },
  time: { type: 'string', description: 'When it happened: RFC 3339, UTC, with milliseconds.' },
  sequence: {
    type: 'integer',
    description: 'Counts the events of one receiver from 1 at each start; one that is missing was lost.',
  },
  node: { type: 'string', description: 'Name of the node that tells.' },
};
const optionalOfEnvelope: ReadonlySet<string> = new Set(['sequence', 'node']);

/** The compiler is asked once. */
let made: string | undefined;

/**
 * The JSON Schema of every event, as the compiler sees the types of apps/edge/events/types.ts.
 *
 * @throws Error where a type says something that JSON cannot: a function, a class, `any`
 */
export function eventSchemaText(): string {
  made ??= eventSchema();
  return made;
}

function eventSchema(): string {
  const api = new API({ cwd: repositoryRoot });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [join(repositoryRoot, 'tsconfig.json')] });
    const project = snapshot.getProjects()[0];
    if (project === undefined) throw new Error('the compiler has opened no project');
    return `${JSON.stringify(new EventSchema(project).document(), undefined, 2)}\n`;
  } finally {
    api.close();
  }
}

class EventSchema {
  readonly #checker: Checker;
  readonly #event: Type;

  constructor(project: Project) {
    this.#checker = project.checker;
    const file = project.program.getSourceFile(source);
    const module = file === undefined ? undefined : this.#checker.getSymbolAtLocation(file);
    const symbol =
      module === undefined
        ? undefined
        : this.#checker.getExportsOfModule(module).find(({ name }) => name === 'EdgeEvent');
    if (symbol === undefined) throw new Error(`no EdgeEvent in ${source}`);
    this.#event = this.#checker.getDeclaredTypeOfSymbol(symbol);
  }

  document(): Record<string, unknown> {
    const members = this.#event.isUnionType() ? this.#event.getTypes() : [this.#event];
    const events = new Map<string, Schema>();
    for (const member of members) {
      const schema = this.#of(member, 'event');
      const { type, ...fields } = schema.properties ?? {};
      for (const name of Object.keys(fields))
        if (Object.hasOwn(envelope, name) || name === 'severity' || name === 'event')
          throw new Error(
            `${JSON.stringify(type)}: the field ${name} has the name of a field of the envelope`,
          );
      for (const name of type?.enum ?? [type?.const]) {
        const severity = severities[name as keyof typeof severities];
        if (severity === undefined) throw new Error(`an event without severity: ${String(name)}`);
        events.set(String(name), {
          type: 'object',
          properties: {
            ...envelope,
            severity: { const: severity },
            event: { const: String(name) },
            ...fields,
          },
          required: [
            ...Object.keys(envelope).filter((key) => !optionalOfEnvelope.has(key)),
            'severity',
            'event',
            ...(schema.required ?? []).filter((key) => key !== 'type'),
          ],
          additionalProperties: false,
        });
      }
    }
    const names = [...events.keys()].sort();
    return {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'Events of Ringfence',
      description:
        'One event as it is logged and exported. docs/events.md says in words what each of them means.',
      version: schemaVersion,
      oneOf: names.map((name) => ({ $ref: `#/$defs/${name}` })),
      $defs: Object.fromEntries(names.map((name) => [name, events.get(name)])),
    };
  }

  #of(type: Type, where: string): Schema {
    if (type.isUnionType()) return this.#union(type.getTypes(), where);
    if (type.isStringLiteralType() || type.isNumberLiteralType() || type.isBooleanLiteralType())
      return { const: type.value };
    const { flags } = type;
    if (flags & TypeFlags.String || flags & TypeFlags.TemplateLiteral) return { type: 'string' };
    if (flags & TypeFlags.Number) return { type: 'number' };
    if (flags & TypeFlags.Boolean) return { type: 'boolean' };
    if (flags & TypeFlags.Null) return { type: 'null' };
    if (flags & TypeFlags.Unknown) return {};
    if (type.isObjectType() || type.isIntersectionType()) return this.#object(type, where);
    throw new Error(`${where}: JSON has nothing for this type`);
  }

  #union(types: readonly Type[], where: string): Schema {
    const rest = types.filter(({ flags }) => !(flags & TypeFlags.Undefined));
    const schemas = rest.map((type) => this.#of(type, where));
    const [only] = schemas;
    if (schemas.length === 1 && only !== undefined) return only;
    const values = schemas.flatMap((schema) => (schema.const === undefined ? [] : [schema.const]));
    if (values.length === schemas.length) {
      if (values.length === 2 && values.includes(true) && values.includes(false)) return { type: 'boolean' };
      return { enum: values.sort() };
    }
    return { anyOf: schemas };
  }

  #object(type: Type, where: string): Schema {
    const checker = this.#checker;
    if (checker.isArrayLikeType(type)) {
      const [item] = type.isTypeReference() ? checker.getTypeArguments(type) : [];
      return { type: 'array', items: item === undefined ? {} : this.#of(item, `${where}[]`) };
    }
    const schema: Schema = { type: 'object' };
    const properties: Record<string, Schema> = {};
    const required: string[] = [];
    for (const symbol of checker.getPropertiesOfType(type)) {
      const at = `${where}.${symbol.name}`;
      const value = checker.getTypeOfSymbol(symbol);
      if (value === undefined) throw new Error(`${at}: has no type`);
      const words = checker.getDocumentationCommentOfSymbol(symbol).trim().replaceAll('\n', ' ');
      properties[symbol.name] = { ...(words === '' ? {} : { description: words }), ...this.#of(value, at) };
      if (!(symbol.flags & SymbolFlags.Optional)) required.push(symbol.name);
    }
    const [index] = checker.getIndexInfosOfType(type);
    if (Object.keys(properties).length > 0) schema.properties = properties;
    if (required.length > 0) schema.required = required;
    schema.additionalProperties = index === undefined ? false : this.#of(index.valueType, `${where}[…]`);
    return schema;
  }
}
