import { Phone, type PhoneOptions } from './phone.ts';
import type { World } from './world.ts';

/** A phone that has registered. */
export async function registered(world: World, options: PhoneOptions): Promise<Phone> {
  const phone = new Phone(world, options);
  const response = await phone.register();
  if (response.status !== 200) throw new Error(`${options.name} could not register: ${response.status}`);
  return phone;
}

/** Alice on TLS and Bob, both registered. */
export async function aliceAndBob(
  world: World,
  alice: Partial<PhoneOptions> = {},
  bob: Partial<PhoneOptions> = {},
): Promise<{ alice: Phone; bob: Phone }> {
  return {
    alice: await registered(world, {
      name: 'alice',
      transport: 'tls',
      address: '203.0.113.1',
      port: 40_001,
      media: 'srtp',
      ...alice,
    }),
    bob: await registered(world, {
      name: 'bob',
      transport: 'tls',
      address: '203.0.113.2',
      port: 40_002,
      media: 'srtp',
      ...bob,
    }),
  };
}

/** Nothing is left of any call: no legs, transactions, endpoints or timers of calls, and nothing went wrong inside. */
export function leftovers(world: World): string[] {
  const { edge, relay } = world;
  const { server, client } = edge.layer.size;
  const found: string[] = [];
  const note = (what: string, count: number): void => {
    if (count !== 0) found.push(`${count} ${what}`);
  };
  note('calls', edge.calls.size);
  note('legs', edge.legs);
  note('server transactions', server);
  note('client transactions', client);
  note('transaction timers', edge.layer.timers);
  note('open endpoints', relay.endpoints.size);
  note('millionths of money set aside', edge.toll.reserved);
  note('calls that count against limits', edge.limits.usage().length);
  for (const event of world.errors) found.push(JSON.stringify(event));
  return found;
}
