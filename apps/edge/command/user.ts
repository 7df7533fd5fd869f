import { randomFillSync } from 'node:crypto';
import type { Encryption } from '../config/schema.ts';
import { exportObjects } from '../objects/export.ts';
import type { ApplyOptions } from '../objects/import.ts';
import { generatePassword } from '../objects/password.ts';
import type { UserObject } from '../objects/schema.ts';
import { listBindings } from '../store/binding-rows.ts';
import { type ObjectRows, readObjectRows } from '../store/object-rows.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder, readStore, withStore } from './home.ts';
import { applyOrRefuse, objectsFrom } from './objects-input.ts';
import { describeSettings, phoneSettings } from './phone-settings.ts';
import { askHidden, complain, print, printJson, readStandardInput, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { audit } from './user-audit.ts';
import { factor } from './user-factor.ts';
import { confirm, quarantine, release, standing } from './user-standing.ts';

export function run(invocation: Invocation): Promise<number> | number {
  switch (invocation.action) {
    case 'add':
      return add(invocation);
    case 'password':
      return changePassword(invocation);
    case 'remove':
      return remove(invocation);
    case 'audit':
      return audit(invocation);
    case 'standing':
      return standing(invocation);
    case 'confirm':
      return confirm(invocation);
    case 'quarantine':
      return quarantine(invocation);
    case 'release':
      return release(invocation);
    case 'factor':
      return factor(invocation);
    default:
      return list(invocation);
  }
}

const applyOptions = (domain: string, values: Values): ApplyOptions => ({
  defaultDomain: domain,
  prune: false,
  dryRun: false,
  weakPasswords: flag(values, 'dangerous-weak-password'),
});

async function add({ names: [name = ''], values }: Invocation): Promise<number> {
  const loaded = configurationOf(values);
  const { config } = loaded;
  const domain = (text(values, 'domain') ?? config.domain).toLowerCase();
  const device = text(values, 'device') ?? name;
  const encryption = text(values, 'encryption');
  const { password, made } = await takePassword(values);
  const entry = {
    name: device,
    password,
    ...(encryption === undefined ? {} : { encryption: encryption as Encryption }),
    ...(flag(values, 'allow-md5') ? { allowMd5: true } : {}),
  };
  const refusal = withStore(loaded, (open) => {
    const known = userObject(readObjectRows(open.database), domain, name);
    if (known?.devices.some((d) => d.name === device) === true) {
      return `User ${name} already has a device ${device}; \`ringfence user password ${name}\` gives it a new password, --device NAME adds another.`;
    }
    const number = text(values, 'number');
    const displayName = text(values, 'display-name');
    const email = text(values, 'email');
    const user: UserObject = {
      ...(known ?? { name, domain, devices: [] }),
      ...(number === undefined ? {} : { number }),
      ...(displayName === undefined ? {} : { displayName }),
      ...(email === undefined ? {} : { email }),
      devices: [...(known?.devices ?? []), entry],
    };
    applyOrRefuse(open, objectsFrom('ringfence user add', { users: [user] }), applyOptions(domain, values));
    return undefined;
  });
  if (refusal !== undefined) {
    complain(refusal);
    return exitCode.failed;
  }
  const settings = phoneSettings(config, homeFolder(), {
    domain,
    user: name,
    device,
    encryption: entry.encryption ?? 'required',
  });
  if (flag(values, 'json')) {
    printJson({ user: name, domain, device, ...(made ? { password } : {}), settings: settings ?? null });
  } else {
    print(`User ${name} of ${domain} has the device ${device}. Enter this into the phone:\n`);
    if (settings === undefined)
      print('  No listener would take this phone: add a TLS listener to ringfence.yaml.');
    else print(describeSettings(settings, made ? password : undefined));
    if (made) print('\nThe password is shown only now; `ringfence user password` makes another.');
  }
  return exitCode.done;
}

async function changePassword({ names: [name = ''], values }: Invocation): Promise<number> {
  const loaded = configurationOf(values);
  const domain = (text(values, 'domain') ?? loaded.config.domain).toLowerCase();
  const device = text(values, 'device') ?? name;
  const { password, made } = await takePassword(values);
  const refusal = withStore(loaded, (open) => {
    const known = userObject(readObjectRows(open.database), domain, name);
    if (known === undefined) return missingUser(name, domain);
    if (!known.devices.some((d) => d.name === device)) {
      return `User ${name} has no device ${device}; it has ${known.devices.map((d) => d.name).join(', ') || 'none'}. Choose with --device.`;
    }
    const devices = known.devices.map((d) => (d.name === device ? { ...d, password } : d));
    applyOrRefuse(
      open,
      objectsFrom('ringfence user password', { users: [{ ...known, devices }] }),
      applyOptions(domain, values),
    );
    return undefined;
  });
  if (refusal !== undefined) {
    complain(refusal);
    return exitCode.failed;
  }
  if (flag(values, 'json')) printJson({ user: name, domain, device, ...(made ? { password } : {}) });
  else
    print(
      made
        ? `New password of device ${device}, shown only now: ${password}`
        : `Device ${device} has its new password.`,
    );
  return exitCode.done;
}

function remove({ names: [name = ''], values }: Invocation): number {
  const loaded = configurationOf(values);
  const domain = (text(values, 'domain') ?? loaded.config.domain).toLowerCase();
  const refusal = withStore(loaded, (open) => {
    const rows = readObjectRows(open.database);
    if (userObject(rows, domain, name) === undefined) return missingUser(name, domain);
    const users = (exportObjects(rows).users ?? []).filter((u) => u.domain === domain && u.name !== name);
    applyOrRefuse(open, objectsFrom('ringfence user remove', { users }), {
      ...applyOptions(domain, values),
      prune: true,
      pruneDomains: [domain],
    });
    return undefined;
  });
  if (refusal !== undefined) {
    complain(refusal);
    return exitCode.failed;
  }
  if (flag(values, 'json')) printJson({ removed: name, domain });
  else print(`User ${name} of ${domain} is gone, with its devices and registrations.`);
  return exitCode.done;
}

function list({ values }: Invocation): number {
  const loaded = configurationOf(values);
  const domain = text(values, 'domain')?.toLowerCase();
  const found = readStore(loaded, (database) => ({
    rows: readObjectRows(database),
    bindings: listBindings(database),
  }));
  const now = Date.now();
  const users = (found?.rows.users ?? [])
    .filter((u) => domain === undefined || u.domain === domain)
    .map((u) => ({
      ...u,
      devices: found!.rows.devices
        .filter((d) => d.domain === u.domain && d.user === u.name)
        .map(({ name, encryption, allowMd5 }) => ({ name, encryption, allowMd5 })),
      registered: found!.bindings.filter(
        (b) => b.domain === u.domain && b.user === u.name && b.expiresAt > now,
      ).length,
    }));
  if (flag(values, 'json')) printJson(users);
  else if (users.length === 0) print('No users yet. Next: ringfence user add NAME');
  else {
    print(
      table(
        ['USER', 'DOMAIN', 'NUMBER', 'REGISTERED', 'DEVICES (ENCRYPTION)'],
        users.map((u) => [
          u.name,
          u.domain,
          u.number ?? '-',
          String(u.registered),
          u.devices.map((d) => `${d.name} (${d.encryption}${d.allowMd5 ? ', MD5' : ''})`).join(', ') || '-',
        ]),
      ),
    );
  }
  return exitCode.done;
}

const missingUser = (name: string, domain: string): string =>
  `There is no user ${name} in ${domain}; \`ringfence user list\` shows which there are.`;

/** Made, unless asked for or piped in; never taken from the command line. */
async function takePassword(values: Values): Promise<{ password: string; made: boolean }> {
  const piped = flag(values, 'password-stdin');
  if (piped && flag(values, 'password-prompt'))
    throw new UsageError('--password-stdin and --password-prompt exclude each other', 'user');
  if (piped) {
    const password = (await readStandardInput(4096)).replace(/\r?\n$/, '');
    if (password === '') throw new UsageError('standard input holds no password', 'user');
    return { password, made: false };
  }
  if (!flag(values, 'password-prompt'))
    return { password: generatePassword((bytes) => randomFillSync(bytes)), made: true };
  const password = await askHidden('Password: ');
  if ((await askHidden('Again: ')) !== password) throw new UsageError('the two passwords differ', 'user');
  return { password, made: false };
}

/** As a file would describe it, without passwords. */
function userObject(rows: ObjectRows, domain: string, name: string): UserObject | undefined {
  return exportObjects(rows).users?.find((u) => u.domain === domain && u.name === name);
}
