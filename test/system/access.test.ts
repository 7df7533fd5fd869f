import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Agent, Answer } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { requestText, token, usualFields } from './harness/compose.ts';
import { md5Authorization } from './harness/md5.ts';
import { until } from './harness/waiting.ts';
import { openStream } from './harness/wire.ts';

const trunkAddress = '127.0.0.77';
/** A tenant with phones that know nothing but MD5. */
const oldDomain = 'old.test';
let bed: Bed;
let trunk: Agent;

before(async () => {
  bed = await Bed.open(
    {
      users: [
        { name: 'alice', number: '+15550001111' },
        { name: 'bob' },
        { name: 'carol', encryption: 'required' },
        { name: 'dave', domain: oldDomain, allowMd5: true },
        { name: 'erin', domain: oldDomain },
      ],
      routes: [
        { name: 'premium', match: '+1900*', to: { block: 'premium numbers are not called from here' } },
      ],
    },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tcp', transport: 'tcp', encryption: 'preferred' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
        { name: 'strict', transport: 'tls', encryption: 'required' },
        { name: 'narrow', transport: 'tcp', encryption: 'preferred', methods: ['REGISTER', 'INVITE'] },
        { name: 'strict-udp', transport: 'udp', encryption: 'required' },
        { name: 'mutual', transport: 'tls', encryption: 'preferred', clientCertificate: 'required' },
      ],
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
      {
        name: 'pbx',
        target: 'sip:127.0.0.78:5060',
        certificateNames: ['pbx.example.com'],
        encryption: 'preferred',
      },
    ],
    routes: [{ name: 'out', match: 'default', to: { trunk: 'carrier' } }],
  });
});
after(() => bed.close());

/** Text of an answer without what has to differ between two exchanges. */
const shape = (answer: Answer): string =>
  answer.text
    .replace(/127\.0\.0\.1:\d+;branch=[^;\r]+/g, 'branch')
    .replace(/tag=[^;\r]+/g, 'tag')
    .replace(/rport=\d+/g, 'rport')
    .replace(/nonce="[^"]+"/g, 'nonce')
    .replace(/Call-ID: [^\r]+/g, 'Call-ID')
    .replace(/CSeq: \d+/g, 'CSeq');

test('what a listener or a trunk may not send gets 405 with Allow, and the reason is in the log (RFC 3261 §21.4.6)', async () => {
  const stranger = await bed.phone('nobodi', 'tcp', { listener: 'narrow' });
  const refused = await stranger.send('OPTIONS').final;
  assert.equal(refused.status, 405);
  assert.equal(refused.message.headers.get('Allow'), 'INVITE, ACK, CANCEL, BYE, PRACK, REGISTER');
  assert.equal((await (await bed.phone('alice', 'tcp', { listener: 'narrow' })).register()).status, 200);
  assert.equal((await trunk.send('OPTIONS').final).status, 200);
  const published = await trunk.send('PUBLISH', { more: usualFields }).final;
  assert.equal(published.status, 405);
  assert.doesNotMatch(published.message.headers.get('Allow') ?? '', /REGISTER|PUBLISH/);
  await until('both are in the log', async () => bed.edge.ofType('request.refused').length >= 2);
});

test('encryption required: a device that demands it registers over TLS alone (403 with Warning)', async () => {
  for (const transport of ['udp', 'tcp'] as const) {
    const answer = await (await bed.phone('carol', transport)).register();
    assert.equal(answer.status, 403, transport);
    assert.match(answer.message.headers.get('Warning') ?? '', /TLS/);
  }
  assert.equal((await (await bed.phone('carol', 'tls')).register()).status, 200);
});

test('encryption required: an INVITE over UDP is refused with 488 and says that TLS is missing', async () => {
  const voice = await bed.voice('AES_CM_128_HMAC_SHA1_80');
  for (const [name, listener] of [
    ['carol', 'udp'],
    ['alice', 'strict-udp'],
  ] as const) {
    const { answer } = await (await bed.phone(name, 'udp', { listener })).call('bob', voice.describe());
    assert.equal(answer.status, 488, name);
    assert.match(answer.message.headers.get('Warning') ?? '', /^399 \S+ ".*TLS.*"$/);
  }
});

test('encryption required: plain RTP over TLS is refused with 488 and says what to offer', async () => {
  const voice = await bed.voice('RTP');
  for (const [name, listener] of [
    ['carol', 'tls'],
    ['alice', 'strict'],
  ] as const) {
    const { answer } = await (await bed.phone(name, 'tls', { listener })).call('bob', voice.describe());
    assert.equal(answer.status, 488, name);
    assert.match(answer.message.headers.get('Warning') ?? '', /a=crypto/);
  }
});

