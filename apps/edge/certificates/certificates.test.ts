import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { loadConfiguration } from '../config/load.ts';
import { issueClientCertificate, openAuthority, openServerCertificate } from './authority.ts';
import { CertificateError } from './certificate-error.ts';
import { time } from './der.ts';
import { localNames } from './local-names.ts';
import { ensureCertificates } from './node-certificates.ts';

const day = 86_400_000;
const root = mkdtempSync(join(tmpdir(), 'ringfence-cert-'));
after(() => rmSync(root, { recursive: true, force: true }));
let homes = 0;
const newHome = (): string => join(root, String(homes++));
const names = [
  'voice.example',
  'sip:voice.example',
  '127.0.0.1',
  '::1',
  '2001:db8::12:0:5',
  '::ffff:192.0.2.9',
];
const refusal = (code: string) => (error: unknown) =>
  error instanceof CertificateError && error.code === code;

test('the CA signs end certificates only and lasts ten years', () => {
  const now = Date.now();
  const home = newHome();
  const authority = new X509Certificate(openAuthority(home, now).certificate);
  assert.equal(authority.ca, true);
  assert.ok(authority.verify(authority.publicKey));
  assert.ok(Math.abs(Date.parse(authority.validTo) - now - 3650 * day) < 2000);
  assert.equal(authority.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.equal(openAuthority(home, now).certificate, authority.toString());
});

test("the server certificate is the CA's, names every name and address, and lasts 397 days at most", () => {
  const now = Date.now();
  const home = newHome();
  const made = openServerCertificate(home, names, now);
  assert.equal(made.issued, 'there was none');
  const certificate = new X509Certificate(made.certificate);
  const authority = new X509Certificate(openAuthority(home, now).certificate);
  assert.ok(certificate.checkIssued(authority));
  assert.ok(certificate.verify(authority.publicKey));
  assert.equal(certificate.ca, false);
  assert.ok(certificate.checkHost('voice.example'));
  for (const address of ['127.0.0.1', '::1', '2001:db8::12:0:5', '::ffff:192.0.2.9'])
    assert.ok(certificate.checkIP(address), address);
  assert.match(certificate.subjectAltName ?? '', /URI:sip:voice\.example/);
  assert.ok(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom) <= 397 * day);
  assert.ok(Date.parse(certificate.validFrom) < now);
});

test('keys are for their owner only, and are refused when they are not', () => {
  const home = newHome();
  const made = openServerCertificate(home, names, Date.now());
  for (const file of ['ca.key', 'server.key']) {
    const path = join(home, 'tls', file);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    chmodSync(path, 0o644);
    assert.throws(() => openServerCertificate(home, names, Date.now()), refusal('certificate-key-exposed'));
    chmodSync(path, 0o600);
  }
  assert.equal(openServerCertificate(home, names, Date.now()).certificate, made.certificate);
});

test('the server certificate is issued anew when due, for a missing name, a foreign CA or a broken pair', () => {
  const now = Date.now();
  const home = newHome();
  const first = openServerCertificate(home, names, now);
  const again = (with_: readonly string[], at: number) => openServerCertificate(home, with_, at).issued;
  assert.equal(again(names, now + 365 * day), undefined);
  assert.match(again(names, now + 367 * day) ?? '', /ended/);
  assert.match(again([...names, '192.0.2.77'], now + 367 * day) ?? '', /lacked 192\.0\.2\.77/);
  assert.match(again([...names, 'new.example'], now + 367 * day) ?? '', /lacked new\.example/);
  writeFileSync(first.keyFile, readFileSync(join(home, 'tls', 'ca.key')), { mode: 0o600 });
  assert.match(again(names, now + 367 * day) ?? '', /did not match/);
  writeFileSync(first.file, 'rubbish');
  assert.match(again(names, now + 367 * day) ?? '', /could not be read/);
  const other = newHome();
  const foreign = openServerCertificate(other, names, now + 367 * day);
  writeFileSync(first.file, foreign.certificate);
  writeFileSync(first.keyFile, foreign.key, { mode: 0o600 });
  assert.match(again(names, now + 367 * day) ?? '', /another CA/);
});

test('a CA is never replaced silently: half of it, the wrong key or its end are refused with what to do', () => {
  const now = Date.now();
  const home = newHome();
  openAuthority(home, now);
  assert.throws(() => openAuthority(home, now + 3651 * day), refusal('authority-expired'));
  const file = join(home, 'tls', 'ca.crt');
  const kept = readFileSync(file, 'utf8');
  rmSync(file);
  assert.throws(() => openAuthority(home, now), refusal('authority-incomplete'));
  const other = newHome();
  writeFileSync(file, openAuthority(other, now).certificate);
  assert.throws(() => openAuthority(home, now), refusal('certificate-mismatch'));
  writeFileSync(file, kept);
  rmSync(join(home, 'tls', 'ca.key'));
  assert.throws(() => openAuthority(home, now), refusal('authority-incomplete'));
  assert.ok(!existsSync(join(home, 'tls', 'ca.key')));
});

