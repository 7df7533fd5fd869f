import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { registered } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { over } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';
import { EdgeMetrics } from './edge-metrics.ts';
import type { NodeLook } from './node-gauges.ts';

const lookAt = (world: World): NodeLook => ({
  version: '1.2.3',
  now: () => world.time.now,
  calls: () => world.edge.calls.size,
  legs: () => world.edge.legs,
  registrations: () => world.edge.registrar.size,
  transactions: () => 0,
  isMediaUp: () => world.relayUp,
  trunks: () => world.edge.liveState(),
  certificates: () => [],
});

/** The value of the one line that begins so. */
function seriesValue(text: string, series: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${series} `));
  assert.equal(lines.length, 1, `${series}\n${text}`);
  return Number(lines[0]?.slice(series.length));
}

test('RFC 6076 §4: calls over a trunk are measured for the trunk and for the tenant', async () => {
  const world = new World({
    objects: {
      users: [user('alice', { number: '+4930123401' })],
      trunks: [trunk('carrier', { targets: [{ target: 'sip:192.0.2.31', priority: 0, weight: 1 }] })],
      routes: [route('default', { trunks: ['carrier'] })],
    },
  });
  const metrics = new EdgeMetrics(lookAt(world));
  world.bus.subscribe(metrics.subscriber);
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const gateway = new Phone(world, { name: 'gateway', address: '192.0.2.31' }).listen();
  gateway.onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  assert.equal(seriesValue(await metrics.text(), 'ringfence_calls'), 1);
  await world.run(10_000);
  call.hangUp();
  await over(world);
  gateway.onInvite = (refused) => refused.reject(486);
  const busy = alice.call('+49894321');
  await world.until(() => busy.state === 'over');
  await over(world);
  const text = await metrics.text();
  const domain = 'domain="example.test",trunk="",direction="out"';
  const peer = 'domain="example.test",trunk="carrier",direction="out"';
  for (const labels of [domain, peer]) {
    assert.equal(seriesValue(text, `ringfence_sessions_total{${labels},outcome="completed"}`), 1);
    assert.equal(seriesValue(text, `ringfence_sessions_total{${labels},outcome="busy"}`), 1);
    assert.equal(seriesValue(text, `ringfence_kpi_ratio{${labels},measure="asr"}`), 0.5);
    assert.equal(seriesValue(text, `ringfence_kpi_ratio{${labels},measure="seer"}`), 1);
    assert.ok(seriesValue(text, `ringfence_kpi_seconds{${labels},measure="acd"}`) >= 10);
    assert.equal(seriesValue(text, `ringfence_session_duration_seconds_count{${labels}}`), 1);
  }
  assert.equal(seriesValue(text, 'ringfence_session_disconnect_delay_seconds_count{trunk="carrier"}'), 1);
  assert.equal(seriesValue(text, 'ringfence_registered_contacts'), 1);
  assert.equal(seriesValue(text, 'ringfence_calls'), 0);
  assert.equal(seriesValue(text, 'ringfence_build_info{version="1.2.3"}'), 1);
  assert.equal(seriesValue(text, 'ringfence_events_total{event="call.ended",severity="info"}'), 2);
});

test('names that a peer makes up cannot make series without end', async () => {
  const world = new World();
  const metrics = new EdgeMetrics(lookAt(world));
  for (let i = 0; i < 2_000; i += 1) {
    metrics.subscriber(
      {
        type: 'message.malformed',
        source: '192.0.2.1:5060',
        listener: 'inside',
        code: `code-${i}`,
        detail: '',
      },
      world.time.now,
      'info',
    );
    metrics.subscriber(
      {
        type: 'call.ended',
        call: 'c',
        domain: `d${i}.test`,
        caller: '',
        callee: '',
        principal: `trunk:t${i}@d${i}.test`,
        route: '',
        delayMs: 1,
        disposition: 'failed',
        status: 500,
        cause: 'normal',
        seconds: 0,
        quality: [],
      },
      world.time.now,
      'info',
    );
  }
  const text = await metrics.text();
  const series = (name: string): number =>
    text.split('\n').filter((line) => line.startsWith(`${name}{`)).length;
  assert.equal(series('ringfence_messages_malformed_total'), 201);
  assert.ok(series('ringfence_sessions_total') <= 1_002, String(series('ringfence_sessions_total')));
  assert.equal(seriesValue(text, 'ringfence_messages_malformed_total{code="other"}'), 1_800);
  assert.ok(text.includes('domain="other"'));
});

test('the dashboard and the manual name metrics that there are', async () => {
  const world = new World();
  const text = await new EdgeMetrics(lookAt(world)).text();
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]));
  for (const page of ['docs/grafana/ringfence.json', 'docs/monitoring.md']) {
    const source = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8');
    const named = [...source.matchAll(/\b(?:ringfence|process)_[a-z_]+[a-z]/g)].map(([name]) =>
      name.replace(/_(?:bucket|count|sum)$/, ''),
    );
    assert.ok(named.length > 10, page);
    for (const name of named) assert.ok(known.has(name), `${page}: ${name}`);
  }
});
