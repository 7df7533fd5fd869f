/**
 * `npm run soak -- --minutes 5`: calls without a pause, hung up at random, cancelled in races, over a network that
 * loses datagrams, with phones that die. In the end nothing may be left: no call, dialog, transaction, port or
 * descriptor; each call has one record, and memory is flat.
 */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Bed, password } from '../harness/bed.ts';
import { residentKib, udpPortsOf } from '../harness/edge-process.ts';
import { domain } from '../harness/place.ts';
import { pause, until } from '../harness/waiting.ts';
import { type SoakCall, SoakPhone } from './phone.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    rate: { type: 'string', default: '50' },
    loss: { type: 'string', default: '0.02' },
    json: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const rate = Number(values.rate);
const loss = Number(values.loss);
if (!(minutes > 0 && minutes <= 60 && rate > 0 && rate <= 200 && loss >= 0 && loss < 0.3))
  throw new Error('--minutes 0 to 60, --rate 1 to 200, --loss 0 to 0.3');

/** Where caller and called phone die while it rings, nothing but this ends the call. */
const ringSeconds = 30;
/** What may still run when the last call was made: the ringing, 64*T1 for the ACK, and as long for the BYE. */
const quietMs = 105_000;
const phones = 20;
const trunkAddress = '127.0.0.77';
const chance = (share: number): boolean => Math.random() < share;
const between = (from: number, to: number): number => from + Math.random() * (to - from);
const later = (milliseconds: number, run: () => void): void => void setTimeout(run, milliseconds);

const bed = await Bed.open(
  {
    users: Array.from({ length: phones }, (_, i) => ({ name: `user${i}`, encryption: 'none' as const })),
    trunks: [
      {
        name: 'crowd',
        target: `sip:${trunkAddress}:5999`,
        addresses: [`${trunkAddress}/32`],
        encryption: 'none',
      },
    ],
  },
  {
    listeners: [{ name: 'udp', transport: 'udp', encryption: 'none' }],
    mediaPorts: 8_000,
    more: { log: '{ format: json, level: notice }', calls: `{ ringSeconds: ${ringSeconds} }` },
  },
);
const edgeAt = bed.edge.at('udp');
const mediaPid = bed.edge.mediaPid ?? 0;

const callees: SoakPhone[] = [];
for (let i = 0; i < phones; i += 1) {
  const phone = await SoakPhone.open(`user${i}`, '127.0.0.1', edgeAt, loss);
  phone.mayDie = dies(i);
  phone.events = { ringing: (call) => decide(phone, call) };
  callees.push(phone);
  const status = await phone.register(domain, password);
  if (status !== 200) throw new Error(`user${i} cannot register: ${status}`);
}

/** Phones that may die in a call that they have taken; in calls with the others the caller may. */
function dies(number: number): boolean {
  return number % 2 === 0;
}

function decide(phone: SoakPhone, call: SoakCall): void {
  if (chance(0.7)) phone.ring(call);
  if (chance(0.1)) return later(between(0, 300), () => phone.reject(call, 486));
  if (chance(0.05)) return phone.die(call);
  later(between(0, 250), () => {
    phone.answer(call);
    // Where the caller has died, somebody hangs up in the end.
    later(15_000, () => phone.hangUp(call));
    if (chance(0.5)) later(between(100, 6_000), () => phone.hangUp(call));
    else if (phone.mayDie && chance(0.1)) phone.die(call);
    else if (chance(0.1)) later(between(50, 1_000), () => phone.hold(call));
  });
}

const crowd = await SoakPhone.open('crowd', trunkAddress, edgeAt, loss);
let answered = 0;
let refused = 0;
crowd.events = {
  decided: (call, status) => {
    if (status >= 300) {
      refused += 1;
      return;
    }
    answered += 1;
    if (chance(0.03)) return later(8_000, () => crowd.hangUp(call));
    if (chance(0.1)) later(between(50, 1_500), () => crowd.hold(call));
    later(between(50, 6_000), () => crowd.hangUp(call));
  },
};

const say = (text: string): void =>
  void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
say(`${phones} phones are registered; ${rate} calls a second for ${minutes} min`);

