import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { openServerCertificate } from '@ringfence/edge/certificates/authority.ts';
import { Bed } from './harness/bed.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringfence-tenants-'));
const tenants = ['one.test', 'two.test'];
let bed: Bed;
/** PEM files of a tenant, issued anew by its own authority. */
const issue = (domain: string, force = false) =>
  openServerCertificate(join(folder, domain), [domain, `sip:${domain}`], Date.now(), force);

before(async () => {
  const domains = tenants.map((domain) => {
    const { file, keyFile } = issue(domain);
    return { domain, certificate: file, key: keyFile };
  });
  bed = await Bed.open(
    {
      users: [
        { name: 'alice', domain: 'one.test' },
        { name: 'bob', domain: 'two.test' },
      ],
    },
    { more: { tls: JSON.stringify({ domains }) } },
  );
});
after(async () => {
  await bed.close();
  rmSync(folder, { recursive: true, force: true });
});

async function shown(servername: string): Promise<{ readonly names: string; readonly fingerprint: string }> {
  const to = bed.edge.at('tls');
  const socket = connect({ host: to.address, port: to.port, servername, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { subjectaltname = '', fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return { names: subjectaltname, fingerprint: fingerprint256 };
}

test('RFC 6066 §3: each tenant is shown under its own name, strangers get the certificate of the node', async () => {
  for (const domain of tenants) assert.match((await shown(domain)).names, new RegExp(`DNS:${domain}\\b`));
  assert.match((await shown('three.test')).names, /DNS:system\.test/);
});

test('SIGHUP takes a renewed certificate, and phones that are connected stay registered and are called', async () => {
  const alice = await bed.registered('alice', 'tls', { domain: 'one.test' });
  const before = await shown('one.test');
  issue('one.test', true);
  const from = bed.edge.events.length;
  process.kill(bed.edge.pid, 'SIGHUP');
  await bed.edge.event('config.reloaded', ({ what }) => what === 'certificates', from);
  assert.notEqual((await shown('one.test')).fingerprint, before.fingerprint);
  assert.equal(alice.wire.closed, false);
  assert.equal((await alice.register()).status, 200);
});

test('the name in the handshake gives no rights: credentials of one tenant are worth nothing in the other', async () => {
  const alice = await bed.phone('alice', 'tls', { domain: 'two.test' });
  assert.equal((await alice.register()).status, 401);
});
