/** Phones at new places: put into quarantine, confirmed by the administrator, and by their users on the account page. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { AccountPage } from './harness/account-page.ts';
import type { Agent } from './harness/agent.ts';
import { Bed, password } from './harness/bed.ts';
import { ringfence, ringfenceDoes } from './harness/command.ts';
import { until } from './harness/waiting.ts';

/** Two networks. */
const office = '127.0.0.61';
const hotel = '127.9.0.61';
const carrierAt = '127.0.0.62';

let bed: Bed;
let bob: Agent;
let carrier: Agent;
/** Mails that have come, without the breaks that quoted-printable makes (RFC 2045 §6.7). */
const mails: { readonly to: string; readonly text: string }[] = [];
const mailServer = new SMTPServer({
  authOptional: true,
  hideSTARTTLS: true,
  onData: (stream, { envelope }, done) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => {
      const text = Buffer.concat(chunks).toString('utf8').replaceAll('=\r\n', '').replaceAll('=3D', '=');
      mails.push({ to: envelope.rcptTo[0]?.address ?? '', text });
      done();
    });
  },
});
before(async () => {
  await new Promise<void>((done) => mailServer.listen(0, '127.0.0.1', () => done()));
  const { port } = mailServer.server.address() as AddressInfo;
  bed = await Bed.open(
    {
      users: [
        { name: 'alice' },
        { name: 'bob' },
        { name: 'desk' },
        { name: 'carol', email: 'carol@mail.test' },
      ],
      domains: [
        { name: 'system.test', accounts: { remote: 'quarantine', inside: [carrierAt], helpDesk: ['desk'] } },
      ],
    },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'wss', transport: 'wss', accountPage: true },
      ],
      more: {
        mail: `{ host: 127.0.0.1, port: ${port}, security: none, dangerousPlaintext: true, from: edge@mail.test }`,
      },
    },
  );
  carrier = await bed.phone('carrier', 'udp', { from: carrierAt });
  await bed.apply({
    trunks: [
      {
        name: 'carrier',
        target: `sip:${carrierAt}:${carrier.local.port}`,
        addresses: [carrierAt],
        encryption: 'none',
      },
    ],
    routes: [{ match: 'default', to: { trunk: 'carrier' } }],
  });
  bob = await bed.registered('bob', 'udp', { from: carrierAt });
});
after(async () => {
  await bed?.close();
  await new Promise<void>((done) => mailServer.close(done));
});

const callStatus = async (phone: Agent, dialled: string): Promise<number> => {
  const voice = await bed.voice();
  const { answer, leg } = await phone.call(dialled, voice.describe());
  await leg?.hangUp();
  return answer.status;
};

/** Emergency numbers and the help desk, and nobody else; and it is not rung. */
async function isInQuarantine(phone: Agent): Promise<void> {
  const desk = await bed.registered('desk', 'udp', { from: carrierAt });
  for (const called of [carrier, desk, bob]) {
    const voice = await bed.voice();
    called.onInvite = (incoming) => {
      // What it cannot is offered again, in the clear.
      if (voice.take(incoming.sdp) === undefined) incoming.accept(voice.describe());
      else incoming.respond(488, 'Not Acceptable Here');
    };
  }
  assert.equal(await callStatus(phone, '112'), 200);
  assert.equal(await callStatus(phone, 'desk'), 200);
  const { answer } = await phone.call('bob', (await bed.voice()).describe());
  assert.equal(answer.status, 403);
  assert.match(answer.text, /Warning: .*open https:\/\/system\.test:\d+\/account or call desk/);
  assert.equal(await callStatus(phone, '+15559990000'), 403);
}

/** RFC 6238 by hand, so that the edge is not measured by itself. */
function codeAt(key: string, time: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...key].map((sign) => alphabet.indexOf(sign).toString(2).padStart(5, '0')).join('');
  const octets = Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(time / 30_000)));
  const mac = createHmac('sha1', octets).update(counter).digest();
  const number = mac.readUInt32BE(mac[19]! & 15) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}

