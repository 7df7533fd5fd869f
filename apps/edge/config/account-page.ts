import { isIP } from 'node:net';
import { type Static, Type } from '@sinclair/typebox';
import type { Listener } from './schema.ts';
import type { Report } from './validate.ts';

/** The page where users confirm their phones, wherever a listener has it. */
export const AccountPageSettings = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        description:
          'Where users open it, such as `https://voice.example.com:8443/account`: named to phones in quarantine and in mails, and the site that passkeys belong to. Default: made of the first listener that has the page, its `publicAddress` or `domain`, and its port.',
      }),
    ),
    sessionMinutes: Type.Integer({
      minimum: 2,
      maximum: 120,
      default: 15,
      description: 'How long a user stays signed in.',
    }),
    linkMinutes: Type.Integer({
      minimum: 5,
      maximum: 1440,
      default: 60,
      description: 'How long a link that was sent by mail can be used. It works once.',
    }),
    mailAtQuarantine: Type.Boolean({
      default: true,
      description:
        'Users with an `email` get a mail with a link when a phone of theirs must be confirmed, at most three in an hour. Needs `mail`.',
    }),
  },
  {
    additionalProperties: false,
    default: {},
    description:
      'The page where users confirm their phones, see [accounts](accounts.md); `accountPage` of a listener serves it.',
  },
);
export type AccountPageSettings = Static<typeof AccountPageSettings>;

/** The listener serves the account page. */
export const hasAccountPage = ({ transport, accountPage, phonePage }: Listener): boolean =>
  transport === 'wss' && (accountPage ?? phonePage === true);

export function checkAccountPage({ url }: AccountPageSettings, report: Report): void {
  if (url === undefined) return;
  const read = URL.parse(url);
  const plain =
    read?.protocol === 'https:' &&
    read.pathname === '/account' &&
    `${read.username}${read.password}${read.search}${read.hash}` === '' &&
    url.length <= 200;
  if (!plain)
    report.value(
      'accountPage.url',
      'is not the address of the page',
      'Write an address such as `https://voice.example.com:8443/account`.',
    );
}

/**
 * Address of the page as users open it; undefined where no listener has it.
 *
 * @param bound Port that the listener has got, where it took a free one.
 */
export function accountPageUrl(
  {
    domain,
    listeners,
    accountPage,
  }: {
    readonly domain: string;
    readonly listeners: readonly Listener[];
    readonly accountPage: AccountPageSettings;
  },
  bound: (listener: string) => number | undefined,
): string | undefined {
  const listener = listeners.find(hasAccountPage);
  if (listener === undefined) return undefined;
  if (accountPage.url !== undefined) return accountPage.url;
  const host = listener.publicAddress ?? domain;
  const port = bound(listener.name) ?? listener.port;
  const place = isIP(host) === 6 ? `[${host}]` : host;
  return `https://${place}${port === 443 ? '' : `:${port}`}/account`;
}
