import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import type { AlertRule, AlertSettings } from '../config/alerts.ts';
import { severities } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import { AlertBook } from './book.ts';
import { tenantOf } from './tenant.ts';

const noon = Date.UTC(2026, 0, 31, 12);
const domains = ['one.test', 'two.test', 'one.test.two.test', 'example.test'] as const;

/** An event, and whose it is. */
function anEvent(random: SeededRandom): readonly [EdgeEvent, string | undefined] {
  const domain = random.pick(domains);
  const written = random.chance(0.3) ? domain.toUpperCase() : domain;
  const source = `192.0.2.${random.integer(1, 250)}:5060`;
  // Names with signs that a careless reader would take for the end of them.
  const user = random.pick(['alice', 'bob', 'a@two.test', 'a/b@one.test', '@two.test']);
  return random.pick<() => readonly [EdgeEvent, string | undefined]>([
    () => [
      { type: 'authentication.failed', source, username: user, domain: written, reason: `of ${domain}` },
      domain,
    ],
    () => [
      { type: 'target.quarantined', owner: `carrier@${written}`, target: domain, reason: `of ${domain}` },
      domain,
    ],
    () => [
      { type: 'zrtp.missing', call: domain, leg: 0, party: `device:${user}@${written}/desk`, seconds: 8 },
      domain,
    ],
    () => [
      { type: 'zrtp.missing', call: domain, leg: 1, party: `trunk:carrier@${written}`, seconds: 8 },
      domain,
    ],
    () => [
      {
        type: 'account.quarantined',
        domain: written,
        user,
        device: '',
        network: '',
        phone: '',
        by: 'policy',
        why: `of ${domain}`,
        evidence: {},
      },
      domain,
    ],
    () => [{ type: 'account.released', domain: written, user, device: '', by: domain }, domain],
    () => [{ type: 'edge.trouble', what: 'disk', detail: 'full' }, undefined],
    () => [
      {
        type: 'threat.found',
        rule: 'scanner',
        source: '192.0.2.1',
        bits: 20,
        threshold: 13,
        parts: [],
        action: 'ban',
        sentence: 'of all',
      },
      undefined,
    ],
    () => [{ type: 'target.recovered', owner: `carrier@${written}`, target: domain, reason: '' }, domain],
  ])();
}

test('whatever happens, the people of a tenant hear of their own events, and of nothing else', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = new SeededRandom(seed);
    const rules: AlertRule[] = [1, 2, 3].map((n) => ({
      name: `rule${n}`,
      events: random.pick([[], ['authentication.*', 'zrtp.*'], ['account.*', 'target.*']]),
      level: random.pick(['warning', 'notice'] as const),
      where: [],
      // Groupings that would put two tenants into one alert.
      groupBy: random.pick([[], ['source'], ['username'], ['type'], ['leg']]),
      repeatMinutes: 1,
      channels: ['node', ...domains],
      escalate: [{ afterMinutes: 1, channels: ['node', ...domains] }],
    }));
    const settings: AlertSettings = {
      channels: [
        { name: 'node', mostPerHour: 30 },
        ...domains.map((domain) => ({ name: domain, domain, mostPerHour: 30 })),
      ],
      rules,
      gatherSeconds: 0,
      quietZone: 'UTC',
      quietLevel: 'error',
    };
    let count = 0;
    const newId = (): string => {
      count += 1;
      return `n${count}`;
    };
    let book = new AlertBook(settings, newId);
    let heard = 0;
    for (let i = 0; i < 300; i += 1) {
      const now = noon + i * 20_000;
      const [event, tenant] = anEvent(random);
      assert.equal(tenantOf(event), tenant);
      book.take(event, now, severities[event.type]);
      book.tick(now);
      // As over a restart.
      if (i === 150) book = new AlertBook(settings, newId, structuredClone(book.state));
      for (const domain of domains) {
        const due = book.due(domain, now);
        for (const { alert } of due) {
          heard += 1;
          assert.equal(alert.domain, domain);
          assert.equal(tenantOf(alert.event as unknown as EdgeEvent), domain);
          const said = JSON.stringify([alert.title, alert.event.reason, alert.event.why, alert.event.call]);
          for (const other of domains)
            if (other !== domain)
              assert.ok(!said.includes(`of ${other}"`) && !said.includes(`"${other}"`), said);
        }
        if (random.chance(0.8)) book.delivered(due);
        else book.failed(due, now);
      }
      book.delivered(book.due('node', now));
    }
    assert.ok(heard > 100, `seed ${seed}: ${heard}`);
  }
});

test('a flood of one tenant leaves the others their own alerts', () => {
  const settings: AlertSettings = {
    channels: [
      { name: 'one', domain: 'one.test', mostPerHour: 30 },
      { name: 'two', domain: 'two.test', mostPerHour: 30 },
    ],
    rules: [],
    gatherSeconds: 0,
    quietZone: 'UTC',
    quietLevel: 'error',
  };
  let count = 0;
  const book = new AlertBook(settings, () => {
    count += 1;
    return `n${count}`;
  });
  const quarantined = (domain: string, user: string): void => {
    const rest = { device: '', network: '', phone: '', by: 'policy', why: 'new', evidence: {} } as const;
    book.take({ type: 'account.quarantined', domain, user, ...rest }, noon, 'warning');
  };
  for (let i = 0; i < 5_000; i += 1) quarantined('one.test', `u${i}`);
  quarantined('two.test', 'bob');
  assert.equal(book.alerts.length, 102);
  assert.deepEqual(
    book.due('two', noon).map(({ alert }) => alert.event.user),
    ['bob'],
  );
});

test('whose channels are may change over a restart: what was meant for others does not go out', () => {
  const settings = (domain: string): AlertSettings => ({
    channels: [{ name: 'people', domain, mostPerHour: 30 }],
    rules: [],
    gatherSeconds: 0,
    quietZone: 'UTC',
    quietLevel: 'error',
  });
  const book = new AlertBook(settings('one.test'), () => 'n1');
  const event: EdgeEvent = { type: 'target.quarantined', owner: 'c@one.test', target: 'x', reason: 'dead' };
  book.take(event, noon, 'warning');
  assert.equal(book.due('people', noon).length, 1);
  assert.equal(new AlertBook(settings('two.test'), () => 'n2', book.state).due('people', noon).length, 0);
});
