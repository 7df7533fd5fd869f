import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls';
import {
  type Bed,
  openBed,
  sipRequest,
  TestAuthority,
  type TestCertificate,
  tlsMaterial,
  tryBed,
  until,
} from './test-bed.ts';

const sockets: Socket[] = [];
const beds: Bed[] = [];
const servers: Server[] = [];
let authority: TestAuthority;
let stranger: TestAuthority;
let own: TestCertificate;
let phone: TestCertificate;

before(async () => {
  [authority, stranger] = await Promise.all([
    TestAuthority.create('local'),
    TestAuthority.create('stranger'),
  ]);
  [own, phone] = await Promise.all([
    authority.issue('DNS:edge.test', 'IP:127.0.0.1', 'IP:::1'),
    authority.issue('URI:sip:phone.test', 'DNS:phone.test'),
  ]);
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  for (const bed of beds) await bed.transports.close();
  await authority.remove();
  await stranger.remove();
});

const bedOf = async (options: Partial<Parameters<typeof openBed>[0]> = {}): Promise<Bed> => {
  const bed = await openBed({
    listeners: [{ name: 's', transport: 'tls', address: '127.0.0.1', port: 0 }],
    tls: tlsMaterial(() => own, [authority.cert]),
    ...options,
  });
  beds.push(bed);
  return bed;
};

const dial = async (port: number, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca: authority.cert,
    servername: 'edge.test',
    ...options,
  });
  sockets.push(socket);
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
};

const refusedBy = async (port: number, options: ConnectionOptions = {}): Promise<string> => {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca: authority.cert,
    servername: 'edge.test',
    ...options,
  });
  sockets.push(socket);
  return new Promise((resolve) => {
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    socket.on('close', () => resolve('closed'));
    socket.on('data', () => resolve('data'));
  });
};

const opened = (bed: Bed) => bed.events.filter((e) => e.type === 'flow.opened');

/** A message over a new connection, and the flow that it came by. */
const flowOf = async (bed: Bed, name: string, options: ConnectionOptions = {}) => {
  const socket = await dial(bed.port(name), options);
  const count = bed.messages.length;
  socket.write(sipRequest('OPTIONS'));
  await until('the message', () => bed.messages.length > count);
  return { socket, flow: bed.messages.at(-1)!.flow };
};

