/** linphonec and baresip hold and transfer each other: the edge does the transfer, and the audio follows. */
import { DOMAIN } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import type { Phone } from './harness/phone-call.ts';
import { sleep, until } from './harness/process.ts';
import { runCases } from './harness/run-cases.ts';
import { secondsOfTone } from './harness/tone.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { Linphone, linphoneVersion } from './peers/linphone.ts';

const users = ['alice', 'bob', 'carol'] as const;
const password = 'slow-river-88';
const TALK_MS = 3_000;
const CLEAR_SECONDS = 1.5;

interface Cast {
  readonly alice: Linphone;
  readonly bob: Linphone | Baresip;
  readonly carol: Baresip;
}

const kinds = { linphone: Linphone, baresip: Baresip } as const;

/**
 * Alice is a linphonec, Carol a baresip, all over TLS with SRTP. Whoever stays is a linphonec: baresip 1.0 records
 * nothing more after a re-INVITE.
 */
async function cast(context: CaseContext, kind: keyof typeof kinds): Promise<Cast> {
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const edge = await context.edge({
    certificates,
    listeners: [{ name: 'phones', transport: 'tls', encryption: 'required' }],
    objects: {
      users: users.map((name) => ({
        name,
        // baresip 1.0 knows no digest but MD5.
        devices: [
          {
            name,
            password,
            encryption: 'required' as const,
            allowMd5: name === 'carol' || (name === 'bob' && kind === 'baresip'),
          },
        ],
      })),
    },
  });
  const server = { address: edge.address, port: edge.port('phones'), domain: DOMAIN, password };
  const common = { workspace, certificates, transport: 'tls', media: 'srtp', server } as const;
  const alice = closes(await Linphone.start({ ...common, name: 'alice', tone: 440 }));
  const bob = closes(await kinds[kind].start({ ...common, name: 'bob', tone: 1_000 }));
  const carol = closes(await Baresip.start({ ...common, name: 'carol', tone: 700 }));
  return { alice, bob, carol };
}

function expectHeard(listener: Phone, speaker: Phone, who: string): string {
  const seconds = secondsOfTone(listener.heard(), speaker.tone);
  expect(seconds >= CLEAR_SECONDS, `${who} heard ${speaker.tone} Hz for ${seconds.toFixed(1)} s only`);
  return `${who} heard ${speaker.tone} Hz for ${seconds.toFixed(1)} s`;
}

async function connected({ alice, bob }: { readonly alice: Phone; readonly bob: Phone }): Promise<void> {
  alice.dial(bob.uri);
  await Promise.all([alice.established(), bob.established()]);
  await sleep(1_500);
}

async function over(...phones: readonly Phone[]): Promise<void> {
  await Promise.all(phones.map((phone) => phone.stop()));
}

/** Linphone holds, resumes and sends Bob to Carol. */
async function byCaller(context: CaseContext): Promise<string> {
  const all = await cast(context, 'linphone');
  const { alice, bob, carol } = all;
  await connected(all);
  alice.hold();
  await sleep(1_000);
  alice.resume();
  await sleep(1_500);
  alice.transfer(carol.uri);
  await carol.established();
  await sleep(TALK_MS);
  await alice.ended();
  carol.hangUp();
  await bob.ended();
  await over(alice, bob, carol);
  return `${expectHeard(bob, carol, 'bob')}, ${expectHeard(carol, bob, 'carol')}`;
}

/** Bob, the called baresip, sends linphonec to Carol. */
async function byCalled(context: CaseContext): Promise<string> {
  const all = await cast(context, 'baresip');
  const { alice, bob, carol } = all;
  await connected(all);
  bob.transfer(carol.uri);
  await carol.established();
  await bob.ended();
  await sleep(TALK_MS);
  carol.hangUp();
  await alice.ended();
  await over(alice, bob, carol);
  return `${expectHeard(alice, carol, 'alice')}, ${expectHeard(carol, alice, 'carol')}`;
}

/** Linphone puts Bob on hold, asks Carol, and joins the two. */
async function attended(context: CaseContext): Promise<string> {
  const all = await cast(context, 'linphone');
  const { alice, bob, carol } = all;
  await connected(all);
  alice.hold();
  await sleep(1_000);
  alice.dial(carol.uri);
  await carol.established();
  await sleep(1_500);
  alice.transfer('1 --to-call 2');
  await until('both calls of linphonec end', 10_000, async () => {
    const ended = alice.program.output.match(/Call \d+ with .* ended/g)?.length ?? 0;
    await sleep(100);
    return ended >= 2 ? true : null;
  });
  await sleep(TALK_MS);
  carol.hangUp();
  await bob.ended();
  await over(alice, bob, carol);
  return `${expectHeard(bob, carol, 'bob')}, ${expectHeard(carol, bob, 'carol')}`;
}

const both = () => (baresipVersion() === null ? null : linphoneVersion());

const named = (name: string, what: string, run: Case['run']): Case => ({
  name,
  peer: 'linphonec, baresip',
  version: both,
  what,
  run,
});

export const cases: readonly Case[] = [
  named(
    'transfer-by-linphone',
    'linphonec calls, holds, resumes and transfers; TLS with SRTP on all sides',
    byCaller,
  ),
  named('transfer-by-baresip', 'the called baresip transfers linphonec', byCalled),
  named('transfer-attended', 'linphonec holds, calls a third and joins the two (Replaces)', attended),
];

if (import.meta.main) await runCases(cases);
