import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Agent, type Incoming, uriText } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { usualFields } from './harness/compose.ts';
import type { Voice } from './harness/voice.ts';
import { until } from './harness/waiting.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }] },
    { more: { calls: '{ pickup: tenant }' } },
  );
});
after(() => bed.close());

/** Alice calls, Bob rings; what Carol needs to take it. */
async function ringing(): Promise<{
  alice: Agent;
  aliceVoice: Voice;
  carol: Agent;
  rung: Incoming;
  called: ReturnType<Agent['call']>;
}> {
  const [alice, bob, carol] = [
    await bed.registered('alice'),
    await bed.registered('bob'),
    await bed.registered('carol'),
  ];
  const aliceVoice = await bed.voice();
  let rung: Incoming | undefined;
  bob.onInvite = (incoming) => {
    incoming.ring();
    rung = incoming;
  };
  const called = alice.call('bob', aliceVoice.describe());
  return { alice, aliceVoice, carol, rung: await until('Bob rings', () => rung), called };
}

/** Carol has taken it: both hear each other, and Bob's phone has been told where the call went. */
async function taken(
  { aliceVoice, rung, called, carol }: Awaited<ReturnType<typeof ringing>>,
  dialled: string,
  more: readonly (readonly [string, string])[] = [],
): Promise<void> {
  const carolVoice = await bed.voice();
  const picking = carol.call(dialled, carolVoice.describe(), { more });
  const { leg } = await called;
  assert.ok(leg, 'the caller was refused');
  let asked = 0;
  leg.onReinvite = (incoming) => {
    asked += 1;
    aliceVoice.take(incoming.sdp);
    incoming.respond(200, 'OK', [['Contact', leg.agent.contact]], aliceVoice.describe());
  };
  const picked = await picking;
  assert.ok(picked.leg, picked.answer.text);
  carolVoice.take(picked.leg.remoteSdp);
  await until('the caller is asked anew', () => asked > 0);
  await until('Bob is cancelled', () => rung.isCancelled);
  const heardBefore = aliceVoice.heard.length;
  await carolVoice.say(10);
  const word = carolVoice.said.at(-1)!;
  await until('Alice hears Carol', () =>
    aliceVoice.heard.slice(heardBefore).some((one) => Buffer.compare(one, word) === 0),
  );
  await picked.leg.hangUp();
  await leg.over;
}

test('RFC 5359 §2.16: in the daemon: whoever dials *8 takes the call that rings elsewhere, and talks to its caller', async () => {
  await taken(await ringing(), '*8');
});

test('RFC 3891 §3: in the daemon: Replaces of an early dialog takes it as well', async () => {
  const scene = await ringing();
  const { message, tag } = scene.rung;
  const from = message.from.params.get('tag');
  await taken(scene, 'bob', [
    ['Require', 'replaces'],
    ['Replaces', `${message.callId};to-tag=${String(from)};from-tag=${tag};early-only`],
  ]);
});

test('RFC 5627 §3.1.2: in the daemon: a temporary GRUU rings the phone that it was given to, names nobody, and ends with the registration', async () => {
  const phone = await bed.phone('bob', 'tcp');
  const other = await bed.registered('bob', 'udp');
  const contact = `${phone.contact};+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"`;
  const { answer } = await phone.authenticated('REGISTER', {
    more: [...usualFields, ['Supported', 'gruu'], ['Contact', contact], ['Expires', '600']],
  });
  assert.equal(answer.status, 200);
  const gruu = /000A95A0E128.*;temp-gruu="(sip:[^"]+)"/.exec(answer.text)?.[1];
  assert.ok(gruu, answer.text);
  assert.doesNotMatch(gruu, /bob/);
  const rung: string[] = [];
  for (const [name, one] of [
    ['phone', phone],
    ['other', other],
  ] as const)
    one.onInvite = (incoming) => {
      rung.push(`${name} ${uriText(incoming.message)}`);
      incoming.respond(486, 'Busy Here');
    };
  const carol = await bed.registered('carol');
  const voice = await bed.voice();
  const call = async (uri: string): Promise<number> =>
    (await carol.call('', voice.describe(), { uri })).answer.status;
  assert.equal(await call(gruu), 486);
  assert.equal(rung.length, 1);
  assert.match(rung[0]!, /^phone /);
  // Made up or altered ones lead nowhere.
  assert.equal(await call(gruu.replace(/\.(.)/, (_, first: string) => `.${first === 'A' ? 'B' : 'A'}`)), 404);
  const gone = await phone.authenticated('REGISTER', {
    more: [...usualFields, ['Supported', 'gruu'], ['Contact', contact], ['Expires', '0']],
  });
  assert.equal(gone.answer.status, 200);
  assert.ok([404, 480].includes(await call(gruu)));
  assert.equal(rung.length, 1);
});
