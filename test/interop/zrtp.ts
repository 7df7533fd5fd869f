/** linphonec (bzrtp) with ZRTP. */
import { DOMAIN, type Edge } from './edge.ts';
import type { Case, CaseContext } from './harness/case.ts';
import { expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import { talk } from './harness/phone-call.ts';
import { sleep, until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { Linphone, linphoneVersion } from './peers/linphone.ts';

const password = 'quiet-harbour-19';

/** Two linphonec without the edge: proves that they speak ZRTP here at all. */
async function joined({ workspace, closes }: CaseContext): Promise<string> {
  const certificates = makeCertificates(workspace);
  const common = { workspace, certificates, transport: 'tcp', media: 'zrtp' } as const;
  const alice = closes(await Linphone.start({ ...common, name: 'alice', tone: 440 }));
  const bob = closes(await Linphone.start({ ...common, name: 'bob', tone: 1_000 }));
  const heard = await talk(alice, bob, bob.uri);
  const [a, b] = await Promise.all([alice.sas(), bob.sas()]);
  expect(a === b, `alice shows the SAS ${a}, bob ${b}`);
  return `${heard}; both show the SAS ${a}`;
}

type Zrtp = 'off' | 'pass' | 'end' | 'demand';

/** Alice is a linphonec with ZRTP over TLS, Bob is another one, or a baresip with SDES over TLS or with plain RTP. */
async function called(context: CaseContext, kind: 'linphone' | 'srtp' | 'rtp', zrtp: Zrtp) {
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const edge = await context.edge({
    certificates,
    listeners: [{ name: 'phones', transport: 'tls', encryption: 'none' }],
    objects: {
      users: [
        { name: 'alice', devices: [{ name: 'alice', password, encryption: 'none', zrtp }] },
        {
          name: 'bob',
          devices: [
            {
              name: 'bob',
              password,
              encryption: kind === 'srtp' ? 'required' : 'none',
              ...(kind === 'linphone' ? { zrtp } : { allowMd5: true }),
            },
          ],
        },
      ],
    },
  });
  const server = { address: edge.address, port: edge.port('phones'), domain: DOMAIN, password };
  const common = { workspace, certificates, transport: 'tls', server } as const;
  const alice = closes(await Linphone.start({ ...common, media: 'zrtp', name: 'alice', tone: 440 }));
  const bob =
    kind === 'linphone'
      ? closes(await Linphone.start({ ...common, media: 'zrtp', name: 'bob', tone: 1_000 }))
      : closes(await Baresip.start({ ...common, media: kind, name: 'bob', tone: 1_000 }));
  return { edge, alice, bob };
}

type Line = { readonly event: string; readonly leg?: number } & Readonly<Record<string, unknown>>;

/** Events of the edge's log of that type. */
const eventsOf = (edge: Edge, type: string): Line[] =>
  edge
    .log()
    .split('\n')
    .filter((line) => line.includes(`"event":"${type}"`))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Line);

/** ZRTP from end to end through the edge, which has seen that it did. */
async function passed(context: CaseContext): Promise<string> {
  const { edge, alice, bob } = await called(context, 'linphone', 'pass');
  const heard = await talk(alice, bob, bob.uri);
  const [a, b] = await Promise.all([alice.sas(), (bob as Linphone).sas()]);
  expect(a === b, `alice shows the SAS ${a}, bob ${b}`);
  const told = eventsOf(edge, 'zrtp.passed');
  expect(told.length === 2, `${told.length} ends have confirmed, as the edge saw it`);
  for (const { leg, helloMatches } of told)
    expect(helloMatches === true, `the Hello of leg ${leg} is not that of its signalling`);
  expect(eventsOf(edge, 'call.tampering').length === 0, 'the edge tells of tampering');
  return `${heard}; both show the SAS ${a}; the edge saw both Hellos fit their zrtp-hash`;
}

/** ZRTP of linphonec ends at the edge; baresip has what it can. */
async function ended(context: CaseContext, kind: 'srtp' | 'rtp'): Promise<string> {
  const { edge, alice, bob } = await called(context, kind, 'demand');
  const heard = await talk(alice, bob, bob.uri);
  const sas = await alice.sas();
  const [told] = eventsOf(edge, 'zrtp.secured');
  expect(told !== undefined, 'the edge tells of no keys');
  expect(told.sas === sas, `alice shows the SAS ${sas}, the edge has ${told.sas}`);
  return `${heard}; alice and the edge have the SAS ${sas} (${told.group}, ${told.cipher})`;
}

/** Two calls of one phone: the second one continues the secret that both have kept of the first. */
async function continued(context: CaseContext): Promise<string> {
  const { edge, alice, bob } = await called(context, 'rtp', 'end');
  for (const calls of [1, 2]) {
    alice.dial(bob.uri);
    await until('ZRTP with the edge', 8_000, async () => {
      await sleep(100);
      return eventsOf(edge, 'zrtp.secured').length >= calls ? true : null;
    });
    await sleep(1_000);
    alice.hangUp();
    await until('the call ends', 8_000, async () => {
      await sleep(100);
      return eventsOf(edge, 'call.ended').length >= calls ? true : null;
    });
  }
  await Promise.all([alice.stop(), bob.stop()]);
  const [first, second] = eventsOf(edge, 'zrtp.secured');
  expect(first?.continuity === 'new', `the first call is ${first?.continuity}`);
  expect(second?.continuity === 'continued', `the second call is ${second?.continuity}`);
  expect(first?.zid === second?.zid, 'the phone has changed its ZID');
  expect(eventsOf(edge, 'call.tampering').length === 0, 'the edge tells of tampering');
  return 'a new phone in the first call, its secret continued in the second';
}

/** With ZRTP off a phone that would like it talks in the clear. */
async function off(context: CaseContext): Promise<string> {
  const { edge, alice, bob } = await called(context, 'linphone', 'off');
  const heard = await talk(alice, bob, bob.uri);
  const seen = eventsOf(edge, 'zrtp.passed').length + eventsOf(edge, 'zrtp.secured').length;
  expect(seen === 0, 'the edge tells of ZRTP');
  return heard;
}

const both = () => (baresipVersion() === null ? null : linphoneVersion());

export const cases: readonly Case[] = [
  {
    name: 'zrtp-passed',
    peer: 'linphonec (bzrtp)',
    version: linphoneVersion,
    what: 'linphonec calls linphonec through the edge, ZRTP from end to end',
    run: passed,
  },
  {
    name: 'zrtp-ended-rtp',
    peer: 'linphonec (bzrtp), baresip',
    version: both,
    what: 'linphonec with ZRTP that is demanded calls baresip with plain RTP',
    run: (context) => ended(context, 'rtp'),
  },
  {
    name: 'zrtp-ended-srtp',
    peer: 'linphonec (bzrtp), baresip',
    version: both,
    what: 'linphonec with ZRTP that is demanded calls baresip with SDES',
    run: (context) => ended(context, 'srtp'),
  },
  {
    name: 'zrtp-continued',
    peer: 'linphonec (bzrtp), baresip',
    version: both,
    what: 'linphonec with ZRTP that ends at the edge calls twice; both have kept a secret (RFC 6189 section 4.9)',
    run: continued,
  },
  {
    name: 'zrtp-off',
    peer: 'linphonec (bzrtp)',
    version: linphoneVersion,
    what: 'linphonec calls linphonec, both would like ZRTP and the edge lets none through',
    run: off,
  },
  {
    name: 'peers-zrtp',
    peer: 'linphonec (bzrtp)',
    version: linphoneVersion,
    what: 'linphonec calls linphonec, ZRTP without the edge',
    peersOnly: true,
    run: joined,
  },
];

if (import.meta.main) await runCases(cases);
