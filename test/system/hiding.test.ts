import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Agent, Incoming } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { bodyOf, compose, fieldNamesOf, fieldsOf, token, usualFields } from './harness/compose.ts';
import { until } from './harness/waiting.ts';

/** The inside and the outside have addresses of their own, so that neither may be seen on the other side. */
const insideAddress = '127.0.0.21';
const trunkAddress = '127.0.0.77';
let bed: Bed;
let trunk: Agent;
let alice: Agent;

before(async () => {
  bed = await Bed.open(
    {
      users: [
        { name: 'alice', number: '+15550001111' },
        { name: 'bob' },
        { name: 'carol', encryption: 'required' },
      ],
    },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tcp', transport: 'tcp', encryption: 'preferred' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
      ],
      more: { calls: '{ maximum: 3 }' },
    },
  );
  trunk = await bed.phone('carrier', 'udp', { from: trunkAddress });
  await bed.apply({
    trunks: [
      {
        name: 'carrier',
        target: `sip:${trunkAddress}:${trunk.local.port}`,
        addresses: [`${trunkAddress}/32`],
        encryption: 'none',
      },
    ],
    routes: [
      { name: 'no', match: '+1900*', to: { block: 'no' } },
      { name: 'out', match: '+*', to: { trunk: 'carrier' } },
    ],
  });
  alice = await bed.registered('alice', 'udp', { from: insideAddress });
});
after(() => bed.close());

/** What nobody on the other side may read. */
function assertHidden(text: string, what: string, secrets: readonly string[]): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), `${what} shows ${secret}:\n${text}`);
}

const allowedInRequest = new Set([
  'via',
  'max-forwards',
  'from',
  'to',
  'call-id',
  'cseq',
  'contact',
  'user-agent',
  'allow',
  'supported',
  'session-expires',
  'min-se',
  'accept',
  'content-type',
  'content-length',
  'subject',
  'priority',
  'alert-info',
  'accept-language',
  'organization',
  'call-info',
]);

test('topology hiding: nothing of the inside is seen at the trunk, in no message of a whole call', async () => {
  const inside = [
    insideAddress,
    'secret-host',
    'Acceptance telephone',
    'alice-laptop',
    'P-Asserted',
    'X-Internal',
    'Record-Route',
  ];
  const callId = `${token()}@secret-host.internal`;
  const call = await bed.connect(
    alice,
    trunk,
    '+442079460000',
    { place: insideAddress },
    {
      callId,
      more: [
        ['X-Internal-Account', 'alice-laptop'],
        ['P-Asserted-Identity', '<sip:ceo@secret-host.internal>'],
        ['P-Preferred-Identity', '<sip:ceo@secret-host.internal>'],
        ['Record-Route', '<sip:secret-host.internal;lr>'],
        ['Via', 'SIP/2.0/UDP secret-host.internal:5060;branch=z9hG4bKinside'],
        ['Remote-Party-ID', '<sip:ceo@secret-host.internal>'],
        ['Diversion', '<sip:ceo@secret-host.internal>'],
        ['Reason', 'secret-host'],
        ['Warning', '399 secret-host "x"'],
        ['Subject', 'lunch'],
      ],
    },
  );
  const reinvite = call.caller.reinvite(call.callerVoice.describe({ direction: 'sendonly' }));
  call.callee.onReinvite = (incoming) => {
    call.calleeVoice.take(incoming.sdp);
    incoming.respond(
      200,
      'OK',
      [['Contact', trunk.contact]],
      call.calleeVoice.describe({ direction: 'recvonly' }),
    );
  };
  assert.equal((await reinvite).status, 200);
  assert.equal((await call.caller.hangUp()).status, 200);
  await call.callee.over;
  const seen = trunk.heard;
  assert.ok(seen.length >= 5, `${seen.length} messages`);
  for (const text of seen) assertHidden(text, 'a message to the trunk', [...inside, callId, 'alice@']);
  const invite = call.incoming.text;
  assert.deepEqual(
    fieldNamesOf(invite).filter((name) => !allowedInRequest.has(name)),
    [],
  );
  assert.deepEqual(fieldsOf(invite, 'Subject'), ['lunch'], 'what is on the list passes');
  assert.equal(fieldsOf(invite, 'Via').length, 1);
  assert.match(bodyOf(invite), /^o=\S+ \d+ \d+ IN IP4 127\.0\.0\.1\r$/m);
});

