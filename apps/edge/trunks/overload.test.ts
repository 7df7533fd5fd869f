import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest, SipResponse, Via } from '@ringfence/sip/message/types.ts';
import { carrierAt, over, trunkCast } from '../testing/trunk-cast.ts';
import { type OverloadControl, PeerOverload } from './overload.ts';

/** The answer of a trunk that asks for less, by the parameters of our own Via. */
function asking(request: SipRequest, params: Record<string, string>): SipResponse {
  const refused = makeResponse(request, 486, undefined, { toTag: 'busy' });
  const [top, ...rest] = refused.via;
  const more = new Map([...top!.params, ...Object.entries(params)]);
  return { ...refused, via: [{ ...top!, params: more }, ...rest] };
}

const invites = (world: { sentTo(address: string): string[] }, address: string): string[] =>
  world.sentTo(address).filter((text) => text.startsWith('INVITE'));

test('RFC 7339 §5.1: requests to trunks say that the edge speaks overload control, those to phones do not', async () => {
  const { world, alice, carrier } = await trunkCast();
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('089-4321');
  await world.until(() => call.state === 'up');
  assert.match(invites(world, carrierAt)[0]!, /^Via: [^\r]*;oc;oc-algo="loss"\r\n/m);
  carrier.call('+4930123401');
  await world.until(() => invites(world, '203.0.113.1').length > 0);
  assert.doesNotMatch(invites(world, '203.0.113.1')[0]!, /;oc/);
});

test('RFC 7339 §6: a trunk that asks for no calls gets none until its time is over, but for emergency calls', async () => {
  const { world, alice, carrier } = await trunkCast();
  carrier.refuse = (request) =>
    request.method === 'INVITE'
      ? asking(request, { oc: '100', 'oc-algo': '"loss"', 'oc-validity': '5000', 'oc-seq': '10.5' })
      : undefined;
  const first = alice.call('089-4321');
  await world.until(() => first.state === 'over');
  assert.equal(first.status, 486);
  const asked = invites(world, carrierAt).length;
  const held = alice.call('089-4321');
  await world.until(() => held.state === 'over');
  assert.equal(held.status, 503);
  assert.equal(held.final!.headers.get('Retry-After'), '1');
  assert.equal(invites(world, carrierAt).length, asked, 'it has heard of no further call');
  carrier.refuse = () => undefined;
  carrier.onInvite = (call) => call.answer();
  const urgent = alice.call('112');
  await world.until(() => urgent.state === 'up');
  urgent.hangUp();
  await world.run(5000);
  const later = alice.call('089-4321');
  await world.until(() => later.state === 'up');
  later.hangUp();
  await over(world);
});

test('RFC 7339 §5.2: a trunk that speaks it hears of the load in its answers, nobody else does', async () => {
  const { world, carrier, alice } = await trunkCast();
  const options = (branch: string, from: string): string =>
    `OPTIONS sip:x@example.test SIP/2.0\r\nVia: SIP/2.0/UDP ${from}:5060;branch=z9hG4bK${branch};oc;oc-algo="loss,rate"\r\n` +
    `From: <sip:x@${from}>;tag=${branch}\r\nTo: <sip:x@example.test>\r\nCall-ID: ${branch}\r\nCSeq: 1 OPTIONS\r\n` +
    'Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n';
  const answer = async (branch: string): Promise<string> => {
    carrier.raw(options(branch, carrierAt));
    const find = (): string | undefined =>
      world.sentTo(carrierAt).find((text) => text.includes(`bK${branch}`));
    await world.until(() => find() !== undefined);
    return /^Via: ([^\r]*)/m.exec(find()!)?.[1] ?? '';
  };
  assert.match(await answer('calm'), /;oc=0;oc-algo="loss";oc-validity=0;oc-seq=[0-9]+\.[0-9]{3}$/);
  world.trunkShare = 0.6;
  const via = await answer('busy');
  assert.match(via, /;oc=40;oc-algo="loss";oc-validity=1000;oc-seq=/);
  alice.raw(options('phone', '203.0.113.1').replace('UDP', 'TLS'));
  await world.run(1000);
  const [toPhone = ''] = world.sentTo('203.0.113.1').filter((text) => text.includes('bKphone'));
  assert.doesNotMatch(toPhone, /;oc=/);
});

const via = (params: Record<string, string>): Via => ({
  transport: 'UDP',
  host: 'x',
  params: new Map(Object.entries(params)),
});

function peers(random = 0.5, control: OverloadControl = 'rate') {
  const state = { now: 1_000_000, random };
  const overload = new PeerOverload({ now: () => state.now, random: () => state.random, share: () => 1 });
  overload.trunkAt(carrierAt, control);
  return { overload, state };
}

test('RFC 7415 §3.4: with `rate` as many calls as named go out in a second', () => {
  const { overload, state } = peers();
  overload.heard(carrierAt, via({ oc: '10', 'oc-algo': '"rate"', 'oc-validity': '60000', 'oc-seq': '1.1' }));
  let sent = 0;
  for (let i = 0; i < 1000; i++) {
    state.now += 10;
    overload.heard(
      carrierAt,
      via({ oc: '10', 'oc-algo': '"rate"', 'oc-validity': '60000', 'oc-seq': `${i + 2}.1` }),
    );
    if (!overload.withholds(carrierAt)) sent++;
  }
  assert.ok(sent >= 100 && sent <= 110, `${sent} in ten seconds`);
});

test('RFC 7415 §3.2: `rate` is offered where the trunk is said to know it, and counts for nothing elsewhere', () => {
  const rate = { oc: '0', 'oc-algo': '"rate"', 'oc-validity': '60000', 'oc-seq': '1.1' };
  for (const [control, offered, held] of [
    ['rate', '"loss,rate"', true],
    ['loss', '"loss"', false],
    ['off', undefined, false],
  ] as const) {
    const { overload } = peers(0, control);
    assert.equal(overload.viaParams(carrierAt)?.get('oc-algo'), offered);
    overload.heard(carrierAt, via(rate));
    overload.withholds(carrierAt);
    assert.equal(overload.withholds(carrierAt), held, control);
  }
});

test('RFC 7339 §4.4 and §5.3: late answers, strangers, ended times and nonsense change nothing', () => {
  const { overload, state } = peers(0);
  const ask = (params: Record<string, string>, address = carrierAt): void =>
    overload.heard(address, via(params));
  ask({ oc: '50', 'oc-seq': '5.0', 'oc-validity': '1000' });
  assert.equal(overload.withholds(carrierAt), true);
  ask({ oc: '0', 'oc-seq': '4.9' });
  assert.equal(overload.withholds(carrierAt), true, 'overtaken');
  state.now += 1000;
  assert.equal(overload.withholds(carrierAt), false, 'over');
  ask({ oc: '100', 'oc-seq': '9.0', 'oc-validity': '5000' }, '203.0.113.99');
  assert.equal(overload.withholds('203.0.113.99'), false, 'no trunk');
  for (const oc of ['-1', 'x', '1e9', '99999999999999999999', ''])
    ask({ oc, 'oc-seq': '99.0', 'oc-validity': '5000' });
  ask({ oc: '100', 'oc-seq': '98.0', 'oc-algo': '"secret"' });
  ask({ oc: '100' });
  assert.equal(overload.withholds(carrierAt), false);
  ask({ oc: '100', 'oc-seq': '100.0', 'oc-validity': '0' });
  assert.equal(overload.withholds(carrierAt), false, 'validity 0 ends it');
});
