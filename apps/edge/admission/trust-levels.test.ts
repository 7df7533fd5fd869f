import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EdgeEvent } from '../events/types.ts';
import { settings } from '../transport/test-bed.ts';
import { Admission, type AdmissionSettings } from './admission.ts';
import { LoadControl } from './load.ts';
import { overConnection, overDatagrams, type Sender } from './sender.ts';
import { Shedding, type TrustLevel, trustLevels } from './shedding.ts';

const bytesOf = (method: string, uri = 'sip:x@example.com'): Buffer =>
  Buffer.from(`${method} ${uri} SIP/2.0\r\n\r\n`);
const address4 = (n: number): string =>
  `${(n >>> 24) & 255}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;

const make = (changes: Partial<AdmissionSettings> = {}) => {
  const events: EdgeEvent[] = [];
  const admission = new Admission({ settings: settings(changes), emit: (e) => events.push(e), seed: 3 });
  const says = (
    address: string,
    {
      method = 'OPTIONS',
      now = 1000,
      listener = 'l',
      sender = overDatagrams as Sender,
      uri = 'sip:x@y',
    } = {},
  ): string => admission.message(listener, address, bytesOf(method, uri), now, 5060, sender)?.rule ?? 'in';
  /** Messages let in out of `count`, each from another source of another network. */
  const heard = (count: number, more: Parameters<typeof says>[1] = {}, from = 0x0a000000): number => {
    let n = 0;
    for (let i = 0; i < count; i++) if (says(address4(from + i * 65_537), more) === 'in') n++;
    return n;
  };
  return { admission, events, says, heard };
};

describe('trust levels: bounds', () => {
  it('a network (/24, /48) has a bound of its own, its neighbours are not in it', () => {
    const { says } = make({ perNetworkPerSecond: 50 });
    const network = (prefix: string): number => {
      let n = 0;
      for (let i = 1; i <= 200; i++)
        if (says(`${prefix}${prefix.includes(':') ? `${i.toString(16)}::1` : i}`) === 'in') n++;
      return n;
    };
    assert.equal(network('192.0.2.'), 50);
    assert.equal(says('192.0.2.250'), 'admission.rate-network');
    assert.equal(network('192.0.3.'), 50);
    assert.equal(network('2001:db8:1:'), 50);
    assert.equal(says('2001:db8:1:ffff::1'), 'admission.rate-network');
    assert.equal(says('2001:db8:2:1::1'), 'in');
  });

  it('a flood of one method leaves room for the others', () => {
    const { heard } = make({ perMethodPerSecond: 100 });
    assert.equal(heard(1000, { method: 'OPTIONS' }), 100);
    assert.equal(heard(50, { method: 'REGISTER' }), 50);
  });

  it('a flood at one listener leaves room at the others', () => {
    const { heard } = make({ perListenerPerSecond: 100 });
    assert.equal(heard(1000, { listener: 'outside' }), 100);
    assert.equal(heard(50, { listener: 'inside' }), 50);
  });

  it('who has read what was sent to it (probation) is heard when forged senders use up all that unknown ones have', () => {
    const { admission, heard, says } = make({ unknownPerSecond: 100 });
    admission.reachable('192.0.2.7', 1000);
    assert.equal(heard(1000), 100);
    assert.equal(says('192.0.2.8'), 'admission.ceiling');
    assert.equal(says('192.0.2.7'), 'in');
    assert.equal(says('192.0.2.9', { sender: overConnection }), 'in', 'a connection reads its handshake');
    assert.equal(says('192.0.2.7', { now: 1000 + 600_000 }), 'in');
    assert.equal(admission.level('192.0.2.7', 1000 + 600_001), 'unknown');
  });

  it('promotion and demotion: unknown, probation, registered, and back where the rate is abused', () => {
    const { admission, says, events } = make({ perSourcePerSecond: 1 });
    const level = (now: number): TrustLevel => admission.level('192.0.2.1', now);
    assert.equal(level(1000), 'unknown');
    admission.reachable('192.0.2.1', 1000);
    assert.equal(level(1000), 'probation');
    admission.trust('192.0.2.1', 'registered', 1e9, 1000);
    assert.equal(level(1000), 'registered');
    for (let i = 0; i < 300; i++) says('192.0.2.1', { now: 1000 + i });
    assert.equal(level(1500), 'probation');
    assert.deepEqual(
      events.filter(({ type }) => type === 'admission.demoted'),
      [
        {
          type: 'admission.demoted',
          source: '192.0.2.1',
          rule: 'admission.rate-trusted',
          threshold: 10,
          seconds: 600,
        },
      ],
    );
    assert.equal(
      admission.trust('192.0.2.1', 'registered', 1e9, 2000),
      false,
      'it cannot register its way back',
    );
    assert.equal(admission.trust('192.0.2.1', 'registered', 1e9, 1000 + 700_000), true);
    // Its emergency calls are heard all the same, over the flow that it has registered with.
    const registered: Sender = { reachable: false, isRegistered: () => true };
    admission.trust('192.0.2.2', 'registered', 1e9, 1000);
    for (let i = 0; i < 400; i++) says('192.0.2.2', { now: 3000 + i });
    assert.equal(says('192.0.2.2', { now: 3400 }), 'admission.rate');
    assert.equal(
      says('192.0.2.2', { now: 3400, method: 'INVITE', uri: 'sip:911@y', sender: registered }),
      'in',
    );
  });

  it('a trunk is never demoted', () => {
    const { admission, says } = make({ perSourcePerSecond: 1 });
    admission.trust('192.0.2.1', 'trunk');
    for (let i = 0; i < 5000; i++) says('192.0.2.1', { now: 1000 + i / 100 });
    assert.equal(admission.level('192.0.2.1', 2000), 'trunk');
  });

  it('bounded memory: a million sources in a million networks, in probation and not', () => {
    const { admission, says } = make();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 1_000_000; i++) {
      const address = address4(Math.imul(i, 2654435761));
      if ((i & 3) === 0) admission.reachable(address, 1000 + i / 100);
      says(address, { now: 1000 + i / 100 });
    }
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 80e6, `resident memory grew by ${grown}`);
  });
});

describe('trust levels: overload', () => {
  it('sheds the lowest level whole before the next one loses anything', () => {
    const shedding = new Shedding();
    const shares = (pressure: number): number[] => {
      shedding.pressure = pressure;
      return trustLevels.map((level) => {
        let n = 0;
        for (let i = 0; i < 1000; i++) if (shedding.passes(level)) n++;
        return Math.round(n / 100) / 10;
      });
    };
    assert.deepEqual(shares(0), [1, 1, 1, 1]);
    assert.deepEqual(shares(0.5), [0.5, 1, 1, 1]);
    assert.deepEqual(shares(1), [0, 1, 1, 1]);
    assert.deepEqual(shares(1.2), [0, 0.8, 1, 1]);
    assert.deepEqual(shares(2.5), [0, 0, 0.5, 1]);
    assert.deepEqual(shares(100), [0, 0, 0, 0.1]);
  });

  it('pressure rises fast, falls slowly, and does not swing in between', () => {
    const shedding = new Shedding();
    const told: boolean[] = [];
    const load = new LoadControl(
      shedding,
      () => ({ delayMilliseconds: 100, busy: 0.95, queue: 0.25 }),
      (overloaded) => told.push(overloaded),
    );
    const sample = (busy: number, delay = 0, queue = 0): number => {
      load.sample({ busy, delay, queue });
      return shedding.pressure;
    };
    assert.equal(sample(0.9), 0);
    for (let i = 0; i < 5; i++) sample(0.99);
    assert.equal(shedding.share('unknown'), 0);
    for (let i = 0; i < 50; i++) sample(1);
    assert.equal(shedding.share('probation'), 0);
    assert.equal(shedding.share('registered'), 1, 'phones are not refused for work alone');
    const held = shedding.pressure;
    assert.equal(sample(0.9), held, 'near the threshold it stays');
    assert.ok(sample(0.2, 500) > held, 'a late event loop');
    for (let i = 0; i < 10; i++) sample(0.2, 0, 0.5);
    assert.ok(shedding.share('registered') < 1, 'a full queue, for a second');
    for (let i = 0; i < 200; i++) sample(0.2);
    assert.equal(shedding.pressure, 0);
    assert.deepEqual(told, [true, false]);
  });

  it('under overload unknown sources are dropped without an answer, trusted ones and their emergency calls are heard', () => {
    const { admission, says } = make();
    admission.trust('192.0.2.1', 'registered', 1e9, 1000);
    admission.shedding.pressure = 3.9;
    assert.equal(says('192.0.2.9'), 'admission.overload');
    assert.equal(says('192.0.2.9', { sender: overConnection }), 'admission.overload');
    assert.equal(says('192.0.2.1'), 'in');
    assert.equal(admission.takes('registered'), false);
  });
});
