import { resolve } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import type { DangerousSetting } from './checks.ts';
import { isLoopback } from './metrics.ts';
import type { Report } from './validate.ts';

const word = <T extends string>(...words: T[]) => words.map((one) => Type.Literal(one));

/** A receiver of the event stream. */
export const Export = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, description: 'Unique name, for events about it.' }),
    format: Type.Union(word('json', 'syslog', 'cef', 'ecs', 'ocsf', 'hep3', 'otlp'), {
      description:
        'json: the objects of docs/events.schema.json. syslog: RFC 5424, with such an object as message. cef: ArcSight Common Event Format. ecs: Elastic Common Schema. ocsf: Open Cybersecurity Schema Framework. hep3: SIP, media reports and logs for Homer. otlp: traces of calls for OpenTelemetry.',
    }),
    to: Type.String({
      description:
        '`udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST:PORT`, `http://…`, `https://…` or `file:PATH`; a path is relative to this file.',
    }),
    level: Type.Union(word('error', 'warning', 'notice', 'info', 'debug'), {
      default: 'info',
      description: 'Least severe event that goes out.',
    }),
    events: Type.Array(Type.String(), {
      default: [],
      description: 'Types of events, such as `call.ended` or `call.*`; empty: all.',
    }),
    queue: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description:
        'What waits in memory while the receiver is away, at most so many and 64 MB; then the oldest is lost and told of.',
    }),
    facility: Type.Union(
      word(
        'daemon',
        'auth',
        'authpriv',
        'local0',
        'local1',
        'local2',
        'local3',
        'local4',
        'local5',
        'local6',
        'local7',
      ),
      { default: 'local0', description: 'Of syslog.' },
    ),
    authorityFile: Type.Optional(
      Type.String({
        description: 'PEM file with the CA of the receiver, for tls and https; default: the well-known ones.',
      }),
    ),
    secretFile: Type.Optional(
      Type.String({ description: 'File with the bearer token for http and https, or the key of hep3.' }),
    ),
    captureId: Type.Integer({
      minimum: 0,
      default: 2001,
      description: 'Of hep3: number of this node at Homer.',
    }),
    captures: Type.Array(Type.Union(word('sip', 'rtcp', 'logs')), {
      default: ['sip', 'rtcp', 'logs'],
      description: 'Of hep3: SIP messages, reports of media, events.',
    }),
    dangerousUnmasked: Type.Optional(
      Type.Boolean({
        description: 'Of hep3: credentials, keys of SRTP, pressed keys and texts of messages go out too.',
      }),
    ),
    dangerousPlaintext: Type.Optional(
      Type.Boolean({ description: 'Allows udp, tcp and http to a host that is not loopback.' }),
    ),
  },
  { additionalProperties: false },
);
export type Export = Static<typeof Export>;

const schemes: Readonly<Record<Export['format'], readonly string[]>> = {
  json: ['udp:', 'tcp:', 'tls:', 'http:', 'https:', 'file:'],
  ecs: ['udp:', 'tcp:', 'tls:', 'http:', 'https:', 'file:'],
  ocsf: ['udp:', 'tcp:', 'tls:', 'http:', 'https:', 'file:'],
  syslog: ['udp:', 'tcp:', 'tls:', 'file:'],
  cef: ['udp:', 'tcp:', 'tls:', 'file:'],
  hep3: ['udp:', 'tcp:', 'tls:'],
  otlp: ['http:', 'https:'],
};
const plain: ReadonlySet<string> = new Set(['udp:', 'tcp:', 'http:']);

/** Where `to` leads: a URL, or a file. */
export function destinationOf(
  to: string,
): URL | { readonly protocol: 'file:'; readonly path: string } | undefined {
  if (to.startsWith('file:')) {
    const path = to.startsWith('file:///') ? to.slice('file://'.length) : to.slice('file:'.length);
    return path === '' ? undefined : { protocol: 'file:', path };
  }
  const url = URL.canParse(to) ? new URL(to) : undefined;
  return url === undefined || url.hostname === '' ? undefined : url;
}

/** Gives the exports with absolute paths. */
export function checkExports(
  exports: readonly Export[],
  folder: string,
  report: Report,
  warnings: DangerousSetting[],
): Export[] {
  const names = new Set<string>();
  return exports.map((one, i) => {
    const key = `exports[${i}]`;
    if (names.has(one.name))
      report.value(`${key}.name`, `\`${one.name}\` is taken`, 'Give each export its own name.');
    names.add(one.name);
    one.events.forEach((pattern, at) => {
      if (!/^[a-z0-9-]+\.(?:\*|[a-z0-9-]+)$/.test(pattern))
        report.value(`${key}.events[${at}]`, 'is no type of an event', 'Write `call.ended` or `call.*`.');
    });
    const to = checkDestination(one, key, report, folder);
    const url = destinationOf(to);
    if (
      url !== undefined &&
      plain.has(url.protocol) &&
      'hostname' in url &&
      !isLoopback(bareHost(url.hostname))
    ) {
      if (one.dangerousPlaintext === true)
        warnings.push({
          key: `${key}.dangerousPlaintext`,
          meaning: `whoever is on the way to ${url.host} reads it`,
        });
      else
        report.value(
          `${key}.to`,
          `${url.protocol}// to ${url.hostname} can be read on the way`,
          'Use tls:// or https://, or set `dangerousPlaintext: true`.',
        );
    }
    if (one.dangerousUnmasked === true)
      warnings.push({
        key: `${key}.dangerousUnmasked`,
        meaning: 'whoever reads the captures has digests of passwords and keys of calls',
      });
    return {
      ...one,
      to,
      ...(one.authorityFile === undefined ? {} : { authorityFile: resolve(folder, one.authorityFile) }),
      ...(one.secretFile === undefined ? {} : { secretFile: resolve(folder, one.secretFile) }),
    };
  });
}

function checkDestination(one: Export, key: string, report: Report, folder: string): string {
  const url = destinationOf(one.to);
  const allowed = schemes[one.format];
  if (url === undefined || !allowed.includes(url.protocol)) {
    report.value(
      `${key}.to`,
      `\`${one.to}\` is nothing that ${one.format} can go to`,
      `Write one of: ${allowed.map((scheme) => (scheme === 'file:' ? 'file:PATH' : `${scheme}//HOST:PORT`)).join(', ')}.`,
    );
    return one.to;
  }
  if (!('hostname' in url)) return `file://${resolve(folder, url.path)}`;
  if (url.username !== '' || url.password !== '')
    report.value(`${key}.to`, 'holds a password', 'Put a token into `secretFile`.');
  if (!url.protocol.startsWith('http') && url.port === '')
    report.value(`${key}.to`, 'has no port', `Write \`${url.protocol}//${url.hostname}:PORT\`.`);
  return one.to;
}

/** Without the brackets of IPv6. */
export const bareHost = (host: string): string => (host.startsWith('[') ? host.slice(1, -1) : host);