test('encryption required: the called phone is never offered plain RTP, not even after it refused SRTP', async () => {
  const carol = await bed.registered('carol', 'tls');
  const offers: string[] = [];
  carol.onInvite = (incoming) => {
    offers.push(incoming.sdp);
    incoming.respond(488, 'Not Acceptable Here');
  };
  const alice = await bed.registered('alice', 'udp');
  const { answer } = await alice.call('carol', (await bed.voice()).describe());
  assert.ok(answer.status >= 400, String(answer.status));
  assert.ok(offers.length > 0);
  for (const offer of offers) assert.match(offer, /RTP\/SAVP /);
  await carol.register(0);
});

for (const method of ['REGISTER', 'INVITE', 'OPTIONS', 'MESSAGE'] as const)
  test(`RFC 3261 §22: ${method} by an unknown user, with a wrong password and without one get the same answer (S9)`, async () => {
    for (const transport of ['udp', 'tcp', 'tls'] as const) {
      const shapes: string[] = [];
      for (const name of ['alice', 'nobodi']) {
        const phone = await bed.phone(name, transport, { password: 'wrong-Horse-7-battery' });
        const options = {
          ...phone.registerOptions(),
          from: `<sip:somebody@system.test>;tag=${token()}`,
          to: '<sip:somebody@system.test>',
        };
        const unasked = await phone.send(method, options).final;
        const { cseq: _, ...again } = { ...options, cseq: 0 };
        const { answer } = await phone.authenticated(method, again);
        shapes.push(shape(unasked), shape(answer));
        assert.equal(answer.status, 401);
      }
      const normal = shapes.map((text) => text.replaceAll(/sip:(alice|nobodi)@/g, 'sip:x@'));
      assert.equal(normal[2], normal[0], `${transport}: challenge`);
      assert.equal(normal[3], normal[1], `${transport}: refusal`);
    }
  });

test('a wrong password leaves an authentication.failed event and no registration', async () => {
  const from = bed.edge.events.length;
  const eve = await bed.phone('alice', 'udp', { from: '127.0.0.66', password: 'wrong-Horse-7-battery' });
  assert.equal((await eve.register()).status, 401);
  const event = await bed.edge.event(
    'authentication.failed',
    ({ source }) => String(source).startsWith('127.0.0.66:'),
    from,
  );
  assert.equal(event.username, 'alice');
  assert.match(String(event.source), /^127\.0\.0\.66:/);
  assert.equal(bed.edge.ofType('registration.added', from).length, 0);
});

test('RFC 7616 §3.3: an Authorization that was used is refused when it comes again', async () => {
  for (const transport of ['udp', 'tcp', 'tls'] as const) {
    const phone = await bed.phone('alice', transport);
    const first = await phone.authenticated('REGISTER', phone.registerOptions());
    assert.equal(first.answer.status, 200);
    const replayed = await phone.send('REGISTER', {
      ...phone.registerOptions(),
      more: [...(phone.registerOptions().more ?? []), ['Authorization', first.authorization ?? '']],
    }).final;
    assert.equal(replayed.status, 401, transport);
  }
});

test('a nonce is good for the source that it was given to, and for no other', async () => {
  const own = await bed.phone('alice', 'udp');
  const other = await bed.phone('alice', 'udp', { from: '127.0.0.67' });
  const challenge = await own.send('REGISTER', own.registerOptions()).final;
  const authorization = own.credentials(challenge, 'REGISTER', 'sip:system.test');
  const more = [...usualFields, ['Contact', other.contact], ['Authorization', authorization]] as const;
  assert.equal((await other.send('REGISTER', { more }).final).status, 401);
  const ownMore = [...usualFields, ['Contact', own.contact], ['Authorization', authorization]] as const;
  assert.equal((await own.send('REGISTER', { more: ownMore }).final).status, 200);
});

test('credentials for one call pay for no other: the uri of the digest is the Request-URI (S7)', async () => {
  const alice = await bed.phone('alice', 'tcp');
  const voice = await bed.voice();
  const more = [...usualFields, ['Contact', alice.contact], ['Content-Type', 'application/sdp']] as const;
  const to = (uri: string) => ({ uri, to: `<${uri}>`, body: voice.describe() });
  const challenge = await alice.send('INVITE', { ...to('sip:bob@system.test'), more }).final;
  const authorization = alice.credentials(challenge, 'INVITE', 'sip:bob@system.test');
  const stolen = await alice.send('INVITE', {
    ...to('sip:+442079460000@system.test'),
    more: [...more, ['Authorization', authorization]],
  }).final;
  assert.equal(stolen.status, 401);
});

