import assert from 'node:assert/strict';
import { test } from 'node:test';
import { device, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

/** The algorithms that a REGISTER of that name is challenged with, in their order. */
async function offered(world: World, name: string, port: number): Promise<string[]> {
  const phone = new Phone(world, { name, address: '203.0.113.1', transport: 'tcp', port, password: 'wrong' });
  const response = await phone.register();
  assert.equal(response.status, 401);
  return response.headers
    .all('WWW-Authenticate')
    .map((value) => /algorithm=([A-Z0-9-]+)/.exec(value)?.[1] ?? '');
}

const mixed = (): World =>
  new World({
    objects: { users: [user('alice'), user('old', { devices: [device('old', { md5: true })] })] },
  });

test('MD5 stands alone for a user whose phones know nothing else, and nowhere else (RFC 8760 §2.4)', async () => {
  const world = mixed();
  assert.deepEqual(await offered(world, 'old', 5071), ['MD5']);
  assert.ok(!(await offered(world, 'alice', 5072)).includes('MD5'));
  const strict = new World({ objects: { users: [user('alice')] } });
  for (const [i, name] of ['alice', 'nobody', 'old'].entries())
    assert.ok(!(await offered(strict, name, 5073 + i)).includes('MD5'));
});

test('SHA-256 is offered before SHA-512-256, which not every phone knows (RFC 8760 §2.4)', async () => {
  assert.deepEqual(await offered(mixed(), 'alice', 5071), ['SHA-256', 'SHA-512-256']);
});

test('what a name is offered tells nobody whether it exists: unknown names get either as often, each always the same (S9)', async () => {
  const world = mixed();
  let alone = 0;
  const names = 200;
  for (let i = 0; i < names; i += 1) {
    const first = await offered(world, `guess${i}`, 6000 + i);
    if (i < 20) assert.deepEqual(await offered(world, `guess${i}`, 7000 + i), first);
    if (first.length === 1 && first[0] === 'MD5') alone += 1;
  }
  // Half of the users have it; 200 draws stay within 5 standard deviations.
  assert.ok(Math.abs(alone - names / 2) < 36, `${alone} of ${names}`);
});
