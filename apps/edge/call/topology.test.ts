import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import { leftovers, registered } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const inside = '10.20.30.40';
const carrierAt = '192.0.2.10';

/** Alice on the inside, a carrier outside; what they do not say is up to the test. */
async function cast(seed: number): Promise<{ world: World; alice: Phone; carrier: Phone }> {
  const world = new World({
    seed,
    objects: {
      users: [user('alice', { number: '+4930123401' })],
      trunks: [trunk('carrier', { addresses: [carrierAt] })],
      routes: [route('default', { trunk: 'carrier' })],
    },
  });
  const alice = await registered(world, { name: 'alice', transport: 'tls', address: inside, media: 'srtp' });
  const carrier = new Phone(world, { name: '+4989', address: carrierAt }).listen();
  return { world, alice, carrier };
}

/** Header fields that carry a secret of one side, each marked. */
const leaky = (mark: string, address: string): (readonly [string, string])[] => [
  ['X-Private', `one-${mark}`],
  ['X-Bypass-me ', `lol-${mark}`],
  ['Record-Route', `<sip:rr-${mark}@${address};lr>`],
  ['P-Asserted-Identity', `<sip:pai-${mark}@${address}>`],
  ['P-Preferred-Identity', `<sip:ppi-${mark}@${address}>`],
  ['Remote-Party-ID', `<sip:rpid-${mark}@${address}>;party=calling`],
  ['P-Charging-Vector', `icid-value=icid-${mark};icid-generated-at=${address}`],
  ['Diversion', `<sip:div-${mark}@${address}>`],
  ['History-Info', `<sip:hi-${mark}@${address}>;index=1`],
  ['Identity', `id-${mark}`],
  ['Server', `Server-${mark}`],
  ['User-to-User', `uu-${mark}`],
  ['Session-ID', `sid-${mark}`],
  ['Reply-To', `<sip:reply-${mark}@${address}>`],
  ['Warning', `399 ${address} "w-${mark}"`],
  ['Error-Info', `<sip:err-${mark}@${address}>`],
  ['Geolocation', `<sip:geo-${mark}@${address}>`],
];

const description = (mark: string, address: string, port: number): string =>
  [
    'v=0',
    `o=user-${mark} 77${port} 1 IN IP4 ${address}`,
    `s=session-${mark}`,
    `i=info-${mark}`,
    `u=http://${address}/u-${mark}`,
    `e=mail-${mark}@${address}`,
    `c=IN IP4 ${address}`,
    't=0 0',
    `a=tool:tool-${mark}`,
    `m=audio ${port} RTP/AVP 8 101`,
    `i=stream-${mark}`,
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-16',
    `a=candidate:1 1 UDP 1 ${address} ${port} typ host`,
    `a=ice-ufrag:ufrag-${mark}`,
    `a=rtcp:${port + 1} IN IP4 ${address}`,
    `a=label:label-${mark}`,
    `a=x-private:${mark}`,
    `a=ssrc:4242 cname:cname-${mark}`,
    'a=sendrecv',
    '',
  ].join('\r\n');