test('RFC 8760 §2.4: MD5 is taken from the device that is allowed to, and from no other', async () => {
  for (const [name, status] of [
    ['dave', 200],
    ['erin', 401],
  ] as const) {
    const phone = await bed.phone(name, 'udp', { domain: oldDomain });
    const uri = `sip:${oldDomain}`;
    const options = { ...phone.registerOptions(), uri };
    const challenge = await phone.send('REGISTER', options).final;
    const [offered = ''] = challenge.message.headers.all('WWW-Authenticate');
    const authorization = md5Authorization(offered, name, 'REGISTER', uri);
    const answer = await phone.send('REGISTER', {
      ...options,
      more: [...(options.more ?? []), ['Authorization', authorization] as const],
    }).final;
    assert.equal(answer.status, status, name);
  }
  const alice = await bed.phone('alice', 'udp');
  const { message } = await alice.send('REGISTER', alice.registerOptions()).final;
  for (const value of message.headers.all('WWW-Authenticate')) assert.doesNotMatch(value, /MD5/);
});

test('SUBSCRIBE, PUBLISH, REFER, NOTIFY and INFO go nowhere, proven sender or not, and no unproven MESSAGE (S5)', async () => {
  const alice = await bed.registered('alice', 'tcp');
  const bob = await bed.registered('bob', 'udp');
  const began = bob.requests.length;
  for (const method of ['MESSAGE', 'SUBSCRIBE', 'PUBLISH', 'REFER', 'NOTIFY', 'INFO']) {
    const uri = 'sip:bob@system.test';
    const unproven = await alice.send(method, { uri, to: `<${uri}>`, body: 'hello' }).final;
    assert.equal(unproven.status, 401, method);
    if (method === 'MESSAGE') continue; // Whoever is proven may send one.
    const { answer } = await alice.authenticated(method, { uri, to: `<${uri}>` });
    assert.equal(answer.status, 405, method);
  }
  assert.equal(bob.requests.length, began);
});

test('CVE-2021-1000004: a virtual patch refuses script in a header field with 403 and tells of it by its name', async () => {
  const from = bed.edge.events.length;
  const eve = await bed.phone('alice', 'tcp');
  const uri = 'sip:bob@system.test';
  const more = [...usualFields, ['Subject', '<script src=//evil.example></script>']] as const;
  const refused = await eve.send('INVITE', { uri, to: `<${uri}>`, more }).final;
  assert.equal(refused.status, 403);
  assert.equal(refused.message.headers.get('Reason'), 'Q.850;cause=21;text="policy"');
  const event = await bed.edge.event('patch.blocked', () => true, from);
  assert.equal(event.patch, 'RF-2021-03');
  assert.equal(event.domain, 'system.test');
  assert.equal((await eve.send('INVITE', { uri, to: `<${uri}>` }).final).status, 401);
});

test('client certificate required: without one, or with one of another authority, there is no connection', async () => {
  const to = bed.edge.at('mutual');
  const other = await Bed.open({});
  try {
    await ringfenceDoes(other.home.path, ['cert', 'client', 'pbx.example.com', '--out', other.home.path]);
    const read = (name: string): string => readFileSync(join(other.home.path, name), 'utf8');
    for (const [what, material] of [
      ['none', {}],
      ['foreign', { certificate: read('pbx.example.com.crt'), key: read('pbx.example.com.key') }],
    ] as const) {
      const wire = await openStream({ transport: 'tls', to, authority: bed.authority, ...material }).catch(
        () => undefined,
      );
      // TLS 1.3 tells of it only after the client believes itself connected.
      if (wire === undefined) continue;
      wire.send(
        requestText({
          method: 'OPTIONS',
          uri: 'sip:system.test',
          transport: 'TLS',
          sentBy: '127.0.0.1:5061',
          from: '<sip:pbx@system.test>;tag=1',
          to: '<sip:system.test>',
        }),
      );
      await until(`closed with certificate: ${what}`, () => wire.closed || wire.received.length > 0);
      assert.equal(wire.received.length, 0, what);
    }
  } finally {
    await other.close();
  }
});