test('topology hiding: nothing of the outside is seen at the phone, and none of its words is believed', async () => {
  const bob = await bed.registered('bob', 'tcp');
  const callId = `${token()}@carrier-core.example`;
  const outside = [
    trunkAddress,
    'carrier-core',
    'Acceptance telephone',
    'X-Carrier',
    'P-Asserted',
    'Diversion',
  ];
  const call = await bed.connect(
    trunk,
    bob,
    'bob',
    { place: trunkAddress },
    {
      callId,
      more: [
        ['X-Carrier-Node', 'carrier-core-7'],
        ['P-Asserted-Identity', '<sip:+123@carrier-core.example>'],
        ['Diversion', '<sip:+123@carrier-core.example>'],
        ['Server', 'carrier-core'],
      ],
    },
  );
  assert.equal((await call.callee.hangUp()).status, 200);
  await call.caller.over;
  for (const text of bob.heard) assertHidden(text, 'a message to the phone', [...outside, callId]);
  // And the answers that the trunk got show nothing of the phone.
  for (const text of trunk.heard.slice(-8))
    assertHidden(text, 'a message to the trunk', [bob.sentBy, `bob@${bob.local.address}`]);
  await bob.register(0);
});

test('RFC 3261 §16.6 and ours: hops go down by one, and nobody gives a call more than a new one has', async () => {
  const bob = await bed.registered('bob', 'udp');
  const hops: string[] = [];
  bob.onInvite = (incoming) => {
    hops.push(...fieldsOf(incoming.text, 'Max-Forwards'));
    incoming.respond(486, 'Busy Here');
  };
  for (const maxForwards of [70, 5, 255]) {
    const { answer } = await alice.call('bob', (await bed.voice('RTP', insideAddress)).describe(), {
      maxForwards,
    });
    assert.equal(answer.status, 486);
  }
  assert.deepEqual(hops, ['69', '4', '69']);
  const { answer } = await alice.call('bob', (await bed.voice()).describe(), { maxForwards: 0 });
  assert.equal(answer.status, 483);
});

test('From is who was proven, whatever the phone says it is (S5)', async () => {
  const bob = await bed.registered('bob', 'udp');
  const seen: Incoming[] = [];
  bob.onInvite = (incoming) => {
    seen.push(incoming);
    incoming.respond(486, 'Busy Here');
  };
  for (const from of [
    '"The Boss" <sip:ceo@system.test>',
    '<sip:bob@system.test>',
    '<sip:alice@other.test>',
    '<tel:+15559999999>',
    '"alice" <sip:911@system.test;user=phone>',
  ]) {
    const { answer } = await alice.call('bob', (await bed.voice('RTP', insideAddress)).describe(), { from });
    assert.equal(answer.status, 486, from);
  }
  assert.equal(seen.length, 5);
  for (const { text } of seen)
    assert.match(fieldsOf(text, 'From')[0] ?? '', /^<sip:alice@system\.test>;tag=/);
});

test('S1: no header reaches the other side by an odd spelling of its name or an odd line', async () => {
  const bob = await bed.registered('bob', 'tcp');
  const lines = [
    'X-Bypass-me : lol',
    'X-Bypass-me\t: lol',
    'X-Bypass-me: lol\r\n lol2',
    'P-Asserted-Identity : <sip:ceo@system.test>',
    'p-asserted-identity: <sip:ceo@system.test>',
    'Contact\x01: <sip:lol@evil.test>',
    'Subject: ok\rX-Bypass-me: lol',
    'Subject: ok\nX-Bypass-me: lol',
    'Subject: ok\0X-Bypass-me: lol',
    'Subject: ok\r\nX-Bypass-me: lol',
    'X-Bypass-me\0: lol',
    'X-Bypass-me\xa0: lol',
    ': lol',
    'lol',
    's: ok\r\nx-bypass-me: lol',
    'Subject\x0b: lol',
  ];
  let delivered = 0;
  for (const line of lines) {
    const callId = token();
    const voice = await bed.voice('RTP', insideAddress);
    bob.requests.length = 0;
    bob.onInvite = (incoming) => incoming.respond(486, 'Busy Here');
    // Credentials first, by a request that is in order; then the same once more with the line in it.
    const options = (authorization?: string) => {
      const branch = `z9hG4bK${token()}`;
      const cseq = alice.nextCseq();
      const text = compose(
        'INVITE sip:bob@system.test SIP/2.0',
        [
          ['Via', `SIP/2.0/UDP ${alice.sentBy};branch=${branch};rport`],
          ['Max-Forwards', '70'],
          ['From', `<sip:alice@system.test>;tag=${token()}`],
          ['To', '<sip:bob@system.test>'],
          ['Call-ID', callId],
          ['CSeq', `${cseq} INVITE`],
          ['Contact', alice.contact],
          ['Content-Type', 'application/sdp'],
          ...usualFields,
          ...(authorization === undefined ? [] : [['Authorization', authorization] as const]),
        ],
        voice.describe(),
      );
      return { text, branch };
    };
    const first = options();
    const challenge = await alice.exchange(first.text, first.branch, 'INVITE').final;
    const second = options(alice.credentials(challenge, 'INVITE', 'sip:bob@system.test'));
    const smuggled = second.text.replace('Max-Forwards: 70\r\n', `Max-Forwards: 70\r\n${line}\r\n`);
    const answer = await alice
      .exchange(smuggled, second.branch, 'INVITE', 2_500)
      .final.catch(() => undefined);
    if (answer?.status === 486) delivered += 1;
    else
      assert.ok(answer === undefined || answer.status === 400, `${JSON.stringify(line)}: ${answer?.status}`);
    for (const { text } of bob.requests) {
      assertHidden(text.toLowerCase(), JSON.stringify(line), ['bypass', 'asserted', 'evil', 'lol']);
      assert.ok(!/[^\r]\n|\r[^\n]|\0/.test(text), `bare CR, LF or NUL after ${JSON.stringify(line)}`);
    }
  }
  assert.ok(delivered >= 3, `${delivered} calls went through without the line`);
});

