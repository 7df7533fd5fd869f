import { type Static, Type } from '@sinclair/typebox';
import { sipMethods } from '../hygiene/sip-methods.ts';
import type { Report } from './validate.ts';

/** What a peer, or whoever comes in over a listener, may send. */
export const Methods = Type.Array(Type.Union(sipMethods.map((method) => Type.Literal(method))), {
  minItems: 1,
  maxItems: sipMethods.length,
  description:
    'Methods that are taken; others get 405 with Allow. A list of the peer and one of the listener must both have the method. ACK, BYE, CANCEL and PRACK, and INVITE within a call, need not be named: a call that was let in can be changed and ended. Emergency calls always pass.',
});

/** Header fields that go through beside, or in place of, those for everybody. */
export const HeaderFields = Type.Object(
  {
    allow: Type.Array(Type.String(), {
      maxItems: 32,
      description: 'Names of header fields; those that the edge writes itself cannot be named.',
    }),
    replace: Type.Boolean({
      default: false,
      description:
        'True: these alone, in place of `calls.allowedHeaders` and of what the listener adds; with an empty list none.',
    }),
  },
  {
    additionalProperties: false,
    description:
      'Header fields of the calls that come from here which the other side is shown, beside `calls.allowedHeaders`.',
  },
);
export type HeaderFields = Static<typeof HeaderFields>;

/** What a listener, device, trunk or PBX may have of both. */
export interface Hygiene {
  readonly methods?: Static<typeof Methods>;
  readonly headers?: HeaderFields;
}

const token = /^[A-Za-z0-9.!%*_+`'~-]+$/;

/** Fields that the edge writes itself: copying them would show the inside, or let a peer speak for us. */
const structural = new Set(
  'via from to call-id cseq contact route record-route max-forwards content-length content-type authorization proxy-authorization www-authenticate proxy-authenticate path service-route p-asserted-identity p-preferred-identity remote-party-id identity server user-agent require proxy-require supported unsupported expires min-expires history-info diversion replaces refer-to referred-by privacy reason event subscription-state session-expires rseq rack'.split(
    ' ',
  ),
);

/** Compact forms (RFC 3261 §7.3.3 and others) of fields on that list. */
const compact = new Set('v f t i m l c k o r b j x y'.split(' '));

export function checkHeaderNames(names: readonly string[], key: string, report: Report): void {
  names.forEach((name, i) => {
    if (!token.test(name))
      report.value(`${key}[${i}]`, 'is not a header field name', 'Write a name such as `Subject`.');
    else if (structural.has(name.toLowerCase()) || compact.has(name.toLowerCase()))
      report.value(`${key}[${i}]`, `\`${name}\` is written by the edge itself`, 'Remove it from the list.');
  });
}

export function checkHygiene({ methods, headers }: Hygiene, key: string, report: Report): void {
  if (methods !== undefined && new Set(methods).size < methods.length)
    report.value(`${key}.methods`, 'names a method twice', 'Name each once.');
  if (headers !== undefined) checkHeaderNames(headers.allow, `${key}.headers.allow`, report);
}
