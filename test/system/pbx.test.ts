import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Agent, type Incoming } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { type Fields, fieldsOf, usualFields } from './harness/compose.ts';
import { freePort } from './harness/place.ts';
import { until } from './harness/waiting.ts';

const inside = '127.0.0.9';
const challenge = 'Digest realm="pbx", nonce="a1b2c3", algorithm=SHA-256, qop="auth"';
const summary = 'Messages-Waiting: yes\r\nMessage-Account: sip:101@127.0.0.9\r\nVoice-Message: 3/1 (0/0)\r\n';

let bed: Bed;
let pbx: Agent;
/** The SUBSCRIBE that the PBX has accepted. */
let subscribed: Incoming | undefined;

/** A PBX as small as can be: it wants to see credentials and then says yes. */
function serve(incoming: Incoming): void {
  const { message } = incoming;
  if (message.method === 'OPTIONS') return incoming.respond(200, 'OK');
  if (!message.headers.has('Authorization'))
    return incoming.respond(401, 'Unauthorized', [['WWW-Authenticate', challenge]]);
  if (message.method === 'REGISTER')
    return incoming.respond(200, 'OK', [
      ['Contact', `${message.headers.get('Contact')?.split(';')[0]};expires=900`],
    ]);
  if (message.method === 'SUBSCRIBE') {
    subscribed = incoming;
    return incoming.respond(200, 'OK', [
      ['Contact', pbx.contact],
      ['Expires', '600'],
    ]);
  }
  incoming.respond(200, 'OK');
}

const contactAtPbx = (): string =>
  fieldsOf(pbx.requests.findLast(({ message }) => message.method === 'REGISTER')?.text ?? '', 'Contact')[0] ??
  '';
const uriAtPbx = (): string => contactAtPbx().slice(1, contactAtPbx().indexOf('>'));

before(async () => {
  const port = await freePort('udp');
  pbx = await Agent.open({ name: 'pbx', transport: 'udp', from: inside, to: { address: '127.0.0.1', port } });
  pbx.onOther = serve;
  bed = await Bed.open(
    {
      pbx: [
        {
          nodes: [{ name: 'one', target: `sip:${inside}:${pbx.local.port};transport=udp` }],
          encryption: 'none',
          phones: 'required',
        },
      ],
    },
    {
      listeners: [
        { name: 'inside', transport: 'udp', port, encryption: 'none' },
        { name: 'tls', transport: 'tls', encryption: 'required' },
      ],
    },
  );
});

after(async () => {
  pbx?.close();
  await bed?.close();
});

test('in the daemon: a phone registers at the PBX, and a refresh is answered without it', async () => {
  const phone = await bed.registered('101', 'tls');
  assert.match(contactAtPbx(), /^<sip:[\w-]{20}@127\.0\.0\.1:\d+>/);
  const asked = pbx.requests.length;
  const { status, message } = await phone.register();
  assert.equal(status, 200);
  assert.match(message.headers.get('Contact') ?? '', /expires=60/);
  assert.equal(
    pbx.requests.slice(asked).filter(({ message: { method } }) => method === 'REGISTER').length,
    0,
  );
});

test('in the daemon: who has not registered gets nothing through', async () => {
  const stranger = await bed.phone('102', 'tls');
  const asked = pbx.requests.length;
  for (const method of ['MESSAGE', 'SUBSCRIBE', 'INVITE'])
    assert.equal(
      (await stranger.send(method, { uri: 'sip:101@voice.example.com' }).final).status,
      403,
      method,
    );
  assert.deepEqual(
    pbx.requests.slice(asked).filter(({ message }) => message.method !== 'OPTIONS'),
    [],
  );
});

test('in the daemon: an event is relayed, its body written anew (RFC 6665, RFC 3842)', async () => {
  const phone = await bed.registered('101', 'tls');
  phone.onOther = (incoming) => incoming.respond(200, 'OK');
  const { answer } = await phone.authenticated('SUBSCRIBE', {
    uri: `sip:101@${phone.domain}`,
    more: [...usualFields, ['Contact', phone.contact], ['Event', 'message-summary'], ['Expires', '600']],
  });
  assert.equal(answer.status, 200, answer.text);
  const accepted = await until('the SUBSCRIBE', () => subscribed);
  const notify = (uri: string, more: Fields, dialog: object) =>
    pbx.send('NOTIFY', {
      uri,
      more: [
        ['Contact', pbx.contact],
        ['Event', 'message-summary'],
        ['Content-Type', 'application/simple-message-summary'],
        ...more,
      ],
      body: summary,
      ...dialog,
    }).final;
  const contact = fieldsOf(accepted.text, 'Contact')[0] ?? '';
  const within = await notify(
    contact.slice(1, contact.indexOf('>')),
    [['Subscription-State', 'active;expires=599']],
    {
      from: `${fieldsOf(accepted.text, 'To')[0]};tag=${accepted.tag}`,
      to: fieldsOf(accepted.text, 'From')[0],
      callId: accepted.message.callId,
    },
  );
  assert.equal(within.status, 200, within.text);
  const unasked = await notify(uriAtPbx(), [], { to: `<${uriAtPbx()}>` });
  assert.equal(unasked.status, 200, unasked.text);
  const told = phone.requests.filter(({ message }) => message.method === 'NOTIFY');
  assert.equal(told.length, 2);
  for (const { text } of told) {
    assert.match(text, /Message-Account: sip:101@[a-z.]+\r\nVoice-Message: 3\/1/);
    assert.doesNotMatch(text, /127\.0\.0\.9/);
  }
});

test('in the daemon: killed and started again, it brings a call of the PBX to the phone by the same Contact', async () => {
  await bed.registered('101', 'tls');
  const shown = uriAtPbx();
  await bed.edge.kill();
  await bed.restart();
  const phone = await bed.registered('101', 'tls');
  assert.equal(uriAtPbx(), shown);
  const pair = await bed.connect(
    pbx,
    phone,
    '101',
    { to: 'AES_CM_128_HMAC_SHA1_80', place: inside },
    { uri: shown },
  );
  assert.doesNotMatch(pair.incoming.text, /127\.0\.0\.9/);
  await pair.caller.hangUp();
  const [record] = await bed.records(1);
  assert.equal(record?.route, 'phone:101');
  assert.equal(record?.callee, '101');
});
