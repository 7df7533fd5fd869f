import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { RecordingPolicy } from '../objects/recording-settings.ts';
import type { CallGrade } from '../policy/grade-life.ts';
import { aliceAndBob, leftovers, registered } from '../testing/cast.ts';
import { domain, trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { Recorder } from '../testing/recorder.ts';
import { World } from '../testing/world.ts';
import { escapeXml, writeMetadata } from './metadata.ts';

const recorderAt = '192.0.2.50';

interface Cast {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly recorder: Recorder;
}

async function cast(
  policy: Partial<RecordingPolicy> = {},
  options: {
    readonly encryption?: 'none' | 'required';
    readonly phones?: Partial<PhoneOptions>;
    readonly emergency?: boolean;
  } = {},
): Promise<Cast> {
  const { encryption = 'required', phones = {} } = options;
  const plain = encryption === 'none';
  const recording: RecordingPolicy = {
    recorder: 'vault',
    users: ['alice'],
    consent: 'notified',
    start: 'always',
    whenDown: 'go-on',
    ...policy,
  };
  const target = plain ? `sip:srs@${recorderAt}:5060;transport=udp` : `sips:srs@${recorderAt}:5061`;
  const world = new World({
    objects: {
      users: [user('alice'), user('bob'), user('carol')],
      trunks: [
        trunk('vault', { target, encryption, addresses: [recorderAt] }),
        ...(options.emergency === true
          ? [trunk('police', { target: 'sip:192.0.2.60:5060', addresses: ['192.0.2.60'] })]
          : []),
      ],
      domains: [{ domain, name: domain, recording }],
    },
  });
  const { alice, bob } = await aliceAndBob(world, phones, phones);
  const recorder = new Recorder(world, {
    address: recorderAt,
    ...(plain ? { transport: 'udp' as const, port: 5060 } : {}),
  });
  bob.onInvite = (call) => call.answer();
  return { world, alice, bob, recorder };
}

async function talking(all: Cast, to = 'bob'): Promise<PhoneCall> {
  const call = all.alice.call(to);
  await all.world.until(() => call.state === 'up');
  await all.world.run(1000);
  return call;
}

async function over(all: Cast, ...calls: PhoneCall[]): Promise<CallGrade> {
  for (const call of calls) call.end();
  await all.world.run(120_000);
  assert.deepEqual(leftovers(all.world), []);
  return JSON.parse(all.world.finished.at(-1)!.grade) as CallGrade;
}

type Told = Extract<EdgeEvent, { readonly recorder: string }>;
const told = ({ world }: Cast, type: Told['type']): Told[] =>
  world.events.filter((event): event is Told => event.type === type);

const taps = ({ world }: Cast) =>
  [...world.relay.endpoints.values()].filter(({ tapped }) => tapped !== undefined);

test('RFC 7866 §6.1, §7.1: a call of a user of the policy is offered to the recorder: two streams, sendonly, labelled, encrypted, with metadata', async () => {
  const all = await cast();
  const call = await talking(all);
  const [asked] = all.recorder.asked;
  assert.ok(asked !== undefined);
  const { request } = asked.call;
  assert.equal(request!.headers.get('Require'), 'siprec');
  assert.match(request!.headers.get('Contact')!, /;\+sip\.src$/);
  assert.equal(asked.sdp.media.length, 2);
  for (const [i, media] of asked.sdp.media.entries()) {
    assert.equal(media.protocol, 'RTP/SAVP');
    assert.equal(media.attributes.find(({ name }) => name === 'label')!.value, String(i + 1));
    assert.ok(media.attributes.some(({ name }) => name === 'sendonly'));
    assert.ok(media.formats.includes('8'));
  }
  // What each party says goes to the stream that the metadata names for it.
  const [first, second] = [...all.world.relay.endpoints.values()].filter(
    ({ linked }) => linked !== undefined,
  );
  assert.deepEqual(
    taps(all).map(({ tapped }) => tapped),
    [first!.opened.id, second!.opened.id],
  );
  for (const { config } of taps(all)) {
    assert.equal(config!.media, 'srtp');
    assert.equal(config!.remote!.address, recorderAt);
    assert.ok(config!.send !== undefined);
  }
  assert.match(asked.metadata, /aor="sip:alice@example\.test"/);
  assert.match(asked.metadata, /aor="sip:bob@example\.test"/);
  const [started] = told(all, 'recording.started');
  assert.deepEqual([started!.recorder, started!.by], ['vault', 'policy']);
  assert.match(started!.why, /parties are notified/);
  const now = all.world.eventsOf('call.protection').at(-1)!;
  assert.match(
    now.sentence,
    /the call is recorded by the recorder vault\.$|recorded by the recorder vault; /,
  );
  assert.equal(now.grade, 'hop-by-hop');
  const grade = await over(all, call);
  assert.equal(grade.recordedBy, 'the recorder vault');
  assert.ok(asked.call.hungUpByPeer, 'the recording ends with the call');
  assert.equal(told(all, 'recording.stopped').length, 1);
});

test('a phone that asks what protects its call hears that it is recorded, and not by whom', async () => {
  const all = await cast({}, { phones: { transport: 'wss', says: [['Recv-Info', 'ringfence-protection']] } });
  const call = await talking(all);
  const infos = all.bob.heard.flatMap((message) =>
    message.kind === 'request' && message.method === 'INFO' ? [Buffer.from(message.body).toString()] : [],
  );
  const last = JSON.parse(infos.at(-1) ?? '{}') as { sentence: string; grade: string };
  assert.match(last.sentence, /the call is recorded by a recorder/);
  assert.equal(last.sentence.includes('vault'), false);
  assert.notEqual(last.grade, 'end-to-end');
  await over(all, call);
});

test('the keys of the call and those of the recorder have nothing in common, and no key of either is in the metadata', async () => {
  const all = await cast();
  const call = await talking(all);
  const asked = all.recorder.asked[0]!;
  const keys = (text: string): string[] => text.match(/inline:\S+/g) ?? [];
  const offered = keys(Buffer.from(asked.call.request!.body).toString());
  assert.ok(offered.length >= 2);
  for (const key of keys(call.theirs)) assert.equal(offered.includes(key), false);
  assert.equal(asked.metadata.includes('inline'), false);
  await over(all, call);
});

test('a recorder without encryption makes the call partly protected: somebody could listen there', async () => {
  const all = await cast({}, { encryption: 'none' });
  const call = await talking(all);
  assert.equal(all.recorder.asked[0]!.sdp.media[0]!.protocol, 'RTP/AVP');
  const grade = await over(all, call);
  assert.equal(grade.grade, 'partly-protected');
  assert.match(grade.sentence, /the media of the trunk vault is not encrypted/);
  assert.equal(all.world.eventsOf('call.downgraded').length, 1);
});

test('nobody is recorded whom the policy does not cover, and none without consent; each refusal has its reason', async () => {
  const uncovered = await cast({ users: ['carol'] });
  await over(uncovered, await talking(uncovered));
  assert.equal(uncovered.recorder.asked.length, 0);
  const silent = await cast({ consent: 'hook' });
  const call = await talking(silent);
  assert.equal(silent.recorder.asked.length, 0);
  const [refused] = told(silent, 'recording.refused');
  assert.match(refused!.why, /Nothing says that the parties consent/);
  assert.equal(call.state, 'up');
  const grade = await over(silent, call);
  assert.equal(grade.recordedBy, undefined);
  // Where a call without a recording must not be, it ends.
  const strict = await cast({ consent: 'hook', whenDown: 'end' });
  const ended = strict.alice.call('bob');
  await strict.world.until(() => ended.hungUpByPeer);
  await over(strict);
  assert.equal(strict.world.finished.at(-1)!.cause, 'policy');
});

test('ZRTP that passes cannot be recorded, and the refusal says so; once it begins, a recording ends', async () => {
  const all = await cast({ start: 'request', keys: '*9' }, { phones: { media: 'rtp' } });
  const call = await talking(all);
  const ids = [...all.world.relay.endpoints.values()].filter(({ linked }) => linked !== undefined);
  const pass = () => {
    for (const { opened } of ids)
      all.world.relay.tell({
        kind: 'zrtp-passed',
        endpoint: opened.id,
        zid: new Uint8Array(12),
        helloMatches: true,
        confirmed: true,
      });
  };
  const [id] = [...all.world.edge.calls.keys()];
  const begin = () => {
    const decision = all.world.edge.record(id!, 'start');
    assert.ok(typeof decision === 'object');
    return decision;
  };
  assert.equal(begin().allowed, true);
  await all.world.run(1000);
  assert.equal(taps(all).length, 2);
  pass();
  await all.world.run(500);
  assert.equal(taps(all).length, 0);
  assert.match(told(all, 'recording.stopped')[0]!.why, /has no keys and cannot record/);
  assert.equal(begin().reason.rule, 'recording.end-to-end');
  await over(all, call);
});

test('a recorder that is down, refuses, answers without keys, or never answers: the call goes on, or ends, as policy says', async () => {
  for (const whenDown of ['go-on', 'end'] as const)
    for (const habit of ['dead', 'refuses', 'plain', 'slow'] as const) {
      const all = await cast({ whenDown });
      if (habit === 'dead') all.recorder.phone.dead = true;
      if (habit === 'refuses') all.recorder.onSession = ({ call }) => call.reject(503);
      if (habit === 'slow') all.recorder.onSession = () => {};
      if (habit === 'plain')
        all.recorder.onSession = (asked) =>
          all.recorder.take(
            asked,
            all.recorder
              .answerTo(asked.sdp)
              .replace(/^a=crypto.*\r\n/gm, '')
              .replaceAll('RTP/SAVP', 'RTP/AVP'),
          );
      const call = all.alice.call('bob');
      await all.world.until(() => call.state === 'up');
      await all.world.run(40_000);
      assert.equal(told(all, 'recording.failed').length, 1, habit);
      assert.equal(call.hungUpByPeer, whenDown === 'end', `${habit} ${whenDown}`);
      assert.equal(taps(all).length, 0);
      const grade = await over(all, call);
      assert.equal(grade.recordedBy, undefined);
    }
});

test('a recorder that hangs up in the middle: nothing is copied any more, and the call goes on', async () => {
  const all = await cast();
  const call = await talking(all);
  all.recorder.asked[0]!.call.hangUp();
  await all.world.run(500);
  assert.equal(taps(all).length, 0);
  assert.match(told(all, 'recording.failed')[0]!.why, /has ended it/);
  assert.equal(call.state, 'up');
  await over(all, call);
});

test('pause and resume: nothing is copied meanwhile, and the recorder is told (RFC 7866 §7.1.1.1)', async () => {
  const all = await cast();
  const call = await talking(all);
  const [id] = [...all.world.edge.calls.keys()];
  const asked = all.recorder.asked[0]!;
  asked.call.onReinvite = (one, transaction, request) => {
    const headers = [
      ['Contact', one.phone.contact],
      ['Content-Type', 'application/sdp'],
    ] as const;
    one.phone.respond(
      transaction,
      makeResponse(request, 200, undefined, { headers, body: Buffer.from(one.mine?.text ?? '') }),
    );
  };
  assert.equal(all.world.edge.record(id!, 'pause'), 'done');
  await all.world.run(500);
  assert.equal(taps(all).length, 0);
  assert.match(Buffer.from(asked.call.reinvites[0]!.body).toString(), /a=inactive/);
  assert.equal(all.world.edge.record(id!, 'resume'), 'done');
  assert.equal(all.world.edge.record('nobody', 'stop'), undefined);
  await all.world.run(500);
  assert.equal(taps(all).length, 2);
  assert.match(Buffer.from(asked.call.reinvites[1]!.body).toString(), /a=sendonly/);
  assert.equal(told(all, 'recording.paused').length, 1);
  assert.equal(told(all, 'recording.resumed').length, 1);
  await over(all, call);
});

test('keys begin and end a recording, for users of the policy alone', async () => {
  const all = await cast({ start: 'request', keys: '*9' });
  const call = await talking(all);
  const press = async (by: PhoneCall, keys: string): Promise<void> => {
    for (const key of keys) {
      await by.inside(
        'INFO',
        [['Content-Type', 'application/dtmf-relay']],
        `Signal=${key}\r\nDuration=100\r\n`,
      );
      await all.world.run(200);
    }
    await all.world.run(500);
  };
  assert.equal(all.recorder.asked.length, 0);
  await press(all.bob.calls.at(-1)!, '*9');
  assert.equal(all.recorder.asked.length, 0);
  assert.match(told(all, 'recording.refused')[0]!.why, /Only users of the policy/);
  await press(call, '5*');
  await all.world.run(10_000);
  await press(call, '9');
  assert.equal(all.recorder.asked.length, 0, 'keys far apart are no code');
  await press(call, '1*9');
  assert.equal(taps(all).length, 2);
  assert.equal(told(all, 'recording.started')[0]!.by, `device:alice@${domain}/alice`);
  await press(call, '*9');
  assert.equal(taps(all).length, 0);
  await over(all, call);
});

test('hold, new keys and the death of the media process: the recorder goes on with the streams that there are', async () => {
  const all = await cast();
  const call = await talking(all);
  call.reinvite(call.again('sendonly'));
  await all.world.until(() => call.reinviteStatus.length === 1);
  assert.equal(taps(all).length, 2);
  all.world.replaceRelay();
  await all.world.until(() => all.recorder.asked.length === 2);
  await all.world.run(2000);
  assert.equal(taps(all).length, 2);
  const linked = [...all.world.relay.endpoints.values()].filter((one) => one.linked !== undefined);
  assert.deepEqual(
    taps(all)
      .map(({ tapped }) => tapped)
      .sort(),
    linked.map(({ opened }) => opened.id).sort(),
  );
  await over(all, call);
});

test('transfer: the call that comes of it is recorded if the policy covers it, and the old recording ends', async () => {
  const all = await cast();
  const carol = await registered(all.world, {
    name: 'carol',
    transport: 'tls',
    address: '203.0.113.3',
    port: 40_003,
    media: 'srtp',
  });
  carol.onInvite = (call) => call.answer();
  const call = await talking(all);
  const taken = all.bob.calls.at(-1)!;
  assert.equal(await taken.inside('REFER', [['Refer-To', '<sip:carol@example.test>']]), 202);
  await all.world.until(() => taken.hungUpByPeer);
  await all.world.run(3000);
  assert.equal(all.recorder.asked.length, 2);
  assert.ok(all.recorder.asked[0]!.call.hungUpByPeer);
  assert.match(all.recorder.asked[1]!.metadata, /aor="sip:carol@example\.test"/);
  assert.equal(taps(all).length, 2);
  const grade = await over(all, call);
  assert.equal(grade.recordedBy, 'the recorder vault');
});

test('an emergency call is never recorded, and goes on where others would end', async () => {
  const all = await cast({ users: ['*'], whenDown: 'end' }, { emergency: true });
  const police = new Phone(all.world, { name: '110', address: '192.0.2.60' }).listen();
  police.onInvite = (call) => call.answer();
  const call = all.alice.call('urn:service:sos');
  await all.world.until(() => call.state === 'up');
  await all.world.run(20_000);
  assert.equal(call.state, 'up');
  assert.equal(all.recorder.asked.length, 0);
  assert.match(told(all, 'recording.refused')[0]!.why, /Emergency calls are not recorded/);
  await over(all, call);
});

test('RFC 7865 §6: metadata is well formed and complete, whatever names there are (no injection)', () => {
  const stream = (n: number) => ({ id: `c${n}==`, label: String(n) });
  const xml = writeMetadata({
    session: 'abc==',
    at: Date.UTC(2026, 0, 1),
    participants: [
      { id: 'p1==', aor: 'sip:"><evil/>&x\u0000@example.test', stream: stream(1) },
      { id: 'p2==', aor: "sip:o'brien@example.test", stream: stream(2) },
    ],
  });
  assert.equal(xml.includes('<evil'), false);
  assert.match(xml, /aor="sip:&quot;&gt;&lt;evil\/&gt;&amp;x\?@example\.test"/);
  assert.match(xml, /aor="sip:o&apos;brien@example\.test"/);
  assert.equal(escapeXml(String.fromCharCode(0xd800)), '\ufffd');
  // Every element that is opened is closed, in order.
  const open: string[] = [];
  for (const [, close, name, empty] of xml.matchAll(/<(\/?)([a-zA-Z]+)[^<>]*?(\/?)>/g)) {
    if (empty === '/') continue;
    if (close === '') open.push(name!);
    else assert.equal(open.pop(), name);
  }
  assert.deepEqual(open, []);
  for (const n of [1, 2])
    assert.match(xml, new RegExp(`<stream stream_id="c${n}==" session_id="abc=="><label>${n}</label>`));
  assert.match(xml, /<participantstreamassoc participant_id="p1=="><send>c1==<\/send><recv>c2==<\/recv>/);
});
