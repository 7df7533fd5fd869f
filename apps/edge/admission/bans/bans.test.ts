import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BanSettings } from '../../config/bans.ts';
import { defaultsOf, Report } from '../../config/validate.ts';
import type { EdgeEvent } from '../../events/types.ts';
import { readRange } from '../../objects/address-range.ts';
import type { Trunk } from '../../objects/types.ts';
import { Bans } from './bans.ts';
import { Protection } from './protection.ts';
import { RangeTable } from './range-table.ts';
import { readBanTarget } from './source-text.ts';
import type { Ban, BanProposal } from './types.ts';

const defaults = defaultsOf(BanSettings, new Report('')) as BanSettings;
const trunk = { domain: 'd', name: 'carrier', encryption: 'none', certificateNames: [] } as const;

const make = (changes: Partial<BanSettings> = {}) => {
  const state = {
    now: 1_000_000,
    registered: new Set<string>(),
    trunks: new Set<string>(),
    resolved: [] as string[],
  };
  const events: EdgeEvent[] = [];
  const protection = new Protection({
    isTrunk: (address) => state.trunks.has(address),
    resolved: () => state.resolved,
  });
  const bans = new Bans({
    settings: { ...defaults, ...changes },
    protection,
    now: () => state.now,
    emit: (event) => events.push(event),
    isRegistered: (address) => state.registered.has(address),
  });
  const ask = (source: string, more: Partial<BanProposal> = {}) =>
    bans.propose({
      source,
      cause: 'scan',
      rule: 'threat.scan',
      evidence: { requests: 40 },
      spoofable: false,
      by: 'detection',
      ...more,
    });
  const seconds = (source: string, more: Partial<BanProposal> = {}): number => {
    const ban = ask(source, more);
    assert.ok(ban.banned);
    return (ban.until - ban.since) / 1000;
  };
  const rule = (source: string, more: Partial<BanProposal> = {}): string => {
    const answer = ask(source, more);
    return answer.banned ? 'banned' : answer.rule;
  };
  return { state, events, protection, bans, ask, seconds, rule };
};

const objectsWith = (...trunks: Trunk[]) => ({ trunks, users: [], routes: [] });