test('nothing can be injected through a display name, a user part, a subject or SDP', async () => {
  const bob = await bed.registered('bob', 'tcp');
  const heard: string[] = [];
  bob.onInvite = (incoming) => {
    heard.push(incoming.text);
    incoming.respond(486, 'Busy Here');
  };
  const voice = await bed.voice('RTP', trunkAddress);
  for (const from of [
    '"a\\"\\\\" <sip:x@y.test>',
    '<sip:%0d%0aX-Evil%3a%201@y.test>',
    '<sip:a%22%3e%3bevil@y.test>',
    '"=?utf-8?q?X-Evil?=" <sip:x@y.test>',
  ])
    await trunk.call('bob', voice.describe(), { from, more: [['Subject', 'x%0d%0aX-Evil: 1 "']] });
  const sdp = `${voice.describe()}a=x\ra=evil\r\n`;
  await trunk.call('bob', sdp);
  assert.ok(heard.length >= 3);
  for (const text of heard) {
    assert.ok(!fieldNamesOf(text).includes('x-evil'), text);
    assert.ok(!/[^\r]\n|\r[^\n]/.test(text), text);
  }
});

test('emergency first: a registered phone gets through when its encryption, a block and the bound on calls say no', async () => {
  const carol = await bed.phone('carol', 'tls');
  assert.equal((await carol.register()).status, 200);
  const ordinary = await carol.call('+442079460000', (await bed.voice('RTP')).describe());
  assert.equal(ordinary.answer.status, 488, 'her device demands SRTP');
  // Three calls are all that calls.maximum allows.
  const bob = await bed.registered('bob', 'udp');
  const busy = [];
  for (let i = 0; i < 3; i += 1) busy.push(await bed.connect(alice, bob, 'bob', { place: insideAddress }));
  const full = await alice.call('bob', (await bed.voice('RTP', insideAddress)).describe());
  assert.equal(full.answer.status, 503);
  const began = carol.heard.length;
  const call = await bed.connect(carol, trunk, '911');
  assert.ok(
    carol.heard.slice(began).every((text) => !text.startsWith('SIP/2.0 401')),
    'no challenge before it',
  );
  assert.match(call.incoming.text, /^INVITE sip:911@/);
  assert.equal((await call.caller.hangUp()).status, 200);
  const event = await bed.edge.event('call.started', ({ callee }) => callee === '911');
  assert.match(JSON.stringify(event.decision), /emergency\.first/);
  assert.equal(event.route, 'emergency:carrier');
  for (const { caller } of busy) await caller.hangUp();
});

test('emergency first: also while the edge drains', async () => {
  const bob = await bed.registered('bob', 'udp');
  const last = await bed.connect(alice, bob, 'bob', { place: insideAddress });
  bed.edge.signal('SIGTERM');
  await bed.edge.event('edge.draining');
  const refused = await alice.call('bob', (await bed.voice('RTP', insideAddress)).describe());
  assert.equal(refused.answer.status, 503);
  const call = await bed.connect(alice, trunk, '112', { place: insideAddress });
  assert.equal((await call.caller.hangUp()).status, 200);
  assert.equal((await last.caller.hangUp()).status, 200);
  await until('the edge ends', () => !bed.edge.alive);
});
