import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { asText } from '@ringfence/ng/exchange.ts';
import type { EndpointSpec, RelayEvent } from '@ringfence/relay/contract.ts';
import { FakeNg, plausible } from '../testing/fake-ng.ts';
import { RtpengineEngine } from './engine.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const spec: EndpointSpec = { local: '127.0.0.1', ports: 'pair', dscp: 46, suites: [] };
const remote = (port: number) => ({ address: '198.51.100.7', rtpPort: port, rtcpPort: port + 1 });

async function fake(answering?: Parameters<typeof FakeNg.open>[0]): Promise<FakeNg> {
  const opened = await FakeNg.open(answering);
  closing.push(() => opened.close());
  return opened;
}

async function engineOf(
  ...instances: readonly { port: number; weight?: number }[]
): Promise<{ engine: RtpengineEngine; events: RelayEvent[]; changes: string[] }> {
  const events: RelayEvent[] = [];
  const changes: string[] = [];
  const engine = await RtpengineEngine.start({
    instances: instances.map(({ port, weight = 1 }) => ({ address: '127.0.0.1', port, weight })),
    oneWayAfterMs: 5000,
    pollMs: 50,
    onInstance: ({ name, up }) => changes.push(`${name} ${up ? 'up' : 'down'}`),
  });
  closing.push(() => engine.stop());
  engine.onEvent((event) => events.push(event));
  return { engine, events, changes };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i += 1) await new Promise((done) => setTimeout(done, 10));
  assert.ok(condition(), `not within 10 s: ${condition}`);
}

test('a call is opened, linked and ended in seven exchanges, the place of each told to the other', async () => {
  const ng = await fake();
  const { engine } = await engineOf(ng);
  const config = { media: 'rtp', remote: remote(4000) } as const;
  const opened = await engine.open([{ ...spec, config }, spec]);
  assert.ok(opened.ok);
  const [caller, callee] = opened.value;
  assert.ok(caller && callee);
  assert.deepEqual(ng.commands, ['offer', 'answer', 'offer']);
  assert.equal(caller.advertised, '192.0.2.9');
  assert.match(asText(ng.asked[2]?.get('sdp')), /m=audio 20002 /, "the caller's inside place");
  engine.configure(callee.id, { media: 'rtp', remote: remote(5000) });
  engine.link(caller.id, callee.id);
  // Counters are asked for in between, as often as time passes.
  const told = (): string[] => ng.commands.filter((command) => command !== 'query');
  await until(() => told().length === 5);
  assert.deepEqual(told().slice(3), ['answer', 'offer']);
  const [, , , answer, offer] = ng.asked.filter((request) => asText(request.get('command')) !== 'query');
  assert.match(asText(answer?.get('sdp')), /m=audio 5000 /);
  assert.match(asText(offer?.get('sdp')), /m=audio 20006 /, "the callee's inside place");
  const stats = await engine.close([caller.id, callee.id]);
  assert.deepEqual(
    stats.map(({ id }) => id),
    [caller.id, callee.id],
  );
  assert.equal(ng.commands.filter((command) => command === 'delete').length, 2);
});

test('new calls are spread by weight, and stay near what they belong to', async () => {
  const [light, heavy, none] = [await fake(), await fake(), await fake()];
  const { engine } = await engineOf(light, { port: heavy.port, weight: 3 }, { port: none.port, weight: 0 });
  for (let i = 0; i < 8; i += 1) assert.ok((await engine.open([spec])).ok);
  assert.deepEqual([light.asked.length, heavy.asked.length, none.asked.length], [2, 6, 0]);
  const first = await engine.open([spec]);
  assert.ok(first.ok && first.value[0]);
  const { length } = heavy.asked;
  for (let i = 0; i < 3; i += 1) assert.ok((await engine.open([{ ...spec, near: first.value[0].id }])).ok);
  assert.equal(heavy.asked.length, length + 3);
});

test('an instance that refuses is passed over, and what it had opened is given back', async () => {
  const full = await fake((request) =>
    request.get('command') === 'ping'
      ? { result: 'pong' }
      : { result: 'error', 'error-reason': 'Ran out of ports' },
  );
  const { engine } = await engineOf({ port: full.port, weight: 1000 });
  assert.deepEqual(await engine.open([spec]), { ok: false, error: 'no-ports' });
  const other = await fake();
  const two = await engineOf({ port: full.port, weight: 1000 }, other);
  assert.ok((await two.engine.open([spec, spec])).ok);
  assert.equal(other.commands.length, 2);
});

test('an instance that falls silent loses its calls, takes no new ones, and is asked again once it is back', async () => {
  const first = await fake();
  const second = await fake();
  const { engine, events, changes } = await engineOf({ port: first.port, weight: 1000 }, second);
  const opened = await engine.open([spec]);
  assert.ok(opened.ok && opened.value[0]);
  first.answering = () => undefined;
  await until(() => events.length === 1);
  assert.deepEqual(events[0], {
    kind: 'lost',
    endpoint: opened.value[0].id,
    reason: `rtpengine 127.0.0.1:${first.port} is gone`,
  });
  assert.equal((await engine.close([opened.value[0].id])).length, 1);
  assert.ok((await engine.open([spec])).ok);
  assert.equal(second.commands.length, 1);
  first.answering = plausible();
  await until(() => changes.at(-1) === `127.0.0.1:${first.port} up`);
  await until(() => first.commands.includes('delete'));
});

test('no instance answers: an open says that the relay is down', async () => {
  const gone = await fake(() => undefined);
  const { engine } = await engineOf(gone);
  assert.deepEqual(await engine.open([spec]), { ok: false, error: 'relay-down' });
});

test('a call that rtpengine has forgotten is lost: when it is looked at, and when new ports come for it', async () => {
  const answering = plausible();
  const ng = await fake(answering);
  const { engine, events } = await engineOf(ng);
  const opened = await engine.open([
    { ...spec, config: { media: 'rtp' } },
    { ...spec, config: { media: 'rtp' } },
  ]);
  assert.ok(opened.ok);
  const [one, two] = opened.value.map(({ id }) => id) as [number, number];
  answering.forget();
  engine.link(one, two);
  await until(() => events.length === 2);
  assert.ok(events.every(({ kind }) => kind === 'lost'));
});

test('two sides on different instances cannot be joined: both are lost', async () => {
  const [a, b] = [await fake(), await fake()];
  const { engine, events } = await engineOf(a, b);
  const [left, right] = [await engine.open([spec]), await engine.open([spec])];
  assert.ok(left.ok && left.value[0] && right.ok && right.value[0]);
  engine.link(left.value[0].id, right.value[0].id);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['lost', 'lost'],
  );
});
