import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { CallerPolicy } from '../objects/caller-settings.ts';
import type { Domain } from '../objects/types.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import { carrierAt, over, trunkCast } from '../testing/trunk-cast.ts';

/** A call from the carrier that shows that number; what alice sees, or the status of the refusal. */
async function seen(
  number: string,
  callers: CallerPolicy,
  more: { readonly domain?: Domain; readonly to?: string } = {},
) {
  const fields = { callers, trusted: true };
  const { world, alice, carrier } = await trunkCast(
    fields,
    { name: number },
    {
      objects: {
        users: [user('alice', { number: '+4930123401' })],
        trunks: [trunk('carrier', { addresses: [carrierAt], ...fields })],
        routes: [route('default', { trunk: 'carrier' })],
        domains: more.domain === undefined ? [] : [more.domain],
      },
    },
  );
  const events: EdgeEvent[] = [];
  world.bus.subscribe((event) => events.push(event));
  alice.onInvite = (call) => call.answer();
  const call = carrier.call(`sip:${more.to ?? 'alice'}@198.51.100.1`);
  await world.until(() => call.state === 'up' || call.state === 'over');
  const status = call.status;
  if (call.state === 'up') call.hangUp();
  await over(world);
  const from = alice.calls[0]?.request?.from;
  const doubt = events.find((event) => event.type === 'caller.doubted');
  return {
    status,
    display: from?.display,
    uri: from === undefined ? '' : serializeUri(from.uri),
    rules: doubt?.type === 'caller.doubted' ? doubt.reasons.map(({ rule }) => rule) : [],
    record: world.finished[0],
  };
}

test('a number of our own from outside is labelled for whoever is called, and the record says why', async () => {
  const { display, uri, rules, record } = await seen('+4930123401', {});
  assert.equal(display, 'Unverified: +4930123401');
  assert.equal(uri, 'sip:+4930123401@example.test');
  assert.deepEqual(rules, ['caller.own-number']);
  assert.match(record?.decision ?? '', /caller\.own-number.*user alice/);
});

test('with verstat for phones that know it (3GPP TS 24.229 §7.2A.20), and the words of the domain', async () => {
  const { display, uri } = await seen(
    '+4930123401',
    { verstat: true },
    { domain: { domain, callers: { label: 'Vorsicht' } } as Domain },
  );
  assert.equal(display, 'Vorsicht: +4930123401');
  assert.equal(uri, 'sip:+4930123401;verstat=No-TN-Validation@example.test;user=phone');
});

test('what is on the list of numbers that never call is blocked with its reason; emergency calls are not judged', async () => {
  const own = { domain, callers: { doNotOriginate: ['+4989123*'] } } as Domain;
  const blocked = await seen('+4989123456', {}, { domain: own });
  assert.equal(blocked.status, 403);
  assert.deepEqual(blocked.rules, ['caller.do-not-originate']);
  assert.equal(blocked.record?.cause, 'policy');
  const urgent = await seen('+4989123456', {}, { domain: own, to: '112' });
  assert.deepEqual(urgent.rules, []);
  assert.notEqual(urgent.status, 403);
});

test('a branch shows its own numbers alone', async () => {
  const branch: CallerPolicy = { numbers: ['+4940555xxxx'] };
  assert.deepEqual((await seen('+49405551234', branch)).rules, []);
  assert.equal((await seen('+4989123456', branch)).status, 403);
});
