import type { LegProtection } from '../policy/protection.ts';
import { type DemoEngine, runDemo } from './run.ts';

const mark = (held: boolean, colour: boolean): string =>
  colour ? (held ? '\u001b[32m✔\u001b[0m' : '\u001b[31m✘\u001b[0m') : held ? 'ok  ' : 'FAIL';

function legText({ signalling, media }: LegProtection): string {
  const way =
    signalling.transport === 'tls'
      ? `${signalling.version}${signalling.group === undefined ? '' : ` ${signalling.group}`}`
      : signalling.transport.toUpperCase();
  if (media.protocol !== 'srtp') return `${way} + ${media.protocol.toUpperCase()}`;
  return `${way} + SRTP ${media.suite}${media.keysExposed === true ? ' (keys exposed)' : ''}`;
}

/** `ringfence demo`: 0 only if everything held. */
export async function demo(options: {
  readonly json: boolean;
  readonly engine: DemoEngine;
}): Promise<number> {
  const began = performance.now();
  const colour = process.stdout.isTTY === true && !options.json;
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  let count = 0;
  const rows = await runDemo(
    {
      step: (text) => print(options.json ? JSON.stringify({ step: text }) : `\n${text}`),
      row: (row) => {
        count += 1;
        if (options.json) return print(JSON.stringify({ call: count, ...row }));
        const legs = row.protection.map(legText).join('  ⇄  ');
        print(
          `  ${mark(row.held, colour)} ${String(count).padStart(3)}  ${row.protection.length > 0 ? legs : `${row.from} → ${row.to}`}${row.audio === 'none' ? '' : `  audio ${row.audio}`}${row.note === '' ? '' : `  ${row.note}`}`,
        );
      },
    },
    options.engine,
  ).catch((error: unknown) => {
    print(
      options.json
        ? JSON.stringify({ error: String(error) })
        : `\nThe demo could not go on: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  });
  if (rows === undefined) return 1;
  const failed = rows.filter(({ held }) => !held).length;
  const exact = rows.filter(({ audio }) => audio === 'bit-exact').length;
  const seconds = Math.round((performance.now() - began) / 1000);
  if (options.json)
    print(
      JSON.stringify({ rows: rows.length, held: rows.length - failed, failed, bitExact: exact, seconds }),
    );
  else
    print(
      `\n${rows.length} checks, ${exact} calls with audio bit-exact both ways, ${failed} failed, ${seconds} s`,
    );
  return failed === 0 ? 0 : 1;
}
