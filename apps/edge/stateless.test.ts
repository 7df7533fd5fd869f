import assert from 'node:assert/strict';
import { test } from 'node:test';
import { user } from './testing/objects.ts';
import { Phone } from './testing/phone.ts';
import { World } from './testing/world.ts';

const simple = (): World => new World({ objects: { users: [user('alice'), user('bob')] } });

interface Fields {
  readonly method?: string;
  readonly toTag?: string;
  readonly extra?: readonly string[];
  readonly branch?: string;
  readonly callId?: string;
}

/** As few octets as a request can have. */
const bare = ({
  method = 'REGISTER',
  toTag,
  extra = [],
  branch = 'b',
  callId = 'c@x',
}: Fields = {}): string =>
  [
    `${method} sip:example.test SIP/2.0`,
    `Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK${branch}`,
    'From: <sip:alice@example.test>;tag=f',
    `To: <sip:alice@example.test>${toTag === undefined ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    ...extra,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');

const stranger = (world: World, transport: 'udp' | 'tcp' = 'udp'): Phone =>
  new Phone(world, { name: 'alice', address: '203.0.113.9', transport });

const noState = (world: World): void => {
  const { server, client } = world.edge.layer.size;
  assert.deepEqual(
    { server, client, calls: world.edge.calls.size, legs: world.edge.legs },
    {
      server: 0,
      client: 0,
      calls: 0,
      legs: 0,
    },
  );
};

test('before authentication no answer over UDP is longer than its request', async () => {
  const methods = ['REGISTER', 'INVITE', 'OPTIONS', 'MESSAGE', 'BYE', 'CANCEL', 'PUBLISH', 'FOO', 'NOTIFY'];
  for (const method of methods)
    for (const toTag of [undefined, 'x', 'longer-than-usual-tag'])
      for (let padding = 0; padding < 320; padding += 7) {
        const world = simple();
        const text = bare({
          method,
          ...(toTag === undefined ? {} : { toTag }),
          extra: [`X: ${'y'.repeat(padding)}`],
        });
        stranger(world).raw(text);
        await world.run(5);
        for (const sent of world.sentTo('203.0.113.9'))
          assert.ok(sent.length <= text.length, `${method} ${text.length} < ${sent.length}`);
        noState(world);
      }
});

test('broken requests too get nothing longer than themselves over UDP', async () => {
  for (const line of ['Max-Forwards: x', 'Contact: <<>', 'Content-Length: 99', 'CSeq: 1 FOO', 'Via: x']) {
    const world = simple();
    const text = bare({ extra: [line] });
    stranger(world).raw(text);
    await world.run(5);
    for (const sent of world.sentTo('203.0.113.9')) assert.ok(sent.length <= text.length, line);
    noState(world);
  }
});

test('a REGISTER as small as phones send it is answered, in compact form if need be', async () => {
  const world = simple();
  const phone = stranger(world);
  phone.raw(
    bare({
      extra: [
        'Contact: <sip:alice@203.0.113.9:5060>',
        'Max-Forwards: 70',
        'Expires: 3600',
        'User-Agent: SIPp/Linux',
      ],
    }),
  );
  await world.run(5);
  const [sent] = world.sentTo('203.0.113.9');
  assert.match(sent!, /^SIP\/2\.0 401 /);
  assert.match(sent!, /algorithm=SHA-256/);
});

test('a flood of requests without, or with wrong credentials costs no state (S8)', async () => {
  const world = simple();
  const phone = stranger(world, 'tcp');
  const credentials =
    'Authorization: Digest username="alice", realm="example.test", nonce="x", uri="sip:example.test", response="00000000000000000000000000000000", algorithm=MD5, qop=auth, nc=00000001, cnonce="y"';
  for (let i = 0; i < 500; i += 1) {
    const fields = { branch: `b${i}`, callId: `c${i}` };
    phone.raw(bare(fields));
    phone.raw(bare({ ...fields, extra: [credentials] }));
    phone.raw(bare({ ...fields, method: 'INVITE', extra: [credentials] }));
    phone.raw(bare({ ...fields, method: 'BYE', toTag: 'x' }));
  }
  await world.run(5);
  assert.equal(world.sentTo('203.0.113.9').length, 2000);
  noState(world);
  assert.equal(world.edge.registrar.size, 0);
});

test('the same request gets the same tag, so that a repetition is no new dialog (RFC 3261 §8.2.7)', async () => {
  const world = simple();
  const phone = stranger(world, 'tcp');
  phone.raw(bare());
  phone.raw(bare());
  await world.run(5);
  const tags = world.sentTo('203.0.113.9').map((text) => /^To:.*tag=(\w+)/m.exec(text)![1]);
  assert.equal(tags.length, 2);
  assert.equal(tags[0], tags[1]);
});

test('requests for dialogs that are not there get 481, stray ACK nothing at all (RFC 3261 §12.2.2)', async () => {
  const world = simple();
  const phone = stranger(world, 'tcp');
  for (const method of ['BYE', 'INVITE', 'INFO'])
    phone.raw(bare({ method, toTag: 'nowhere', branch: method }));
  phone.raw(bare({ method: 'CANCEL', branch: 'k' }));
  await world.run(5);
  const sent = world.sentTo('203.0.113.9');
  assert.equal(sent.filter((text) => text.startsWith('SIP/2.0 481')).length, 4);
  phone.raw(bare({ method: 'ACK' }));
  phone.raw(bare({ method: 'ACK', toTag: 'nowhere' }));
  await world.run(5);
  assert.equal(world.sentTo('203.0.113.9').length, 4);
  noState(world);
});

test('methods that nobody is challenged for are refused with 405 and Allow', async () => {
  const world = simple();
  stranger(world, 'tcp').raw(bare({ method: 'PWN' }));
  await world.run(5);
  assert.match(world.sentTo('203.0.113.9')[0]!, /^SIP\/2\.0 405 [\s\S]*\r\nAllow: INVITE, ACK/);
});

test('garbage is told of and answered with nothing', async () => {
  const world = simple();
  const phone = stranger(world);
  for (const text of ['', '\0\0\0', 'GET / HTTP/1.1\r\n\r\n', 'SIP/2.0 200 OK\r\n\r\n', 'x'.repeat(20_000)])
    phone.raw(text);
  await world.run(5);
  assert.equal(world.sentTo('203.0.113.9').length, 0);
  assert.equal(world.errors.length, 0);
  assert.ok(world.eventsOf('message.malformed').length >= 4);
});
