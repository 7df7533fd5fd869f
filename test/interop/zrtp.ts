/** linphonec (bzrtp) with ZRTP. */
import type { Case, CaseContext } from './harness/case.ts';
import { expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import { talk } from './harness/phone-call.ts';
import { runCases } from './harness/run-cases.ts';
import { Linphone, linphoneVersion } from './peers/linphone.ts';

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

export const cases: readonly Case[] = [
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
