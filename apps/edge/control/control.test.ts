import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EventBus } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import { aliceAndBob, registered } from '../testing/cast.ts';
import { trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';
import { optional, readArguments, text, whole } from './arguments.ts';
import { type CallList, handleCalls } from './calls.ts';
import { ask } from './client.ts';
import { CommandRefused } from './command-refused.ts';
import { controlSocket } from './place.ts';
import { mostRequestOctets } from './protocol.ts';
import { ControlServer } from './server.ts';

const place = mkdtempSync(join(tmpdir(), 'rf-control-'));
const opened: ControlServer[] = [];
after(() => {
  for (const control of opened) control.close();
  rmSync(place, { recursive: true });
});

interface Running {
  readonly home: string;
  readonly control: ControlServer;
  readonly events: EdgeEvent[];
}

async function running(name: string): Promise<Running> {
  const home = join(place, name);
  mkdirSync(home);
  const events: EdgeEvent[] = [];
  const bus = new EventBus(() => 0);
  bus.subscribe((event) => events.push(event));
  const control = new ControlServer(bus);
  opened.push(control);
  assert.equal(await control.listen(home), true);
  return { home, control, events };
}

/** Sends octets as they are; gives all that comes back until the other side closes. */
function raw(home: string, octets: string, most = 1): Promise<string[]> {
  return new Promise((done, failed) => {
    const socket = createConnection(join(home, controlSocket));
    let heard = '';
    const lines = (): string[] => heard.split('\n').filter((line) => line !== '');
    socket.on('data', (chunk) => {
      heard += String(chunk);
      if (lines().length >= most) socket.end();
    });
    socket.once('error', failed);
    socket.once('close', () => done(lines()));
    socket.once('connect', () => socket.write(octets));
  });
}

test('a command is done and answered; its refusal has code and text; both are events with who asked', async () => {
  const { home, control, events } = await running('does');
  control.handle('add', (args) => {
    const { a, b } = readArguments({ a: whole(0, 9), b: whole(0, 9) }, args);
    return a + b;
  });
  control.handle('never', () => {
    throw new CommandRefused('no-way', 'It cannot be.');
  });
  control.handle('look', () => 'seen', { reads: true });
  assert.deepEqual(await ask(home, 'add', { a: 2, b: 3 }), { ok: true, value: 5 });
  assert.deepEqual(await ask(home, 'never'), { ok: false, error: { code: 'no-way', text: 'It cannot be.' } });
  assert.deepEqual(await ask(home, 'look'), { ok: true, value: 'seen' });
  const refused = await ask(home, 'add', { a: 2, b: 12 });
  assert.ok(!refused.ok);
  assert.deepEqual(refused.error, {
    code: 'bad-arguments',
    text: '`b` has to be a whole number from 0 to 9',
  });
  assert.deepEqual(
    events.map((event) => (event.type === 'administration.command' ? [event.command, event.refused] : event)),
    [
      ['add', ''],
      ['never', 'no-way'],
      ['add', 'bad-arguments'],
    ],
  );
  const [first] = events;
  assert.ok(first?.type === 'administration.command' && first.by !== '');
  const unknown = await ask(home, 'subtract');
  assert.ok(!unknown.ok && unknown.error.code === 'no-such-command');
});

test('a handler that breaks is a defect in the log, and tells nothing of the inside', async () => {
  const { home, control, events } = await running('breaks');
  control.handle('break', () => {
    throw new Error('at line 7 of a secret file');
  });
  const answer = await ask(home, 'break');
  assert.ok(!answer.ok);
  assert.equal(answer.error.code, 'defect');
  assert.doesNotMatch(answer.error.text, /secret/);
  assert.ok(events.some((event) => event.type === 'edge.error' && event.detail.includes('at line 7')));
});

test('only the user of the edge gets in: the socket has mode 600, also where the umask would give it away', async () => {
  const before = process.umask(0);
  try {
    const { home } = await running('mode');
    assert.equal(statSync(join(home, controlSocket)).mode & 0o777, 0o600);
    assert.equal(process.umask(0), 0);
  } finally {
    process.umask(before);
  }
});

test('a socket that a dead edge has left is taken over; where nobody answers, the message says what to do', async () => {
  const home = join(place, 'left');
  mkdirSync(home);
  writeFileSync(join(home, controlSocket), '');
  const nobody = await ask(home, 'help');
  assert.ok(!nobody.ok && nobody.error.code === 'no-edge');
  assert.match(nobody.error.text, /`ringfence up`/);
  const control = new ControlServer(new EventBus(() => 0));
  assert.equal(await control.listen(home), true);
  assert.deepEqual(await ask(home, 'help'), { ok: true, value: ['help'] });
  control.close();
  const gone = await ask(home, 'help');
  assert.ok(!gone.ok && gone.error.code === 'no-edge');
  const nowhere = await ask(join(place, 'nowhere'), 'help');
  assert.ok(!nowhere.ok && nowhere.error.code === 'no-edge');
});

test('a data folder whose path is longer than a socket address takes commands all the same', async () => {
  const { home } = await running(`long-${'x'.repeat(150)}`);
  assert.deepEqual(await ask(home, 'help'), { ok: true, value: ['help'] });
});

test('an edge whose folder takes no socket goes on without, and says so', async () => {
  const events: EdgeEvent[] = [];
  const bus = new EventBus(() => 0);
  bus.subscribe((event) => events.push(event));
  const control = new ControlServer(bus);
  assert.equal(await control.listen(join(place, 'not-there')), false);
  assert.ok(events.some((event) => event.type === 'edge.error' && event.where === 'control socket'));
});

test('requests are bounded: one too long, and what is none, end the connection with the reason', async () => {
  const { home } = await running('bounds');
  const [long = ''] = await raw(home, `{"id":1,"command":"${'a'.repeat(mostRequestOctets)}"`);
  assert.equal(JSON.parse(long).error.code, 'too-long');
  for (const line of ['nonsense', '[]', 'null', '{"id":"1","command":"help"}', '{"id":1}']) {
    const [none = ''] = await raw(home, `${line}\n`);
    assert.equal(JSON.parse(none).error.code, 'no-request', line);
  }
  assert.deepEqual(await ask(home, 'help'), { ok: true, value: ['help'] });
});

test('of many requests at once some wait, and the rest are refused; each answer has the id of its request', async () => {
  const { home, control } = await running('many');
  const going: (() => void)[] = [];
  control.handle('wait', () => new Promise<void>((done) => going.push(done)), { reads: true });
  const requests = Array.from({ length: 20 }, (_, i) => `{"id":${i + 1},"command":"wait"}\n`).join('');
  const heard = raw(home, requests, 20);
  while (going.length < 16) await new Promise((done) => setImmediate(done));
  for (const done of going) done();
  const answers = (await heard).map((line) => JSON.parse(line) as { id: number; ok: boolean });
  assert.deepEqual(
    answers.filter(({ ok }) => !ok).map(({ id }) => id),
    [17, 18, 19, 20],
  );
  assert.equal(answers.filter(({ ok }) => ok).length, 16);
});

test('arguments: what is unknown, missing or of the wrong kind is named', () => {
  const wanted = { call: text(8), most: optional(whole(1, 5)) };
  assert.deepEqual(readArguments(wanted, { call: 'x' }), { call: 'x', most: undefined });
  for (const [given, problem] of [
    [{}, /`call` has to be text of 1 to 8/],
    [{ call: 'far too long' }, /`call`/],
    [{ call: 'a\u001b[2J' }, /`call`/],
    [{ call: 'x', most: 6 }, /`most` has to be a whole number from 1 to 5/],
    [{ call: 'x', els: 1 }, /no argument `els`; known: call, most/],
    [{ call: 'x', __proto__: 1, constructor: 1 }, /no argument `constructor`/],
    ['text', /an object/],
  ] as const)
    assert.throws(() => readArguments(wanted, given), problem);
});

test('call list shows calls in progress of one tenant or all; call end hangs up both sides', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (call) => call.answer();
  const { home, control } = await running('calls');
  handleCalls(control, world.edge, world.bus);
  const listed = async (args = {}): Promise<CallList> => {
    const answer = await ask(home, 'call list', args);
    assert.ok(answer.ok);
    return answer.value as CallList;
  };
  assert.deepEqual(await listed(), { total: 0, calls: [] });
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  const { calls } = await listed();
  const [shown] = calls;
  assert.equal(shown?.state, 'answered');
  assert.equal(shown?.legs.length, 2);
  assert.match(shown?.sentence ?? '', /^Hop by hop/);
  assert.deepEqual(await listed({ domain: 'other.test' }), { total: 0, calls: [] });
  assert.equal((await listed({ domain: shown?.domain })).total, 1);
  const nobody = await ask(home, 'call end', { call: 'nobody' });
  assert.ok(!nobody.ok && nobody.error.code === 'no-such-call');
  assert.equal(call.state, 'up');
  assert.deepEqual(await ask(home, 'call end', { call: shown?.id }), {
    ok: true,
    value: { call: shown?.id },
  });
  await world.until(() => call.state === 'over');
  await world.run(1000);
  assert.equal(world.finished[0]?.cause, 'administrator');
  const [told] = world.eventsOf('call.ended-by-hand');
  assert.equal(told?.call, shown?.id);
  assert.deepEqual(world.errors, []);
});

test('an emergency call is ended by hand only where that is meant', async () => {
  const carrierAt = '192.0.2.10';
  const world = new World({
    objects: { users: [user('alice')], trunks: [trunk('carrier', { addresses: [carrierAt] })] },
  });
  const carrier = new Phone(world, { name: 'psap', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  const alice = await registered(world, {
    name: 'alice',
    transport: 'tls',
    address: '203.0.113.1',
    media: 'srtp',
  });
  const { home, control } = await running('emergency');
  handleCalls(control, world.edge, world.bus);
  const call = alice.call('112', { secure: true });
  await world.until(() => call.state === 'up');
  const [id] = world.edge.calls.keys();
  const refused = await ask(home, 'call end', { call: id });
  assert.ok(!refused.ok && refused.error.code === 'emergency-call');
  await world.run(1000);
  assert.equal(call.state, 'up');
  assert.ok((await ask(home, 'call end', { call: id, emergency: true })).ok);
  await world.until(() => call.state === 'over');
});