test('nothing of one side is ever seen on the other, in any message of a call, but what is on the list', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1 << 30 }),
      fc.integer({ min: 1, max: 250 }),
      async (seed, n) => {
        const random = new SeededRandom(seed);
        const [ours, theirs] = [random.token(14), random.token(14)];
        const { world, alice, carrier } = await cast(seed);
        const insideMedia = `10.99.${n}.7`;
        const outsideMedia = `198.18.${n}.9`;
        Object.defineProperty(alice, 'contact', {
          get: () => `<sip:contact-${ours}@${inside};transport=tls>`,
        });
        Object.defineProperty(carrier, 'contact', { get: () => `<sip:contact-${theirs}@${carrierAt}>` });
        carrier.onInvite = (call) => {
          const answer = (status: number, sdp?: string): void => {
            const response = makeResponse(call.request!, status, `Reason-${theirs}`, {
              toTag: `tag-${theirs}`,
              headers: [
                ...leaky(theirs, carrierAt).filter(([name]) => name.trim() === name),
                ['Contact', carrier.contact],
                ['User-Agent', `UA-${theirs}`],
                ...(sdp === undefined ? [] : [['Content-Type', 'application/sdp'] as const]),
              ],
              body: Buffer.from(sdp ?? ''),
            });
            if (call.transaction?.kind === 'server') carrier.respond(call.transaction, response);
          };
          answer(183, description(theirs, outsideMedia, 30_000));
          answer(200, description(theirs, outsideMedia, 30_000));
        };
        const call = alice.call('+4989777', {
          display: `Display-${ours}`,
          headers: [
            ...leaky(ours, inside).filter(([name]) => name.trim() === name),
            ['Subject', 'allowed subject'],
            ['Organization', 'allowed organization'],
          ],
          sdp: description(ours, insideMedia, 44_444),
        });
        await world.until(() => call.state === 'up' || call.state === 'over');
        assert.equal(call.state, 'up', String(call.status));
        call.reinvite(description(ours, insideMedia, 44_444).replace('a=sendrecv', 'a=sendonly'));
        await world.until(() => call.reinviteStatus.length === 1);
        call.hangUp();
        await world.run(64_000);

        const outside = world.sentTo(carrierAt).join('\n');
        const within = world.sentTo(inside).join('\n');
        for (const secret of [
          ours,
          inside,
          insideMedia,
          '44444',
          '7744444',
          call.callId,
          call.localTag,
          'Testphone',
          'alice',
          'X-Private',
          'X-Bypass',
        ])
          assert.ok(
            !outside.toLowerCase().includes(secret.toLowerCase()),
            `${secret} was seen outside:\n${outside}`,
          );
        for (const secret of [theirs, carrierAt, outsideMedia, '30000', '7730000', 'Reason-', 'UA-'])
          assert.ok(!within.includes(secret), `${secret} was seen inside:\n${within}`);
        const invite = world.sentTo(carrierAt).find((text) => text.startsWith('INVITE'))!;
        assert.match(invite, /\r\nSubject: allowed subject\r\n/);
        assert.match(invite, /\r\nOrganization: allowed organization\r\n/);
        const names = invite
          .slice(0, invite.indexOf('\r\n\r\n'))
          .split('\r\n')
          .slice(1)
          .map((line) => line.slice(0, line.indexOf(':')));
        const allowed =
          'Via Max-Forwards From To Call-ID CSeq Contact Allow Supported Session-Expires User-Agent Subject Organization Content-Type Content-Length';
        assert.deepEqual(
          names.filter((name) => !allowed.split(' ').includes(name)),
          [],
        );
        assert.deepEqual(leftovers(world), []);
      },
    ),
    { numRuns: 25 },
  );
});

test('smuggled header names never pass, however they are written (S1, CVE-2020-28361)', async () => {
  for (const line of [
    'X-Bypass-me : lol',
    'X-Bypass-me\t: lol',
    'X-Bypass-me:\r\n lol',
    'x-BYPASS-me: lol',
    'Subject: fine\r\n X-Bypass-me: lol',
    'Subject : fine\r\nX-Bypass-me : lol',
    's: fine\r\nX-Bypass-me: lol',
  ]) {
    const { world, carrier } = await cast(1);
    const phone = new Phone(world, { name: 'alice', address: carrierAt, port: 5060 });
    assert.ok(phone);
    const sdp = description('m', '192.0.2.10', 30_000);
    carrier.raw(
      [
        'INVITE sip:alice@example.test SIP/2.0',
        `Via: SIP/2.0/UDP ${carrierAt}:5060;branch=z9hG4bKsmuggle`,
        'Max-Forwards: 70',
        'From: <sip:+4989@example.net>;tag=f',
        'To: <sip:alice@example.test>',
        'Call-ID: smuggle',
        'CSeq: 1 INVITE',
        `Contact: <sip:x@${carrierAt}>`,
        line,
        'Content-Type: application/sdp',
        `Content-Length: ${sdp.length}`,
        '',
        sdp,
      ].join('\r\n'),
    );
    await world.run(1000);
    const invites = world.sentTo(inside).filter((text) => text.startsWith('INVITE'));
    assert.equal(invites.length, 1, line);
    for (const text of invites) assert.doesNotMatch(text, /^X-Bypass/im, JSON.stringify(line));
  }
});

