import { nearest } from '../config/nearest.ts';
import { type Command, helpOption, type Invocation, type Option } from './command.ts';
import { commands } from './commands.ts';
import { exitCode } from './exit-code.ts';
import { print } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export function run({ names }: Invocation): number {
  const [name] = names;
  if (name === undefined) {
    print(overview());
    return exitCode.done;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const near = nearest(
      name,
      commands.map((c) => c.name),
    );
    throw new UsageError(
      `there is no command \`${name}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`,
    );
  }
  print(commandHelp(command));
  return exitCode.done;
}

export function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    'Usage: ringfence COMMAND [OPTIONS]',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'RINGFENCE_HOME names the data folder; default: ./data.',
    '`ringfence help COMMAND` explains a command.',
  ].join('\n');
}

export function commandHelp(command: Command): string {
  const lines = [command.summary];
  for (const form of command.forms) {
    lines.push(
      '',
      `  ringfence ${[command.name, form.words].filter((w) => w !== '').join(' ')}${Object.keys(form.options).length > 0 ? ' [OPTIONS]' : ''}`,
    );
    if (form.description !== '') lines.push(`      ${form.description}`);
    for (const [name, option] of Object.entries({ ...form.options, help: helpOption })) {
      lines.push(`      ${optionText(name, option).padEnd(26)} ${option.description}`);
    }
    for (const example of form.examples ?? []) lines.push(`      $ ${example}`);
  }
  return lines.join('\n');
}

export const optionText = (name: string, { short, value }: Option): string =>
  `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