test('a phone in a new network is put into quarantine, and the administrator of the running edge confirms it', async () => {
  const alice = await bed.registered('alice', 'udp', { from: office });
  await bed.edge.event('account.quarantined', ({ user }) => user === 'alice');
  await isInQuarantine(alice);
  await ringfenceDoes(bed.home.path, ['user', 'confirm', 'alice']);
  await bed.edge.event('account.confirmed', ({ by }) => by === 'administrator');
  assert.equal(await callStatus(alice, 'bob'), 200);
});

test('its user confirms the next one on the account page, by a code of an authenticator set up where it is known', async () => {
  const { port } = bed.edge.at('wss');
  const atWork = new AccountPage(port, office);
  assert.equal((await atWork.ask('sign-in', { name: 'alice', password })).status, 200);
  const { body: begun } = await atWork.ask('totp-begin');
  const key = String(begun.key);
  const kept = await atWork.ask('totp-keep', { code: codeAt(key, Date.now()) });
  assert.equal(kept.status, 200, kept.text);

  const alice = await bed.registered('alice', 'udp', { from: hotel });
  await bed.edge.event('account.quarantined', ({ network }) => network === '127.9.0.0/24');
  await isInQuarantine(alice);

  const abroad = new AccountPage(port, hotel);
  assert.equal((await abroad.ask('sign-in', { name: 'alice', password })).status, 200);
  const state = (await abroad.ask('state')).body as unknown as {
    readonly phones: readonly { readonly id: string; readonly state: string; readonly network: string }[];
  };
  assert.deepEqual(
    state.phones.map((phone) => [phone.state, phone.network]),
    [['pending', '127.9.0.0/24']],
  );
  const [{ id } = { id: '' }] = state.phones;
  assert.equal((await abroad.ask('totp-begin')).status, 403);
  assert.equal((await abroad.ask('confirm', { id })).status, 403);
  // The clock may have gone on since; a step ahead is taken, and is newer than the first code in any case.
  const code = codeAt(key, Date.now() + 30_000);
  assert.equal((await abroad.ask('code', { code })).status, 200);
  assert.equal((await abroad.ask('confirm', { id })).status, 200);
  await bed.edge.event('account.confirmed', ({ by }) => by === 'code');
  assert.equal(await callStatus(alice, 'bob'), 200);
  const again = await abroad.ask('code', { code });
  assert.deepEqual([again.status, again.body.problem], [403, 'replayed']);
  assert.equal(bed.edge.ofType('account.factor-added').length, 1);
});

test('a mail brings a link for the phone that waits; opening it does nothing, its button confirms', async () => {
  const carol = await bed.registered('carol', 'udp', { from: hotel });
  const { to, text } = await until('a mail', () => mails.find((mail) => mail.text.includes('#link=')));
  assert.equal(to, 'carol@mail.test');
  assert.match(text, /network\s+127\.9\.0\.0\/24/);
  const token = /https:\/\/system\.test:\d+\/account#link=([\w-]{43})/.exec(text)?.[1];
  const page = new AccountPage(bed.edge.at('wss').port, office);
  // As scanners of mails do.
  assert.equal((await page.send('/account')).status, 200);
  assert.equal((await page.ask('link-look', { token })).body.network, '127.9.0.0/24');
  assert.equal(await callStatus(carol, 'bob'), 403);
  assert.equal((await page.ask('link-use', { token })).status, 200);
  await bed.edge.event('account.confirmed', ({ by }) => by === 'mail');
  assert.equal(await callStatus(carol, 'bob'), 200);
  assert.equal((await page.ask('link-use', { token })).body.problem, 'link');
});