test('From of a device is its own identity, whatever it claims (S5, CVE-2025-47779)', async () => {
  const { world, alice, carrier } = await cast(1);
  const from = alice.from.bind(alice);
  alice.from = (tag) => ({ ...from(tag), uri: alice.uri('sip:boss@example.test'), display: 'The Boss' });
  const call = alice.call('+4989777', { display: 'The Boss' });
  await world.until(() => carrier.calls.length === 1);
  const { request } = carrier.calls[0]!;
  assert.equal(request!.from.display, undefined);
  assert.equal('user' in request!.from.uri ? request!.from.uri.user : '', '+4930123401');
  call.cancel();
});

test('no header can be injected through display name, user part, Subject, number or fmtp', async () => {
  const nasty = fc.constantFrom(
    '\r\n',
    '\n',
    '\r',
    '\0',
    '%0d%0a',
    '"',
    '\\',
    '\\"',
    '<',
    '>',
    ';',
    ',',
    '?',
    '&',
    '\t',
    'ü',
    '😀',
  );
  const text = fc
    .array(fc.oneof(nasty, fc.constantFrom('a', 'X: 1', ' ')), { maxLength: 8 })
    .map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(text, text, text, async (one, two, three) => {
      const { world, alice, carrier } = await cast(7);
      const escaped = encodeURIComponent(two).replace(/[!'()*]/g, '_');
      const sdp = description('m', '192.0.2.10', 30_000).replace(
        'a=fmtp:101 0-16',
        `a=fmtp:101 ${three.replace(/[\r\n\0]/g, '')}`,
      );
      carrier.raw(
        [
          'INVITE sip:alice@example.test SIP/2.0',
          `Via: SIP/2.0/UDP ${carrierAt}:5060;branch=z9hG4bKinject`,
          'Max-Forwards: 70',
          `From: "${one.replace(/(["\\])/g, '\\$1')}" <sip:u${escaped}@example.net>;tag=f`,
          'To: <sip:alice@example.test>',
          'Call-ID: inject',
          'CSeq: 1 INVITE',
          `Contact: <sip:x@${carrierAt}>`,
          `Subject: ${three}`,
          'Content-Type: application/sdp',
          `Content-Length: ${Buffer.byteLength(sdp)}`,
          '',
          sdp,
        ].join('\r\n'),
      );
      await world.run(20);
      assert.deepEqual(world.errors, []);
      for (const sent of world.sentTo(inside)) {
        if (!sent.startsWith('INVITE')) continue;
        const head = sent.slice(0, sent.indexOf('\r\n\r\n')).split('\r\n');
        for (const line of head) assert.match(line, /^[^\r\n\0]*$/);
        assert.ok(!head.some((line) => line.startsWith('X: 1')));
        readSdp(Buffer.from(sent.slice(sent.indexOf('\r\n\r\n') + 4), 'latin1'));
      }
      // Towards the trunk: the dialled number is the phone's word.
      if (escaped !== '')
        alice.call(`sip:${escaped}x@example.test`, { headers: [['Subject', one.replace(/[\r\n\0]/g, '')]] });
      await world.run(20);
      assert.deepEqual(world.errors, []);
      for (const sent of world.sentTo(carrierAt))
        for (const line of sent.slice(0, sent.indexOf('\r\n\r\n')).split('\r\n')) {
          assert.match(line, /^[^\r\n\0]*$/);
          assert.ok(!line.startsWith('X: 1'));
        }
    }),
    { numRuns: 100 },
  );
});
