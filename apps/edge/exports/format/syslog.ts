import type { Severity } from '../../events/types.ts';
import type { Teller, Told } from './told.ts';

/** RFC 5424 §6.2.1. */
const severities: Readonly<Record<Severity, number>> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };
export const facilities = {
  daemon: 3,
  auth: 4,
  authpriv: 10,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;
export type Facility = keyof typeof facilities;

/**
 * One message of RFC 5424; `message` is its MSG. The number of the event stands where §7.3.1 has a place for it, so that
 * whoever reads sees what is missing.
 */
export function syslogMessage(
  { event, time, severity, sequence }: Told,
  { node, pid }: Teller,
  facility: Facility,
  message: string,
): string {
  const priority = facilities[facility] * 8 + severities[severity];
  const at = new Date(time).toISOString();
  const id = ((sequence - 1) % 2_147_483_647) + 1;
  return `<${priority}>1 ${at} ${word(node, 255)} ringfence ${pid} ${word(event.type, 32)} [meta sequenceId="${id}"] ${message}`;
}

/** PRINTUSASCII of §6, or the nil value. */
function word(text: string, most: number): string {
  let out = '';
  for (const c of text) if (c > ' ' && c <= '~' && out.length < most) out += c;
  return out === '' ? '-' : out;
}

/** Octet counting, RFC 6587 §3.4.1 and RFC 5425 §4.3. */
export function counted(message: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}
