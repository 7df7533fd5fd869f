import type { Answer } from './operations.ts';

export const done = (body: Answer['body'] = {}): Answer => ({ status: 200, body });

export const no = (status: number, problem: string, more: Answer['body'] = {}): Answer => ({
  status,
  body: { problem, ...more },
});

/** A field of the question, where it is text of at most `most` characters; else empty. */
export function text(fields: Readonly<Record<string, unknown>>, name: string, most: number): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'string' && value.length <= most ? value : '';
}
