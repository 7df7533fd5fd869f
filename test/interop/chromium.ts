/** The phone page in Chromium: with a desk phone over SDES, with another browser, and with a trunk in plain RTP. */
import { readFileSync } from 'node:fs';
import { account } from './baresip.ts';
import { DOMAIN, type Edge } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { certificatesIn, makeCertificates } from './harness/certificates.ts';
import { type Phone, talk } from './harness/phone-call.ts';
import { sleep, until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { secondsOfTone } from './harness/tone.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { Chromium, chromiumVersion } from './peers/chromium.ts';
import { Linphone, linphoneVersion } from './peers/linphone.ts';

const PASSWORDS = { alice: 'blue-harbour-42', bob: 'quiet-meadow-17' } as const;
const TONES = { alice: 440, bob: 1_000 } as const;
/** What is dialled, and the name that the phone behind the trunk is called by. */
const NUMBER = '555';
/** Folder for the picture of the manual: `RINGFENCE_PICTURES=docs/pictures`. */
const PICTURES = process.env.RINGFENCE_PICTURES;
type Name = keyof typeof PASSWORDS;

/** An edge with its phone page, users alice and bob, and a trunk that is the phone at `carrier`. */
async function edgeWithPage({ edge, workspace }: CaseContext, carrier?: string, zrtp = false): Promise<Edge> {
  return edge({
    certificates: certificatesIn(workspace),
    listeners: [
      { name: 'browsers', transport: 'wss', encryption: 'required', phonePage: true },
      { name: 'phones', transport: 'tls', encryption: zrtp ? 'preferred' : 'required' },
      { name: 'inside', transport: 'udp', encryption: 'none' },
    ],
    objects: {
      users: (['alice', 'bob'] as const).map((name) => ({
        name,
        devices: [
          zrtp && name === 'bob'
            ? { name, password: PASSWORDS[name], encryption: 'none', zrtp: 'end' }
            : { name, password: PASSWORDS[name], encryption: 'required', allowMd5: name === 'bob' },
        ],
      })),
      ...(carrier === undefined
        ? {}
        : {
            trunks: [{ name: 'carrier', target: carrier, encryption: 'none' }],
            routes: [{ match: NUMBER, to: { trunk: 'carrier' } }],
          }),
    },
  });
}

/** The edge and browsers start side by side: each takes a second or two of a processor. */
async function withBrowsers<const Names extends readonly Name[]>(
  context: CaseContext,
  names: Names,
  carrier?: string,
  zrtp = false,
): Promise<{ readonly edge: Edge; readonly browsers: { readonly [At in keyof Names]: Chromium } }> {
  const { workspace, closes } = context;
  if (carrier === undefined) makeCertificates(workspace);
  const certificate = readFileSync(certificatesIn(workspace).certificate, 'utf8');
  const start = async (name: Name): Promise<Chromium> =>
    closes(await Chromium.start({ workspace, name, certificate, tone: TONES[name] }));
  const [edge, ...browsers] = await Promise.all([edgeWithPage(context, carrier, zrtp), ...names.map(start)]);
  await Promise.all(
    browsers.map(async (browser, at) => {
      const name = names[at]!;
      await browser.open(edge.address, edge.port('browsers'));
      await browser.signIn(name, PASSWORDS[name]);
    }),
  );
  return { edge, browsers: browsers as { [At in keyof Names]: Chromium } };
}

const deskPhone = async ({ workspace, closes }: CaseContext, edge: Edge): Promise<Baresip> =>
  closes(
    await Baresip.start({
      workspace,
      certificates: certificatesIn(workspace),
      ...account(edge, 'bob', 'srtp'),
      tone: TONES.bob,
    }),
  );

/** What the padlock says once it knows. */
async function sentence(phone: Chromium, of: RegExp): Promise<string> {
  return until(`${phone.name}: padlock ${of}`, 8_000, async () => {
    const text = await phone.text('sentence');
    return of.test(text) ? text : null;
  });
}

function clean(...phones: readonly Chromium[]): string {
  for (const { name, complaints } of phones)
    expect(complaints.length === 0, `${name}'s browser complains: ${complaints.join(' | ')}`);
  return 'no complaint of the browser';
}

async function withDeskPhone(context: CaseContext, calls: 'browser' | 'desk phone'): Promise<string> {
  const { edge, browsers } = await withBrowsers(context, ['alice']);
  const [alice] = browsers;
  const bob = await deskPhone(context, edge);
  const [caller, called]: [Phone, Phone] = calls === 'browser' ? [alice, bob] : [bob, alice];
  const heard = await talk(caller, called, called.uri);
  expect((await bob.suite()) !== '', 'the desk phone has no SRTP suite');
  return `${heard}; ${clean(alice)}`;
}

async function twoBrowsers(context: CaseContext): Promise<string> {
  const { browsers } = await withBrowsers(context, ['alice', 'bob']);
  const [alice, bob] = browsers;
  const heard = await talk(alice, bob, 'bob');
  return `${heard}; ${clean(alice, bob)}`;
}

async function withTrunk(context: CaseContext): Promise<string> {
  const { workspace, closes } = context;
  makeCertificates(workspace);
  const carol = closes(
    await Baresip.start({
      workspace,
      name: NUMBER,
      certificates: certificatesIn(workspace),
      transport: 'udp',
      media: 'rtp',
      tone: TONES.bob,
    }),
  );
  const { browsers } = await withBrowsers(context, ['alice'], carol.uri.replace(`${NUMBER}@`, ''));
  const [alice] = browsers;
  const heard = await talk(alice, carol, NUMBER);
  return `${heard}; ${clean(alice)}`;
}

/** Hold and back, a digit as RFC 4733 event, the padlock, and the desk phone hangs up. */
async function withinACall(context: CaseContext): Promise<string> {
  const { edge, browsers } = await withBrowsers(context, ['alice']);
  const [alice] = browsers;
  const bob = await deskPhone(context, edge);
  alice.dial('bob');
  await Promise.all([alice.established(), bob.established()]);
  const says = await sentence(alice, /^Hop by hop: both sides are encrypted/);
  await until('alice hears bob', 5_000, async () => ((await alice.listen(TONES.bob)) >= 0.5 ? true : null));

  if (PICTURES !== undefined) await alice.picture(`${PICTURES}/phone-page.png`);
  await alice.press('hold');
  await until('alice holds', 5_000, async () => ((await alice.text('progress')) === 'On hold' ? true : null));
  await sleep(700);
  const before = await alice.listen(TONES.bob);
  await sleep(1_000);
  const held = (await alice.listen(TONES.bob)) - before;
  expect(held <= 0.2, `alice heard bob for ${held.toFixed(1)} s while she held the call`);
  await alice.press('hold');
  await until('alice hears bob again', 5_000, async () =>
    (await alice.listen(TONES.bob)) >= before + held + 0.5 ? true : null,
  );

  await alice.press('keys');
  await alice.page.keyboard.press('5');
  const { param } = await bob.event('CALL_DTMF_START', 3_000);
  expect(param?.includes('5') === true, `bob got ${param} for the digit 5`);

  bob.hangUp();
  await Promise.all([alice.ended(), bob.ended()]);
  expect((await alice.text('line')).startsWith('Call ended.'), 'the page does not say that the call ended');
  return `padlock: ${says} held and resumed; digit 5 by RFC 4733; ${clean(alice)}`;
}

/** A softphone whose ZRTP ends at the edge: both people see the same string, and the page says so. */
async function comparing(context: CaseContext): Promise<string> {
  const { workspace, closes } = context;
  const { edge, browsers } = await withBrowsers(context, ['alice'], undefined, true);
  const [alice] = browsers;
  const bob = closes(
    await Linphone.start({
      workspace,
      certificates: certificatesIn(workspace),
      name: 'bob',
      transport: 'tls',
      media: 'zrtp',
      tone: TONES.bob,
      server: {
        address: edge.address,
        port: edge.port('phones'),
        domain: DOMAIN,
        password: PASSWORDS.bob,
      },
    }),
  );
  alice.dial('bob');
  await Promise.all([alice.established(), bob.established()]);
  const shown = await until('a string in the page', 10_000, async () => (await alice.text('sas')) || null);
  const theirs = await bob.sas();
  expect(shown === theirs, `the page shows ${shown}, linphonec ${theirs}`);
  expect(!edge.log().includes('"verified":true'), 'it counts as compared before anybody has');
  await until('tones both ways', 6_000, async () => ((await alice.listen(TONES.bob)) >= 1 ? true : null));
  await alice.press('match');
  await until('the page says that it is the same', 5_000, async () =>
    (await alice.text('sas-label')).includes('have found these to be the same') ? true : null,
  );
  await until('the record says that somebody has compared', 3_000, () =>
    edge.log().includes('"verified":true') ? true : null,
  );
  alice.hangUp();
  await Promise.all([alice.ended(), bob.ended()]);
  await bob.stop();
  const heard = secondsOfTone(bob.heard(), TONES.alice);
  expect(heard >= 1, `linphonec heard ${TONES.alice} Hz for ${heard.toFixed(1)} s`);
  return `both show ${shown}; confirmed in the page, and so in the record; tones both ways; ${clean(alice)}`;
}

const both = (): string | null => (baresipVersion() === null ? null : chromiumVersion());

export const cases: readonly Case[] = [
  {
    name: 'chromium-to-baresip',
    peer: 'Chromium, baresip',
    version: both,
    what: 'the phone page calls a desk phone: DTLS-SRTP and ICE to SDES',
    run: (context) => withDeskPhone(context, 'browser'),
  },
  {
    name: 'chromium-from-baresip',
    peer: 'Chromium, baresip',
    version: both,
    what: 'a desk phone calls the phone page: SDES to DTLS-SRTP and ICE',
    run: (context) => withDeskPhone(context, 'desk phone'),
  },
  {
    name: 'chromium-to-chromium',
    peer: 'Chromium',
    version: chromiumVersion,
    what: 'two phone pages: DTLS-SRTP and ICE on both sides',
    run: twoBrowsers,
  },
  {
    name: 'chromium-to-trunk',
    peer: 'Chromium, baresip',
    version: both,
    what: 'the phone page calls out over a trunk in plain RTP',
    run: withTrunk,
  },
  {
    name: 'chromium-sas',
    peer: 'Chromium, linphonec (bzrtp)',
    version: () => (linphoneVersion() === null ? null : chromiumVersion()),
    what: 'DTLS-SRTP to ZRTP that ends at the edge: the authentication string in the page, and its confirmation',
    run: comparing,
  },
  {
    name: 'chromium-within-a-call',
    peer: 'Chromium, baresip',
    version: both,
    what: 'padlock, hold and resume, a digit, the other side hangs up',
    run: withinACall,
  },
];

if (import.meta.main) await runCases(cases);
