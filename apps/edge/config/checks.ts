import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { isEncrypted } from '@ringfence/sip/transport/flow.ts';
import { readRange } from '../objects/address-range.ts';
import { readPatchFile } from '../patches/shipped.ts';
import { checkAccountPage } from './account-page.ts';
import { isInside } from './address-class.ts';
import { checkAlerts } from './alerts.ts';
import { checkBans } from './bans.ts';
import { checkDetection } from './detection.ts';
import { checkExports } from './exports.ts';
import { checkFraud } from './fraud.ts';
import { checkHeaderNames, checkHygiene } from './hygiene.ts';
import { checkLedger } from './ledger.ts';
import { checkMail } from './mail.ts';
import { checkMetrics } from './metrics.ts';
import type { Configuration, Encryption, Listener } from './schema.ts';
import type { Report } from './validate.ts';

/** A key that weakens the edge, and what that means for whoever set it. */
export interface DangerousSetting {
  readonly key: string;
  readonly meaning: string;
}

const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?)*\.?$/;
/** What one value alone cannot show: settings that contradict each other, and the defaults that depend on others. */
export function checkConfiguration(
  config: Configuration,
  folder: string,
  report: Report,
): { config: Configuration; warnings: DangerousSetting[] } {
  const warnings: DangerousSetting[] = [];
  if (!hostName.test(config.domain) && isIP(config.domain) === 0) {
    report.value('domain', 'is not a host name', 'Write a name such as `voice.example.com`.');
  }
  const listeners = checkListeners(config.listeners, report, warnings);
  const tls = checkTls(config.tls, folder, report);
  checkMedia(config.media, report);
  checkRtpengine(config.media, report, warnings);
  if (config.media.engine === 'rtpengine') checkNoHandshakes(config.listeners, report);
  if (config.registrar.minimumExpires > config.registrar.maximumExpires) {
    report.value(
      'registrar.minimumExpires',
      `is ${config.registrar.minimumExpires}, more than registrar.maximumExpires (${config.registrar.maximumExpires})`,
      'Write the smaller number here.',
    );
  }
  config.registrar.trustedProxies.forEach((range, i) => {
    if (readRange(range) === undefined)
      report.value(
        `registrar.trustedProxies[${i}]`,
        `\`${range}\` is neither an IP address nor a block`,
        'Write an address, or a block whose host bits are zero such as `192.0.2.0/24`.',
      );
  });
  checkNumbers(config.numbers, report);
  const patches = checkPatches(config.patches, folder, report);
  const { sessionExpires, minimumSessionExpires } = config.calls;
  if (sessionExpires !== 0 && sessionExpires < minimumSessionExpires)
    report.value(
      'calls.sessionExpires',
      `is ${sessionExpires}, less than calls.minimumSessionExpires (${minimumSessionExpires})`,
      'Write at least as many seconds, or 0 for no session timer of our own.',
    );
  for (const list of ['allowedHeaders', 'trustedHeaders'] as const)
    checkHeaderNames(config.calls[list], `calls.${list}`, report);
  config.admission.blockedUserAgents.forEach((name, i) => {
    if (name.trim().length < 3) {
      report.value(
        `admission.blockedUserAgents[${i}]`,
        'is so short that it would match ordinary phones',
        'Write at least 3 characters.',
      );
    }
  });
  checkAccountPage(config.accountPage, report);
  const bans = checkBans(config.bans, folder, report);
  checkFraud(config.fraud, report);
  checkDetection(config.detection, config.numbers.emergency, report);
  const sounds = checkSounds(config.sounds, folder, report);
  const metrics = checkMetrics(config.metrics, folder, report, warnings);
  const alerts = checkAlerts(config.alerts, folder, report, warnings, config.mail.host !== undefined);
  const exports = checkExports(config.exports, folder, report, warnings);
  const ledger = checkLedger(config.ledger, folder, report);
  const mail = checkMail(config.mail, folder, report, warnings);
  if (config.store.file === '')
    report.value('store.file', 'is empty', 'Write a file name such as `ringfence.db`.');
  return {
    config: { ...config, listeners, tls, bans, sounds, metrics, exports, alerts, patches, ledger, mail },
    warnings,
  };
}

