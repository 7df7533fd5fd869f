import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { HeaderRule } from '../../objects/rewrite-settings.ts';
import { isNumberText } from './template.ts';

/** The numbers of a call as they go out, for `{caller}` and `{called}`. */
export interface CallNumbers {
  readonly caller: string;
  readonly called: string;
}

/** Applies all rules in their order. Which names they may touch was checked when they were taken in. */
export function applyHeaderRules(
  headers: HeaderList,
  rules: readonly HeaderRule[],
  numbers: CallNumbers,
): void {
  for (const { add, replace, remove, value = '' } of rules) {
    if (remove !== undefined) headers.remove(remove);
    if (replace !== undefined && headers.has(replace)) headers.set(replace, fill(value, numbers));
    if (add !== undefined) headers.add(add, fill(value, numbers));
  }
}

/** What is no plain number stays out: a caller's name must not write header fields. */
const fill = (value: string, { caller, called }: CallNumbers): string =>
  value
    .replaceAll('{caller}', isNumberText(caller) ? caller : '')
    .replaceAll('{called}', isNumberText(called) ? called : '');
