import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import {
  type Bed,
  openBed,
  sipRequest,
  TestAuthority,
  type TestCertificate,
  tlsMaterial,
  until,
} from './test-bed.ts';

const sockets: Socket[] = [];
const beds: Bed[] = [];
let authority: TestAuthority;
let node: TestCertificate;
let one: TestCertificate;
let two: TestCertificate;
let phone: TestCertificate;
/** What is configured now. */
let domains: Record<string, TestCertificate> = {};

before(async () => {
  authority = await TestAuthority.create('local');
  [node, one, two, phone] = await Promise.all([
    authority.issue('DNS:edge.test', 'IP:127.0.0.1'),
    authority.issue('URI:sip:one.test', 'DNS:one.test'),
    authority.issue('DNS:two.test'),
    authority.issue('DNS:phone.test'),
  ]);
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const bed of beds) await bed.transports.close();
  await authority.remove();
});

const bedOf = async (clientCertificate: 'none' | 'optional' = 'none'): Promise<Bed> => {
  domains = { 'one.test': one, 'Two.Test': two };
  const bed = await openBed({
    listeners: (['tls', 'wss'] as const).map((transport) => ({
      name: transport,
      transport,
      address: '127.0.0.1',
      port: 0,
      clientCertificate,
    })),
    tls: tlsMaterial(
      () => node,
      [authority.cert],
      () => domains,
    ),
  });
  beds.push(bed);
  return bed;
};

/** Connects by a name and gives the DNS name of the certificate that was shown. */
const dial = async (
  bed: Bed,
  servername: string,
  options: ConnectionOptions & { readonly listener?: string } = {},
): Promise<{ readonly socket: TLSSocket; readonly shown: string }> => {
  const { listener = 'tls', ...rest } = options;
  const socket = connect({
    host: '127.0.0.1',
    port: bed.port(listener),
    ca: authority.cert,
    servername,
    checkServerIdentity: () => undefined,
    ...rest,
  });
  sockets.push(socket);
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  const names = socket.getPeerCertificate().subjectaltname ?? '';
  return { socket, shown: /DNS:([^,]+)/.exec(names)?.[1] ?? names };
};

describe('certificates of domains', () => {
  it('RFC 6066 §3: whoever asks for a domain by name gets its certificate, all others the one of the node', async () => {
    const bed = await bedOf();
    for (const [name, shown] of [
      ['one.test', 'one.test'],
      ['ONE.test', 'one.test'],
      ['two.test', 'two.test'],
      ['edge.test', 'edge.test'],
      ['sub.one.test', 'edge.test'],
      ['unknown.test', 'edge.test'],
      ['', 'edge.test'],
    ] as const)
      for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const)
        assert.equal((await dial(bed, name, { maxVersion })).shown, shown, `${name} ${maxVersion}`);
    assert.equal((await dial(bed, 'two.test', { listener: 'wss' })).shown, 'two.test');
  });

  it('a reload brings new certificates for new handshakes, and live connections stay', async () => {
    const bed = await bedOf();
    const { socket } = await dial(bed, 'one.test');
    domains = { 'one.test': await authority.issue('DNS:one.test', 'DNS:renewed.test'), 'new.test': two };
    await bed.transports.reloadCertificates();
    const renewed = (await dial(bed, 'one.test')).socket.getPeerCertificate().subjectaltname;
    assert.match(renewed ?? '', /renewed\.test/);
    assert.equal((await dial(bed, 'new.test')).shown, 'two.test');
    assert.equal((await dial(bed, 'two.test')).shown, 'edge.test');
    socket.write(sipRequest('OPTIONS'));
    await until('its message', () => bed.messages.length === 1);
    assert.equal(bed.closed.length, 0);
  });

  it('what cannot be used is refused, and what was there before goes on', async () => {
    const bed = await bedOf();
    domains = { 'one.test': { cert: one.cert, key: two.key } };
    await assert.rejects(bed.transports.reloadCertificates(), { code: 'tls-material' });
    assert.equal((await dial(bed, 'one.test')).shown, 'one.test');
  });

  it('client certificates are asked for and verified under every name', async () => {
    const bed = await bedOf('optional');
    for (const name of ['one.test', 'two.test', 'edge.test']) {
      const { socket } = await dial(bed, name, { cert: phone.cert, key: phone.key });
      socket.write(sipRequest('OPTIONS'));
      await until('its message', () => bed.messages.length > 0);
      assert.deepEqual(bed.messages.pop()?.flow.tls?.peerNames, ['phone.test'], name);
    }
  });

  it('a session of one domain is not resumed under the name of another', async () => {
    const bed = await bedOf();
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      const { socket } = await dial(bed, 'one.test', { maxVersion });
      let session = socket.getSession();
      socket.on('session', (later) => {
        session = later;
      });
      socket.write(sipRequest('OPTIONS'));
      await until('its message', () => bed.messages.length > 0);
      bed.messages.length = 0;
      const again = await dial(bed, 'two.test', { maxVersion, ...(session ? { session } : {}) });
      assert.equal(again.socket.isSessionReused(), false, maxVersion);
      assert.equal(again.shown, 'two.test');
    }
  });
});