function checkSounds(
  sounds: Configuration['sounds'],
  folder: string,
  report: Report,
): Configuration['sounds'] {
  const file = (path: string, key: string): string => {
    const absolute = resolve(folder, path);
    if (!existsSync(absolute))
      report.value(key, `there is no file ${absolute}`, 'Write the path of a WAV or Ogg Opus file.');
    return absolute;
  };
  const { holdMusic } = sounds;
  const refused = { ...sounds.refused };
  for (const cause of ['policy', 'fraud', 'no-route', 'rate'] as const) {
    const path = refused[cause];
    if (path !== undefined) refused[cause] = file(path, `sounds.refused.${cause}`);
  }
  return holdMusic === undefined ? { refused } : { refused, holdMusic: file(holdMusic, 'sounds.holdMusic') };
}

function checkListeners(
  listeners: readonly Listener[],
  report: Report,
  warnings: DangerousSetting[],
): Listener[] {
  if (listeners.length === 0) {
    report.value(
      'listeners',
      'is an empty list',
      'Add a listener, or remove the key to have the default ones.',
    );
  }
  const names = new Map<string, number>();
  const binds = new Map<string, number>();
  return listeners.map((listener, i) => {
    const key = `listeners[${i}]`;
    const first = names.get(listener.name);
    if (first !== undefined) {
      report.value(
        `${key}.name`,
        `\`${listener.name}\` is also the name of listeners[${first}]`,
        'Give each listener its own name.',
      );
    }
    names.set(listener.name, i);
    if (isIP(listener.address) === 0) {
      report.value(
        `${key}.address`,
        `\`${listener.address}\` is not an IP address`,
        'Write a local IPv4 or IPv6 address, or `0.0.0.0` or `::` for all.',
      );
    }
    const bind = `${listener.transport === 'udp' ? 'udp' : 'tcp'} ${listener.address.toLowerCase()} ${listener.port}`;
    const other = binds.get(bind);
    if (other !== undefined && listener.port !== 0) {
      report.value(
        `${key}.port`,
        `listeners[${other}] already has this address and port`,
        'Use another port or remove one of the two.',
      );
    }
    binds.set(bind, i);
    if (listener.publicAddress !== undefined)
      checkHost(listener.publicAddress, `${key}.publicAddress`, report);
    if (!isEncrypted(listener.transport) && (listener.clientCertificate ?? 'none') !== 'none') {
      report.value(
        `${key}.clientCertificate`,
        `${listener.transport} has no certificates`,
        'Write `transport: tls`, or remove this key.',
      );
    }
    checkOrigins(listener, key, report);
    checkHygiene(listener, key, report);
    if (listener.phonePage === true && listener.transport !== 'wss')
      report.value(
        `${key}.phonePage`,
        `${listener.transport} has no phone page`,
        'Write `transport: wss`, or remove this key: browsers give a microphone to pages of HTTPS alone.',
      );
    if (listener.accountPage === true && listener.transport !== 'wss')
      report.value(
        `${key}.accountPage`,
        `${listener.transport} has no account page`,
        'Write `transport: wss`, or remove this key: passwords are asked for over HTTPS alone.',
      );
    const encryption: Encryption =
      listener.encryption ?? (isEncrypted(listener.transport) ? 'required' : 'preferred');
    if (encryption !== 'required' && !isInside(listener.address)) {
      if (listener.dangerousPlaintext !== true) {
        report.value(
          listener.encryption === undefined ? `${key}.transport` : `${key}.encryption`,
          `${listener.encryption === undefined ? `${listener.transport} has` : 'is'} \`${encryption}\` on ${listener.address}, which is neither loopback nor private`,
          isEncrypted(listener.transport)
            ? 'Write `required`; or, knowing that calls can be heard, add `dangerousPlaintext: true`.'
            : `Write \`transport: ${listener.transport === 'ws' ? 'wss' : 'tls'}\`, or bind a private address; or, knowing that calls can be heard, add \`dangerousPlaintext: true\`.`,
        );
      }
    }
    if (listener.dangerousPlaintext === true) {
      warnings.push({
        key: `${key}.dangerousPlaintext`,
        meaning: `listener ${listener.name} on ${listener.address} takes calls whose signalling and voice can be heard and changed on the way`,
      });
    }
    return { ...listener, encryption, clientCertificate: listener.clientCertificate ?? 'none' };
  });
}