describe('bans', () => {
  it('hold for an address, an IPv6 /64, a block, and end by themselves', () => {
    const { bans, ask, state, events } = make();
    assert.ok(ask('192.0.2.1:5060').banned);
    assert.ok(ask('2001:db8:1:2::9').banned);
    assert.ok(ask('198.51.100.0/24').banned);
    const hit = (address: string): string => bans.find(address, 5060, state.now)?.source ?? 'none';
    assert.equal(hit('192.0.2.1'), '192.0.2.1');
    assert.equal(hit('::ffff:192.0.2.1'), '192.0.2.1');
    assert.equal(hit('192.0.2.2'), 'none');
    assert.equal(hit('2001:db8:1:2:ffff::1'), '2001:db8:1:2::/64');
    assert.equal(hit('2001:db8:1:3::1'), 'none');
    assert.equal(hit('198.51.100.77'), '198.51.100.0/24');
    state.now += 600_000;
    assert.equal(hit('192.0.2.1'), 'none', 'before anybody has swept');
    bans.sweep();
    assert.equal(bans.size, 0);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['ban.added', 'ban.added', 'ban.added', 'ban.expired', 'ban.expired', 'ban.expired'],
    );
  });

  it('carry cause, rule, evidence, who asked and until when', () => {
    const { ask, state, events } = make();
    const ban = ask('192.0.2.1', { seconds: 30 }) as Ban;
    assert.deepEqual(ban, {
      banned: true,
      source: '192.0.2.1',
      scope: 'source',
      cause: 'scan',
      rule: 'threat.scan',
      evidence: { requests: 40 },
      by: 'detection',
      since: state.now,
      until: state.now + 30_000,
      times: 1,
      known: false,
    });
    const [event] = events;
    assert.ok(event?.type === 'ban.added' && event.seconds === 30 && event.evidence.requests === 40);
  });

  it('repeaters get four times as long each time, up to a bound, and begin anew after a quiet week', () => {
    const { seconds, state, bans } = make({ maximumSeconds: 20_000 });
    const terms: number[] = [];
    for (let i = 0; i < 5; i++) {
      const term = seconds('192.0.2.1');
      terms.push(term);
      assert.equal(seconds('192.0.2.1'), term, 'asked again while it holds: the same ban');
      state.now += term * 1000 + 1;
      bans.sweep();
    }
    assert.deepEqual(terms, [600, 2400, 9600, 20_000, 20_000]);
    state.now += 8 * 86_400_000;
    assert.equal(seconds('192.0.2.1'), 600);
  });

  it('never a trunk, a node of a PBX, an allowed address, loopback, this machine, an administrator', () => {
    const { rule, protection, state, bans, events } = make();
    protection.objects({
      trunks: [{ ...trunk, target: 'sip:203.0.113.9', addresses: ['203.0.113.128/25'] }],
      pbx: [
        {
          domain: 'd',
          name: 'pbx',
          encryption: 'none',
          phones: 'none',
          expires: 60,
          phoneExpires: 60,
          strangersPerSecond: 1,
          allowedHeaders: [],
          nodes: [
            {
              name: 'n1',
              target: 'sip:[2001:db8:5::1]:5062',
              priority: 0,
              weight: 1,
              addresses: ['192.0.2.200'],
              certificateNames: [],
            },
          ],
        },
      ],
    });
    protection.allow(['198.51.100.0/24']);
    protection.own(['192.0.2.77']);
    protection.administrator('192.0.2.50');
    state.trunks.add('192.0.2.99');
    state.resolved = ['192.0.2.98'];
    const expected: Record<string, string> = {
      '203.0.113.9': 'ban.protected-trunk',
      '203.0.113.200:5060': 'ban.protected-trunk',
      '192.0.2.98': 'ban.protected-trunk',
      '192.0.2.99': 'ban.protected-trunk',
      '203.0.113.0/24': 'ban.protected-trunk',
      '2001:db8:5::9': 'ban.protected-pbx',
      '192.0.2.200': 'ban.protected-pbx',
      '198.51.100.7': 'ban.protected-allowed',
      '127.0.0.1': 'ban.protected-loopback',
      '::1': 'ban.protected-loopback',
      '127.0.0.0/8': 'ban.protected-loopback',
      '192.0.2.77': 'ban.protected-own',
      '192.0.2.50': 'ban.protected-administrator',
      '192.0.2.0/24': 'ban.protected-own',
      '0.0.0.0/0': 'ban.too-wide',
      '::/0': 'ban.too-wide',
      'example.com': 'ban.unreadable',
      '192.0.2.1/24': 'ban.unreadable',
    };
    for (const [source, name] of Object.entries(expected)) {
      assert.equal(rule(source), name, source);
      assert.equal(rule(source, { by: 'administrator' }), name, `${source} by hand`);
    }
    assert.equal(bans.size, 0);
    assert.equal(events.filter(({ type }) => type === 'ban.refused').length, Object.keys(expected).length);
  });

  it('an attacker who forges datagrams cannot have a victim banned', () => {
    const { rule, seconds, bans, state } = make();
    const hit = (address: string, port: number) => bans.find(address, port, state.now) !== undefined;
    // A registered phone: not even its socket.
    state.registered.add('192.0.2.10');
    assert.equal(rule('192.0.2.10:5060', { spoofable: true }), 'ban.spoofable-registered');
    // Somebody unknown: one socket, briefly, however often it is asked for and however long.
    for (let i = 0; i < 5; i++) {
      assert.equal(seconds('192.0.2.11:5060', { spoofable: true, seconds: 86_400 }), 60);
      assert.ok(hit('192.0.2.11', 5060));
      assert.ok(!hit('192.0.2.11', 5062), 'his other sockets are heard');
      state.now += 60_001;
      bans.sweep();
    }
    assert.equal(rule('192.0.2.11', { spoofable: true }), 'ban.spoofable');
    assert.equal(rule('192.0.2.0/24', { spoofable: true }), 'ban.spoofable');
    assert.equal(bans.size, 0);
  });

  it('where phones are registered at the address, the ban says so and stops the offending socket too', () => {
    const { ask, bans, state } = make();
    state.registered.add('192.0.2.10');
    const ban = ask('192.0.2.10:4444');
    assert.ok(ban.banned && ban.known && ban.scope === 'source');
    assert.equal(bans.get('192.0.2.10:4444')?.scope, 'socket');
    assert.equal(bans.lift('192.0.2.10', 'administrator'), true);
    assert.equal(bans.lift('192.0.2.10:4444', 'administrator'), true);
    assert.equal(bans.lift('192.0.2.10:4444', 'administrator'), false);
    assert.equal(bans.size, 0);
    assert.equal(bans.find('192.0.2.10', 4444, state.now), undefined);
  });

  it('a trunk that is added to where a ban holds is heard at once', () => {
    const { ask, bans, protection, events, state } = make();
    ask('203.0.113.9');
    ask('192.0.2.1');
    protection.objects(objectsWith({ ...trunk, target: 'sip:203.0.113.9', addresses: [] }));
    bans.review();
    assert.equal(bans.find('203.0.113.9', 1, state.now), undefined);
    assert.equal(bans.size, 1);
    assert.ok(events.some((e) => e.type === 'ban.lifted' && e.source === '203.0.113.9'));
  });

  it('bounded: a million sources leave as many bans as configured, the latest, and those made by hand', () => {
    const { ask, bans, state } = make({ maximum: 100 });
    ask('192.0.2.1', { by: 'administrator', seconds: 86_400 });
    for (let i = 0; i < 5000; i++) ask(`10.${i >> 8}.${i & 255}.1`);
    assert.equal(bans.size, 100);
    assert.ok(bans.find('192.0.2.1', 1, state.now));
    assert.ok(bans.find('10.19.135.1', 1, state.now));
    // Forged senders push out no other than themselves.
    for (let i = 0; i < 5000; i++) ask(`[2001:db8:${i.toString(16)}::1]:5060`, { spoofable: true });
    assert.equal(bans.size, 110);
    assert.ok(bans.find('10.19.135.1', 1, state.now));
  });

  it('refusals are told of once a minute for each source', () => {
    const { rule, events, state } = make();
    for (let i = 0; i < 100; i++) rule('127.0.0.1');
    assert.equal(events.length, 1);
    state.now += 60_000;
    rule('127.0.0.1');
    assert.equal(events.length, 2);
  });

  it('are taken up by the process after, repeaters remembered', () => {
    const first = make();
    const ban = first.ask('192.0.2.1') as Ban;
    const over: Ban = { ...ban, source: '192.0.2.2', until: first.state.now - 1, times: 2 };
    const next = make();
    next.protection.allow(['192.0.2.3']);
    next.bans.restore([ban, over, { ...ban, source: '192.0.2.3' }]);
    assert.equal(next.bans.size, 1);
    assert.ok(next.bans.find('192.0.2.1', 1, next.state.now));
    assert.equal(next.seconds('192.0.2.2'), 600 * 4 ** 2);
  });

  it('an emergency call puts a ban off', () => {
    const { ask, bans, state } = make();
    ask('192.0.2.1');
    bans.exempt('192.0.2.1', state.now + 1000);
    assert.equal(bans.find('192.0.2.1', 1, state.now), undefined);
    assert.ok(bans.find('192.0.2.1', 1, state.now + 1000));
  });
});

