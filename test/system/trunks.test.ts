import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createServer } from 'node:tls';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { until } from './harness/waiting.ts';

const firstAddress = '127.0.0.81';
const secondAddress = '127.0.0.82';
let bed: Bed;
let first: Agent;
let second: Agent;

before(async () => {
  bed = await Bed.open({ users: [{ name: 'alice', number: '+15550001111' }] });
  first = await bed.phone('first', 'udp', { from: firstAddress });
  second = await bed.phone('second', 'udp', { from: secondAddress });
  await bed.apply({
    trunks: [
      {
        name: 'carrier',
        targets: [
          { target: `sip:${firstAddress}:${first.local.port}`, priority: 1 },
          { target: `sip:${secondAddress}:${second.local.port}`, priority: 2 },
        ],
        addresses: [firstAddress, secondAddress],
        encryption: 'none',
        health: { intervalSeconds: 2, failures: 2, recoveries: 1 },
      },
    ],
    routes: [{ match: 'default', to: { trunk: 'carrier' } }],
  });
});
after(() => bed.close());

interface State {
  readonly running: boolean;
  readonly targets: readonly { readonly target: string; readonly state: string }[];
}

const state = async (): Promise<State> => {
  const out = await ringfenceDoes(bed.home.path, ['trunk', 'state', '--json']);
  return JSON.parse(out) as State;
};

test('503 of the first target leads to the second; both are legs of the record', async () => {
  const voice = await bed.voice();
  first.onInvite = (incoming) => incoming.respond(503, 'Service Unavailable');
  second.onInvite = (incoming) => incoming.accept(voice.describe());
  const alice = await bed.registered('alice', 'udp');
  const { leg, answer } = await alice.call('+15559990000', voice.describe());
  assert.equal(answer.status, 200);
  await leg?.hangUp();
});

test('OPTIONS that stay without an answer lead into quarantine, seen in events and by `ringfence trunk state`', async () => {
  const port = first.local.port;
  first.close();
  const [event] = await until('quarantine', () => {
    const found = bed.edge.ofType('target.quarantined');
    return found.length > 0 && found;
  });
  assert.equal(event?.owner, `trunk:carrier@system.test`);
  assert.equal(event?.target, `udp:${firstAddress}:${port}`);
  const seen = await until('state file', async () => {
    const now = await state();
    return now.targets.length === 2 && now;
  });
  assert.equal(seen.running, true);
  assert.deepEqual(
    seen.targets.map((one) => one.state),
    ['quarantined', 'up'],
  );
});

interface TraceLine {
  readonly live: boolean;
  readonly destination: string;
  readonly decision: { readonly verdict: string; readonly reasons: readonly { readonly rule: string }[] };
  readonly trunks: readonly {
    readonly called: string;
    readonly health?: readonly { readonly address: string; readonly state: string }[];
  }[];
}

test('`ringfence route trace` shows the decision and the health that the running edge knows, and places no call', async () => {
  const before = second.requests.length;
  const args = ['route', 'trace', '+15559990000', '--from', 'alice', '--json'];
  const trace = JSON.parse(await ringfenceDoes(bed.home.path, args)) as TraceLine;
  assert.equal(trace.live, true);
  assert.equal(trace.destination, 'trunk:carrier');
  assert.deepEqual([trace.decision.verdict, trace.decision.reasons[0]?.rule], ['accept', 'route.allowed']);
  assert.equal(trace.trunks[0]?.called, '+15559990000');
  assert.deepEqual(
    trace.trunks[0]?.health?.map(({ state: how }) => how),
    ['quarantined', 'up'],
  );
  assert.equal(second.requests.slice(before).filter(({ message }) => message.method === 'INVITE').length, 0);
});

test('numbers and header fields go out as the rules of the applied file say', async () => {
  const reloads = bed.edge.ofType('config.reloaded').length;
  await bed.apply({
    trunks: [
      {
        name: 'fussy',
        target: `sip:${secondAddress}:${second.local.port}`,
        encryption: 'none',
        rewrite: {
          outbound: {
            called: [{ match: '+1(*)', replace: '0{1}' }],
            caller: [{ match: '+*', strip: 1 }],
            headers: [{ add: 'X-Customer', value: 'caller={caller}' }],
          },
        },
      },
    ],
    routes: [
      {
        match: '+1777*',
        rewrite: { called: [{ match: '+1777*', prefix: '+1', strip: 5 }] },
        to: { trunk: 'fussy' },
      },
    ],
  });
  await until('the route', async () => {
    const args = ['route', 'trace', '+17775550000', '--from', 'alice', '--json'];
    return (JSON.parse(await ringfenceDoes(bed.home.path, args)) as TraceLine).destination === 'trunk:fussy';
  });
  await until('the edge knows it', () => bed.edge.ofType('config.reloaded').length > reloads);
  const texts: string[] = [];
  second.onInvite = (incoming) => {
    texts.push(incoming.text);
    incoming.respond(486, 'Busy Here');
  };
  const alice = await bed.registered('alice', 'udp');
  const { answer } = await alice.call('+17775550000', (await bed.voice()).describe());
  assert.equal(answer.status, 486);
  assert.match(texts[0] ?? '', /^INVITE sip:05550000@/);
  assert.match(texts[0] ?? '', /\r\nFrom: [^\r]*sip:15550001111@/);
  assert.match(texts[0] ?? '', /\r\nX-Customer: caller=15550001111\r\n/);
});