function checkOrigins({ transport, origins = [] }: Listener, key: string, report: Report): void {
  if (origins.length > 0 && transport !== 'ws' && transport !== 'wss')
    report.value(
      `${key}.origins`,
      `${transport} has no origins`,
      'Write `transport: wss`, or remove this key.',
    );
  origins.forEach((origin, i) => {
    if (URL.parse(origin)?.origin === origin && /^https?:/.test(origin)) return;
    report.value(
      `${key}.origins[${i}]`,
      `\`${origin}\` is not what a browser calls an origin`,
      'Write scheme and host in small letters, and the port if it is not the usual one: `https://phone.example.com`.',
    );
  });
}

/** A set of patches that nobody has signed, or that is older than the installed one, is no set of patches. */
function checkPatches(
  patches: Configuration['patches'],
  folder: string,
  report: Report,
): Configuration['patches'] {
  if (patches.file === undefined) return patches;
  const file = resolve(folder, patches.file);
  const read = readPatchFile(file);
  if (!read.ok)
    report.value(
      'patches.file',
      `${file} ${read.error}`,
      'Write the path of a set from a release, with its `.sig` beside it, or remove the key.',
    );
  return { ...patches, file };
}

function checkTls(tls: Configuration['tls'], folder: string, report: Report): Configuration['tls'] {
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    const given = tls.certificate === undefined ? 'key' : 'certificate';
    report.value(
      `tls.${given}`,
      'stands alone',
      `Add \`${given === 'key' ? 'certificate' : 'key'}:\` too, or remove both to use the local CA.`,
    );
  }
  const file = (path: string, key: string): string => {
    const absolute = resolve(folder, path);
    if (!existsSync(absolute))
      report.value(
        key,
        `there is no file ${absolute}`,
        "Write the path of a PEM file; relative ones start at this file's folder.",
      );
    return absolute;
  };
  const out = { ...tls };
  if (tls.certificate !== undefined) out.certificate = file(tls.certificate, 'tls.certificate');
  if (tls.key !== undefined) out.key = file(tls.key, 'tls.key');
  if (tls.domains !== undefined) {
    const seen = new Set<string>();
    out.domains = tls.domains.map((entry, i) => {
      const key = `tls.domains[${i}]`;
      const domain = entry.domain.toLowerCase();
      if (!hostName.test(domain))
        report.value(`${key}.domain`, 'is not a host name', 'Write a name such as `voice.example.com`.');
      if (seen.has(domain))
        report.value(`${key}.domain`, `\`${domain}\` stands here twice`, 'Remove one of the two.');
      seen.add(domain);
      return {
        domain,
        certificate: file(entry.certificate, `${key}.certificate`),
        key: file(entry.key, `${key}.key`),
      };
    });
  }
  if (tls.clientAuthorities !== undefined) {
    out.clientAuthorities = tls.clientAuthorities.map((path, i) => file(path, `tls.clientAuthorities[${i}]`));
  }
  checkGroups(tls.groups, report);
  return out;
}

/** Asks OpenSSL itself, since which groups exist depends on how it was built. */
function checkGroups(groups: string, report: Report): void {
  const tls = process.getBuiltinModule('node:tls');
  try {
    tls.createSecureContext({ ecdhCurve: groups });
  } catch {
    report.value(
      'tls.groups',
      `\`${groups.slice(0, 80)}\` is not a list of groups that OpenSSL ${process.versions.openssl} knows`,
      'Write names joined by `:`, such as `X25519MLKEM768:X25519:P-256`.',
    );
  }
}

