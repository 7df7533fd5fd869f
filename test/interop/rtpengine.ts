/** Cases of others again, with Debian's rtpengine carrying the voice in place of our own media process. */
import { cases as baresip } from './baresip.ts';
import { type Case, expect } from './harness/case.ts';
import { freePort, freePorts } from './harness/ports.ts';
import { runCases } from './harness/run-cases.ts';
import { rtpengineVersion, startRtpengine } from './peers/rtpengine.ts';
import { cases as sipp } from './sipp.ts';

/** sipp compares every octet, baresip brings SRTP on both sides and on one. DTLS is our own media process's alone. */
const again = [
  'sipp-udp-to-udp',
  'sipp-tls-to-udp',
  ...baresip.map(({ name }) => name).filter((name) => !name.includes('dtls')),
];

function byRtpengine(one: Case): Case {
  return {
    ...one,
    name: `rtpengine-${one.name}`,
    peer: `rtpengine, ${one.peer}`,
    version: () => (one.version() === null ? null : rtpengineVersion()),
    what: `${one.what}; voice by rtpengine`,
    run: async (context) => {
      const address = '127.0.0.1';
      const controlPort = await freePort(address);
      const from = await freePorts(64, address);
      context.closes(
        await startRtpengine({
          workspace: context.workspace,
          controlPort,
          address,
          ports: { from, to: from + 63 },
          threads: 1,
        }),
      );
      let log = (): string => '';
      const evidence = await one.run({
        ...context,
        edge: async (options) => {
          const edge = await context.edge({ ...options, rtpengine: controlPort });
          log = () => edge.log();
          return edge;
        },
      });
      expect(!/"media\.(?:lost|down)"/.test(log()), 'the edge lost streams at rtpengine');
      return evidence;
    },
  };
}

export const cases: readonly Case[] = [...sipp, ...baresip]
  .filter(({ name, peersOnly }) => peersOnly !== true && again.includes(name))
  .map(byRtpengine);

if (import.meta.main) await runCases(cases);