test('a handshake with both certificates is accepted by both sides, over TLS 1.3', async () => {
  const home = newHome();
  const now = Date.now();
  const server = openServerCertificate(home, names, now);
  const client = issueClientCertificate(home, 'pbx.example', now);
  const ca = openAuthority(home, now).certificate;
  const listener = createServer({
    key: server.key,
    cert: server.certificate,
    ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
  const socket = connect({
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    ca,
    key: client.key,
    cert: client.certificate,
    servername: 'voice.example',
  });
  await once(socket, 'secureConnect');
  assert.equal(socket.authorized, true);
  const [peer] = await accepted;
  assert.equal(peer.authorized, true);
  assert.equal(peer.getPeerCertificate().subjectaltname, 'DNS:pbx.example');
  socket.destroy();
  peer.destroy();
  listener.close();
});

test('configured files are taken as they are, and refused where they do not fit', () => {
  const home = newHome();
  const made = openServerCertificate(newHome(), names, Date.now());
  const loaded = loadConfiguration({ home });
  assert.ok(loaded.ok);
  const configured = (certificate: string, key: string) => ({
    ...loaded.value.config,
    tls: { ...loaded.value.config.tls, certificate, key },
  });
  const open = (certificate: string, key: string, at = Date.now()) =>
    ensureCertificates({ home, config: configured(certificate, key), now: () => at });
  assert.equal(open(made.file, made.keyFile).cert(), made.certificate);
  assert.equal(open(made.file, made.keyFile).ca().length, 1);
  assert.throws(() => open(made.file, join(home, 'tls', 'ca.key')), refusal('certificate-mismatch'));
  assert.throws(() => open('/nonexistent', made.keyFile), refusal('certificate-unreadable'));
  const late = open(made.file, made.keyFile, Date.now() + 400 * day);
  assert.match(late.troubles().join(), /expired/);
  assert.ok(late.cert().includes('BEGIN CERTIFICATE'));
});

test('renewal is seen by whoever holds the open certificates', () => {
  const home = newHome();
  const loaded = loadConfiguration({ home });
  assert.ok(loaded.ok);
  let now = Date.now();
  const open = ensureCertificates({ home, config: loaded.value.config, now: () => now });
  const before = open.cert();
  assert.equal(open.renew(loaded.value.config), undefined);
  assert.equal(open.cert(), before);
  now += 380 * day;
  assert.match(open.renew(loaded.value.config) ?? '', /ended/);
  assert.notEqual(open.cert(), before);
});

test('certificates of domains: read with the others, for the name that they prove (RFC 5922 §7.1)', () => {
  const home = newHome();
  const loaded = loadConfiguration({ home });
  assert.ok(loaded.ok);
  const now = Date.now();
  const made = openServerCertificate(newHome(), ['sip:a.example', 'a.example'], now);
  const of = (domain: string) => ({ domain, certificate: made.file, key: made.keyFile });
  const withDomains = (...domains: ReturnType<typeof of>[]) => ({
    ...loaded.value.config,
    tls: { ...loaded.value.config.tls, domains },
  });
  const open = ensureCertificates({ home, config: withDomains(of('A.example')), now: () => now });
  assert.deepEqual(open.domains(), [{ domain: 'a.example', certificate: made.certificate, key: made.key }]);
  assert.deepEqual(open.troubles(), []);
  assert.notEqual(open.cert(), made.certificate);

  // What does not fit is refused as a whole, and what was there stays.
  for (const [bad, code] of [
    [of('b.example'), 'certificate-mismatch'],
    [of('sub.a.example'), 'certificate-mismatch'],
    [{ ...of('a.example'), certificate: '/nonexistent' }, 'certificate-unreadable'],
    [{ ...of('a.example'), key: join(home, 'tls', 'server.key') }, 'certificate-mismatch'],
  ] as const)
    assert.throws(() => open.renew(withDomains(bad)), refusal(code));
  assert.equal(open.domains().length, 1);
  chmodSync(made.keyFile, 0o644);
  assert.throws(() => open.renew(withDomains(of('a.example'))), refusal('certificate-key-exposed'));
  chmodSync(made.keyFile, 0o600);

  open.renew(withDomains());
  assert.deepEqual(open.domains(), []);
});

test('a certificate of a domain that has expired is left out and told of; the others go on', () => {
  const home = newHome();
  const loaded = loadConfiguration({ home });
  assert.ok(loaded.ok);
  let now = Date.now();
  const made = openServerCertificate(newHome(), ['sip:a.example', 'a.example'], now);
  const tls = {
    ...loaded.value.config.tls,
    domains: [{ domain: 'a.example', certificate: made.file, key: made.keyFile }],
  };
  const config = { ...loaded.value.config, tls };
  const open = ensureCertificates({ home, config, now: () => now });
  now += 400 * day;
  open.renew(config);
  assert.deepEqual(open.domains(), []);
  assert.match(open.troubles().join(), /expired/);
});

test("local names hold the domain, its SIP URI (RFC 5922 §7.1) and this machine's addresses", () => {
  const loaded = loadConfiguration({ home: newHome() });
  assert.ok(loaded.ok);
  const found = localNames({ ...loaded.value.config, domain: 'Voice.Example' });
  assert.equal(found[0], 'voice.example');
  assert.ok(found.includes('sip:voice.example'));
  assert.ok(found.includes('127.0.0.1'));
});

test('times are UTCTime through 2049 and GeneralizedTime after, RFC 5280 §4.1.2.5', () => {
  const text = (at: string) => Buffer.from(time(Date.parse(at))).toString('latin1', 2);
  assert.equal(text('2049-12-31T23:59:59Z'), '491231235959Z');
  assert.equal(text('2050-01-01T00:00:00Z'), '20500101000000Z');
});
