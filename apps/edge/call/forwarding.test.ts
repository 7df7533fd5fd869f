import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers, registered } from '../testing/cast.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { type TransferCast, transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

const contact = (target: string, more = ''): readonly [string, string] => [
  'Contact',
  `<sip:${target}@${domain}>${more}`,
];

async function over(world: World): Promise<void> {
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

const statuses = (phone: Phone): number[] =>
  phone.heard.flatMap((message) =>
    message.kind === 'response' && message.cseq.method === 'INVITE' ? [message.status] : [],
  );

const told = (world: World): [string, string, string][] =>
  world.events.flatMap((event) =>
    event.type === 'call.forwarded'
      ? [[event.by, event.to, event.decision.reasons[0]!.rule] as [string, string, string]]
      : [],
  );

async function talking({ world, alice }: TransferCast, called: string, at: Phone): Promise<void> {
  const call = alice.call(called);
  await world.until(() => call.state === 'up' && at.calls.at(-1)?.confirmed === true);
  const endpoints = [...world.relay.endpoints.values()];
  assert.equal(endpoints.length, 2);
  assert.equal(endpoints[0]!.linked, endpoints[1]!.opened.id);
  call.hangUp();
  await world.until(() => at.calls.at(-1)!.hungUpByPeer);
  await over(world);
}

test('RFC 5359 §2.7: unconditional forwarding: 302 leads to the other user, the caller hears 181', async () => {
  const cast = await transferCast();
  const { world, alice, bob, carol } = cast;
  bob.onInvite = (call) => call.reject(302, [contact('carol')]);
  carol.onInvite = (call) => {
    call.ring();
    call.answer();
  };
  await talking(cast, 'bob', carol);
  assert.deepEqual(
    statuses(alice).filter((status) => status !== 100 && status !== 401),
    [181, 180, 200],
  );
  const invite = carol.calls[0]!.request!;
  assert.equal(invite.from.uri.scheme === 'sip' && invite.from.uri.user, 'alice');
  assert.deepEqual(told(world), [[`device:bob@${domain}/bob`, 'carol', 'forward.followed']]);
  const [record] = world.finished;
  assert.equal(record!.disposition, 'answered');
  assert.equal(record!.callee, 'bob');
  assert.match(record!.decision, /forward\.followed/);
  assert.deepEqual(
    record!.legs.map(({ principal, status }) => [principal.split('@')[0], status]),
    [
      ['device:alice', 200],
      ['device:carol', 200],
    ],
  );
});

test('RFC 5359 §2.8: forwarding where the phone is busy, to a number outside: by the rights of who forwards', async () => {
  const cast = await transferCast();
  const { bob, carrier } = cast;
  bob.onInvite = (call) => call.reject(302, [contact('+4989555')]);
  carrier.onInvite = (call) => call.answer();
  await talking(cast, 'bob', carrier);
  assert.equal(cast.world.finished[0]!.route, 'trunk:carrier');
});

test('RFC 5359 §2.9: forwarding after it has rung, by the person who was called', async () => {
  const cast = await transferCast();
  const { world, bob, carol } = cast;
  bob.onInvite = (call) => {
    call.ring();
    world.time.after(5000, () => call.reject(302, [contact('carol')]));
  };
  carol.onInvite = (call) => call.answer();
  await talking(cast, 'bob', carol);
});

test('a trusted trunk hears who has forwarded and why, and that a trunk that redirects leads nowhere', async () => {
  const world = new World({
    objects: {
      users: [user('bob', { number: '+4930123402' })],
      trunks: [
        trunk('inside', { addresses: ['192.0.2.20'], target: 'sip:192.0.2.20:5060', trusted: true }),
        trunk('outside', { addresses: ['192.0.2.21'], target: 'sip:192.0.2.21:5060' }),
      ],
      routes: [route('+4989*', { trunk: 'inside' }), route('+4940*', { trunk: 'outside' })],
    },
  });
  const bob = await registered(world, {
    name: 'bob',
    transport: 'tls',
    address: '203.0.113.2',
    port: 40_002,
  });
  const inside = new Phone(world, { name: 'in', address: '192.0.2.20' }).listen();
  const outside = new Phone(world, { name: 'out', address: '192.0.2.21' }).listen();
  bob.onInvite = (call) => call.reject(302, [contact('+4989555')]);
  inside.onInvite = (call) => call.reject(486);
  const call = outside.call('+4930123402');
  await world.until(() => call.state === 'over');
  const { headers } = inside.calls[0]!.request!;
  assert.match(headers.get('Diversion') ?? '', /^<sip:\+4930123402@[^>]+>;reason=unconditional;counter=1$/);
  assert.equal(call.status, 486);
  const out = bob.call('+4940111');
  outside.onInvite = (one) => one.reject(302, [contact('+4989555')]);
  await world.until(() => out.state === 'over');
  assert.equal(out.status, 480);
  assert.equal(inside.calls.length, 1);
  await over(world);
});

test('several contacts are tried best first, one after another', async () => {
  const cast = await transferCast();
  const { world, alice, bob, carol, carrier } = cast;
  bob.onInvite = (call) => call.reject(300, [contact('+4989555', ';q=0.2'), contact('carol', ';q=0.9')]);
  carol.onInvite = (call) => call.reject(486);
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  assert.equal(carol.calls.length, 1);
  call.hangUp();
  await over(world);
  assert.equal(world.finished[0]!.legs.at(-1)!.principal, `trunk:carrier@${domain}`);
});

test('a phone that forwards speaks for its user: the others stop ringing, with the reason', async () => {
  const cast = await transferCast();
  const { world, bob, carol } = cast;
  const other = await registered(world, { ...bob.options, address: '203.0.113.9', port: 40_009 });
  other.onInvite = (call) => call.ring();
  bob.onInvite = (call) => {
    call.ring();
    world.time.after(2000, () => call.reject(302, [contact('carol')]));
  };
  carol.onInvite = (call) => call.answer();
  await talking(cast, 'bob', carol);
  const cancel = other.heard.find((one) => one.kind === 'request' && one.method === 'CANCEL');
  assert.match(cancel!.headers.get('Reason') ?? '', /^SIP;cause=302/);
});

test('nobody reaches by forwarding what a call of its own would not: blocked numbers, other tenants, nothing at all', async () => {
  for (const [to, rule] of [
    ['+1900555', 'route.blocked'],
    ['nobody', 'route.none'],
  ] as const) {
    const { world, alice, bob } = await transferCast();
    bob.onInvite = (call) => call.reject(302, [contact(to)]);
    const call = alice.call('bob');
    await world.until(() => call.state === 'over');
    assert.equal(call.status, 480);
    assert.equal(told(world).length, 1);
    assert.equal(told(world)[0]![2], rule);
    await over(world);
  }
});

test('a circle of forwardings ends, and so does a chain that is too long (482 in the event)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  bob.onInvite = (call) => call.reject(302, [contact('carol'), contact('bob')]);
  carol.onInvite = (call) => call.reject(302, [contact('bob'), contact('+4930123402')]);
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 480);
  assert.deepEqual(
    told(world).map(([, to, rule]) => [to, rule]),
    [
      ['carol', 'forward.followed'],
      ['bob', 'forward.loop'],
      ['bob', 'forward.loop'],
      ['+4930123402', 'forward.loop'],
    ],
  );
  await over(world);
});