function checkMedia(media: Configuration['media'], report: Report): void {
  media.addresses.forEach((address, i) => {
    if (isIP(address) === 0)
      report.value(`media.addresses[${i}]`, 'is not an IP address', 'Write a local IPv4 or IPv6 address.');
    else if (address === '0.0.0.0' || address === '::') {
      report.value(
        `media.addresses[${i}]`,
        'is not one address',
        'Write an address of this machine, or leave the list empty.',
      );
    }
  });
  if (media.publicAddress !== undefined && isIP(media.publicAddress) === 0) {
    report.value(
      'media.publicAddress',
      'is not an IP address',
      'Write the address that phones reach, not a name.',
    );
  }
  if (media.ports.from >= media.ports.to) {
    report.value(
      'media.ports',
      `goes from ${media.ports.from} to ${media.ports.to}`,
      'Write the smaller number in `from`.',
    );
  } else if (media.ports.to - media.ports.from < 3) {
    report.value('media.ports', 'has room for no call', 'A call takes up to 4 ports; widen the range.');
  }
}

const interfaceName = /^[A-Za-z0-9_-]{1,32}$/;

function checkRtpengine(media: Configuration['media'], report: Report, warnings: DangerousSetting[]): void {
  if (media.engine === 'rtpengine' && media.rtpengine.length === 0)
    report.value(
      'media.engine',
      'is `rtpengine`, and none is listed',
      'Add `rtpengine: [{ address: 127.0.0.1 }]` beside it.',
    );
  for (const [i, instance] of media.rtpengine.entries())
    checkInstance(instance, `media.rtpengine[${i}]`, report, warnings);
}

/** rtpengine is not asked for DTLS and ICE. */
function checkNoHandshakes(listeners: readonly Listener[], report: Report): void {
  for (const [i, { keying, ice }] of listeners.entries()) {
    if (keying === 'dtls' || keying === 'any')
      report.value(
        `listeners[${i}].keying`,
        `is \`${keying}\`, and with \`media.engine: rtpengine\` there is no DTLS-SRTP`,
        'Write `sdes`, or use `media.engine: relay`.',
      );
    if (ice === 'lite' || ice === 'full')
      report.value(
        `listeners[${i}].ice`,
        `is \`${ice}\`, and with \`media.engine: rtpengine\` there is no ICE`,
        'Write `off`, or use `media.engine: relay`.',
      );
  }
}

function checkInstance(
  instance: Configuration['media']['rtpengine'][number],
  key: string,
  report: Report,
  warnings: DangerousSetting[],
): void {
  const { address, inside, outside, dangerousClearControl } = instance;
  if (isIP(address) === 0) {
    report.value(`${key}.address`, 'is not an IP address', 'Write the address of its ng control port.');
    return;
  }
  for (const [name, value] of Object.entries({ inside, outside }))
    if (value !== undefined && !interfaceName.test(value))
      report.value(
        `${key}.${name}`,
        'is no interface name',
        "Write a name of rtpengine's `interface` setting.",
      );
  if (inside !== undefined && outside === undefined)
    report.value(`${key}.inside`, 'stands without `outside`', 'Name both interfaces, or none.');
  if (address === '::1' || address.startsWith('127.')) return;
  if (dangerousClearControl === true)
    warnings.push({
      key: `${key}.dangerousClearControl`,
      meaning: `the SRTP keys of calls by rtpengine ${address} cross the network to it in the clear`,
    });
  else
    report.value(
      `${key}.address`,
      `${address} is not loopback, and ng is not encrypted: the keys of all calls would cross the network`,
      'Run rtpengine on this machine; or, knowing that the way there is protected by other means (WireGuard, IPsec), add `dangerousClearControl: true`.',
    );
}

function checkNumbers(numbers: Configuration['numbers'], report: Report): void {
  const known = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });
  if (!/^[A-Z]{2}$/.test(numbers.country) || known.of(numbers.country) === undefined) {
    report.value(
      'numbers.country',
      `\`${numbers.country}\` is not an ISO 3166 country code`,
      'Write two capital letters such as `DE`.',
    );
  }
  if (numbers.emergency.length === 0) {
    report.value('numbers.emergency', 'is empty, so no call would go first', 'List at least one number.');
  }
  numbers.emergency.forEach((number, i) => {
    if (!/^\+?[0-9]{2,15}$/.test(number)) {
      report.value(`numbers.emergency[${i}]`, 'is not a number', 'Write 2 to 15 digits.');
    }
  });
}

function checkHost(host: string, key: string, report: Report): void {
  if (isIP(host) === 0 && !hostName.test(host)) {
    report.value(
      key,
      'is neither an IP address nor a host name',
      'Write what phones reach this listener by.',
    );
  }
}
