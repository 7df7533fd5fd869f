import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import {
  type Bed,
  openBed,
  sipRequest,
  TestAuthority,
  type TestCertificate,
  tlsMaterial,
  until,
} from './test-bed.ts';
import { namesProve } from './tls-identity.ts';

let authority: TestAuthority;
let own: TestCertificate;
let pbx: TestCertificate;
let bed: Bed;
const sockets: TLSSocket[] = [];
before(async () => {
  authority = await TestAuthority.create('local');
  [own, pbx] = await Promise.all([
    authority.issue('DNS:edge.test'),
    authority.issue('URI:sip:pbx.test', 'DNS:host.pbx.test', 'IP:127.0.0.1'),
  ]);
  bed = await openBed({
    listeners: [
      { name: 's', transport: 'tls', address: '127.0.0.1', port: 0, clientCertificate: 'optional' },
    ],
    tls: tlsMaterial(() => own, [authority.cert]),
  });
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  await bed.transports.close();
  await authority.remove();
});

/** A connection to the edge, and the flow that it is there. */
async function inbound(certificate?: TestCertificate): Promise<{ socket: TLSSocket; flow: Flow }> {
  const socket = connect({
    host: '127.0.0.1',
    port: bed.port('s'),
    ca: authority.cert,
    servername: 'edge.test',
    ...certificate,
  });
  sockets.push(socket);
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  const before = bed.messages.length;
  socket.write(sipRequest('OPTIONS'));
  await until('its message', () => bed.messages.length > before);
  return { socket, flow: bed.messages[before]!.flow };
}

/** Nobody listens there: only an alias can be a way. */
const port = 9;
const reach = (serverName: string, at = port, transport: 'tls' | 'tcp' = 'tls') =>
  bed.transports.connect({ transport, address: '127.0.0.1', port: at, serverName });

test('RFC 5923 §4: a peer is reached over its own connection as what its certificate proves, until that closes', async () => {
  const { socket, flow } = await inbound(pbx);
  assert.equal((await reach('pbx.test')).ok, false);
  assert.equal(bed.transports.alias(flow, 'pbx.test', port), true);
  const found = await reach('PBX.test');
  assert.ok(found.ok);
  assert.equal(found.value, flow);
  // Neither for another name, nor another port, nor without TLS.
  assert.equal((await reach('other.test')).ok, false);
  assert.equal((await reach('pbx.test', port + 1)).ok, false);
  assert.equal((await reach('pbx.test', port, 'tcp')).ok, false);
  socket.destroy();
  await until('its end', () => bed.transports.flow(flow.id) === undefined);
  assert.equal((await reach('pbx.test')).ok, false);
});

test('RFC 5923 §8: no alias without a verified certificate, or for a host that it does not prove', async () => {
  const anonymous = await inbound();
  assert.equal(bed.transports.alias(anonymous.flow, 'pbx.test', port), false);
  const stranger = await TestAuthority.create('stranger');
  const { flow } = await inbound(await stranger.issue('DNS:pbx.test'));
  assert.equal(bed.transports.alias(flow, 'pbx.test', port), false);
  await stranger.remove();
  const known = await inbound(pbx);
  // DNS names do not count beside a sip: URI, nor do numbers (RFC 5922 §7.1).
  for (const host of ['bank.test', 'host.pbx.test', 'sub.pbx.test', '127.0.0.1', ''])
    assert.equal(bed.transports.alias(known.flow, host, port), false, host);
  assert.equal((await reach('bank.test')).ok, false);
});

test('RFC 5922 §7.1: names as a flow tells them prove what the certificate proves', () => {
  assert.equal(namesProve('a.test', ['a.test']), true);
  assert.equal(namesProve('a.test', ['sip:b.test', 'a.test']), false);
  assert.equal(namesProve('a.test', ['*.test']), false);
  assert.equal(namesProve('192.0.2.1', ['192.0.2.1']), false);
  // A name cannot smuggle in another one.
  assert.equal(namesProve('evil.test', ['good.test, DNS:evil.test']), false);
});
