/** Kamailio as the registrar behind the edge: its phones are outside, on TLS with SRTP, and it sees the edge alone. */
import { DOMAIN } from './edge.ts';
import { type Case, type CaseContext, expect } from './harness/case.ts';
import { makeCertificates } from './harness/certificates.ts';
import { expectOwnKeys, talk } from './harness/phone-call.ts';
import { freePort } from './harness/ports.ts';
import { runCases } from './harness/run-cases.ts';
import { Baresip, baresipVersion } from './peers/baresip.ts';
import { kamailioVersion, startKamailio } from './peers/kamailio.ts';
import { pbxConfig } from './peers/kamailio-pbx.ts';

const PBX = '127.0.0.4';
const SPARE = '127.0.0.6';
const PASSWORDS = { alice: 'blue-harbour-42', bob: 'quiet-meadow-17' } as const;

type Plan = {
  /** The preferred node is not there: everything goes to the other one. */
  readonly firstNodeDead?: boolean;
};

async function behindEdge(context: CaseContext, plan: Plan): Promise<string> {
  const { workspace, closes } = context;
  const certificates = makeCertificates(workspace);
  const port = await freePort(PBX);
  const node = { name: 'one', target: `sip:${PBX}:${port};transport=udp`, priority: 10 };
  const dead = { name: 'dead', target: `sip:${SPARE}:${await freePort(SPARE)};transport=udp`, priority: 5 };
  const kamailio = closes(
    await startKamailio({
      workspace,
      name: 'kamailio',
      config: pbxConfig({ address: PBX, port, domain: DOMAIN, passwords: PASSWORDS }),
    }),
  );
  const edge = await context.edge({
    certificates,
    listeners: [
      { name: 'phones', transport: 'tls', encryption: 'required' },
      { name: 'inside', transport: 'udp', encryption: 'none' },
    ],
    objects: {
      pbx: [{ nodes: plan.firstNodeDead ? [dead, node] : [node], encryption: 'none', phones: 'required' }],
    },
  });
  const phone = async (name: 'alice' | 'bob', tone: number) =>
    closes(
      await Baresip.start({
        workspace,
        certificates,
        name,
        tone,
        transport: 'tls',
        media: 'srtp',
        server: {
          address: edge.address,
          port: edge.port('phones'),
          domain: DOMAIN,
          password: PASSWORDS[name],
        },
      }),
    );
  const alice = await phone('alice', 440);
  const bob = await phone('bob', 1_000);
  const heard = await talk(alice, bob, `sip:bob@${DOMAIN}`);
  const registered = [...kamailio.output.matchAll(/registers (\w+) from (\S+) as (\S+)/g)];
  expect(registered.length >= 2, `Kamailio has registered ${registered.length} phones`);
  for (const [, , source, contact] of registered) {
    expect(source === edge.address, `a REGISTER came from ${source}`);
    expect(
      new RegExp(`^<sip:[\\w-]{20}@${edge.address}:${edge.port('inside')}>`).test(contact ?? ''),
      `Kamailio was shown the Contact ${contact}`,
    );
  }
  expect(kamailio.output.includes('lets alice call bob'), 'Kamailio has authenticated no call');
  if (plan.firstNodeDead) expect(edge.log().includes('target.quarantined'), 'the dead node was not noticed');
  return [
    heard,
    expectOwnKeys(alice, bob),
    `Kamailio took the digests of ${registered.length} REGISTERs and of the call, and saw the edge alone`,
    ...(plan.firstNodeDead ? ['the preferred node was dead'] : []),
  ].join('; ');
}

const version = () => (baresipVersion() === null ? null : kamailioVersion());

export const cases: readonly Case[] = [
  {
    name: 'kamailio-pbx',
    peer: 'Kamailio, baresip',
    version,
    what: 'registrar behind the edge; two phones on TLS with SRTP register through it and call each other',
    run: (context) => behindEdge(context, {}),
  },
  {
    name: 'kamailio-pbx-failover',
    peer: 'Kamailio, baresip',
    version,
    what: 'the same, the preferred node of the PBX is dead',
    run: (context) => behindEdge(context, { firstNodeDead: true }),
  },
];

if (import.meta.main) await runCases(cases);