test('the administrator lists, invites and resets; a reset signs everybody out', async () => {
  const home = bed.home.path;
  const listed = JSON.parse(await ringfenceDoes(home, ['user', 'factor', 'list', 'alice', '--json'])) as {
    readonly factors: readonly { readonly kind: string }[];
  };
  assert.deepEqual(
    listed.factors.map(({ kind }) => kind),
    ['totp'],
  );
  const page = new AccountPage(bed.edge.at('wss').port, hotel);
  await page.ask('sign-in', { name: 'alice', password });
  await ringfenceDoes(home, ['user', 'factor', 'reset', 'alice']);
  assert.equal((await page.ask('remove', { id: '' })).body.problem, 'session');
  const { code } = JSON.parse(await ringfenceDoes(home, ['user', 'factor', 'invite', 'bob', '--json'])) as {
    readonly code: string;
  };
  const bobs = new AccountPage(bed.edge.at('wss').port, hotel);
  await bobs.ask('sign-in', { name: 'bob', password });
  assert.equal((await bobs.ask('totp-begin')).status, 403);
  assert.equal((await bobs.ask('invite', { code })).status, 200);
  assert.equal((await bobs.ask('totp-begin')).status, 200);
  assert.equal((await ringfence(home, ['user', 'factor', 'reset', 'nobody'])).code, 1);
});

test('the page is asked from its own origin alone, by POST, and its cookie is for nobody else', async () => {
  const { port } = bed.edge.at('wss');
  const page = new AccountPage(port, office);
  const html = await page.send('/account');
  assert.equal(html.status, 200);
  const policy = String(html.headers['content-security-policy']);
  assert.match(policy, /default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(`${policy}${html.text}`, /unsafe-inline|<script>|<style|\son[a-z]+=/);
  const signedIn = await page.ask('sign-in', { name: 'alice', password });
  assert.match(
    String(signedIn.headers['set-cookie']),
    /^__Host-ringfence=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
  );
  assert.equal(signedIn.headers['cache-control'], 'no-store');
  const body = '{}';
  const json = { 'Content-Type': 'application/json' };
  for (const [status, sent] of [
    [404, { method: 'GET' }],
    [405, { method: 'PUT', headers: { Origin: page.origin, ...json }, body }],
    [403, { method: 'POST', headers: json, body }],
    [403, { method: 'POST', headers: { Origin: 'https://evil.test', ...json }, body }],
    [
      403,
      { method: 'POST', headers: { Origin: page.origin, 'Sec-Fetch-Site': 'cross-site', ...json }, body },
    ],
    [415, { method: 'POST', headers: { Origin: page.origin, 'Content-Type': 'text/plain' }, body }],
    [400, { method: 'POST', headers: { Origin: page.origin, ...json }, body: '[]' }],
    [
      400,
      { method: 'POST', headers: { Origin: page.origin, ...json }, body: `{"x":"${'y'.repeat(17_000)}"}` },
    ],
    [200, { method: 'POST', headers: { Origin: page.origin, ...json }, body }],
  ] as const)
    assert.equal(
      (await page.send('/account/do/sign-out', sent)).status,
      status,
      JSON.stringify(sent).slice(0, 200),
    );
  for (const path of ['/account/do/__proto__', '/account/do/constructor', '/account/do/', '/account/x'])
    assert.equal(
      (await page.send(path, { method: 'POST', headers: { Origin: page.origin, ...json }, body })).status,
      404,
    );
  assert.equal((await page.send('/phone')).status, 404);
});

test('an unknown name and a wrong password get the same answer, and count as guesses over SIP do', async () => {
  const page = new AccountPage(bed.edge.at('wss').port, hotel);
  const plain = ({ status, text, headers }: Awaited<ReturnType<AccountPage['ask']>>) => {
    const { date: _, ...rest } = headers;
    return JSON.stringify([status, text, rest]);
  };
  const wrong = plain(await page.ask('sign-in', { name: 'alice', password: 'wrong' }));
  assert.equal(plain(await page.ask('sign-in', { name: 'nobody', password: 'wrong' })), wrong);
  assert.match(wrong, /401/);
  const failed = bed.edge.ofType('authentication.failed').filter(({ source }) => source === hotel);
  assert.deepEqual(
    failed.map(({ username, reason }) => [username, reason]),
    [
      ['alice', 'bad-credentials'],
      ['nobody', 'bad-credentials'],
    ],
  );
});
