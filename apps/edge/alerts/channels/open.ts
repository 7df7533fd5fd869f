import { readFileSync } from 'node:fs';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { AlertChannel } from '../../config/alerts.ts';
import { type Post, post as postOut } from '../post.ts';
import type { Channel } from './channel.ts';
import { slack, teams } from './chat.ts';
import { email, type MailSender } from './email.ts';
import { pagerduty } from './pagerduty.ts';
import { sms } from './sms.ts';
import { webhook } from './webhook.ts';

const shortestSecret = 16;

/** The channel that the configuration describes. @throws MisuseError where its secret cannot be read */
export function openChannel(
  settings: AlertChannel,
  mail: MailSender,
  post: (request: Post) => Promise<void> = postOut,
): Channel {
  const { name } = settings;
  if (settings.email !== undefined) return email(settings.email.to, mail);
  if (settings.webhook !== undefined) {
    const { url, secretFile, dangerousInside } = settings.webhook;
    const secret = read(name, secretFile);
    if (secret.length < shortestSecret)
      throw new MisuseError(
        'alert-channel',
        `alert channel ${name}: ${secretFile} holds less than 16 characters`,
      );
    return webhook({ url, secret, inside: dangerousInside === true }, post);
  }
  for (const [place, make] of [
    [settings.slack, slack],
    [settings.teams, teams],
  ] as const)
    if (place !== undefined)
      return make({ url: read(name, place.urlFile), inside: place.dangerousInside === true }, post);
  if (settings.pagerduty !== undefined) {
    const { url, keyFile, dangerousInside } = settings.pagerduty;
    return pagerduty({ url, key: read(name, keyFile), inside: dangerousInside === true }, post);
  }
  if (settings.sms !== undefined) {
    const { tokenFile } = settings.sms;
    return sms(settings.sms, tokenFile === undefined ? undefined : read(name, tokenFile), post);
  }
  throw new MisuseError('alert-channel', `alert channel ${name} has no way to reach anybody`);
}

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new MisuseError(
      'alert-channel',
      `alert channel ${name}: ${error instanceof Error ? error.message : file}`,
    );
  }
}
