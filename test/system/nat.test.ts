import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Agent } from './harness/agent.ts';
import { Bed, type Pair } from './harness/bed.ts';
import { usualFields } from './harness/compose.ts';
import { addresses, become, isInside, type Nat, nats, testAmongNetworks } from './harness/namespaces.ts';
import { talk, type Voice } from './harness/voice.ts';
import { within } from './harness/waiting.ts';

const { edge, edge6, beside, beside6, home, away, homeOutside } = addresses;
const suite = 'AES_CM_128_HMAC_SHA1_80';
const transports = ['udp', 'tls'] as const;

if (!isInside)
  testAmongNetworks('NAT, roaming and address families, in networks of their own', import.meta.url, 15);
else {
  let bed: Bed;
  before(async () => {
    const plain = { encryption: 'preferred', dangerousPlaintext: true } as const;
    bed = await Bed.open(
      { users: [{ name: 'alice' }, { name: 'bob' }] },
      {
        listeners: [
          { name: 'udp', transport: 'udp', address: edge, ...plain },
          { name: 'tls', transport: 'tls', address: edge, ...plain },
          { name: 'udp6', transport: 'udp', address: edge6, ...plain },
          { name: 'tls6', transport: 'tls', address: edge6, ...plain },
        ],
      },
    );
  });
  after(() => bed.close());

  const mediaOf = (transport: 'udp' | 'tls') => (transport === 'udp' ? 'RTP' : suite);

  async function end(call: Pair): Promise<void> {
    assert.equal((await call.callee.hangUp()).status, 200);
    await within('the caller', call.caller.over);
  }

  /** Where the edge has seen the phone's registration come from. */
  async function seenAt(from: number): Promise<string> {
    const { source } = await bed.edge.event('registration.added', ({ user }) => user === 'alice', from);
    return String(source);
  }

  /** Calls both ways between a phone and one beside the edge, each with audio both ways. */
  async function callsBothWays(
    phone: Agent,
    at: string,
    media: 'RTP' | typeof suite,
    other: string = beside,
  ): Promise<void> {
    const bob = await bed.registered('bob', 'udp', {
      from: other,
      listener: other === beside6 ? 'udp6' : 'udp',
    });
    const out = await bed.connect(phone, bob, 'bob', { from: media, place: at, toPlace: other });
    assert.equal(await talk(out.callerVoice, out.calleeVoice), undefined);
    await end(out);
    const back = await bed.connect(bob, phone, 'alice', { to: media, place: other, toPlace: at });
    // Whoever is behind a NAT speaks first: nothing can reach it before.
    assert.equal(await talk(back.calleeVoice, back.callerVoice), undefined);
    await end(back);
    await bob.register(0);
  }

  for (const nat of nats)
    for (const transport of transports)
      test(`RFC 4961 and RFC 3581: a phone behind a ${nat} NAT registers over ${transport}, calls and is called, with audio`, async () => {
        become(nat);
        const from = bed.edge.events.length;
        const alice = await bed.registered('alice', transport, { from: home });
        const [address, port] = (await seenAt(from)).split(':');
        assert.equal(address, homeOutside);
        // The router is of the kind that the test is about.
        assert.equal(port !== String(alice.local.port), nat === 'symmetric');
        await callsBothWays(alice, home, mediaOf(transport));
        await alice.register(0);
      });

  /** Alice at home in a call with Bob, who follows whatever she changes. */
  async function callFromHome(transport: 'udp' | 'tls'): Promise<Pair> {
    const alice = await bed.registered('alice', transport, { from: home });
    const bob = await bed.registered('bob', 'udp', { from: beside });
    const call = await bed.connect(alice, bob, 'bob', {
      from: mediaOf(transport),
      place: home,
      toPlace: beside,
    });
    assert.equal(await talk(call.callerVoice, call.calleeVoice), undefined);
    call.callee.onReinvite = (incoming) => {
      assert.equal(call.calleeVoice.take(incoming.sdp), undefined);
      incoming.respond(200, 'OK', [['Contact', bob.contact]], call.calleeVoice.describe());
    };
    return call;
  }

  /** Moves the caller to another network and tells the edge by a re-INVITE; gives its new voice. */
  async function roam(call: Pair, phone: Agent): Promise<Voice> {
    call.caller.agent.close();
    call.caller.moveTo(phone);
    const voice = await bed.voice(call.callerVoice.protection, away);
    const answer = await call.caller.reinvite(voice.describe());
    assert.equal(answer.status, 200);
    assert.equal(voice.take(answer.text.slice(answer.text.indexOf('\r\n\r\n') + 4)), undefined);
    return voice;
  }

  for (const nat of ['port-restricted', 'symmetric'] as const satisfies readonly Nat[])
    for (const transport of transports)
      test(`a phone that roams in mid-call tells by re-INVITE, behind ${nat} NATs over ${transport}, and is heard again`, async () => {
        become(nat);
        const call = await callFromHome(transport);
        const phone = await bed.phone('alice', transport, { from: away });
        const voice = await roam(call, phone);
        assert.equal(await talk(voice, call.calleeVoice), undefined);
        // The old place hears nothing any more.
        call.callerVoice.forget();
        await call.calleeVoice.say(5);
        assert.equal(call.callerVoice.datagrams.length, 0);
        await end(call);
      });

  test('RFC 5626 §5.3: a phone that has lost its network in mid-call is hung up over its next connection', async () => {
    become('symmetric');
    const call = await callFromHome('tls');
    const from = bed.edge.events.length;
    call.caller.agent.close();
    await bed.edge.event('flow.closed', () => true, from);
    const phone = await bed.phone('alice', 'tls', { from: away });
    assert.equal((await phone.register()).status, 200);
    call.caller.moveTo(phone);
    assert.equal((await call.callee.hangUp()).status, 200);
    await within('the caller, over its new connection', call.caller.over);
    assert.ok(phone.requests.some(({ message }) => message.method === 'BYE'));
  });

  test('IPv6 alone on one side and IPv4 alone on the other, both ways, over UDP and TLS', async () => {
    for (const transport of transports) {
      const six = await bed.registered('alice', transport, { from: beside6, listener: `${transport}6` });
      await callsBothWays(six, beside6, mediaOf(transport), beside);
      await six.register(0);
      const four = await bed.registered('alice', transport, { from: beside });
      await callsBothWays(four, beside, mediaOf(transport), beside6);
      await four.register(0);
    }
  });

  test('a phone with both families is reached over IPv4 once its IPv6 connection is gone, and with audio', async () => {
    const flows: Agent[] = [];
    for (const [from, listener] of [
      [beside, 'tls'],
      [beside6, 'tls6'],
    ] as const) {
      const flow = await bed.phone('alice', 'tls', { from, listener });
      const contact = `${flow.contact};+sip.instance="<urn:x-test:dual>";reg-id=${flows.push(flow)}`;
      const { answer } = await flow.authenticated('REGISTER', {
        more: [...usualFields, ['Supported', 'outbound'], ['Contact', contact], ['Expires', '600']],
      });
      assert.equal(answer.status, 200);
    }
    const [four, six] = flows as [Agent, Agent];
    const bob = await bed.registered('bob', 'udp', { from: beside });
    const over6 = await bed.connect(bob, six, 'alice', { to: suite, place: beside, toPlace: beside6 });
    assert.equal(await talk(over6.calleeVoice, over6.callerVoice), undefined);
    assert.equal(four.requests.length, 0);
    await end(over6);
    const from = bed.edge.events.length;
    six.close();
    await bed.edge.event('flow.closed', () => true, from);
    const over4 = await bed.connect(bob, four, 'alice', { to: suite, place: beside, toPlace: beside });
    assert.equal(await talk(over4.calleeVoice, over4.callerVoice), undefined);
    await end(over4);
  });
}
