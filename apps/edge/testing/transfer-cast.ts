import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { registered } from './cast.ts';
import { route, trunk, user } from './objects.ts';
import { Phone, type PhoneOptions } from './phone.ts';
import type { PhoneCall } from './phone-call.ts';
import { World, type WorldOptions } from './world.ts';

export interface TransferCast {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly carol: Phone;
  readonly carrier: Phone;
}

export const carrierAt = '192.0.2.10';

/** Alice, Bob and Carol on TLS, and a carrier for `+` numbers of users; `+1900*` is blocked. */
export async function transferCast(
  more: Partial<WorldOptions> = {},
  options: Partial<Record<'alice' | 'bob' | 'carol' | 'carrier', Partial<PhoneOptions>>> = {},
): Promise<TransferCast> {
  const world = new World({
    objects: {
      users: [
        user('alice', { number: '+4930123401', displayName: 'Alice A.' }),
        user('bob', { number: '+4930123402' }),
        user('carol', { number: '+4930123403' }),
      ],
      trunks: [trunk('carrier', { addresses: [carrierAt] })],
      routes: [route('+1900*', { block: 'premium rate' }), route('+*', { trunk: 'carrier' })],
    },
    ...more,
  });
  const phone = (name: 'alice' | 'bob' | 'carol', n: number): Promise<Phone> =>
    registered(world, {
      name,
      transport: 'tls',
      address: `203.0.113.${n}`,
      port: 40_000 + n,
      media: 'srtp',
      ...options[name],
    });
  const alice = await phone('alice', 1);
  const bob = await phone('bob', 2);
  const carol = await phone('carol', 3);
  const carrier = new Phone(world, { name: '+4989555', address: carrierAt, ...options.carrier }).listen();
  return { world, alice, bob, carol, carrier };
}

/** One calls the other, who answers: both ends of the call. */
export async function talk(
  world: World,
  from: Phone,
  to: Phone,
  number: string,
): Promise<[PhoneCall, PhoneCall]> {
  const before = to.calls.length;
  const was = to.onInvite;
  to.onInvite = (call) => call.answer();
  const call = from.call(number);
  await world.until(() => call.state === 'up' && to.calls[before]?.confirmed === true);
  to.onInvite = was;
  return [call, to.calls[before]!];
}

/** Status lines that a referrer was told, in order; the state of the subscription behind them. */
export const told = (phone: Phone): string[] =>
  phone.heard.flatMap((message) =>
    message.kind === 'request' && message.method === 'NOTIFY'
      ? [`${Buffer.from(message.body).toString().trim()} (${message.headers.get('Subscription-State')})`]
      : [],
  );

export const requests = (phone: Phone, method: string): SipRequest[] =>
  phone.heard.flatMap((message) =>
    message.kind === 'request' && message.method === method ? [message] : [],
  );

/** Refer-To with the dialog of that call, as the phone itself knows it (RFC 3891 §6.1). */
export const naming = (call: PhoneCall, target: string): string => {
  const { dialog } = call;
  if (dialog === undefined) throw new Error('no dialog to name');
  const value = `${dialog.callId};to-tag=${dialog.remoteTag};from-tag=${dialog.localTag}`;
  return `<sip:${target}?Replaces=${encodeURIComponent(value)}>`;
};
