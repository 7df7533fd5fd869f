/** linphonec (bzrtp) with ZRTP. */
import { DOMAIN } from './edge.ts';
import type { Case, CaseContext } from './harness/case.ts';
import { expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import { talk } from './harness/phone-call.ts';
import { runCases } from './harness/run-cases.ts';
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

/** Both registered over TLS, with ZRTP from end to end through the edge. */
async function passed(context: CaseContext): Promise<string> {
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const edge = await context.edge({
    certificates,
    listeners: [{ name: 'phones', transport: 'tls', encryption: 'preferred' }],
    objects: {
      users: ['alice', 'bob'].map((name) => ({
        name,
        devices: [{ name, password, encryption: 'none' as const }],
      })),
    },
  });
  const server = { address: edge.address, port: edge.port('phones'), domain: DOMAIN, password };
  const common = { workspace, certificates, transport: 'tls', media: 'zrtp', server } as const;
  const alice = closes(await Linphone.start({ ...common, name: 'alice', tone: 440 }));
  const bob = closes(await Linphone.start({ ...common, name: 'bob', tone: 1_000 }));
  const heard = await talk(alice, bob, bob.uri);
  const [a, b] = await Promise.all([alice.sas(), bob.sas()]);
  expect(a === b, `alice shows the SAS ${a}, bob ${b}`);
  return `${heard}; both show the SAS ${a}`;
}

export const cases: readonly Case[] = [
  {
    name: 'zrtp-passed',
    peer: 'linphonec (bzrtp)',
    version: linphoneVersion,
    what: 'linphonec calls linphonec through the edge, ZRTP from end to end',
    run: passed,
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
