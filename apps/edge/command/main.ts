import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { CertificateError } from '../certificates/certificate-error.ts';
import { takeActs } from './acts.ts';
import type { Invocation } from './command.ts';
import { commands } from './commands.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, RefusedError } from './home.ts';
import { ownCommand } from './own-command.ts';
import { parseCommandLine } from './parse.ts';
import { complain, print } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Runs one command line and gives the exit code; prints whatever went wrong in words. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    const { command, invocation } = parseCommandLine(commands, argv);
    if (invocation === undefined) {
      const { commandHelp } = await import('./help.ts');
      print(commandHelp(command));
      return exitCode.done;
    }
    const { run } = await command.load();
    const code = await run(invocation);
    await recordWhatWasDone(command.name, invocation);
    return code;
  } catch (error) {
    return report(error);
  }
}

/** Commands that write domain objects. */
const changesObjects = new Set(['apply', 'user']);

/** What was changed or done goes into the ledger, with who did it. */
async function recordWhatWasDone(command: string, { action, values }: Invocation): Promise<void> {
  const changes = changesObjects.has(command) ? (await import('./objects-input.ts')).takeUnrecorded() : [];
  const acts = takeActs();
  if (changes.length === 0 && acts.length === 0) return;
  const { recordDone } = await import('./ledger-place.ts');
  await recordDone(configurationOf(values), `${command} ${action}`.trim(), changes, acts);
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    complain(`ringfence: ${error.message}`);
    complain(`Try \`${ownCommand(error.command === undefined ? 'help' : `help ${error.command}`)}\`.`);
    return exitCode.usage;
  }
  if (error instanceof RefusedError) {
    complain(error.message);
    return exitCode.configurationRefused;
  }
  if (error instanceof MisuseError) {
    complain(`ringfence: ${error.message}`);
    if (error.code === 'listen-failed') return exitCode.listenFailed;
    return error instanceof CertificateError ||
      error.code.startsWith('store-') ||
      error.code.startsWith('ledger-')
      ? exitCode.storeRefused
      : exitCode.failed;
  }
  const { code, message } = error as NodeJS.ErrnoException;
  // a file system that says no is no defect of ours
  if (code === 'EACCES' || code === 'EROFS' || code === 'ENOSPC' || code === 'ENOTDIR' || code === 'EPERM') {
    complain(`ringfence: ${message}; check owner, mode and free space of that folder, or set RINGFENCE_HOME`);
    return exitCode.failed;
  }
  complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCode.failed;
}
