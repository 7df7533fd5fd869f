import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Rule } from '@ringfence/threat/rules.ts';
import type { EdgeEvent } from '../events/types.ts';
import { Incidents } from './incidents.ts';
import type { Measures } from './measures.ts';
import { loadPlaybooks, type Playbook } from './playbook.ts';
import { sourceName } from './sign.ts';
import { type Incident, incidentKinds } from './types.ts';

const shipped = ((): readonly Playbook[] => {
  const loaded = loadPlaybooks();
  assert.ok(loaded.ok);
  return loaded.value;
})();

const make = (changes: { playbooks?: readonly Playbook[]; automatic?: boolean; refuse?: string } = {}) => {
  const state = { now: 1_800_000_000_000 };
  const events: EdgeEvent[] = [];
  const did: string[] = [];
  const kept = new Map<string, Incident>();
  const step = (what: string) => {
    did.push(what);
    return { done: what !== changes.refuse, detail: '' };
  };
  const measures: Measures = {
    ban: (source, seconds) => step(`ban ${source} ${seconds}`),
    unban: (source) => step(`unban ${source}`),
    quarantine: (account) => step(`quarantine ${account}`),
    release: (account) => step(`release ${account}`),
    closeRoute: (route) => step(`close ${route}`),
    openRoute: (route) => step(`open ${route}`),
    revokeSecret: (account, _until, mark) => ({ ...step(`revoke ${account}${mark ?? ''}`), mark: '=1' }),
    reinstateSecret: (account) => step(`reinstate ${account}`),
    deregister: (account) => step(`deregister ${account}`),
    endCall: (call) => step(`end ${call}`),
    preserve: async ({ id }) => step(`preserve ${id}`),
    tellUser: async (account) => step(`tell ${account}`),
    routeOf: (call) => (call.startsWith('out') ? 'example.test/carrier' : undefined),
  };
  const incidents = new Incidents({
    measures,
    playbooks: changes.playbooks ?? shipped,
    automatic: changes.automatic ?? true,
    now: () => state.now,
    emit: (event) => {
      events.push(event);
      incidents.take(event, state.now);
    },
    keep: (incident) => kept.set(incident.id, incident),
  });
  const take = (event: EdgeEvent): void => incidents.take(event, state.now);
  const found = (rule: Rule, source: string, more: { account?: string; domain?: string } = {}): void =>
    take({
      type: 'threat.found',
      rule,
      source,
      bits: 20,
      parts: [{ text: 'forty extensions in a row', bits: 20 }],
      threshold: 15,
      action: 'ban',
      sentence: `${source} does ${rule}.`,
      ...more,
    });
  const only = (): Incident => {
    const [one, ...others] = incidents.list().filter(({ state: is }) => is !== 'closed');
    assert.ok(one);
    assert.equal(others.length, 0);
    return one;
  };
  return { state, events, did, kept, incidents, take, found, only };
};

const failed = (source: string, username = 'alice'): EdgeEvent => ({
  type: 'authentication.failed',
  source,
  username,
  domain: 'example.test',
  reason: 'response',
});

const calls = (call: string, user: string): EdgeEvent => ({
  type: 'call.started',
  call,
  domain: 'example.test',
  caller: 'sip:alice@example.test',
  callee: '+49301234',
  principal: `device:${user}/desk`,
  route: 'trunk:carrier',
  decision: { verdict: 'accept', reasons: [] },
});

