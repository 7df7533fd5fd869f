import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import { pbxObject, TestPbx } from '../testing/pbx.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { trunkCast } from '../testing/trunk-cast.ts';
import { World, type WorldOptions } from '../testing/world.ts';

const inside = '10.0.0.5';
const script = ['Subject', '<script src=//evil.example></script>'] as const;

function office(
  server: string | undefined,
  more: WorldOptions = {},
): { readonly world: World; readonly pbx: TestPbx } {
  const { objects, ...options } = more;
  const world = new World({ objects: { pbx: [pbxObject([inside])], ...objects }, ...options });
  const pbx = new TestPbx(world, inside);
  pbx.refuse = (request) =>
    request.method === 'OPTIONS' && server !== undefined
      ? makeResponse(request, 200, undefined, { toTag: 'o', headers: [['Server', server]] })
      : pbx.judge(request);
  return { world, pbx };
}

const phoneOf = (world: World, options: Partial<PhoneOptions> = {}): Phone =>
  new Phone(world, {
    name: '101',
    transport: 'tls',
    address: '203.0.113.1',
    port: 40_001,
    media: 'srtp',
    realm: domain,
    ...options,
  });

const reached = (pbx: TestPbx, method: string): number =>
  pbx.heard.filter((message) => message.kind === 'request' && message.method === method).length;

test('CVE-2021-37624, S5: a FreeSWITCH that says it is 1.10.6 gets no MESSAGE without credentials, one that is newer does', async () => {
  for (const [server, status] of [
    ['FreeSWITCH-mod_sofia/1.10.6-release+git~20210701', 403],
    ['FreeSWITCH-mod_sofia/1.10.12-release', 401],
    ['Grandstream UCM 1.0', 401],
    [undefined, 401],
  ] as const) {
    const { world, pbx } = office(server);
    await world.run(35_000);
    const phone = phoneOf(world);
    assert.equal((await phone.register()).status, 200);
    const message = phone.make('MESSAGE', 'sip:102@example.test', [['Content-Type', 'text/plain']]);
    let final = 0;
    phone.ask(
      { ...message, body: Buffer.from('hello') },
      (response) => {
        if (typeof response !== 'string' && response.status >= 200) final = response.status;
      },
      true,
    );
    await world.until(() => final !== 0);
    assert.equal(final, status, server);
    assert.equal(reached(pbx, 'MESSAGE'), status === 403 ? 0 : 1, server);
    const blocked = world.eventsOf('patch.blocked');
    assert.equal(blocked.length, status === 403 ? 1 : 0);
    if (status !== 403) continue;
    assert.deepEqual(world.eventsOf('patches.changed')[0]?.patches, ['RF-2021-01', 'RF-2021-02']);
    const [event] = blocked;
    assert.equal(event?.patch, 'RF-2021-01');
    assert.equal(event.method, 'MESSAGE');
    assert.equal(event.domain, domain);
    assert.ok(event.decision.verdict === 'refuse' && event.decision.reasons[0]?.rule === 'patch.RF-2021-01');
    const answer = world.sentTo('203.0.113.1').at(-1) ?? '';
    assert.match(answer, /^SIP\/2\.0 403/);
    assert.match(answer, /\r\nReason: Q\.850;cause=21;text="policy"\r\n/);
    assert.ok(!answer.includes('RF-') && !answer.includes('FreeSWITCH'), 'who sends it is not told why');
  }
});

test('patches that harm nobody are on in front of a PBX or trunk whatever it is, before anybody has proven anything', async () => {
  const { world, pbx } = office(undefined);
  const stranger = phoneOf(world, { address: '198.51.100.77', name: '999' });
  const answered = await stranger.request(stranger.make('INVITE', 'sip:101@example.test', [script]));
  assert.ok(typeof answered !== 'string' && answered.status === 403);
  assert.equal(reached(pbx, 'INVITE'), 0);
  assert.equal(world.eventsOf('patch.blocked')[0]?.patch, 'RF-2021-03');

  const { world: behindTrunk, alice, carrier } = await trunkCast();
  const call = alice.call('+49894321', { headers: [script] });
  await behindTrunk.until(() => call.state === 'over');
  assert.equal(call.status, 403);
  assert.equal(carrier.calls.length, 0);
});

test('a domain with nothing behind it has no patches', async () => {
  const world = new World({
    objects: { users: [user('alice'), user('bob')], trunks: [trunk('carrier', { domain: 'other.test' })] },
  });
  const alice = phoneOf(world, { name: 'alice' });
  await alice.register();
  const call = alice.call('bob', { headers: [script] });
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 480);
  assert.equal(world.eventsOf('patch.blocked').length, 0);
});

test('emergency calls pass whatever a patch says', async () => {
  const { world, alice, carrier } = await trunkCast();
  const call = alice.call('112', { headers: [script] });
  await world.until(() => carrier.calls.length === 1);
  assert.equal(world.eventsOf('patch.blocked').length, 0);
  call.cancel();
  await world.run(1_000);
});

test('what is protected is not protected from itself', async () => {
  for (const [product, status] of [
    ['asterisk 13.1.0', 480],
    [undefined, 403],
  ] as const) {
    const world = new World({
      objects: {
        users: [user('alice')],
        trunks: [
          trunk('office', { addresses: ['192.0.2.10'], ...(product === undefined ? {} : { product }) }),
        ],
        routes: [route('default', { trunk: 'office' })],
      },
    });
    const office = new Phone(world, { name: '+4989', address: '192.0.2.10' }).listen();
    const call = office.call('alice', { headers: [script] });
    await world.until(() => call.state === 'over');
    assert.equal(call.status, status, product);
  }
});

test('what cannot be read is told of with the patch that knows it, and answered as ever (CVE-2017-9372)', async () => {
  const { world } = office(undefined);
  const stranger = phoneOf(world, { address: '198.51.100.77', transport: 'udp' });
  stranger.raw(
    `OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.77:40001;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: a\r\nCSeq: 0 ${'A'.repeat(400)}\r\nContent-Length: 0\r\n\r\n`,
  );
  await world.run(100);
  assert.equal(world.eventsOf('message.malformed')[0]?.patch, 'RF-2017-01');
});
