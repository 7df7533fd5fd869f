/** linphonec registered at the edge, calling and called by baresip. */
import { account, edgeWithUsers } from './baresip.ts';
import { DOMAIN } from './edge.ts';
import type { Case, CaseContext } from './harness/case.ts';
import { certificatesIn, makeCertificates } from './harness/certificates.ts';
import { expectOwnKeys, type Phone, talk } from './harness/phone-call.ts';
import { freePort } from './harness/ports.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { kamailioVersion, startKamailio } from './peers/kamailio.ts';
import { registrarConfig } from './peers/kamailio-registrar.ts';
import { Linphone, linphoneVersion } from './peers/linphone.ts';

type Kind = 'linphone' | 'baresip';

const phone = { linphone: Linphone, baresip: Baresip } as const;

async function throughEdge(
  context: CaseContext,
  caller: Kind,
  called: Kind,
  calledSide: 'srtp' | 'rtp',
): Promise<string> {
  const { workspace, closes } = context;
  const edge = await edgeWithUsers(
    context,
    { alice: 'srtp', bob: calledSide },
    { alice: caller === 'baresip', bob: called === 'baresip' },
  );
  const certificates = certificatesIn(workspace);
  const common = { workspace, certificates };
  const alice: Phone = closes(
    await phone[caller].start({ ...common, ...account(edge, 'alice', 'srtp'), tone: 440 }),
  );
  const bob: Phone = closes(
    await phone[called].start({ ...common, ...account(edge, 'bob', calledSide), tone: 1_000 }),
  );
  const heard = await talk(alice, bob, bob.uri);
  return calledSide === 'srtp' ? `${heard}; ${expectOwnKeys(alice, bob)}` : heard;
}

async function joined({ workspace, closes }: CaseContext, caller: Kind, called: Kind): Promise<string> {
  const certificates = makeCertificates(workspace);
  // linphonec has no certificate to be a TLS server with; registered, it is called over its own connection.
  const transport = called === 'linphone' ? 'tcp' : 'tls';
  const common = { workspace, certificates, transport, media: 'srtp' } as const;
  const alice: Phone = closes(await phone[caller].start({ ...common, name: 'alice', tone: 440 }));
  const bob: Phone = closes(await phone[called].start({ ...common, name: 'bob', tone: 1_000 }));
  return talk(alice, bob, bob.uri);
}

/** Both phones registered over TLS at a Kamailio: proves that they register and are called back as the edge expects it. */
async function registered({ workspace, closes }: CaseContext, caller: Kind, called: Kind): Promise<string> {
  const certificates = makeCertificates(workspace);
  const address = '127.0.0.1';
  const server = { address, port: await freePort(), domain: DOMAIN, password: 'amber-field-73' };
  closes(
    await startKamailio({
      workspace,
      name: 'registrar',
      config: registrarConfig({ ...server, certificates }),
    }),
  );
  const common = { workspace, certificates, server, transport: 'tls', media: 'srtp' } as const;
  const alice: Phone = closes(await phone[caller].start({ ...common, name: 'alice', tone: 440 }));
  const bob: Phone = closes(await phone[called].start({ ...common, name: 'bob', tone: 1_000 }));
  return talk(alice, bob, bob.uri);
}

const both = () => (baresipVersion() === null ? null : linphoneVersion());

export const cases: readonly Case[] = [
  {
    name: 'linphone-to-baresip',
    peer: 'linphonec, baresip',
    version: both,
    what: 'registered; TLS with SRTP on both sides, linphonec calls',
    run: (context) => throughEdge(context, 'linphone', 'baresip', 'srtp'),
  },
  {
    name: 'baresip-to-linphone',
    peer: 'linphonec, baresip',
    version: both,
    what: 'registered; TLS with SRTP on both sides, linphonec is called',
    run: (context) => throughEdge(context, 'baresip', 'linphone', 'srtp'),
  },
  {
    name: 'linphone-to-baresip-rtp',
    peer: 'linphonec, baresip',
    version: both,
    what: 'registered; linphonec TLS with SRTP calls, baresip UDP with RTP',
    run: (context) => throughEdge(context, 'linphone', 'baresip', 'rtp'),
  },
  ...(
    [
      ['linphone', 'baresip'],
      ['baresip', 'linphone'],
    ] as const
  ).map(
    ([caller, called]): Case => ({
      name: `peers-${caller}-to-${called}`,
      peer: 'linphonec, baresip',
      version: both,
      what: `${caller} calls ${called}, SRTP`,
      peersOnly: true,
      run: (context) => joined(context, caller, called),
    }),
  ),
  ...(
    [
      ['linphone', 'baresip'],
      ['baresip', 'linphone'],
    ] as const
  ).map(
    ([caller, called]): Case => ({
      name: `peers-registered-${caller}-to-${called}`,
      peer: 'Kamailio, linphonec, baresip',
      version: () => (both() === null ? null : kamailioVersion()),
      what: `${caller} calls ${called}, both registered over TLS, SRTP`,
      peersOnly: true,
      run: (context) => registered(context, caller, called),
    }),
  ),
];

if (import.meta.main) await runCases(cases);
