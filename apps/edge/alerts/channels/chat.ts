import type { Post } from '../post.ts';
import { subjectOf, textOf } from '../words.ts';
import type { Channel } from './channel.ts';

interface ChatPlace {
  readonly url: string;
  readonly inside: boolean;
}

const headers = { 'content-type': 'application/json' };

/** An incoming webhook of Slack, or of Mattermost and others that take the same. */
export function slack({ url, inside }: ChatPlace, post: (request: Post) => Promise<void>): Channel {
  return (deliveries, { node }) => {
    const text = escaped(textOf(deliveries, node));
    const body = { text: escaped(subjectOf(deliveries)), attachments: [{ text: `\`\`\`${text}\`\`\`` }] };
    return post({ url, inside, headers, body: JSON.stringify(body) });
  };
}

/** Slack reads `<!channel>` and links out of text; nothing of ours means to. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('`', "'");

/** A workflow of Microsoft Teams that takes adaptive cards. */
export function teams({ url, inside }: ChatPlace, post: (request: Post) => Promise<void>): Channel {
  return (deliveries, { node }) => {
    const block = (text: string, more: object = {}) => ({
      type: 'TextBlock',
      text: plain(text),
      wrap: true,
      ...more,
    });
    const card = {
      $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
      type: 'AdaptiveCard',
      version: '1.4',
      body: [
        block(subjectOf(deliveries), { weight: 'Bolder' }),
        ...textOf(deliveries, node)
          .split('\n')
          .filter((text) => text !== '')
          .map((text) => block(text, { spacing: 'None' })),
      ],
    };
    const content = { contentType: 'application/vnd.microsoft.card.adaptive', content: card };
    return post({ url, inside, headers, body: JSON.stringify({ type: 'message', attachments: [content] }) });
  };
}

/** Teams reads Markdown: no links, no mentions. */
const plain = (text: string): string => text.replace(/[\\[\]()*_`<>#]/g, (c) => `\\${c}`);
