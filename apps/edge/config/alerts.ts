import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import type { DangerousSetting } from './checks.ts';
import type { Report } from './validate.ts';

const strict = { additionalProperties: false } as const;
const levels = (description: string, fallback: 'error' | 'warning') =>
  Type.Union(
    [
      Type.Literal('error'),
      Type.Literal('warning'),
      Type.Literal('notice'),
      Type.Literal('info'),
      Type.Literal('debug'),
    ],
    { default: fallback, description },
  );
const inside = Type.Optional(
  Type.Boolean({
    description:
      'Lets requests go to loopback, private and other inside addresses, and without TLS. Default: only https to public addresses.',
  }),
);

/** A way to reach people; exactly one of the groups below the name. */
export const AlertChannel = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, description: 'Unique name, for rules.' }),
    domain: Type.Optional(
      Type.String({
        description:
          'A tenant (SIP domain) whose people these are: they hear of what is theirs, and of nothing else. Default: the administrators of the node, who hear of everything.',
      }),
    ),
    mostPerHour: Type.Integer({
      minimum: 1,
      maximum: 3600,
      default: 30,
      description: 'Messages of this channel in an hour; what is more waits and goes out together.',
    }),
    email: Type.Optional(
      Type.Object({ to: Type.Array(Type.String(), { minItems: 1, maxItems: 20 }) }, strict),
    ),
    webhook: Type.Optional(
      Type.Object({ url: Type.String(), secretFile: Type.String(), dangerousInside: inside }, strict),
    ),
    slack: Type.Optional(Type.Object({ urlFile: Type.String(), dangerousInside: inside }, strict)),
    teams: Type.Optional(Type.Object({ urlFile: Type.String(), dangerousInside: inside }, strict)),
    pagerduty: Type.Optional(
      Type.Object(
        {
          keyFile: Type.String(),
          url: Type.String({ default: 'https://events.pagerduty.com/v2/enqueue' }),
          dangerousInside: inside,
        },
        strict,
      ),
    ),
    sms: Type.Optional(
      Type.Object(
        {
          url: Type.String(),
          to: Type.Array(Type.String({ pattern: '^\\+?[0-9]{1,15}$' }), { minItems: 1, maxItems: 20 }),
          contentType: Type.Union(
            [Type.Literal('application/json'), Type.Literal('application/x-www-form-urlencoded')],
            { default: 'application/json' },
          ),
          body: Type.String({ default: '{"to": "{{to}}", "text": "{{text}}"}' }),
          tokenFile: Type.Optional(Type.String()),
          dangerousInside: inside,
        },
        strict,
      ),
    ),
  },
  strict,
);
export type AlertChannel = Static<typeof AlertChannel>;
export const channelKinds = ['email', 'webhook', 'slack', 'teams', 'pagerduty', 'sms'] as const;

/** What is worth telling somebody, and whom. */
export const AlertRule = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    events: Type.Array(Type.String(), { default: [] }),
    level: levels('Least severe event.', 'warning'),
    where: Type.Array(Type.Object({ field: Type.String(), is: Type.Array(Type.String()) }, strict), {
      default: [],
    }),
    groupBy: Type.Array(Type.String(), { default: [] }),
    repeatMinutes: Type.Integer({ minimum: 1, maximum: 10_080, default: 60 }),
    channels: Type.Array(Type.String(), { minItems: 1 }),
    escalate: Type.Array(
      Type.Object(
        {
          afterMinutes: Type.Integer({ minimum: 1, maximum: 10_080 }),
          channels: Type.Array(Type.String(), { minItems: 1 }),
        },
        strict,
      ),
      { default: [], maxItems: 10 },
    ),
  },
  strict,
);
export type AlertRule = Static<typeof AlertRule>;

export const AlertSettings = Type.Object(
  {
    channels: Type.Array(AlertChannel, {
      default: [],
      maxItems: 32,
      description: 'Ways to reach people; none: no alerts.',
    }),
    rules: Type.Array(AlertRule, {
      default: [],
      maxItems: 100,
      description:
        'What is told to whom. Default: whatever is an error, and what looks like an attack or takes protection away, to all channels.',
    }),
    gatherSeconds: Type.Integer({
      minimum: 0,
      maximum: 3600,
      default: 10,
      description: 'Alerts of so long go out in one message.',
    }),
    quietFrom: Type.Optional(
      Type.String({
        description: 'Begin of the quiet hours, such as `22:00`; what comes then waits for their end.',
      }),
    ),
    quietTo: Type.Optional(Type.String({ description: 'Their end, such as `07:00`.' })),
    quietZone: Type.String({ default: 'UTC', description: 'Time zone of both, such as `Europe/Berlin`.' }),
    quietLevel: levels('So severe and graver goes out in quiet hours too.', 'error'),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'Who is told when something is wrong, see [alerts](alerts.md).',
  },
);
export type AlertSettings = Static<typeof AlertSettings>;

const domainName = /^(?=.{1,253}$)[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9][a-z0-9-]{0,62})*$/;