describe('TLS', () => {
  it('carries messages on many listeners of IPv4 and IPv6, and tells what was negotiated', async () => {
    const bed = await bedOf({
      listeners: ['a', 'b', 'c', 'd'].map((name, i) => ({
        name,
        transport: 'tls',
        address: i % 2 ? '::1' : '127.0.0.1',
        port: 0,
      })),
    });
    bed.onMessage = (flow, _text, bytes) => bed.transports.send(flow, Uint8Array.from(bytes));
    for (const { name, bound } of bed.transports.listeners) {
      const { socket, flow } = await flowOf(bed, name, { host: bound.address });
      const [echo] = (await once(socket, 'data')) as [Buffer];
      assert.equal(echo.toString(), sipRequest('OPTIONS'));
      assert.equal(flow.transport, 'tls');
      assert.equal(flow.listener, name);
      assert.deepEqual(flow.remote, { address: bound.address, port: socket.localPort });
      assert.deepEqual(flow.tls, {
        version: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        group: 'X25519MLKEM768',
      });
    }
  });

  it('the group told is the group negotiated, X25519MLKEM768 first, also when a session resumes with another', async () => {
    const bed = await bedOf();
    const cases: readonly (readonly [ConnectionOptions, string])[] = [
      [{}, 'X25519MLKEM768'],
      [{ ecdhCurve: 'P-384:X25519:X25519MLKEM768' }, 'X25519MLKEM768'],
      [{ ecdhCurve: 'X25519' }, 'X25519'],
      [{ ecdhCurve: 'P-256' }, 'P-256'],
      [{ ecdhCurve: 'P-384' }, 'P-384'],
      [{ maxVersion: 'TLSv1.2', ecdhCurve: 'P-256' }, 'P-256'],
      // In TLS 1.2 the list must also hold the curve of the certificate (RFC 8422 §5.3).
      [{ maxVersion: 'TLSv1.2', ecdhCurve: 'X25519:P-256' }, 'X25519'],
    ];
    for (const [options, group] of cases) {
      const { flow } = await flowOf(bed, 's', options);
      assert.equal(flow.tls?.group, group);
      assert.equal(flow.tls?.version, options.maxVersion ?? 'TLSv1.3');
    }
    const first = await dial(bed.port('s'));
    const [session] = (await once(first, 'session')) as [Buffer];
    const { socket, flow } = await flowOf(bed, 's', { session, ecdhCurve: 'X25519' });
    assert.equal(socket.isSessionReused(), true);
    assert.equal(flow.tls?.group, 'X25519');
  });

  it('RFC 9325: TLS 1.2 with AEAD and ephemeral keys is the floor', async () => {
    const bed = await bedOf();
    for (const cipher of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305']) {
      const { flow } = await flowOf(bed, 's', { maxVersion: 'TLSv1.2', ciphers: cipher });
      assert.equal(flow.tls?.version, 'TLSv1.2');
    }
    for (const ciphers of [
      'ECDHE-ECDSA-AES128-SHA',
      'ECDHE-ECDSA-AES256-SHA384',
      'AES128-GCM-SHA256',
      'DHE-RSA-AES128-GCM-SHA256',
    ]) {
      assert.match(
        await refusedBy(bed.port('s'), { maxVersion: 'TLSv1.2', ciphers }),
        /HANDSHAKE|ECONNRESET/,
      );
    }
    const old = {
      minVersion: 'TLSv1' as const,
      maxVersion: 'TLSv1.1' as const,
      ciphers: 'DEFAULT@SECLEVEL=0',
    };
    assert.match(await refusedBy(bed.port('s'), old), /VERSION|ECONNRESET/);
    const strict = await bedOf({
      tls: {
        ...tlsMaterial(() => own, []),
        settings: { trustSystemAuthorities: false, minimumVersion: 'TLSv1.3', groups: 'X25519' },
      },
    });
    assert.match(await refusedBy(strict.port('s'), { maxVersion: 'TLSv1.2' }), /VERSION|ECONNRESET/);
  });

  it('client certificates: none, optional, required; names only of verified ones', async () => {
    const bed = await bedOf({
      listeners: (['none', 'optional', 'required'] as const).map((name) => ({
        name,
        transport: 'tls',
        address: '127.0.0.1',
        port: 0,
        clientCertificate: name,
      })),
    });
    const bad = await stranger.issue('URI:sip:phone.test', 'DNS:phone.test');
    const names = ['sip:phone.test', 'phone.test'];
    assert.equal((await flowOf(bed, 'none', phone)).flow.tls?.peerNames, undefined);
    assert.equal((await flowOf(bed, 'optional')).flow.tls?.peerNames, undefined);
    const verified = (await flowOf(bed, 'optional', phone)).flow.tls;
    assert.deepEqual(verified?.peerNames, names);
    assert.match(verified?.peerFingerprint ?? '', /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    const unverified = (await flowOf(bed, 'optional', bad)).flow.tls;
    assert.equal(unverified?.peerNames, undefined);
    // The authority above it, and only where that was verified.
    assert.deepEqual(verified?.peerIssuers, [new X509Certificate(authority.cert).fingerprint256]);
    assert.equal(unverified?.peerIssuers, undefined);
    assert.match(unverified?.peerFingerprint ?? '', /^([0-9A-F]{2}:){31}/);
    assert.deepEqual((await flowOf(bed, 'required', phone)).flow.tls?.peerNames, names);
    assert.deepEqual(
      (await flowOf(bed, 'required', { ...phone, maxVersion: 'TLSv1.2' })).flow.tls?.peerNames,
      names,
    );
    const flows = opened(bed).length;
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      assert.notEqual(await refusedBy(bed.port('required'), { maxVersion }), 'data');
      assert.notEqual(await refusedBy(bed.port('required'), { ...bad, maxVersion }), 'data');
    }
    assert.equal(opened(bed).length, flows, 'no flow without a good certificate');
  });

  it('a resumed session has the names that its handshake verified, and an unverified one still has none', async () => {
    const bed = await bedOf({
      listeners: [
        { name: 's', transport: 'tls', address: '127.0.0.1', port: 0, clientCertificate: 'optional' },
      ],
    });
    const bad = await stranger.issue('DNS:phone.test');
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const [certificate, names] of [
        [phone, ['sip:phone.test', 'phone.test']],
        [bad, undefined],
        [{}, undefined],
      ] as const) {
        const first = await dial(bed.port('s'), { ...certificate, maxVersion });
        // TLS 1.2 has its session when the handshake is done, TLS 1.3 by a ticket that follows.
        const session =
          maxVersion === 'TLSv1.2' ? first.getSession()! : ((await once(first, 'session')) as [Buffer])[0];
        const { socket, flow } = await flowOf(bed, 's', { ...certificate, maxVersion, session });
        assert.equal(socket.isSessionReused(), true);
        assert.deepEqual(flow.tls?.peerNames, names);
      }
    }
  });

  it('a ticket of a listener that asks for no certificate opens no other', async () => {
    const bed = await bedOf({
      listeners: (['none', 'required'] as const).map((name) => ({
        name,
        transport: 'tls',
        address: '127.0.0.1',
        port: 0,
        clientCertificate: name,
      })),
    });
    const first = await dial(bed.port('none'));
    const [session] = (await once(first, 'session')) as [Buffer];
    const flows = opened(bed).length;
    assert.notEqual(await refusedBy(bed.port('required'), { session }), 'data');
    assert.equal(opened(bed).length, flows);
  });

  it('certificates are reloaded: open connections go on, new handshakes see the new one, bad ones change nothing', async () => {
    let current = own;
    const next = await authority.issue('DNS:edge.test');
    const bed = await bedOf({ tls: tlsMaterial(() => current, [authority.cert]) });
    bed.onMessage = (flow, _text, bytes) => bed.transports.send(flow, Uint8Array.from(bytes));
    const { socket, flow } = await flowOf(bed, 's');
    const before = socket.getPeerCertificate().fingerprint256;
    current = next;
    await bed.transports.reloadCertificates();
    const later = await dial(bed.port('s'));
    assert.notEqual(later.getPeerCertificate().fingerprint256, before);
    socket.write(sipRequest('OPTIONS', 'Subject: still here\r\n'));
    await until('the old connection works', () =>
      bed.messages.some((m) => m.flow === flow && m.text.includes('still here')),
    );
    current = { cert: next.cert, key: own.key };
    await assert.rejects(bed.transports.reloadCertificates(), { code: 'tls-material' });
    await dial(bed.port('s'));
    assert.equal(bed.closed.length, 0);
  });

  it('a certificate that cannot be used is told with its setting', async () => {
    const problems = await tryBed({
      listeners: [{ name: 's', transport: 'tls', address: '127.0.0.1', port: 0 }],
      tls: tlsMaterial(() => ({ cert: own.cert, key: phone.key }), []),
    });
    assert.ok(Array.isArray(problems));
    assert.deepEqual(
      problems.map((p) => [p.listener, p.code, p.setting]),
      [['s', 'tls-material', 'tls']],
    );
  });

  it('S8: a handshake must end in its time, and counts against the bounds meanwhile', async () => {
    const bed = await bedOf({
      settings: { handshakeSeconds: 1, connectionsPerSource: 3 },
      admission: { exemptLoopback: false },
    });
    const silent = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = connectTcp(bed.port('s'), '127.0.0.1');
        sockets.push(socket);
        const state = { closed: false };
        socket
          .on('error', () => undefined)
          .on('close', () => {
            state.closed = true;
          });
        await once(socket, 'connect');
        socket.write('\x16\x03\x01');
        return state;
      }),
    );
    await until('two are refused', () => silent.filter((s) => s.closed).length === 2);
    assert.equal(bed.admission.connections, 3);
    await until('the others are timed out', () => silent.every((s) => s.closed));
    await until('they are not counted any more', () => bed.admission.connections === 0);
    bed.admission.flush();
    const rules = bed.events.flatMap((e) => (e.type === 'admission.refused' ? [`${e.rule} ${e.count}`] : []));
    assert.deepEqual(rules.sort(), ['admission.connections-per-source 2', 'admission.handshake-time 3']);
    assert.equal(opened(bed).length, 0);
  });

  it('garbage instead of a handshake ends the connection', async () => {
    const bed = await bedOf();
    const socket = connectTcp(bed.port('s'), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(sipRequest('OPTIONS'));
    await once(socket, 'close');
    await until('it is not counted any more', () => bed.admission.connections === 0);
    assert.equal(bed.messages.length, 0);
  });

  it('the key log needs its dangerous variable and is told of', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringfence-keylog-'));
    const file = join(folder, 'keys');
    try {
      const quiet = await bedOf();
      await flowOf(quiet, 's');
      assert.equal(existsSync(file), false);
      const bed = await bedOf({ environment: { RINGFENCE_DANGEROUS_TLS_KEYLOG: file } });
      assert.deepEqual(
        bed.events.map((e) => e.type),
        ['edge.dangerous'],
      );
      await flowOf(bed, 's');
      assert.match(readFileSync(file, 'latin1'), /^(SERVER|CLIENT)_HANDSHAKE_TRAFFIC_SECRET /m);
      assert.equal(statSync(file).mode & 0o777, 0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('TLS outbound', () => {
  const serve = async (certificate: TestCertificate, seen: TLSSocket[] = []): Promise<number> => {
    const server = createServer(
      { ...certificate, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
      (socket) => {
        seen.push(socket);
        sockets.push(socket);
        socket.on('error', () => undefined);
      },
    );
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  };

  it('RFC 5922 §7, S10: connects only to who proves the name, and shows its own certificate', async () => {
    const bed = await bedOf();
    const seen: TLSSocket[] = [];
    const port = await serve(
      await authority.issue('URI:sip:trunk.test', 'DNS:host7.test', 'DNS:*.wild.test', 'IP:127.0.0.1'),
      seen,
    );
    const to = (serverName: string) =>
      bed.transports.connect({ transport: 'tls', address: '127.0.0.1', port, serverName });
    const good = await to('trunk.test');
    assert.ok(good.ok);
    assert.equal(good.value.tls?.version, 'TLSv1.3');
    assert.equal(good.value.tls?.group, 'X25519MLKEM768');
    assert.deepEqual(good.value.tls?.peerNames, ['sip:trunk.test', 'host7.test', '*.wild.test']);
    assert.equal(good.value.listener, 's');
    assert.equal(good.value.sentBy, `127.0.0.1:${bed.port('s')}`);
    await until('the server sees our certificate', () => seen.length > 0);
    assert.equal(seen[0]?.authorized, true);
    assert.match(seen[0]?.getPeerCertificate().subjectaltname ?? '', /DNS:edge\.test/);
    assert.ok((await to('127.0.0.1')).ok, 'a numeric target is proven by its address');
    for (const name of [
      'host7.test',
      'other.test',
      'a.wild.test',
      'never-looked-at.test',
      '127.0.0.2',
      '*.wild.test',
    ]) {
      const bad = await to(name);
      assert.ok(!bad.ok && bad.error.code === 'certificate-name', name);
    }
    const none = await bed.transports.connect({ transport: 'tls', address: '127.0.0.1', port });
    assert.ok(!none.ok && none.error.code === 'no-server-name');
    assert.equal(opened(bed).length, 2);
  });

  it('refuses certificates of unknown authorities', async () => {
    const bed = await bedOf();
    const port = await serve(await stranger.issue('DNS:trunk.test'));
    const result = await bed.transports.connect({
      transport: 'tls',
      address: '127.0.0.1',
      port,
      serverName: 'trunk.test',
    });
    assert.ok(!result.ok);
    assert.match(result.error.code, /UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)/);
    assert.equal(opened(bed).length, 0);
  });

  it('S10 (CVE-2020-15260): an open connection serves only the name that it proved', async () => {
    const bed = await bedOf();
    const seen: TLSSocket[] = [];
    const port = await serve(await authority.issue('DNS:one.test', 'DNS:two.test'), seen);
    const to = (serverName: string) =>
      bed.transports.connect({ transport: 'tls', address: '127.0.0.1', port, serverName });
    const [one, again, two, evil] = [
      await to('one.test'),
      await to('ONE.test'),
      await to('two.test'),
      await to('evil.test'),
    ];
    assert.ok(one.ok && again.ok && two.ok && !evil.ok);
    assert.equal(one.value, again.value);
    assert.notEqual(one.value, two.value);
    assert.deepEqual([seen[0]?.servername, seen[1]?.servername], ['one.test', 'two.test']);
    const tcp = await bed.transports.connect({ transport: 'tcp', address: '127.0.0.1', port });
    assert.ok(tcp.ok && tcp.value.transport === 'tcp', 'nor is it taken for TCP, or TCP for it');
  });

  it('gives up on a peer that accepts and says nothing', async () => {
    const bed = await bedOf({ settings: { handshakeSeconds: 1 } });
    const server = createTcpServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const result = await bed.transports.connect({
      transport: 'tls',
      address: '127.0.0.1',
      port,
      serverName: 'x.test',
    });
    assert.ok(!result.ok && result.error.code === 'handshake-timeout');
    server.close();
  });

  it('an inbound connection is never taken for a target', async () => {
    const bed = await bedOf({
      listeners: [
        { name: 's', transport: 'tls', address: '127.0.0.1', port: 0, clientCertificate: 'optional' },
      ],
    });
    const { flow } = await flowOf(bed, 's', phone);
    const result = await bed.transports.connect({
      transport: 'tls',
      ...flow.remote,
      serverName: 'phone.test',
    });
    assert.ok(!result.ok && result.error.code === 'ECONNREFUSED');
  });
});