describe('incidents', () => {
  it('every kind has a playbook of ours, and each is valid', () => {
    for (const kind of incidentKinds)
      assert.ok(
        shipped.some(({ incidents }) => incidents.includes(kind)),
        kind,
      );
  });

  it('begin with a finding, and not with what happens every day', () => {
    const { incidents, take, found, only, events } = make();
    take(failed('192.0.2.1:5060'));
    take({
      type: 'admission.refused',
      source: '192.0.2.1',
      listener: 'phones',
      rule: 'r',
      count: 9,
      threshold: 1,
    });
    assert.equal(incidents.size, 0);
    found('brute-force', '192.0.2.1', { account: 'alice', domain: 'example.test' });
    take(failed('192.0.2.1:5060'));
    take(failed('192.0.2.1:5060'));
    const one = only();
    assert.equal(one.kind, 'brute-force');
    assert.equal(one.title, '192.0.2.1 does brute-force.');
    assert.deepEqual(one.sources, { names: ['192.0.2.1'], more: 0 });
    assert.deepEqual(one.accounts, { names: ['alice@example.test'], more: 0 });
    assert.deepEqual(one.domains, ['example.test']);
    assert.equal(one.events, 3);
    assert.equal(one.timeline.find(({ type }) => type === 'authentication.failed')?.count, 2);
    const opened = events.find(({ type }) => type === 'incident.opened');
    assert.ok(
      opened?.type === 'incident.opened' && opened.incident === one.id && opened.kind === 'brute-force',
    );
  });

  it('gather what is of one source, one account, one call or one campaign; others have their own', () => {
    const { found, only, incidents, state } = make();
    found('scanner', '192.0.2.1');
    found('scanner', '2001:db8:1:2::9');
    assert.deepEqual(only().sources.names, ['192.0.2.1', '2001:db8:1:2::/64']);
    found('registration-hijack', '198.51.100.7', { account: 'bob', domain: 'example.test' });
    assert.equal(incidents.size, 2);
    state.now += 601_000;
    found('scanner', '203.0.113.5');
    assert.equal(incidents.size, 3, 'ten minutes later it is another campaign');
    // What joins two makes them one: the older.
    found('registration-hijack', '203.0.113.5', { account: 'bob', domain: 'example.test' });
    assert.equal(incidents.size, 2);
    const whole = incidents
      .list()
      .find(({ kind, state: is }) => kind === 'registration-hijack' && is === 'open');
    assert.deepEqual(whole?.sources.names, ['198.51.100.7', '203.0.113.5']);
  });

  it('the innocent who are named beside it are not acted upon', () => {
    const { found, take, did, only } = make();
    found('brute-force', '192.0.2.1', { account: 'alice', domain: 'example.test' });
    take(failed('198.51.100.20'));
    take({
      type: 'registration.added',
      user: 'alice',
      domain: 'example.test',
      device: 'desk',
      contact: 'sip:alice@198.51.100.20',
      source: '198.51.100.20:5060',
      transport: 'udp',
      expires: 60,
    });
    assert.deepEqual(only().sources.names, ['192.0.2.1']);
    assert.deepEqual(
      did.filter((what) => what.startsWith('ban')),
      ['ban 192.0.2.1 3600'],
    );
  });

  it('automatic steps reach whoever joins; others wait, and are done to all when somebody says so', async () => {
    const { found, did, only, incidents, events } = make();
    const hijack = (source: string, account: string): void =>
      found('registration-hijack', source, { account, domain: 'example.test' });
    hijack('192.0.2.1', 'alice/desk');
    await Promise.resolve();
    const { id, steps, playbook } = only();
    assert.equal(playbook, 'registration-hijack 2');
    assert.deepEqual(did, [
      'quarantine alice@example.test',
      'deregister alice@example.test',
      `preserve ${id}`,
      'tell alice@example.test',
    ]);
    const at = (action: string): number => 1 + steps.findIndex((step) => step.action === action);
    assert.ok(events.some((event) => event.type === 'incident.waiting' && event.action === 'revokeSecret'));
    assert.equal(incidents.say(id, at('revokeSecret'), 'approve', 'root'), undefined);
    assert.ok(did.includes('revoke alice@example.test'));
    hijack('192.0.2.1', 'bob');
    assert.ok(did.includes('quarantine bob@example.test'));
    assert.ok(did.includes('revoke bob@example.test'), 'approved once, it goes for those who come later');
    assert.equal(incidents.say(id, at('endCalls'), 'reject', 'root'), undefined);
    assert.match(incidents.say(id, at('endCalls'), 'reject', 'root') ?? '', /already/);
    assert.match(incidents.say(id, 99, 'approve', 'root') ?? '', /steps/);
    assert.match(incidents.say('INC-1', 1, 'approve', 'root') ?? '', /no such/);
    assert.equal(did.filter((what) => what === 'quarantine alice@example.test').length, 1, 'each once');
  });

  it('nothing is automatic where the configuration says so', () => {
    const { found, did, only } = make({ automatic: false });
    found('scanner', '192.0.2.1');
    assert.deepEqual(did, []);
    assert.deepEqual(only().steps[0]?.waiting, ['192.0.2.1']);
  });

  it('what was done is taken back, and not done again', () => {
    const { found, did, only, incidents } = make();
    found('scanner', '192.0.2.1');
    assert.equal(incidents.say(only().id, 1, 'undo', 'root'), undefined);
    assert.deepEqual(did, ['ban 192.0.2.1 3600', 'unban 192.0.2.1']);
    found('scanner', '192.0.2.2');
    assert.equal(did.length, 2);
    assert.equal(only().steps[0]?.done[0]?.outcome, 'undone');
    assert.equal(incidents.say(only().id, 1, 'undo', 'root'), 'nothing of it is in force');
  });

  it('a step that fails says so, and the others are done', async () => {
    const { found, did, only } = make({ refuse: 'quarantine alice@example.test' });
    found('registration-hijack', '192.0.2.1', { account: 'alice', domain: 'example.test' });
    await Promise.resolve();
    assert.equal(only().steps[0]?.done[0]?.outcome, 'failed');
    assert.ok(did.includes('deregister alice@example.test'));
  });

  it('what runs out is undone by itself, over a restart too', () => {
    const first = make();
    first.take({ ...calls('out-1', 'alice@example.test') });
    const { id } = first.incidents.open('toll-fraud', 'Sunday night.', 'root', {
      account: 'alice@example.test',
    });
    first.take(calls('out-2', 'alice@example.test'));
    const steps = first.only().steps;
    const index = 1 + steps.findIndex(({ action }) => action === 'closeRoute');
    assert.deepEqual(steps[index - 1]?.waiting, ['example.test/carrier']);
    first.incidents.say(id, index, 'approve', 'root');
    first.incidents.say(
      id,
      1 + steps.findIndex(({ action }) => action === 'revokeSecret'),
      'approve',
      'root',
    );
    assert.ok(first.did.includes('close example.test/carrier'));
    assert.ok(first.did.includes('end out-2'));
    first.incidents.sweep();

    const next = make();
    next.state.now = first.state.now + 60_000;
    next.incidents.restore([...first.kept.values()]);
    assert.deepEqual(
      next.did,
      ['close example.test/carrier', 'revoke alice@example.test=1'],
      'in force again',
    );
    next.state.now += 240 * 60_000;
    next.incidents.sweep();
    assert.deepEqual(next.did.at(-1), 'open example.test/carrier');
    assert.equal(next.only().steps[index - 1]?.done[0]?.outcome, 'expired');
    next.found('scanner', '192.0.2.9');
    assert.equal(new Set(next.incidents.list().map((one) => one.id)).size, 2, 'numbers go on');
  });

  it('what is on its way when a graver kind takes over is written down, and done once', async () => {
    const { found, take, did, only } = make();
    found('registration-hijack', '192.0.2.1', { account: 'alice', domain: 'example.test' });
    take({
      type: 'account.quarantined',
      domain: 'example.test',
      user: 'alice',
      device: 'desk',
      network: '',
      phone: '',
      by: 'detection',
      why: 'somebody else',
      evidence: {},
    });
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(only().playbook, 'compromised-device 2');
    const told = only().steps.filter(({ action, done }) => action === 'tellUser' && done.length > 0);
    assert.deepEqual(
      told.map(({ done }) => done.map(({ outcome }) => outcome)),
      [['done']],
    );
    assert.equal(did.filter((what) => what.startsWith('tell ')).length, 1);
  });

  it('what has run out is done again to who gives new cause, and not for an ordinary call', () => {
    const { found, did, take, incidents, state } = make();
    const hijack = (): void =>
      found('registration-hijack', '192.0.2.1', { account: 'alice', domain: 'example.test' });
    hijack();
    state.now += 1441 * 60_000;
    incidents.sweep();
    const before = did.length;
    take(calls('out-1', 'alice@example.test'));
    take(calls('out-2', 'alice@example.test'));
    assert.deepEqual(did.slice(before), []);
    hijack();
    assert.deepEqual(did.slice(before), ['quarantine alice@example.test']);
  });

  it('become quiet after an hour, open again with the next event, and close after a week', () => {
    const { found, state, incidents, only, events } = make();
    found('scanner', '192.0.2.1');
    state.now += 3_600_000;
    incidents.sweep();
    assert.equal(only().state, 'quiet');
    found('scanner', '192.0.2.1');
    assert.equal(only().state, 'open');
    const { id } = only();
    state.now += 7 * 86_400_000;
    incidents.sweep();
    assert.equal(incidents.find(id)?.state, 'closed');
    assert.ok(events.some(({ type }) => type === 'incident.closed'));
    found('scanner', '192.0.2.1');
    assert.notEqual(only().id, id);
  });

  it('a graver kind takes over with its playbook; what was done stays', async () => {
    const { found, take, only, did } = make();
    found('scanner', '192.0.2.1', { domain: 'example.test' });
    found('registration-hijack', '192.0.2.1', { account: 'alice', domain: 'example.test' });
    await Promise.resolve();
    assert.equal(only().kind, 'registration-hijack');
    assert.equal(only().steps[0]?.action, 'ban');
    assert.equal(only().playbook, 'registration-hijack 2');
    assert.ok(did.includes('quarantine alice@example.test'));
    take(calls('c-1', 'alice@example.test'));
    assert.deepEqual(only().calls.names, ['c-1']);
  });

  it('bounded: however many sources, accounts and findings there are, they leave a bounded number of names and lines', () => {
    const { found, incidents, only, state } = make();
    for (let i = 0; i < 20_000; i++) {
      state.now += 10;
      found('scanner', `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);
    }
    const one = only();
    assert.equal(one.sources.names.length, 200);
    assert.equal(one.sources.more, 19_800);
    assert.ok(one.timeline.length <= 201);
    assert.equal(one.timeline[0]?.text, '10.0.0.0 does scanner.', 'the beginning stays');
    for (let i = 0; i < 1_000; i++)
      found('registration-hijack', `192.0.${i >> 8}.${i & 255}`, {
        account: `u${i}`,
        domain: 'example.test',
      });
    assert.ok(incidents.size <= 500);
  });

  it('of a sender who may be forged only the socket is acted upon', () => {
    const { found, did, only, take } = make();
    found('scanner', '192.0.2.1:5060');
    found('scanner', '[2001:db8::1]:5061');
    assert.deepEqual(did, ['ban 192.0.2.1:5060 3600', 'ban [2001:db8::1]:5061 3600']);
    take(failed('192.0.2.1:7777'));
    assert.equal(only().events, 2, 'whoever really has that address is not drawn in');
  });

  it('what is only watched is no incident, but what nobody in particular does is', () => {
    const { found, take, incidents, only } = make();
    const event = {
      type: 'threat.found',
      bits: 20,
      threshold: 15,
      parts: [],
      sentence: 'So it is.',
    } as const;
    take({ ...event, rule: 'scanner', source: '192.0.2.1', action: 'watch' });
    assert.equal(incidents.size, 0);
    take({ ...event, rule: 'surge', source: '*', action: 'watch' });
    assert.deepEqual([only().kind, only().sources.names], ['flood', []]);
    found('scanner', '192.0.2.1');
    assert.equal(incidents.size, 2);
  });

  it('an address is named alike however it is written', () => {
    assert.equal(sourceName('192.0.2.1:5060'), '192.0.2.1');
    assert.equal(sourceName('[2001:db8::1]:5061'), '2001:db8:0:0::/64');
    assert.equal(sourceName('2001:0db8:0000:0000:1::1'), '2001:db8:0:0::/64');
    assert.equal(sourceName('192.0.2.0/24'), '192.0.2.0/24');
    assert.equal(sourceName('evil"; DROP'), undefined);
  });
});
