import { demo } from '../demo/print.ts';
import { flag, type Invocation } from './command.ts';

export const run = ({ values }: Invocation): Promise<number> => demo({ json: flag(values, 'json') });
