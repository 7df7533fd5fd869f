import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { isMailbox, type MailSettings } from '../config/mail.ts';
import { TestAuthority, type TestCertificate } from '../transport/test-bed.ts';
import { Mailer } from './mailer.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringfence-mail-'));
const ca = join(folder, 'ca.crt');
const passwordFile = join(folder, 'password');
const servers: SMTPServer[] = [];
let authority: TestAuthority;
let own: TestCertificate;
before(async () => {
  authority = await TestAuthority.create('mail');
  own = await authority.issue('DNS:localhost');
  writeFileSync(ca, authority.cert);
  writeFileSync(passwordFile, 'quiet-Harbour-88\n');
});
after(async () => {
  for (const server of servers) await new Promise<void>((done) => server.close(() => done()));
  await authority.remove();
  rmSync(folder, { recursive: true });
});

interface Taken {
  readonly to: string;
  readonly secure: boolean;
  readonly text: string;
}

/** A server that takes mail, and what it took. */
async function listen(options: SMTPServerOptions = {}): Promise<{ port: number; taken: Taken[] }> {
  const taken: Taken[] = [];
  const server = new SMTPServer({
    key: own.key,
    cert: own.cert,
    authOptional: true,
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const to = session.envelope.rcptTo[0]?.address ?? '';
        taken.push({ to, secure: session.secure, text: Buffer.concat(chunks).toString('utf8') });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  return { port: (server.server.address() as AddressInfo).port, taken };
}

const mailer = (port: number, more: Partial<MailSettings> = {}): Mailer =>
  new Mailer(() => ({
    host: 'localhost',
    port,
    security: 'starttls',
    from: 'ringfence@example.test',
    authority: ca,
    ...more,
  }));
const mail = { to: 'alice@example.test', subject: 'New phone', text: 'Line one\nLine two' };

for (const security of ['starttls', 'tls'] as const)
  test(`mail goes out over TLS: ${security}`, async () => {
    const { port, taken } = await listen({ secure: security === 'tls' });
    assert.deepEqual(await mailer(port, { security }).send(mail), { ok: true, value: undefined });
    assert.equal(taken.length, 1);
    assert.equal(taken[0]?.to, 'alice@example.test');
    assert.equal(taken[0]?.secure, true);
    assert.match(taken[0]?.text ?? '', /Subject: New phone\r\n[\s\S]*Line one\r\nLine two/);
  });

test('a server without TLS, or with a certificate that nobody vouches for, gets no mail (RFC 8314 §3)', async () => {
  const bare = await listen({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] });
  const none = await mailer(bare.port).send(mail);
  assert.equal(none.ok ? '' : none.error.code, 'tls');
  const { port, taken } = await listen();
  const strange = await new Mailer(() => ({
    host: 'localhost',
    port,
    security: 'starttls',
    from: 'ringfence@example.test',
  })).send(mail);
  assert.equal(strange.ok, false);
  assert.equal(bare.taken.length + taken.length, 0);
});

test('it logs in with the password of the file, and says what was wrong with it', async () => {
  const options: SMTPServerOptions = {
    authOptional: false,
    onAuth: ({ username, password }, _session, done) =>
      username === 'edge' && password === 'quiet-Harbour-88'
        ? done(null, { user: 'edge' })
        : done(new Error('no')),
  };
  const { port, taken } = await listen(options);
  const { ok } = await mailer(port, { username: 'edge', passwordFile }).send(mail);
  assert.equal(ok, true);
  assert.equal(taken.length, 1);
  const wrong = await mailer(port, { username: 'other', passwordFile }).send(mail);
  assert.deepEqual(wrong.ok ? {} : [wrong.error.code, wrong.error.passing], ['login', false]);
});

test('a refusal is told with whether it passes; a server that is away may come back', async () => {
  for (const [responseCode, passing] of [
    [451, true],
    [550, false],
  ] as const) {
    const { port } = await listen({
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error('no such box'), { responseCode })),
    });
    const sent = await mailer(port).send(mail);
    assert.deepEqual(sent.ok ? {} : [sent.error.code, sent.error.passing], ['refused', passing]);
  }
  const { port } = await listen();
  const server = servers.at(-1)!;
  await new Promise<void>((done) => server.close(() => done()));
  const gone = await mailer(port).send(mail);
  assert.deepEqual(gone.ok ? {} : [gone.error.code, gone.error.passing], ['unreachable', true]);
  const unset = await new Mailer(() => ({ port: 587, security: 'starttls' })).send(mail);
  assert.equal(unset.ok ? '' : unset.error.code, 'unset');
});

test('nothing that is written into a mail becomes another recipient, field or command', async () => {
  const { port, taken } = await listen();
  for (const to of [
    'alice@example.test\r\nRCPT TO:<mallory@evil.test>',
    'alice@example.test,mallory@evil.test',
    'Alice <alice@example.test>',
    'alice@example.test>',
    '@example.test',
    'alice@',
    `${'a'.repeat(300)}@example.test`,
  ]) {
    assert.equal(isMailbox(to), false, to);
    const sent = await mailer(port).send({ ...mail, to });
    assert.equal(sent.ok ? '' : sent.error.code, 'recipient');
  }
  const subject = 'Hello\r\nBcc: mallory@evil.test\r\n\r\nbody';
  assert.equal((await mailer(port).send({ ...mail, subject, text: 'a\r\n.\r\nQUIT\r\n' })).ok, true);
  assert.doesNotMatch(taken[0]?.text ?? '', /^Bcc:/m);
  assert.match(taken[0]?.text ?? '', /QUIT/);
});
