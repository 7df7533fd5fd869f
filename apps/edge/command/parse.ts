import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.ts';
import { type Command, type Form, type Invocation, parseOptions, type Values } from './command.ts';
import { UsageError } from './usage-error.ts';

export interface Parsed {
  readonly command: Command;
  /** Absent where help was asked for. */
  readonly invocation?: Invocation;
}

/** Finds the command and its form; throws `UsageError` naming the nearest word that exists. */
export function parseCommandLine(all: readonly Command[], argv: readonly string[]): Parsed {
  const [first = 'help', ...rest] = argv;
  const wanted =
    first === '--help' || first === '-h'
      ? 'help'
      : first === '--version' || first === '-V'
        ? 'version'
        : first;
  const command = all.find(({ name }) => name === wanted);
  if (command === undefined) {
    const near = nearest(
      wanted,
      all.map(({ name }) => name),
    );
    const hint = near === undefined ? '' : `; did you mean \`ringfence ${near}\`?`;
    throw new UsageError(
      wanted.startsWith('-')
        ? `the command comes first, then its options; \`${wanted}\` is none`
        : `there is no command \`${wanted}\`${hint}`,
    );
  }
  const form = findForm(command, rest);
  if (form === undefined) return { command };
  const action = fixedWord(form);
  const { values, positionals } = parseForm(command, form, action === '' ? rest : dropFirst(rest, action));
  if (values.help === true) return { command };
  const places = form.words.split(' ').filter((word) => word !== '' && word !== action);
  const least = places.filter((word) => !word.startsWith('[')).length;
  if (positionals.length < least)
    throw new UsageError(
      `\`ringfence ${command.name} ${form.words}\` needs ${places[positionals.length]}`,
      command.name,
    );
  if (positionals.length > places.length)
    throw new UsageError(`\`${positionals[places.length]}\` is one word too many`, command.name);
  return { command, invocation: { form, action, names: positionals, values } };
}

const fixedWord = (form: Form): string => /^[a-z-]+/.exec(form.words)?.[0] ?? '';

function findForm(command: Command, rest: readonly string[]): Form | undefined {
  const [only] = command.forms;
  if (command.forms.length === 1 && only !== undefined && fixedWord(only) === '') return only;
  const word = rest.find((arg) => !arg.startsWith('-'));
  if (word === undefined) {
    if (rest.includes('--help') || rest.includes('-h')) return undefined;
    throw new UsageError(
      `\`ringfence ${command.name}\` needs one of: ${command.forms.map(fixedWord).join(', ')}`,
      command.name,
    );
  }
  const form = command.forms.find((candidate) => fixedWord(candidate) === word);
  if (form !== undefined) return form;
  const near = nearest(word, command.forms.map(fixedWord));
  throw new UsageError(
    `\`ringfence ${command.name}\` has no \`${word}\`${near === undefined ? `; it has ${command.forms.map(fixedWord).join(', ')}` : `; did you mean \`${near}\`?`}`,
    command.name,
  );
}

function dropFirst(words: readonly string[], word: string): string[] {
  const at = words.indexOf(word);
  return words.filter((_, i) => i !== at);
}

function parseForm(
  command: Command,
  form: Form,
  args: readonly string[],
): { values: Values; positionals: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: parseOptions(form),
      allowPositionals: true,
      strict: true,
    });
    return { values: values as Values, positionals };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
    const unknown = /Unknown option '(-[^']*)'/.exec(message)?.[1];
    if (unknown === undefined) throw new UsageError(message, command.name);
    if (/^--?pass(word)?(=|$)/.test(unknown)) {
      throw new UsageError(
        'a password on the command line is seen by everybody who lists processes; use --password-stdin or --password-prompt, or let one be made',
        command.name,
      );
    }
    const near = nearest(unknown.replace(/^-+/, ''), Object.keys(form.options));
    throw new UsageError(
      `there is no option \`${unknown}\`${near === undefined ? '' : `; did you mean \`--${near}\`?`}`,
      command.name,
    );
  }
}