test('calls.forwarding: refuse, and redirections that say nothing usable', async () => {
  for (const [headers, forwarding, rules] of [
    [[contact('carol')], 'refuse', ['forward.refused']],
    [[], 'edge', []],
    [[['Contact', '<sip:'] as const], 'edge', []],
  ] as const) {
    const { world, alice, bob, carol } = await transferCast({
      config: (defaults) => ({ ...defaults, calls: { ...defaults.calls, forwarding } }),
    });
    bob.onInvite = (call) => call.reject(302, headers);
    const call = alice.call('bob');
    await world.until(() => call.state === 'over');
    assert.equal(call.status, 480);
    assert.equal(carol.calls.length, 0);
    assert.deepEqual(
      told(world).map(([, , rule]) => rule),
      rules,
    );
    await over(world);
  }
});

test('the caller hangs up while the call is on its way elsewhere', async () => {
  for (const after of [0, 1, 5, 50]) {
    const { world, alice, bob, carol, carrier } = await transferCast();
    carol.onInvite = (call) => call.ring();
    carrier.onInvite = (call) => call.ring();
    const call = alice.call('bob');
    bob.onInvite = (one) => {
      one.reject(302, [contact('carol'), contact('+4989555')]);
      world.time.after(after, () => call.cancel());
    };
    await world.until(() => call.state === 'over');
    assert.equal(call.status, 487);
    await over(world);
  }
});
