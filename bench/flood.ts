/**
 * A flood of junk and INVITEs from forged and real addresses, while a known peer goes on placing calls: how many of those
 * are set up, and how long they take. The same on Kamailio with the defences of its default configuration. In a network
 * namespace of its own; needs root.
 *
 *     npm run bench:flood -- [--runs 3] [--seconds 20] [--warm 5] [--calls 100] [--junk 50000] [--invites 2000]
 *                            [--only ours,kamailio] [--no-write]
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { edgePresent } from '../test/interop/edge.ts';
import { kamailioVersion } from '../test/interop/peers/kamailio.ts';
import { type FloodContender, type FloodMeasured, offerUnderFlood, prepareNetwork } from './flood/offer.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';
import { ownNetwork } from './signalling/isolation.ts';
import { median } from './signalling/sipp-statistics.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '20' },
    warm: { type: 'string', default: '5' },
    calls: { type: 'string', default: '100' },
    junk: { type: 'string', default: '50000' },
    invites: { type: 'string', default: '2000' },
    only: { type: 'string', default: 'ours,kamailio' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const loadBefore = loadavg()[0]!.toFixed(1);
const { places, described } = await ownNetwork(true);
if (places.server.startsWith('127.')) {
  process.stderr.write(
    'bench:flood needs root and a network namespace: nothing is flooded outside of one.\n',
  );
  process.exit(1);
}
prepareNetwork();
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const [runs, seconds, warm, calls, junk, invites] = [
  values.runs,
  values.seconds,
  values.warm,
  values.calls,
  values.junk,
  values.invites,
].map(Number) as [number, number, number, number, number, number];

const absent: Readonly<Record<FloodContender, string | null>> = {
  ours: edgePresent() ? null : 'apps/edge/main.ts is not there',
  kamailio: kamailioVersion() ? null : 'kamailio is not installed',
};
const wanted = values.only.split(',') as FloodContender[];
const measured = new Map<string, FloodMeasured[]>();
const kinds = { quiet: { junk: 0, invites: 0 }, flood: { junk, invites } } as const;

for (let run = 0; run < runs; run += 1)
  for (const id of run % 2 === 0 ? wanted : [...wanted].reverse())
    for (const [kind, flood] of Object.entries(kinds)) {
      if (absent[id] !== null) continue;
      const load = {
        callsPerSecond: calls,
        seconds,
        warmSeconds: warm,
        junkPerSecond: flood.junk,
        invitesPerSecond: flood.invites,
      };
      const result = await offerUnderFlood(id, load, places).catch((cause: unknown) => {
        say(`${id} ${kind}: no run: ${cause instanceof Error ? cause.message : String(cause)}`);
        return undefined;
      });
      if (result === undefined) continue;
      measured.set(`${id} ${kind}`, [...(measured.get(`${id} ${kind}`) ?? []), result]);
      say(
        `run ${run + 1}/${runs} ${id} ${kind}: ${(result.setUp * 100).toFixed(2)} % set up, p50 ${result.p50.toFixed(1)} ms, ` +
          `p99 ${result.p99.toFixed(1)} ms, ${result.cores.toFixed(2)} cores (caller ${result.others.caller.toFixed(2)}, called ${result.others.called.toFixed(2)}, ` +
          `flooder ${result.others.flooder.toFixed(2)}), ${result.overflowed} overflowed, ${result.flooded} packets of the flood`,
      );
    }

const middle = (id: FloodContender, kind: string, of: (result: FloodMeasured) => number, digits: number) => {
  const all = measured.get(`${id} ${kind}`);
  if (all === undefined) return null;
  const value = median(all.map(of));
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : null;
};

const rows: Row[] = [];
for (const kind of ['quiet', 'flood'] as const)
  for (const [what, unit, of, digits] of [
    ['calls set up', '%', (r: FloodMeasured) => r.setUp * 100, 2],
    ['INVITE to 200, p50', 'ms', (r: FloodMeasured) => r.p50, 1],
    ['INVITE to 200, p99', 'ms', (r: FloodMeasured) => r.p99, 1],
    ['CPU of the server', 'cores', (r: FloodMeasured) => r.cores, 2],
  ] as const) {
    const under = kind === 'quiet' ? 'no flood' : `${junk} junk/s and ${invites} INVITEs/s`;
    const made = row({
      bench: 'flood',
      work: `${what}, ${calls} calls/s, ${under}`,
      unit,
      ours: middle('ours', kind, of, digits),
      peer: `Kamailio ${kamailioVersion() ?? ''}, default anti-flood`,
      theirs: middle('kamailio', kind, of, digits),
      ...(absent.kamailio === null ? {} : { note: `peer absent: ${absent.kamailio}` }),
      seen: { runs },
    });
    rows.push(made);
    process.stdout.write(`${JSON.stringify(made)}\n`);
  }

if (values.write)
  writeSection(
    'flood',
    [
      '## Flood',
      '',
      `${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; ${described}; load of the machine before: ${loadBefore}.`,
      `\`npm run bench:flood -- ${process.argv.slice(2).join(' ')}\`: medians of ${runs} alternating run(s) of ${seconds} s. The ` +
        'flood, half of it from forged senders and half from 256 real addresses, caller and called party run on the same machine; ' +
        'the caller is a known peer on both. Kamailio refuses strangers with 403, Ringfence challenges them; Kamailio carries no media.',
      '',
      table(rows),
    ].join('\n'),
  );
