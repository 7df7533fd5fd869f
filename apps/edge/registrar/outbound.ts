import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Binding } from '../store/contract.ts';

/** A phone that does not answer within the time that it was told, and so much more, has lost its flow (RFC 5626 §4.4). */
export const flowGraceSeconds = 30;
/** Over UDP a mapping of a NAT may be gone after 30 s (RFC 5626 §4.4.2). */
const udpFlowSeconds = 29;
const longestInstance = 128;

/**
 * Key of a binding, RFC 5626 §6 and RFC 3261 §10.3: the instance and its reg-id, the instance and its contact, or the
 * contact alone. `instance` keeps its quotes, which no contact begins with.
 */
export const bindingKey = (
  contact: string,
  instance: string | undefined,
  registration: string | undefined,
): string => (instance === undefined ? contact : `${instance} ${registration ?? contact}`);

/** The instance that a key names, with its quotes. */
export function instanceOf(key: string): string | undefined {
  return key.startsWith('"') ? key.slice(0, key.indexOf('" ') + 1) : undefined;
}

/** The reg-id that a key names. */
export function registrationOf(key: string): string | undefined {
  const instance = instanceOf(key);
  return instance === undefined ? undefined : readRegistration(key.slice(instance.length + 1));
}

/** RFC 5626 §4.1: a URN in angles and quotes. Anything else is no instance. */
export function readInstance(value: string | true | undefined): string | undefined {
  if (typeof value !== 'string' || value.length > longestInstance) return undefined;
  if (!value.startsWith('"<') || !value.endsWith('>"') || value.length < 5) return undefined;
  const inner = value.slice(2, -2);
  for (const mark of '"<>\\ ') if (inner.includes(mark)) return undefined;
  return value;
}

/** RFC 5626 §4.2: 1 to 2^31 - 1, in at most ten digits. */
export function readRegistration(value: string | true | undefined): string | undefined {
  if (typeof value !== 'string' || value.length === 0 || value.length > 10) return undefined;
  for (let i = 0; i < value.length; i += 1) {
    const c = value.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return undefined;
  }
  const number = Number(value);
  return number > 0 && number < 2 ** 31 ? String(number) : undefined;
}

/** Option tags of RFC 3261 §20.37. */
export const supports = (request: SipRequest, option: string): boolean =>
  request.headers.values('Supported').some((value) => value.toLowerCase() === option);

/** Seconds within which a phone is asked to show that its flow lives, RFC 5626 §4.4 and RFC 6223 §4. */
export const flowSeconds = (flow: Flow, configured: number): number =>
  flow.transport === 'udp' ? Math.min(configured, udpFlowSeconds) : configured;

/**
 * The request with what its sender is told about keepalives, where it asks with `keep` in its Via (RFC 6223 §4.3).
 *
 * Responses take their Via from it.
 */
export function withKeep(request: SipRequest, flow: Flow, configured: number): SipRequest {
  const top = request.via[0];
  if (top?.params.has('keep') !== true) return request;
  const params = new Map(top.params).set('keep', String(flowSeconds(flow, configured)));
  return { ...request, via: [{ ...top, params }, ...request.via.slice(1)] };
}

/** The bindings of each phone together, in their order: of one instance only one is rung at a time (RFC 5626 §7). */
export function byPhone<T extends Pick<Binding, 'key' | 'device'>>(bindings: readonly T[]): T[][] {
  const phones = new Map<string, T[]>();
  for (const binding of bindings) {
    const instance = registrationOf(binding.key) === undefined ? undefined : instanceOf(binding.key);
    const phone = instance === undefined ? binding.key : `${instance} ${binding.device}`;
    const others = phones.get(phone);
    if (others === undefined) phones.set(phone, [binding]);
    else others.push(binding);
  }
  return [...phones.values()];
}
