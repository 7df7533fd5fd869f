import { resolve } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { readRange } from '../objects/address-range.ts';
import type { Report } from './validate.ts';

/** A list of addresses that others have seen attack. */
export const FeedSettings = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 40, description: 'Unique; shown in events and lists.' }),
    url: Type.Optional(
      Type.String({
        description:
          '`https:` address of the list (`http:` on loopback only): lines, or JSON such as that of APIBAN. Redirections are not followed.',
      }),
    ),
    file: Type.Optional(Type.String({ description: 'Or a file, relative to this one.' })),
    refreshSeconds: Type.Integer({
      minimum: 10,
      maximum: 604_800,
      default: 3600,
      description: 'It is read again so often.',
    }),
    staleSeconds: Type.Integer({
      minimum: 60,
      maximum: 2_592_000,
      default: 86_400,
      description: 'A feed that cannot be read keeps what it had for so long.',
    }),
    maximum: Type.Integer({
      minimum: 1,
      maximum: 250_000,
      default: 100_000,
      description: 'Most entries, some 400 octets each; further ones are passed over.',
    }),
  },
  { additionalProperties: false },
);
export type FeedSettings = Static<typeof FeedSettings>;

/** Whom the edge does not listen to, and for how long. */
export const BanSettings = Type.Object(
  {
    allow: Type.Array(Type.String(), {
      default: [],
      description:
        'Addresses and CIDR blocks that are never banned. Trunks, nodes of PBXs, loopback, this machine, and addresses that administrators have used `ringfence ban` from over SSH never are either.',
    }),
    seconds: Type.Integer({
      minimum: 1,
      maximum: 31_536_000,
      default: 600,
      description: 'Length of the first ban of a source.',
    }),
    growth: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 4,
      description:
        'A source that comes back within a week is banned this many times as long as the time before.',
    }),
    maximumSeconds: Type.Integer({
      minimum: 1,
      maximum: 31_536_000,
      default: 604_800,
      description: 'No ban that a rule asks for is longer; a week.',
    }),
    spoofableSeconds: Type.Integer({
      minimum: 1,
      maximum: 600,
      default: 60,
      description:
        'Evidence that came in UDP datagrams whose sender is not proven silences one socket (address and port) for so long, never an address: anybody can write any sender on a datagram.',
    }),
    feeds: Type.Array(FeedSettings, {
      default: [],
      description:
        'Lists whose addresses are banned for as long as they stand there. Blocks wider than /16 (IPv6: /32) and private addresses are passed over; whoever is never banned is not banned by a feed either.',
    }),
    publish: Type.Object(
      {
        list: Type.Optional(Type.String({ description: 'File with one banned address or block a line.' })),
        json: Type.Optional(
          Type.String({
            description: 'The same as JSON, with times and causes; another edge can read it as a feed.',
          }),
        ),
        log: Type.Optional(
          Type.String({
            description:
              'A line `Blocking traffic from ADDRESS` for each ban is added to this file, for fail2ban.',
          }),
        ),
      },
      {
        additionalProperties: false,
        default: {},
        description:
          'Tells others who is banned; paths are relative to the data folder. Sockets are left out. A change takes effect at the next start.',
      },
    ),
    kernel: Type.Union([Type.Literal('auto'), Type.Literal('off'), Type.Literal('required')], {
      default: 'auto',
      description:
        'Has the kernel drop what banned sources send to the ports of the listeners, by a table of nftables that goes with the edge. auto: where `nft` is there and the edge may (root or CAP_NET_ADMIN), else the edge drops it itself. required: the edge does not start without.',
    }),
    maximum: Type.Integer({
      minimum: 100,
      maximum: 1_000_000,
      default: 100_000,
      description: 'Most bans at a time, some 500 octets each; the oldest makes room.',
    }),
  },
  { additionalProperties: false, default: {} },
);
export type BanSettings = Static<typeof BanSettings>;

/** Paths of feeds become absolute. */
export function checkBans(bans: BanSettings, folder: string, report: Report): BanSettings {
  const names = new Set<string>();
  const feeds = bans.feeds.map((feed, i) => {
    const key = `bans.feeds[${i}]`;
    if (names.has(feed.name)) report.value(`${key}.name`, `\`${feed.name}\` is there twice`, 'Rename one.');
    names.add(feed.name);
    if ((feed.url === undefined) === (feed.file === undefined))
      report.value(key, 'needs `url` or `file`, and not both', 'Write one of them.');
    if (feed.url !== undefined && !isSafe(feed.url))
      report.value(`${key}.url`, 'is no https address', 'Write `https://…`; `http:` is for loopback only.');
    return feed.file === undefined ? feed : { ...feed, file: resolve(folder, feed.file) };
  });
  bans.allow.forEach((range, i) => {
    if (readRange(range) === undefined)
      report.value(
        `bans.allow[${i}]`,
        `\`${range}\` is neither an IP address nor a block`,
        'Write an address, or a block whose host bits are zero such as `192.0.2.0/24`.',
      );
  });
  if (bans.maximumSeconds < bans.seconds)
    report.value(
      'bans.maximumSeconds',
      `is ${bans.maximumSeconds}, less than bans.seconds (${bans.seconds})`,
      'Write at least as many seconds.',
    );
  return { ...bans, feeds };
}

function isSafe(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (
    protocol === 'https:' || (protocol === 'http:' && /^(?:127\.[0-9.]+|\[::1\]|localhost)$/.test(hostname))
  );
}
