import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { issueClientCertificate, openAuthority, openServerCertificate } from '../certificates/authority.ts';
import { writeWhole } from '../certificates/files.ts';
import { localNames } from '../certificates/local-names.ts';
import { ensureCertificates } from '../certificates/node-certificates.ts';
import { noteAct } from './acts.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder } from './home.ts';
import { complain, print, printJson } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export function run(invocation: Invocation): number {
  switch (invocation.action) {
    case 'show':
      return show(invocation);
    case 'ca':
      return authority();
    case 'renew':
      return renew(invocation);
    default:
      return client(invocation);
  }
}

function show({ values }: Invocation): number {
  const { config } = configurationOf(values);
  const home = homeFolder();
  const { certificate, file } = openAuthority(home, Date.now());
  const own = ensureCertificates({ home, config, now: Date.now });
  const ownFile = config.tls.certificate ?? join(home, 'tls', 'server.crt');
  const both = [
    { role: 'local CA', file, ...facts(certificate) },
    { role: 'listeners', file: ownFile, ...facts(own.cert()) },
  ];
  if (flag(values, 'json')) printJson(both);
  else print(both.map(describe).join('\n\n'));
  return exitCode.done;
}

function authority(): number {
  const { certificate } = openAuthority(homeFolder(), Date.now());
  process.stdout.write(certificate);
  complain(`SHA-256 fingerprint: ${facts(certificate).fingerprint256}`);
  return exitCode.done;
}

function renew({ values }: Invocation): number {
  const { config } = configurationOf(values);
  if (config.tls.certificate !== undefined) {
    complain(
      `${config.tls.certificate} is set in tls.certificate and was not issued here: renew it where it comes from, then \`kill -HUP\` the edge.`,
    );
    return exitCode.failed;
  }
  const made = openServerCertificate(homeFolder(), localNames(config), Date.now(), true);
  const shown = { role: 'listeners', file: made.file, ...facts(made.certificate) };
  noteAct({ what: { file: made.file, sha256: shown.fingerprint256, validTo: shown.validTo } });
  if (flag(values, 'json')) printJson(shown);
  else print(`${describe(shown)}\n\nA running edge takes it after \`kill -HUP\`.`);
  return exitCode.done;
}

function client({ names: [name = ''], values }: Invocation): number {
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62})$/.test(name)) {
    throw new UsageError(`\`${name}\` is not a host name; write one such as pbx.example.com`, 'cert');
  }
  const folder = resolve(text(values, 'out') ?? '.');
  const file = join(folder, `${name}.crt`);
  const keyFile = join(folder, `${name}.key`);
  const there = [file, keyFile].find((path) => existsSync(path));
  if (there !== undefined) {
    complain(
      `${there} is already there and may be in use; move it away or choose another folder with --out.`,
    );
    return exitCode.failed;
  }
  const made = issueClientCertificate(homeFolder(), name, Date.now());
  writeWhole(keyFile, made.key, 0o600);
  writeWhole(file, made.certificate, 0o644);
  const shown = { role: `client ${name}`, file, keyFile, ...facts(readFileSync(file, 'utf8')) };
  noteAct({ what: { name, file, sha256: shown.fingerprint256, validTo: shown.validTo } });
  if (flag(values, 'json')) printJson(shown);
  else
    print(
      `${describe(shown)}\n  key          ${keyFile}\n\nAdd \`certificateNames: [${name}]\` to the trunk, and \`clientCertificate: optional\` or \`required\` to its TLS listener.`,
    );
  return exitCode.done;
}

function facts(pem: string) {
  const { subject, issuer, subjectAltName, validFrom, validTo, fingerprint256 } = new X509Certificate(pem);
  return {
    subject: subject.replaceAll('\n', ', '),
    issuer: issuer.replaceAll('\n', ', '),
    names: subjectAltName?.split(', ') ?? [],
    validFrom: new Date(validFrom).toISOString(),
    validTo: new Date(validTo).toISOString(),
    fingerprint256,
  };
}

const describe = (c: { role: string; file: string } & ReturnType<typeof facts>): string =>
  [
    c.role,
    `  file         ${c.file}`,
    `  subject      ${c.subject}`,
    `  issuer       ${c.issuer}`,
    ...(c.names.length === 0 ? [] : [`  names        ${c.names.join(', ')}`]),
    `  valid        ${c.validFrom.slice(0, 10)} to ${c.validTo.slice(0, 10)}`,
    `  SHA-256      ${c.fingerprint256}`,
  ].join('\n');
