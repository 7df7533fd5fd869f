/** `ringfence <command>` as somebody types it. */
import { spawn } from 'node:child_process';
import { mainFile } from './edge-process.ts';

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly complaint: string;
}

const patienceMs = 60_000;

export function ringfence(home: string, args: readonly string[], input = ''): Promise<CommandResult> {
  const child = spawn(process.execPath, [mainFile, ...args], {
    env: { ...process.env, RINGFENCE_HOME: home },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, out, complaint });
    });
  });
}

/** The same, and it has to go well. */
export async function ringfenceDoes(home: string, args: readonly string[], input = ''): Promise<string> {
  const result = await ringfence(home, args, input);
  if (result.code !== 0)
    throw new Error(
      `ringfence ${args.join(' ')} ended with ${result.code}: ${result.complaint}${result.out}`,
    );
  return result.out;
}
