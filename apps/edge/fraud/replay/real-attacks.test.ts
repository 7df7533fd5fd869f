import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { shippedRules } from '@ringfence/fraud/rules.ts';
import { corpusFile, corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { Numbers } from '../../routing/numbers.ts';
import { domain, user } from '../../testing/objects.ts';
import { Phone } from '../../testing/phone.ts';
import { World } from '../../testing/world.ts';
import { datagramOf } from './capture/datagram.ts';
import { packetsOf } from './capture/packets.ts';
import { readMoment } from './moment.ts';
import { dialledPricingOf, pricingOf, usualPrices } from './pricing.ts';
import { callsOf } from './read-file.ts';
import { Replay } from './replay.ts';

const honeynet = 'attack/honeynet-challenge4-sip.jsonl';
const lbnl = 'attack/lbnl/BadUserAgent-sipvicious.pcap';
const marks = /friendly-scanner|sipvicious/g;

interface Sent {
  readonly at: number;
  readonly source: string;
  readonly text: string;
}

/** Addresses of the capture, which are not all written out, as addresses of documentation. */
function honeynetMessages(): Sent[] {
  const lines = Buffer.from(corpusFile(honeynet)).toString().trim().split('\n');
  return lines.map((line, i) => {
    const { ts, msg } = JSON.parse(line) as { ts: string; msg: string };
    const text = msg.replaceAll('honey.pot.IP.removed', domain).replaceAll('X_removed', `t${i}abcdefg`);
    return { at: readMoment(ts, 0) as number, source: '203.0.113.66', text };
  });
}

async function lbnlMessages(): Promise<Sent[]> {
  const sent: Sent[] = [];
  const problem = (packet: number, text: string): never => {
    throw new Error(`packet ${packet}: ${text}`);
  };
  for await (const packet of packetsOf(corpusPath(lbnl), { problem })) {
    const payload = datagramOf(packet)?.payload;
    ok(payload !== undefined);
    // Ethernet, then the source in the header of IPv4.
    const source = [...packet.bytes.subarray(26, 30)].join('.');
    sent.push({ at: packet.at, source, text: payload.toString() });
  }
  return sent;
}

interface Stopped {
  readonly rule: string;
  readonly banned: boolean;
  readonly message: number;
  /** After the first message of that source. */
  readonly milliseconds: number;
  readonly evidence: string;
}

const longestWaitMs = 2_000;

/**
 * Sends what was sent, at the pace that it was sent (waits of more than two seconds are cut short), to an edge with its
 * defaults, and says for each source when it was found first.
 */
async function attack(sent: readonly Sent[], enough: number): Promise<Map<string, Stopped>> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const phones = new Map<string, { phone: Phone; count: number; first: number }>();
  const found = new Map<string, Stopped>();
  let last = sent[0]?.at ?? 0;
  for (const { at, source, text } of sent) {
    await world.run(Math.min(longestWaitMs, Math.max(0, at - last)));
    last = at;
    const from = phones.get(source) ?? {
      phone: new Phone(world, { name: 'eve', address: source, transport: 'udp', password: 'wrong' }),
      count: 0,
      first: at,
    };
    phones.set(source, from);
    from.count += 1;
    from.phone.raw(text);
    await world.run(1);
    for (const { source: who, rule, sentence, parts, bits } of world.eventsOf('threat.found')) {
      // Where the sender may be forged the finding is about the socket.
      if (found.has(source) || !who.startsWith(source)) continue;
      const evidence = `${sentence} ${parts.map((part) => `${part.text} (${part.bits})`).join(', ')}: ${bits} bits`;
      const banned = world.bans.some((ban) => ban.source.startsWith(source));
      found.set(source, { rule, banned, message: from.count, milliseconds: at - from.first, evidence });
    }
    if (found.size >= enough) break;
  }
  deepEqual(world.errors, []);
  return found;
}

function tell(t: TestContext, what: string, found: ReadonlyMap<string, Stopped>): void {
  for (const [source, { rule, banned, message, milliseconds, evidence }] of found)
    t.diagnostic(
      `${what}: ${source} ${banned ? 'banned' : 'found'} by ${rule} at message ${message}, ${(milliseconds / 1_000).toFixed(1)} s after its first: ${evidence}`,
    );
}

/** Calls that the fraud rules would have had to judge. */
async function calls(file: string): Promise<number> {
  const replay = new Replay(() => shippedRules);
  const numbers = new Numbers('US', ['911']);
  const options = {
    zone: 0,
    domain,
    price: pricingOf(usualPrices, 'US'),
    dialledPrice: dialledPricingOf(usualPrices, numbers, 'US'),
    isEmergency: (dialled: string) => numbers.isEmergency(dialled),
    problem: ({ row, problem }: { row: number; problem: string }): never => {
      throw new Error(`${row}: ${problem}`);
    },
  };
  for await (const call of callsOf(corpusPath(file), options)) replay.take(call);
  return replay.finish().calls;
}

describe('real attacks', () => {
  it(
    'of a honeypot in 2010: found by its first message, and without its mark within seconds',
    needsCorpus(honeynet),
    async (t) => {
      const sent = honeynetMessages();
      const marked = await attack(sent, 1);
      tell(t, 'Honeynet', marked);
      const unmarked = await attack(
        sent.map((one) => ({ ...one, text: one.text.replaceAll(marks, 'Phone') })),
        1,
      );
      tell(t, 'Honeynet without its mark', unmarked);
      deepEqual(
        [...marked.values()].map(({ rule, banned, message }) => [rule, banned, message]),
        [['scanner', true, 1]],
      );
      const [hidden] = unmarked.values();
      ok(
        hidden?.banned === true && hidden.message <= 12 && hidden.milliseconds < 15_000,
        JSON.stringify(hidden),
      );
      equal(await calls(honeynet), 0, 'the log has guesses and no call');
    },
  );

  it('on a laboratory in 2019: every source is found by its first message', needsCorpus(lbnl), async (t) => {
    const sent = await lbnlMessages();
    const sources = new Set(sent.map(({ source }) => source));
    const found = await attack(sent, sources.size);
    tell(t, 'LBNL', found);
    deepEqual([...found.keys()].sort(), [...sources].sort());
    ok(
      [...found.values()].every(({ rule, banned, message }) => banned && rule === 'scanner' && message === 1),
    );
    const unmarked = await attack(
      sent.map((one) => ({ ...one, text: one.text.replaceAll(marks, 'Phone') })),
      sources.size,
    );
    tell(t, 'LBNL without its mark', unmarked);
    t.diagnostic(`LBNL without its mark: ${unmarked.size} of ${sources.size} sources found`);
    equal(await calls(lbnl), 0, 'the capture has probes and no call');
  });
});
