import { type Command, type Form, helpOption, type Invocation } from './command.ts';
import { commands } from './commands.ts';
import { exitCode } from './exit-code.ts';
import { print } from './terminal.ts';
import { UsageError } from './usage-error.ts';

const writers: Readonly<Record<string, () => string>> = { bash, zsh, fish };

export function run({ names: [shell = ''] }: Invocation): number {
  const writer = Object.hasOwn(writers, shell) ? writers[shell] : undefined;
  if (writer === undefined)
    throw new UsageError(
      `there is no completion for \`${shell}\`; there is for bash, zsh and fish`,
      'completion',
    );
  print(writer());
  return exitCode.done;
}

const actions = (command: Command): string[] =>
  command.forms.flatMap(({ words }) => /^[a-z-]+/.exec(words)?.[0] ?? []);
const options = (form: Form): string[] =>
  Object.keys({ ...form.options, help: helpOption }).map((name) => `--${name}`);
const allOptions = (command: Command): string[] => [...new Set(command.forms.flatMap(options))];
const words = (command: Command): string =>
  (command.name === 'completion'
    ? ['bash', 'zsh', 'fish']
    : command.name === 'help'
      ? commands.map((c) => c.name)
      : actions(command)
  ).join(' ');

function bash(): string {
  const cases = commands.map(
    (c) => `    ${c.name}) words="${words(c)}" options="${allOptions(c).join(' ')}" ;;`,
  );
  return `# bash completion for ringfence
_ringfence() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words="" options=""
  COMPREPLY=()
  case $previous in
    --config|--file|--out|-c|-f) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --encryption) COMPREPLY=($(compgen -W "required preferred none" -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map((c) => c.name).join(' ')}" -- "$current")); return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 2 ] && [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current")); return
  fi
  COMPREPLY=($(compgen -W "$options" -- "$current"))
}
complete -F _ringfence ringfence`;
}

function zsh(): string {
  const cases = commands.map(
    (c) =>
      `    ${c.name}) [[ $CURRENT -eq 3 ]] && compadd -- ${words(c)}; compadd -- ${allOptions(c).join(' ')} ;;`,
  );
  return `#compdef ringfence
_ringfence() {
  case \${words[CURRENT-1]} in
    --config|--file|--out|-c|-f) _files; return ;;
    --encryption) compadd -- required preferred none; return ;;
  esac
  if (( CURRENT == 2 )); then compadd -- ${commands.map((c) => c.name).join(' ')}; return; fi
  case \${words[2]} in
${cases.join('\n')}
  esac
}
compdef _ringfence ringfence`;
}

function fish(): string {
  const lines = ['# fish completion for ringfence', 'complete -c ringfence -f'];
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  for (const command of commands) {
    lines.push(
      `complete -c ringfence -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary)}`,
    );
    const second = words(command);
    if (second !== '')
      lines.push(
        `complete -c ringfence -n '__fish_seen_subcommand_from ${command.name}' -a ${quote(second)}`,
      );
    const seen = new Set<string>();
    for (const form of command.forms) {
      for (const [name, option] of Object.entries({ ...form.options, help: helpOption })) {
        if (seen.has(name)) continue;
        seen.add(name);
        const file = ['config', 'file', 'out'].includes(name) ? ' -F' : '';
        lines.push(
          `complete -c ringfence -n '__fish_seen_subcommand_from ${command.name}' -l ${name}${option.short === undefined ? '' : ` -s ${option.short}`}${option.type === 'string' ? ' -r' : ''}${file} -d ${quote(option.description)}`,
        );
      }
    }
  }
  return lines.join('\n');
}
