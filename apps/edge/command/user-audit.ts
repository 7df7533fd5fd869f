import { readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { depth, guess, type KeptPassword } from '../objects/guess.ts';
import { pinWeakness } from '../objects/pin.ts';
import type { DigestAlgorithm } from '../objects/types.ts';
import { type ObjectRows, readObjectRows } from '../store/object-rows.ts';
import { ObjectWriter } from '../store/object-writer.ts';
import type { Sealer } from '../store/seal.ts';
import { flag, type Invocation, text } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, withStore } from './home.ts';
import { print, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** One password or PIN that would be guessed soon. */
interface Finding {
  readonly domain: string;
  /** `user alice`, `trunk carrier`, `mailbox 100`. */
  readonly owner: string;
  readonly login: string;
  readonly weakness: string;
}

const pinFileBytes = 4 * 1024 * 1024;

/** `ringfence user audit`: tries what attackers try, and names whose password fell; never the password. */
export function audit({ values }: Invocation): number {
  const loaded = configurationOf(values);
  const domain = text(values, 'domain')?.toLowerCase();
  const tries = flag(values, 'deep') ? depth.deep : depth.usual;
  const pins = text(values, 'pins');
  const { findings, judged } = withStore(loaded, ({ database, sealer }) => {
    const rows = readObjectRows(database);
    const logins = loginsOf(rows, database, sealer).filter(
      (one) => domain === undefined || one.realm === domain,
    );
    const weak: Finding[] = [];
    for (const login of logins) {
      const weakness = guess(login, tries);
      login.ha1.fill(0);
      if (weakness === undefined) continue;
      weak.push({ domain: login.realm, owner: login.owner, login: login.username, weakness });
    }
    return { findings: weak, judged: logins.length };
  });
  const mailboxes = pins === undefined ? [] : readPins(pins);
  for (const { mailbox, pin } of mailboxes) {
    const weakness = pinWeakness(pin, [mailbox]);
    if (weakness !== undefined)
      findings.push({
        domain: domain ?? loaded.config.domain,
        owner: `mailbox ${mailbox}`,
        login: mailbox,
        weakness,
      });
  }
  if (flag(values, 'json')) printJson({ passwords: judged, pins: mailboxes.length, weak: findings });
  else {
    if (findings.length > 0)
      print(
        `${table(
          ['OWNER', 'DOMAIN', 'LOGIN', 'PASSWORD OR PIN'],
          findings.map((f) => [f.owner, f.domain, f.login, f.weakness]),
        )}\n`,
      );
    const what = `${judged} passwords${pins === undefined ? '' : ` and ${mailboxes.length} PINs`} tried`;
    print(
      findings.length === 0
        ? `${what}: none fell. A password that does not fall here may still be weak: only its hash is kept.`
        : `${what}: ${findings.length} would be guessed soon. \`ringfence user password NAME\` makes a new one.`,
    );
  }
  return findings.length === 0 ? exitCode.done : exitCode.failed;
}

type Login = KeptPassword & { readonly owner: string };

/** What is kept of every password that somebody could log in here with. */
function loginsOf(rows: ObjectRows, database: DatabaseSync, sealer: Sealer): Login[] {
  const writer = new ObjectWriter(database, sealer);
  const kept = (kind: 'device' | 'trunk-in', domain: string, name: string) => {
    const [first, ...others] = writer.secrets(kind, { domain, name });
    for (const [, bytes] of others) bytes.fill(0);
    return first === undefined ? undefined : { algorithm: first[0] as DigestAlgorithm, ha1: first[1] };
  };
  const users = new Map(rows.users.map((user) => [`${user.domain}/${user.name}`, user]));
  const devices = rows.devices.flatMap((device): Login[] => {
    const secret = kept('device', device.domain, device.name);
    const user = users.get(`${device.domain}/${device.user}`);
    if (secret === undefined) return [];
    const names = [
      device.name,
      device.user,
      ...(user?.displayName?.split(' ') ?? []),
      ...(user?.number === undefined ? [] : numberForms(user.number)),
      device.domain,
      ...device.domain.split('.'),
    ];
    return [{ ...secret, username: device.name, realm: device.domain, names, owner: `user ${device.user}` }];
  });
  const trunks = rows.trunks.flatMap((trunk): Login[] => {
    const secret = trunk.inbound === undefined ? undefined : kept('trunk-in', trunk.domain, trunk.name);
    if (secret === undefined || trunk.inbound === undefined) return [];
    const { username } = trunk.inbound;
    const names = [username, trunk.name, trunk.domain, ...trunk.domain.split('.')];
    return [{ ...secret, username, realm: trunk.domain, names, owner: `trunk ${trunk.name}` }];
  });
  return [...devices, ...trunks];
}

/** A number as it is, without +, and its last digits, which are the extension mostly. */
function numberForms(number: string): string[] {
  const digits = number.replace('+', '');
  return [number, digits, digits.slice(-6), digits.slice(-4), digits.slice(-3)];
}

/** Lines of `mailbox,pin`, or of Asterisk's voicemail.conf: `mailbox => pin,name,…`. */
function readPins(file: string): { mailbox: string; pin: string }[] {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`, 'user');
  }
  if (content.length > pinFileBytes) throw new UsageError(`${file} has more than 4 MB`, 'user');
  return content.split('\n').flatMap((line) => {
    const found = /^\s*([0-9]{1,15})\s*(?:=>|,|;|=)\s*-?([^\s,;]{1,64})/.exec(line);
    return found === null ? [] : [{ mailbox: found[1]!, pin: found[2]! }];
  });
}
