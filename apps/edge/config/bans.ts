import { type Static, Type } from '@sinclair/typebox';
import { readRange } from '../objects/address-range.ts';
import type { Report } from './validate.ts';

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

export function checkBans(bans: BanSettings, report: Report): void {
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
}