describe('bans: reading sources', () => {
  it('addresses, blocks and sockets as events name them', () => {
    const read = (text: string) => {
      const target = readBanTarget(text);
      return target && [target.text, target.address, target.port];
    };
    assert.deepEqual(read('192.0.2.1:5060'), ['192.0.2.1', '192.0.2.1', 5060]);
    assert.deepEqual(read('[2001:db8::1]:5060'), ['2001:db8:0:0::/64', '2001:db8::1', 5060]);
    assert.deepEqual(read('fe80::1%eth0'), ['fe80:0:0:0::/64', 'fe80::1', undefined]);
    assert.deepEqual(read('2001:db8::/48'), ['2001:db8::/48', '2001:db8::', undefined]);
    for (const bad of ['', '*', '1.2.3', 'a'.repeat(200), '192.0.2.1/33', '[', ']:1', '1.2.3.4; drop'])
      assert.equal(read(bad), undefined, bad);
  });

  it('property: a block is found by every address in it and by no other', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffffffff),
        fc.integer({ min: 1, max: 32 }),
        fc.nat(0xffffffff),
        (base, prefix, probe) => {
          const text = (n: number): string => `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
          const mask = prefix === 32 ? -1 : -1 << (32 - prefix);
          const table = new RangeTable<string>();
          const range = readRange(`${text((base & mask) >>> 0)}/${prefix}`);
          assert.ok(range);
          table.set(range, 'x');
          assert.equal(table.find(text(base)), 'x');
          assert.equal(table.find(text(probe)) === 'x', ((probe ^ base) & mask) === 0);
          assert.ok(table.delete(range));
          assert.equal(table.size, 0);
        },
      ),
    );
  });
});
