import type { AlertChannel } from '../../config/alerts.ts';
import type { Post } from '../post.ts';
import { subjectOf } from '../words.ts';
import type { Channel } from './channel.ts';

/** Two messages of 160 characters, with what networks put in front of the parts. */
const longest = 300;

/** Whatever HTTP interface sends short messages: one request for each number, its body from a template. */
export function sms(
  settings: NonNullable<AlertChannel['sms']>,
  token: string | undefined,
  post: (request: Post) => Promise<void>,
): Channel {
  const { url, to, contentType, body, dangerousInside } = settings;
  const write = contentType === 'application/json' ? jsonText : encodeURIComponent;
  return async (deliveries) => {
    const text = `Ringfence ${subjectOf(deliveries)}`.slice(0, longest);
    for (const number of to)
      await post({
        url,
        inside: dangerousInside === true,
        headers: {
          'content-type': contentType,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: filled(body, { to: write(number), text: write(text) }),
      });
  };
}

/** Between the quotes of the template. */
const jsonText = (text: string): string => JSON.stringify(text).slice(1, -1);

/** In one pass: what a value says is never a place itself. */
function filled(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{\{(to|text)\}\}/g, (_, name: string) => values[name] ?? '');
}
