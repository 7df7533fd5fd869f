/** A CA and one server certificate for a test, made by the openssl command line. */
import { execFileSync } from 'node:child_process';
import type { Workspace } from './workspace.ts';

export type Certificates = { readonly authority: string; readonly certificate: string; readonly key: string };

/** The addresses that peers of the cases have. */
const LOOPBACK = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];

/** PEM files in the workspace; the leaf names `localhost`, `domain` and the given address. */
export function makeCertificates(
  workspace: Workspace,
  address = '127.0.0.1',
  domain = 'example.test',
): Certificates {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: workspace.folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...curve,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Interop test CA',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign',
  );
  openssl('req', ...curve, '-keyout', 'server.key', '-out', 'server.csr', '-subj', `/CN=${domain}`);
  workspace.write(
    'server.ext',
    [
      `subjectAltName=DNS:${domain},DNS:localhost,${[...new Set([address, ...LOOPBACK])].map((each) => `IP:${each}`).join(',')}`,
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,digitalSignature',
      'extendedKeyUsage=serverAuth,clientAuth',
    ].join('\n'),
  );
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'server.ext',
    '-out',
    'server.pem',
  );
  return certificatesIn(workspace);
}

/** The files that `makeCertificates` wrote into this workspace before. */
export function certificatesIn(workspace: Workspace): Certificates {
  return {
    authority: workspace.path('ca.pem'),
    certificate: workspace.path('server.pem'),
    key: workspace.path('server.key'),
  };
}
