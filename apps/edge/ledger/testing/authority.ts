import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why there can be no time-stamping authority here; false where there can. */
export const noAuthority: string | false =
  spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0 ? false : 'openssl is not installed';

export interface Authority {
  readonly url: string;
  /** Certificate of the CA behind it. */
  readonly ca: string;
  close(): void;
}

const configuration = `
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[stamp]
basicConstraints = CA:false
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = here
[here]
serial = ./serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`;

/** An authority made with OpenSSL (openssl-ts(1)), over HTTP on loopback. */
export async function startAuthority(
  name: string,
  key: readonly string[] = ['rsa:2048'],
): Promise<Authority> {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-tsa-'));
  writeFileSync(join(folder, 'conf'), configuration);
  writeFileSync(join(folder, 'serial'), '01');
  const openssl = (...words: readonly string[]): Buffer =>
    execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const made = (role: string, ...more: readonly string[]): void => {
    openssl(
      ...['req', '-x509', '-config', 'conf', '-newkey', ...key, '-nodes', '-keyout', `${role}.key`],
      ...['-subj', `/CN=${name} ${role}`, '-days', '3', '-out', `${role}.pem`, ...more],
    );
  };
  made('ca', '-extensions', 'ca');
  made('stamp', '-extensions', 'stamp', '-CA', 'ca.pem', '-CAkey', 'ca.key');
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      writeFileSync(join(folder, 'query'), Buffer.concat(parts));
      openssl(
        ...['ts', '-reply', '-config', 'conf', '-queryfile', 'query', '-signer', 'stamp.pem'],
        ...['-inkey', 'stamp.key', '-chain', 'ca.pem', '-out', 'reply'],
      );
      response
        .writeHead(200, { 'content-type': 'application/timestamp-reply' })
        .end(readFileSync(join(folder, 'reply')));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    ca: join(folder, 'ca.pem'),
    close: () => {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
