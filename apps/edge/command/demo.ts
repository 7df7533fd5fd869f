import { demo } from '../demo/print.ts';
import { flag, type Invocation, text } from './command.ts';
import { UsageError } from './usage-error.ts';

export function run({ values }: Invocation): Promise<number> {
  const engine = text(values, 'engine') ?? 'relay';
  if (engine !== 'relay' && engine !== 'rtpengine')
    throw new UsageError(`there is no engine \`${engine}\`: write \`relay\` or \`rtpengine\``);
  return demo({ json: flag(values, 'json'), engine });
}
