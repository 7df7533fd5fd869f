import type { Report } from '../config/validate.ts';
import { parsePattern } from '../trunks/rewrite/pattern.ts';
import { isNumberText, parseTemplate } from '../trunks/rewrite/template.ts';
import type { HeaderRule, NumberRule, Rewrite } from './rewrite-settings.ts';

/** Header fields that are the edge's own: a rule for one of these would break calls, or let something out. */
const own = new Set(
  'via from to call-id cseq contact max-forwards route record-route path service-route allow allow-events supported require proxy-require unsupported expires min-expires session-expires min-se replaces target-dialog refer-to referred-by rseq rack event subscription-state authorization proxy-authorization www-authenticate proxy-authenticate authentication-info proxy-authentication-info content-type content-length content-encoding content-disposition content-language content-id mime-version identity identity-info v f t i m l c e k o u r b x y s'.split(
    ' ',
  ),
);
const token = /^[A-Za-z0-9!%*_+`'~.-]{1,64}$/;

/** Names every rule that cannot be applied. */
export function checkRewrite(rewrite: Rewrite | undefined, key: string, report: Report): void {
  for (const side of ['caller', 'called'] as const)
    for (const [i, rule] of (rewrite?.[side] ?? []).entries())
      checkNumberRule(rule, `${key}.${side}[${i}]`, report);
  for (const [i, rule] of (rewrite?.headers ?? []).entries())
    checkHeaderRule(rule, `${key}.headers[${i}]`, report);
}

function checkNumberRule(rule: NumberRule, key: string, report: Report): void {
  const pattern = parsePattern(rule.match);
  if (!pattern.ok)
    report.value(
      `${key}.match`,
      `\`${rule.match}\` ${pattern.error}`,
      'Write digits, `x` for one digit, `[1-9]` for one of several, `*` at the end for any rest, `(…)` for `replace`.',
    );
  if (rule.replace !== undefined) {
    const template = parseTemplate(rule.replace, pattern.ok ? pattern.value.captures.length : 9);
    if (!template.ok)
      report.value(
        `${key}.replace`,
        `\`${rule.replace}\` ${template.error}`,
        'Write digits, and `{1}` for what the first parentheses of `match` hold, such as `0{1}`.',
      );
    if (rule.strip !== undefined || rule.prefix !== undefined)
      report.value(key, 'has `replace` beside `strip` or `prefix`', 'Write it all into `replace`.');
  }
  if (rule.prefix !== undefined && !isNumberText(rule.prefix))
    report.value(`${key}.prefix`, 'contains what no number contains', 'Write digits, such as `0049`.');
}

function checkHeaderRule(rule: HeaderRule, key: string, report: Report): void {
  const given = (['add', 'replace', 'remove'] as const).filter((action) => rule[action] !== undefined);
  const [action] = given;
  if (action === undefined || given.length > 1)
    return report.value(
      key,
      'says not what to do with which header field',
      'Write one of `add: Name`, `replace: Name` or `remove: Name`, the first two with `value:`.',
    );
  const name = rule[action] ?? '';
  if (!token.test(name))
    report.value(
      `${key}.${action}`,
      'is not the name of a header field',
      'Write a name such as `X-Customer`.',
    );
  else if (own.has(name.toLowerCase()))
    report.value(
      `${key}.${action}`,
      `${name} is written by the edge itself`,
      'Rewrite numbers by `caller` and `called`; other fields of calls stay as they are.',
    );
  if ((rule.value === undefined) !== (action === 'remove'))
    report.value(
      key,
      action === 'remove' ? 'removes, and has a value' : 'has no value',
      action === 'remove' ? 'Take `value:` away.' : 'Add `value:`, such as `value: "17"`.',
    );
  if (rule.value !== undefined && !isValue(rule.value))
    report.value(`${key}.value`, 'contains control characters', 'Write the value on one line.');
}

function isValue(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c === 0x7f) return false;
  }
  return true;
}