test("a trunk is known by its client certificate's name, a phone's name on it is worth nothing", async () => {
  await ringfenceDoes(bed.home.path, ['cert', 'client', 'pbx.example.com', '--out', bed.home.path]);
  await ringfenceDoes(bed.home.path, ['cert', 'client', 'alice.example.com', '--out', bed.home.path]);
  const read = (name: string): string => readFileSync(join(bed.home.path, name), 'utf8');
  const bob = await bed.registered('bob', 'udp');
  bob.onInvite = (incoming) => incoming.respond(486, 'Busy Here');
  const voice = await bed.voice('AES_CM_128_HMAC_SHA1_80');
  for (const [name, status] of [
    ['pbx.example.com', 486],
    ['alice.example.com', 401],
  ] as const) {
    const pbx = await bed.phone('pbx', 'tls', {
      listener: 'mutual',
      certificate: read(`${name}.crt`),
      key: read(`${name}.key`),
    });
    const from = bed.edge.events.length;
    const { answer } = await pbx.call('bob', voice.describe());
    // Without a password the phone cannot answer a challenge.
    assert.equal(answer.status === 401 || answer.status === 486 ? answer.status : 0, status, name);
    if (status === 486) {
      const started = await bed.edge.event('call.started', () => true, from);
      assert.equal(started.principal, 'trunk:pbx@system.test');
    }
  }
});

test("a trunk's address proves it; the address beside it proves nothing", async () => {
  const bob = await bed.registered('bob', 'udp');
  bob.onInvite = (incoming) => incoming.respond(486, 'Busy Here');
  const voice = await bed.voice('RTP', trunkAddress);
  assert.equal((await trunk.call('bob', voice.describe())).answer.status, 486);
  for (const transport of ['udp', 'tcp'] as const) {
    const beside = await bed.phone('carrier', transport, { from: '127.0.0.78', password: 'x' });
    const exchange = beside.send('INVITE', {
      uri: 'sip:bob@system.test',
      from: `<sip:+442079460000@${trunkAddress}>;tag=${token()}`,
      to: '<sip:bob@system.test>',
      body: voice.describe(),
      more: [...usualFields, ['Contact', trunk.contact], ['Content-Type', 'application/sdp']],
    });
    assert.equal((await exchange.final).status, 401, transport);
  }
});

test('a trunk that demands encryption is not itself over UDP, whatever its address (S11)', async () => {
  await bed.apply({
    trunks: [
      { name: 'safe', target: 'sips:127.0.0.79', addresses: ['127.0.0.79/32'], encryption: 'required' },
    ],
  });
  const forged = await bed.phone('safe', 'udp', { from: '127.0.0.79', password: 'x' });
  const { answer } = await forged.call('bob', (await bed.voice()).describe());
  assert.equal(answer.status, 401);
});

test('what came in by a trunk does not go out by a trunk: routes for users are not for trunks', async () => {
  const began = trunk.requests.length;
  const { answer } = await trunk.call('+442079460000', (await bed.voice('RTP', trunkAddress)).describe());
  assert.equal(answer.status, 404);
  assert.equal(trunk.requests.length, began);
});

test('a blocked destination is refused with 403, and log and record say by which route', async () => {
  const alice = await bed.registered('alice', 'tls');
  const from = bed.edge.events.length;
  for (const dialled of ['+19005551234', '19005551234', '+1-900-555-1234', '9005551234']) {
    const { answer } = await alice.call(dialled, (await bed.voice('AES_CM_128_HMAC_SHA1_80')).describe());
    assert.equal(answer.status, 403, dialled);
  }
  const event = await bed.edge.event('request.refused', () => true, from);
  assert.equal(event.severity, 'notice');
  assert.match(JSON.stringify(event.decision), /route\.blocked.*premium/);
  const record = await until('the record', async () =>
    (await bed.records()).find(({ callee }) => callee.startsWith('+1900')),
  );
  assert.deepEqual(
    [record.disposition, record.status, record.cause, record.route],
    ['refused', 403, 'policy', 'block:premium'],
  );
});

test('nothing may be dialled without proof: all forms of an unproven INVITE get the challenge and ring nobody', async () => {
  const bob = await bed.registered('bob', 'udp');
  const began = bob.requests.length + trunk.requests.length;
  const eve = await bed.phone('eve', 'tcp', { from: '127.0.0.68' });
  const voice = await bed.voice();
  for (const uri of [
    'sip:bob@system.test',
    'sip:+442079460000@system.test',
    'tel:+442079460000',
    `sip:+442079460000@${trunkAddress}:${trunk.local.port}`,
    'sip:bob@127.0.0.1',
    'sips:bob@system.test',
    'sip:911@system.test',
    'urn:service:sos',
  ]) {
    const answer = await eve.send('INVITE', {
      uri,
      to: '<sip:bob@system.test>',
      body: voice.describe(),
      more: [...usualFields, ['Contact', eve.contact], ['Content-Type', 'application/sdp']],
    }).final;
    assert.equal(answer.status, 401, uri);
  }
  assert.equal(bob.requests.length + trunk.requests.length, began);
});