const memory = (): { readonly edge: number; readonly media: number } => ({
  edge: residentKib(bed.edge.pid),
  media: residentKib(mediaPid),
});
const descriptors = (): number => readdirSync(`/proc/${bed.edge.pid}/fd`).length;
const problems: string[] = [];
const samples: { readonly edge: number; readonly media: number }[] = [];
const descriptorsBefore = descriptors();
let started = 0;
const began = performance.now();
const end = began + minutes * 60_000;
const sampler = setInterval(() => samples.push(memory()), 2_000);
while (performance.now() < end && bed.edge.alive) {
  const due = Math.floor(((performance.now() - began) / 1000) * rate);
  for (; started < due; started += 1) {
    const number = Math.floor(Math.random() * phones);
    const call = crowd.call(`user${number}`, domain);
    if (chance(0.15)) later(between(0, 260), () => crowd.cancel(call));
    // Where both are dead, only the probe after five minutes finds the call.
    else if (!dies(number) && chance(0.1)) later(between(5, 200), () => crowd.die(call));
    // Nobody waits for ever for those who do not answer.
    else later(12_000, () => crowd.cancel(call));
  }
  await pause(5);
}
clearInterval(sampler);
say(`${started} calls made, ${answered} answered; ${quietMs / 1000} s for the timers to run out`);
await pause(quietMs);

const check = (good: boolean, what: string): void => {
  if (!good) problems.push(what);
};
check(bed.edge.alive, `the edge has ended: ${bed.edge.complaint.slice(-500)}`);
await until('media ports', () => udpPortsOf(mediaPid).length === 0, 10_000).catch(() => undefined);
check(udpPortsOf(mediaPid).length === 0, `${udpPortsOf(mediaPid).length} media ports are left open`);
check(
  descriptors() <= descriptorsBefore + 2,
  `descriptors: ${descriptorsBefore} before, ${descriptors()} after`,
);
const third = Math.max(1, Math.floor(samples.length / 3));
const middle = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
const grown = { edge: 0, media: 0 };
for (const process_ of ['edge', 'media'] as const) {
  const early = middle(samples.slice(third, 2 * third).map((sample) => sample[process_]));
  const late = middle(samples.slice(-third).map((sample) => sample[process_]));
  grown[process_] = late - early;
  // A third of the time apart. The heap settles in the first minutes: a shorter run says nothing about it.
  if (minutes >= 4)
    check(late < 1.1 * early + 8_192, `memory of ${process_}: ${early} KiB, then ${late} KiB`);
}
for (const { event, ...rest } of bed.edge.events)
  if (event === 'edge.error' || event === 'edge.trouble') problems.push(JSON.stringify({ event, ...rest }));
say('looking at what is left');
bed.edge.signal('SIGTERM');
const draining = await bed.edge.event('edge.draining');
for (const what of ['calls', 'legs', 'transactions'] as const)
  check(draining[what] === 0, `${String(draining[what])} ${what} are left`);
await bed.edge.exited;
const records = await bed.records(started + 1000);
const ids = new Set(records.map(({ id }) => id));
check(ids.size === records.length, `${records.length - ids.size} calls have more than one record`);
check(
  records.every(({ endedAt }) => endedAt !== undefined),
  'calls are live in the records',
);
// An INVITE whose every repetition was lost never became a call.
check(
  records.length > started * (1 - loss) * 0.98 && records.length <= started,
  `${started} calls were made, ${records.length} are recorded`,
);
check(answered > started * 0.4, `${answered} of ${started} calls were answered`);

const outcome = {
  minutes,
  rate,
  loss,
  calls: started,
  answered,
  refused,
  records: records.length,
  memoryKib: { last: samples.at(-1), grown },
  problems,
};
process.stdout.write(
  values.json
    ? `${JSON.stringify(outcome)}\n`
    : `${started} calls in ${minutes} min, ${answered} answered, ${refused} refused, ${records.length} records; memory of the edge ${samples.at(-1)?.edge} KiB (${grown.edge} more), of the media process ${samples.at(-1)?.media} KiB (${grown.media} more)\n${problems.length === 0 ? 'nothing is left over' : problems.join('\n')}\n`,
);
for (const phone of [...callees, crowd]) phone.close();
await bed.close();
process.exitCode = problems.length === 0 ? 0 : 1;