test('a trunk over TLS that demands a client certificate is shown that of the edge (RFC 5922 §7)', async () => {
  const read = (name: string): string => readFileSync(join(bed.home.path, 'tls', name), 'utf8');
  const seen: { authorized: boolean; names: string; text: string }[] = [];
  const server = createServer(
    {
      key: read('server.key'),
      cert: read('server.crt'),
      ca: bed.authority,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (bytes: Buffer) =>
        seen.push({
          authorized: socket.authorized,
          names: socket.getPeerCertificate().subjectaltname ?? '',
          text: bytes.toString(),
        }),
      );
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  try {
    await bed.apply({
      trunks: [
        {
          name: 'strict',
          target: `sip:127.0.0.1:${port};transport=tls`,
          certificateNames: ['strict.example.com'],
          encryption: 'required',
          health: { intervalSeconds: 2 },
        },
      ],
    });
    await until('OPTIONS over TLS', () => seen.length > 0);
    assert.equal(seen[0]?.authorized, true);
    assert.match(seen[0]?.names ?? '', /127\.0\.0\.1/);
    assert.match(seen[0]?.text ?? '', /^OPTIONS sip:127\.0\.0\.1/);
  } finally {
    server.close();
  }
});

test('the edge registers at a provider, is called by that contact, and takes it back when it stops (RFC 3261 §10.2)', async () => {
  const provider = await bed.phone('provider', 'udp', { from: '127.0.0.83' });
  let contact = '';
  let challenged = 0;
  const expiries: string[] = [];
  provider.onOther = (incoming) => {
    const { headers } = incoming.message;
    if (headers.get('Authorization') === undefined) {
      challenged += 1;
      const challenge = 'Digest realm="provider.test", nonce="abc", algorithm=SHA-256, qop="auth"';
      return incoming.respond(401, 'Unauthorized', [['WWW-Authenticate', challenge]]);
    }
    const value = headers.get('Contact') ?? '';
    contact = /<([^>]+)>/.exec(value)?.[1] ?? '';
    expiries.push(headers.get('Expires') ?? '');
    incoming.respond(200, 'OK', [['Contact', value]]);
  };
  await bed.apply({
    trunks: [
      {
        name: 'provider',
        target: `sip:127.0.0.83:${provider.local.port}`,
        outboundAuthentication: { username: 'us', password: 'given-by-the-provider' },
        registration: { domain: 'provider.test' },
        encryption: 'none',
      },
    ],
  });
  await until('registration', () => bed.edge.ofType('trunk.registered').length === 1);
  assert.equal(challenged, 1);
  assert.match(contact, /^sip:[A-Za-z0-9_-]{24}@/);
  const alice = await bed.registered('alice', 'udp');
  const voice = await bed.voice();
  // She has no SRTP, and is asked again without.
  alice.onInvite = (incoming) => {
    if (incoming.sdp.includes('RTP/SAVP')) incoming.respond(488, 'Not Acceptable Here');
    else incoming.accept(voice.describe());
  };
  const called: readonly (readonly [string, string])[] = [
    ['P-Called-Party-ID', '<sip:+15550001111@provider.test>'],
  ];
  const { answer, leg } = await provider.call('x', voice.describe(), { uri: contact, more: [...called] });
  assert.equal(answer.status, 200);
  await leg?.hangUp();
  const thief = await bed.phone('thief', 'udp', { from: '127.0.0.84' });
  const stolen = await thief.call('x', voice.describe(), { uri: contact, more: [...called] });
  assert.equal(stolen.answer.status, 401);
  assert.equal((await bed.edge.stop()).code, 0);
  assert.deepEqual(expiries, ['3600', '0']);
});

test('`ringfence route trace` works beside a stopped edge, and says what it cannot know; 1 where a call is refused', async () => {
  const home = bed.home.path;
  const text = await ringfenceDoes(home, ['route', 'trace', '+15559990000']);
  assert.match(text, /^1\. Caller: device:alice/);
  assert.match(text, /No edge runs from this data folder/);
  const nowhere = await ringfence(home, ['route', 'trace', '+15559990000', '--from', 'trunk:carrier']);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.out, /refuse 404 Not Found, cause no-route/);
  const nobody = await ringfence(home, ['route', 'trace', '1', '--from', 'nobody']);
  assert.notEqual(nobody.code, 0);
  assert.match(nobody.complaint, /no user or trunk `nobody`/);
});
