import { Configuration } from './schema.ts';

/** The schema as JSON Schema, for editors: completion, hints and red underlines in `ringfence.yaml`. */
export function configurationSchema(): unknown {
  const plain = JSON.parse(JSON.stringify(Configuration)) as Record<string, unknown>;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'ringfence.yaml',
    description: 'What one Ringfence node is: listeners, certificates, media, storage and limits.',
    ...(withChoices(plain) as object),
    // a key with a default need not be written
    required: [],
  };
}

export const configurationSchemaText = (): string => `${JSON.stringify(configurationSchema(), null, 2)}\n`;

/** A union of words becomes `enum`, which editors offer as a list; keys with defaults are not required. */
function withChoices(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withChoices);
  if (typeof node !== 'object' || node === null) return node;
  const { anyOf, required, ...rest } = node as {
    anyOf?: { const?: unknown }[];
    required?: string[];
    properties?: Record<string, { default?: unknown }>;
  };
  const out = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, key === 'default' ? value : withChoices(value)]),
  );
  if (anyOf !== undefined) {
    const words = anyOf.map((option) => option.const);
    if (words.every((word) => word !== undefined)) return { type: 'string', enum: words, ...out };
    return { ...out, anyOf: anyOf.map(withChoices) };
  }
  const needed = required?.filter((key) => rest.properties?.[key]?.default === undefined) ?? [];
  return needed.length === 0 ? out : { ...out, required: needed };
}
