import assert from 'node:assert/strict';
import type { Trunk } from '../objects/types.ts';
import { leftovers, registered } from './cast.ts';
import { route, trunk, user } from './objects.ts';
import { Phone, type PhoneOptions } from './phone.ts';
import { World, type WorldOptions } from './world.ts';

export interface Cast {
  readonly world: World;
  readonly alice: Phone;
  readonly carrier: Phone;
}

export const carrierAt = '192.0.2.10';

/** Alice on TLS with SRTP, and a carrier that everything unknown is routed to. */
export async function trunkCast(
  fields: Partial<Trunk> = {},
  carrierOptions: Partial<PhoneOptions> = {},
  more: Partial<WorldOptions> = {},
): Promise<Cast> {
  const world = new World({
    objects: {
      users: [user('alice', { number: '+4930123401', displayName: 'Alice A.' })],
      trunks: [trunk('carrier', { addresses: [carrierAt], ...fields })],
      routes: [route('+*', { trunk: 'carrier' }), route('default', { trunk: 'carrier' })],
    },
    ...more,
  });
  const alice = await registered(world, {
    name: 'alice',
    transport: 'tls',
    address: '203.0.113.1',
    port: 40_001,
    media: 'srtp',
  });
  const carrier = new Phone(world, { name: '+4989555', address: carrierAt, ...carrierOptions }).listen();
  return { world, alice, carrier };
}

/** Waits for everything to run out, then looks at what is left. */
export async function over(world: World): Promise<void> {
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
}
