import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import type { Agent } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { fieldsOf, token, usualFields } from './harness/compose.ts';
import { pause, until } from './harness/waiting.ts';

/** The store has a hundred kills of its own; here it is the whole daemon, and a start takes more than a second. */
const rounds = Number(process.env.RINGFENCE_TEST_KILLS ?? 8);
/** A call in progress is on disk so long after its answer (store.callCommitMilliseconds, and some). */
const surelyLiveMs = 600;
/** A BYE waits for its record, but not for ever (200 ms); beyond this the answer says nothing. */
const surelyRecordedMs = 150;

const phones = ['p0', 'p1', 'p2', 'p3'];
const pairs = [
  ['alice', 'bob'],
  ['carol', 'dave'],
] as const;

/** What the edge has acknowledged before it died. */
interface Acknowledged {
  /** Version of the contact, by phone. */
  readonly registrations: Map<string, number>;
  /** Call-IDs of the callers' legs whose BYE was answered. */
  readonly ended: Set<string>;
  /** Call-IDs of calls that were up, with the time of their answer. */
  readonly live: Map<string, number>;
}

const contactOf = (phone: Agent, version: number): string =>
  `<sip:${phone.name}@${phone.sentBy};v=${version}>;+sip.instance="<urn:uuid:${phone.name}>";reg-id=1`;

/** Registers again and again, each time with another contact under the same key. */
async function registerOn(phone: Agent, seen: Acknowledged, running: () => boolean): Promise<void> {
  for (let version = (seen.registrations.get(phone.name) ?? 0) + 1; running(); version += 1) {
    const { answer } = await phone.authenticated('REGISTER', {
      ...phone.registerOptions(),
      more: [...usualFields, ['Contact', contactOf(phone, version)], ['Expires', '900']],
      patienceMs: 1_500,
    });
    if (answer.status !== 200) throw new Error(`REGISTER was answered ${answer.status}`);
    seen.registrations.set(phone.name, version);
  }
}

/** Calls, and hangs up at once or never. */
async function callOn(bed: Bed, caller: Agent, callee: Agent, seen: Acknowledged, running: () => boolean) {
  while (running()) {
    const callId = token();
    const call = await bed.connect(caller, callee, callee.name, {}, { callId, patienceMs: 1_500 });
    seen.live.set(callId, performance.now());
    if (randomInt(3) === 0) await pause(randomInt(300));
    if (!running()) return;
    const began = performance.now();
    const { status } = await call.caller.hangUp();
    seen.live.delete(callId);
    if (status === 200 && performance.now() - began < surelyRecordedMs) seen.ended.add(callId);
  }
}

test(`kill -9 at ${rounds} random moments: what was acknowledged is there, calls in progress go on`, async () => {
  const names = [...phones, ...pairs.flat()];
  const bed = await Bed.openToRestart(
    { users: names.map((name) => ({ name })) },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tcp', transport: 'tcp', encryption: 'preferred' },
      ],
      more: { log: '{ format: json, level: info }' },
    },
  );
  const seen: Acknowledged = { registrations: new Map(), ended: new Set(), live: new Map() };
  let kept = 0;
  try {
    for (let round = 1; round <= rounds; round += 1) {
      seen.live.clear();
      let alive = true;
      const running = (): boolean => alive;
      const agents = await Promise.all(phones.map((name, i) => bed.phone(name, i % 2 === 0 ? 'udp' : 'tcp')));
      const talkers = await Promise.all(
        pairs.map(
          async ([a, b]) => [await bed.registered(a, 'udp'), await bed.registered(b, 'udp')] as const,
        ),
      );
      // One call in each round that nobody ends.
      const lasting = token();
      const pair = talkers[round % talkers.length];
      if (pair === undefined) throw new Error('no pair');
      await bed.connect(pair[0], pair[1], pair[1].name, {}, { callId: lasting });
      seen.live.set(lasting, performance.now());
      const work = [
        ...agents.map((phone) => registerOn(phone, seen, running)),
        ...talkers.map(([a, b]) => callOn(bed, a, b, seen, running)),
      ].map((task) => task.catch(() => undefined));
      await pause(surelyLiveMs + 50 + randomInt(700));
      const exit = await bed.edge.kill();
      const died = performance.now();
      alive = false;
      assert.equal(exit.signal, 'SIGKILL');
      const live = [...seen.live].filter(([, at]) => died - at > surelyLiveMs).map(([callId]) => callId);
      assert.ok(live.includes(lasting));
      for (const agent of [...agents, ...talkers.flat()]) agent.close();
      // What waits for an answer that never comes need not be waited for.
      await Promise.race([Promise.all(work), pause(300)]);

      await bed.restart();
      const records = await bed.records(5_000);
      const byCallId = new Map(records.map((record) => [record.legs[0]?.callId ?? '', record]));
      const missing = [...seen.ended].filter((callId) => {
        const record = byCallId.get(callId);
        return (
          record?.disposition !== 'answered' || record.cause !== 'normal' || record.endedAt === undefined
        );
      });
      assert.deepEqual(missing, [], `round ${round}: records of ended calls`);
      for (const callId of live) {
        const record = byCallId.get(callId);
        assert.equal(record?.disposition, 'live', `round ${round}: the call in progress`);
        kept += 1;
      }
      const taken = await bed.edge.event('edge.taken-over');
      assert.ok(Number(taken.calls) >= kept, `round ${round}: those of the rounds before go on too`);
      for (const name of phones) {
        const phone = await bed.phone(name, 'udp');
        const { answer } = await phone.authenticated('REGISTER', {});
        const contact = fieldsOf(answer.text, 'Contact').join();
        const version = Number(/;v=(\d+)/.exec(contact)?.[1] ?? 0);
        const acknowledged = seen.registrations.get(name) ?? 0;
        assert.ok(
          version === acknowledged || version === acknowledged + 1,
          `round ${round}: ${name} has contact ${version}, acknowledged was ${acknowledged}`,
        );
        seen.registrations.set(name, version);
        phone.close();
      }
    }
    assert.ok(seen.ended.size >= rounds, `${seen.ended.size} calls ended`);
    assert.ok(kept >= rounds);
    assert.ok([...seen.registrations.values()].every((version) => version >= rounds));
  } finally {
    await bed.close();
  }
});

test('kill -9 of an edge without calls takes the media process with it, and leaves no port behind', async () => {
  const bed = await Bed.open({ users: [{ name: 'alice' }] });
  try {
    const media = bed.edge.mediaPid ?? 0;
    assert.ok(media > 0);
    await bed.edge.kill();
    await until('the media process ends', () => {
      try {
        process.kill(media, 0);
        return false;
      } catch {
        return true;
      }
    });
  } finally {
    await bed.close();
  }
});