export const clock = /^([01][0-9]|2[0-3]):([0-5][0-9])$/;

/** Gives the settings with absolute paths. */
export function checkAlerts(
  alerts: AlertSettings,
  folder: string,
  report: Report,
  warnings: DangerousSetting[],
  hasMail: boolean,
): AlertSettings {
  const names = new Set(alerts.channels.map(({ name }) => name));
  if (names.size < alerts.channels.length)
    report.value('alerts.channels', 'has a name twice', 'Give each channel its own name.');
  const known = (list: readonly string[], key: string): void => {
    list.forEach((name, i) => {
      if (!names.has(name))
        report.value(
          `${key}[${i}]`,
          `\`${name}\` is no channel`,
          `Known: ${[...names].join(', ') || 'none'}.`,
        );
    });
  };
  alerts.rules.forEach(({ channels, escalate }, i) => {
    known(channels, `alerts.rules[${i}].channels`);
    escalate.forEach((step, at) => {
      known(step.channels, `alerts.rules[${i}].escalate[${at}].channels`);
    });
  });
  checkQuiet(alerts, report);
  return {
    ...alerts,
    channels: alerts.channels.map((channel, i) =>
      checkChannel(channel, `alerts.channels[${i}]`, folder, report, warnings, hasMail),
    ),
  };
}

function checkQuiet({ quietFrom, quietTo, quietZone }: AlertSettings, report: Report): void {
  if ((quietFrom === undefined) !== (quietTo === undefined))
    report.value('alerts', 'has one end of the quiet hours', 'Write `quietFrom` and `quietTo`, or neither.');
  for (const [key, value] of Object.entries({ quietFrom, quietTo }))
    if (value !== undefined && !clock.test(value))
      report.value(`alerts.${key}`, `\`${value}\` is no time of day`, 'Write it as `22:00`.');
  try {
    new Intl.DateTimeFormat('en', { timeZone: quietZone });
  } catch {
    report.value(
      'alerts.quietZone',
      `\`${quietZone}\` is no time zone`,
      'Write a name such as `Europe/Berlin`.',
    );
  }
}

function checkChannel(
  channel: AlertChannel,
  key: string,
  folder: string,
  report: Report,
  warnings: DangerousSetting[],
  hasMail: boolean,
): AlertChannel {
  const domain = channel.domain?.toLowerCase();
  if (domain !== undefined && !domainName.test(domain))
    report.value(`${key}.domain`, `\`${domain}\` is not a host name`, 'Write a name such as `example.com`.');
  const kinds = channelKinds.filter((kind) => channel[kind] !== undefined);
  if (kinds.length !== 1)
    report.value(
      key,
      kinds.length === 0 ? 'has no way to reach anybody' : `has several ways: ${kinds.join(', ')}`,
      `Write one of: ${channelKinds.join(', ')}.`,
    );
  if (channel.email !== undefined && !hasMail)
    report.value(`${key}.email`, 'needs a mail server', 'Set `mail.host` and `mail.from`.');
  const file = (path: string, name: string): string => {
    const absolute = resolve(folder, path);
    if (!existsSync(absolute))
      report.value(`${key}.${name}`, `there is no file ${absolute}`, 'Write the secret into that file.');
    return absolute;
  };
  const { webhook, slack, teams, pagerduty, sms } = channel;
  for (const [kind, one] of Object.entries({ webhook, pagerduty, sms }))
    if (one !== undefined) checkUrl(one.url, one.dangerousInside === true, `${key}.${kind}.url`, report);
  for (const [kind, one] of Object.entries({ webhook, slack, teams, pagerduty, sms }))
    if (one?.dangerousInside === true)
      warnings.push({
        key: `${key}.${kind}.dangerousInside`,
        meaning: 'requests of the edge may reach inside addresses, and go without TLS',
      });
  return {
    ...channel,
    ...(domain === undefined ? {} : { domain }),
    ...(webhook === undefined
      ? {}
      : { webhook: { ...webhook, secretFile: file(webhook.secretFile, 'webhook.secretFile') } }),
    ...(slack === undefined ? {} : { slack: { ...slack, urlFile: file(slack.urlFile, 'slack.urlFile') } }),
    ...(teams === undefined ? {} : { teams: { ...teams, urlFile: file(teams.urlFile, 'teams.urlFile') } }),
    ...(pagerduty === undefined
      ? {}
      : { pagerduty: { ...pagerduty, keyFile: file(pagerduty.keyFile, 'pagerduty.keyFile') } }),
    ...(sms?.tokenFile === undefined
      ? {}
      : { sms: { ...sms, tokenFile: file(sms.tokenFile, 'sms.tokenFile') } }),
  };
}

function checkUrl(url: string, mayBePlain: boolean, key: string, report: Report): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol !== 'https:' && !(protocol === 'http:' && mayBePlain))
    report.value(key, `\`${url}\` is no https URL`, 'Write one that begins with `https://`.');
}
