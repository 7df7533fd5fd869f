import type { ParseArgsOptionsConfig } from 'node:util';

export interface Option {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** What stands for the value in help texts. */
  readonly value?: string;
  readonly description: string;
}

/** One form of a command, such as `user add NAME`. */
export interface Form {
  /** Words after the command's name; capitals stand for what the user names. */
  readonly words: string;
  readonly description: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly examples?: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly forms: readonly Form[];
  load(): Promise<{ run(invocation: Invocation): Promise<number> | number }>;
}

export type Values = Readonly<Record<string, string | boolean | undefined>>;

/** A command line that has been understood. */
export interface Invocation {
  readonly form: Form;
  /** The first word of the form where that is fixed: `add` of `user add NAME`. */
  readonly action: string;
  /** What stands for the words in capitals. */
  readonly names: readonly string[];
  readonly values: Values;
}

export const helpOption: Option = { type: 'boolean', short: 'h', description: 'Shows this help.' };
export const configOption: Option = {
  type: 'string',
  short: 'c',
  value: 'FILE',
  description: 'Configuration; default: `ringfence.yaml` in the data folder.',
};
export const jsonOption: Option = { type: 'boolean', description: 'Writes JSON for machines.' };
export const domainOption: Option = {
  type: 'string',
  value: 'DOMAIN',
  description: 'Tenant; default: `domain` of ringfence.yaml.',
};

export const parseOptions = (form: Form): ParseArgsOptionsConfig =>
  Object.fromEntries(
    Object.entries({ ...form.options, help: helpOption }).map(([name, { type, short }]) => [
      name,
      { type, ...(short === undefined ? {} : { short }) },
    ]),
  );

/** Text of an option, where one was given. */
export const text = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};

export const flag = (values: Values, name: string): boolean => values[name] === true;
